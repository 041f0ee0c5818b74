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

import yaml
from newcomer import SHARED
from parted import Figure, figures, table
from study import call

from trialign.runs import RunFolder

TRAINED, BETWEEN = (20, 45, 75), (30, 60)
WORDS = ("groups=age_years", "policy=basis", "policy.basis.z=attributes", *SHARED)


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


def audit_of(run: RunFolder, data: str, *, base: bool) -> Path:
    """The held-out questions put to all five agents, or to the base model that is told their ages."""

    def made() -> list[Path]:
        return [one.path for one in run.audits() if (one.data, one.split, not one.step) == (data, "test", base)]

    if not made():
        call(["test", "--run", str(run.folder), f"data={data}"])  # asks the base model, too
    return made()[-1]


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", default=[])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--data", default="embedded")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    rows: dict[str, list[dict[str, Figure]]] = defaultdict(list)
    every = [f"years_{age}" for age in sorted((*TRAINED, *BETWEEN))]
    for seed in arguments.seeds:
        run = run_of(arguments.config, seed, arguments.overrides)
        for who, base in (("base model", True), ("agents", False)):
            audit = audit_of(run, arguments.data, base=base)
            trained, between = [f"years_{age}" for age in TRAINED], [f"years_{age}" for age in BETWEEN]
            seen, fresh = figures(audit, trained, trained), figures(audit, between, trained)
            for group in every:
                rows[f"{who}, {group}"].append(figures(audit, [group], every))
            rows[f"{who}, trained, against each other"].append(seen)
            rows[f"{who}, between, against the trained"].append(fresh)
            rows[f"{who}, between minus trained"].append({key: fresh[key].minus(seen[key]) for key in seen})
    print(f"\n{table('who', rows)}")


if __name__ == "__main__":
    main()
