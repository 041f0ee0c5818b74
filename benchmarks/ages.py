"""Age as a number: agents trained at 20, 45 and 75 years, and asked as people of 30 and 60, whom nobody trained.

Trains ``groups=age_years policy=basis policy.basis.z=attributes``, lets the ages between join by ``trialign adapt``
without an answer (their z is what the maps make of the number), and asks all five the held-out questions in scores;
beside them the base model, told the same ages. Targets of taste between two ages are mixed by how near they are.
Finished commands are not run again.

    python benchmarks/ages.py trainer.steps=160 --seeds 0 1 2
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml
from newcomer import SHARED, figures
from study import call

from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.runs import ANALYSIS, RunFolder

TRAINED, BETWEEN = (20, 45, 75), (30, 60)
WORDS = ("groups=age_years", "policy=basis", "policy.basis.z=attributes", *SHARED)
COLUMNS = {
    "accuracy": "accuracy",
    "flips": "flips against the other ages",
    "own": "own taste met",
    "kept": "own minus swapped",
}


def run_of(config: str, seed: int, overrides: list[str]) -> RunFolder:
    """A trained run with the ages between beside those that were trained."""
    name = f"ages-{Path(config).stem}-seed{seed}"
    trained, joined = (RunFolder(Path("runs") / one) for one in (name, f"{name}-between"))
    begun = ["--resume"] if trained.config_file.exists() else []
    words = [*WORDS, *overrides, f"seed={seed}", f"name={name}", "trainer.audits=false"]
    call(["fit", "--config", config, *words, *begun])
    if not joined.config_file.exists():
        stated = {"members": {f"years_{age}": {"attributes": {"age": age}} for age in BETWEEN}}
        file = Path("runs") / ".ages.yaml"
        file.write_text(yaml.safe_dump(stated))
        call(["adapt", "--run", str(trained.folder), "--groups", str(file), "--name", joined.folder.name])
    return joined


def audit_of(run: RunFolder, data: str, *, base: bool) -> AuditAnalysis:
    """The held-out questions put to all five agents, or to the base model that is told their ages."""

    def made() -> list[Path]:
        found = [one for one in run.audits() if (one.data, one.split, not one.step) == (data, "test", base)]
        return [one.path / ANALYSIS for one in found]

    if not made():
        call(["test", "--run", str(run.folder), f"data={data}"])  # asks the base model, too
    return read_analysis(made()[-1])


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", default=[])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--data", default="embedded")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    rows: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for seed in arguments.seeds:
        run = run_of(arguments.config, seed, arguments.overrides)
        for who, base in (("base model", True), ("agents", False)):
            analysis = audit_of(run, arguments.data, base=base)
            for age in sorted((*TRAINED, *BETWEEN)):
                rows[who, age].append(figures(analysis, f"years_{age}"))
    print("\n| who | age | " + " | ".join(COLUMNS.values()) + " |\n|---|---" + "|---" * len(COLUMNS) + "|")
    for (who, age), found in rows.items():
        cells = [f"{np.mean([one[key] for one in found]):.3f}" if key in found[0] else "-" for key in COLUMNS]
        print(f"| {who} | {age}{'' if age in TRAINED else ' (nobody trained)'} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
