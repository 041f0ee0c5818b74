"""People of a population whom nobody trained for, beside some of those that were trained.

Takes a finished run of a drawn population with ``policy=basis policy.basis.z=attributes`` (docs/method.md, "Very many
groups"), draws more people of the same population, lets them join by ``trialign adapt`` without an answer (their z is
what the maps make of their attributes), and asks them and the first of the trained ones the held-out questions in
scores; beside them the base model, told the same profiles. Finished commands are not run again.

    python benchmarks/people.py --run runs/thousand --unseen 8
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from parted import Figure, figures, table
from study import call

from trialign.group_config import build_groups, configured_sets
from trialign.runs import RunFolder


def unseen(composed: dict[str, Any], count: int) -> dict[str, dict[str, Any]]:
    """So many more people of a run's population: name -> attributes."""
    [(name, values)] = configured_sets(composed["groups"])
    size = values["population"]["size"]
    trained, all_of_them = (
        build_groups({name: {**values, "population": {**values["population"], "size": number}}})
        for number in (size, size + count)
    )
    known = {group.name for group in trained.members}
    return {
        group.name: {"attributes": dict(group.attributes)} for group in all_of_them.members if group.name not in known
    }


def joined(run: RunFolder, people: dict[str, dict[str, Any]]) -> RunFolder:
    """The run with these people in it."""
    found = RunFolder(run.folder.with_name(f"{run.folder.name}-unseen-{len(people)}"))
    if not found.config_file.exists():
        file = run.folder.with_name(f".{found.folder.name}.yaml")
        file.write_text(yaml.safe_dump({"members": people}))
        call(["adapt", "--run", str(run.folder), "--groups", str(file), "--name", found.folder.name])
    return found


def audits(run: RunFolder, data: str) -> dict[str, Path]:
    """The held-out questions put to the base model, and to the agents."""

    def made() -> list[Path]:
        return [one.path for one in run.audits() if (one.data, one.split) == (data, "test")]

    if len(made()) < 2:
        call(["test", "--run", str(run.folder), f"data={data}"])  # asks the base model, too
    base, *_, agents = made()
    return {"base model": base, "agents": agents}


def rows_of(audit: Path, trained: list[str], new: list[str]) -> dict[str, list[dict[str, Figure]]]:
    """Those that were trained against each other, those that were not against them, and the difference."""
    seen, fresh = figures(audit, trained, trained), figures(audit, new, trained)
    difference = {key: fresh[key].minus(seen[key]) for key in fresh}
    return {"trained": [seen], "not trained": [fresh], "difference": [difference]}


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--unseen", type=int, default=8)
    parser.add_argument("--data", default="embedded")
    arguments = parser.parse_args()
    run = RunFolder(arguments.run)
    people = unseen(run.stored_config(), arguments.unseen)
    both = joined(run, people)
    [(_, values)] = configured_sets(both.stored_config()["groups"])
    asked = list(values["members"])[: both.stored_config()["audit"]["groups"]]
    trained = [name for name in asked if name not in people]
    for who, audit in audits(both, arguments.data).items():
        head = f"{who}: {len(trained)} trained, {len(people)} not"
        print(f"\n{table(head, rows_of(audit, trained, list(people)))}")


if __name__ == "__main__":
    main()
