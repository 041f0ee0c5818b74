"""Trained runs on questions of another data set: every method by the audit's own figures, the first beside each other.

Each run's last agents answer the questions of ``--data`` as an audit puts them; the audit is filed in the run's folder,
under the name of the data, and one that is there is taken as it is. The base model is the first run's. Prints Markdown.

    python benchmarks/elsewhere.py runs/quickstart runs/gate runs/two_adapters --data two_part
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from learning import change, measured

from trialign.api.auditing import audit
from trialign.api.elsewhere import audit_base_model, open_run_on
from trialign.api.session import Session
from trialign.audit.figures.comparison import differences
from trialign.audit.figures.measures import compared
from trialign.groups import Exposure
from trialign.runs import SUMMARY, is_whole_audit

SHOWN = ("mean", "worst", "flip_rate", "unanimous", "preference", "kept")


def opened(run: Path, data: str, exposure: Exposure) -> Session:
    """A run's session, with other questions, whose options are scored."""
    # Under another exposure it is another audit: it is filed beside the first.
    named = [] if exposure == "explicit" else [f"data.name={data}_{exposure}"]
    session = open_run_on(run, [f"data={data}", *named])
    audit = replace(session.config.audit, answers=("scored",), exposures=(exposure,), wordings=1)
    return replace(session, config=replace(session.config, audit=audit))


def audited(session: Session, *, trained: bool) -> Path:
    """Folder of the audit of the base model, or of the run's last agents, on the held-out questions."""
    step = session.config.trainer.steps if trained else 0
    folder = session.run.audit(step, session.config.data.name, "test")
    if not trained:
        audit_base_model(session, "test")
    elif not is_whole_audit(folder):
        audit(session, "test", trained=True, step=None)
    return folder


def print_audits(folders: dict[str, Path]) -> None:
    """A row an audit, with the errors of its gate where one stood before the agents; then the first against each."""
    places = [place for place, one in enumerate(compared()) if one.key in SHOWN]
    measures = {name: measured(folder) for name, folder in folders.items()}
    heads = [compared()[place].label for place in places]
    print(f"| | {' | '.join(heads)} | facts, tastes taken for the other |\n|---{'|---' * (len(heads) + 1)}|")
    for name, folder in folders.items():
        own = differences(measures[name], measures[name])
        cells = " | ".join("-" if own[place].first is None else f"{own[place].first:.3f}" for place in places)
        print(f"| {name} | {cells} | {gate_errors(folder)} |")
    first, *others = folders
    print(f"\n| {first} minus | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|")
    for other in others:
        found = differences(measures[other], measures[first])
        print(
            f"| {other} | "
            + " | ".join("-" if found[place].change is None else change(found[place]) for place in places)
            + " |"
        )


def gate_errors(folder: Path) -> str:
    """What a gate took for the other kind, of how many."""
    found = json.loads((folder / SUMMARY).read_text(encoding="utf-8")).get("gate")
    if not found:
        return "-"
    facts, tastes = found["truth"], found["preference"]
    return f"{facts['taken_for_tastes']} of {facts['questions']}, {tastes['taken_for_facts']} of {tastes['questions']}"


def main(words: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", default="two_part")
    parser.add_argument("--exposure", choices=["explicit", "implicit"], default="explicit")
    arguments = parser.parse_args(words)
    sessions = {run.name: opened(run, arguments.data, arguments.exposure) for run in arguments.runs}
    first, *_ = sessions.values()
    folders = {name: audited(session, trained=True) for name, session in sessions.items()}
    print_audits({**folders, "base model": audited(first, trained=False)})


if __name__ == "__main__":
    main()
