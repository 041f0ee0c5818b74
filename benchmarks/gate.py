"""How often a gate takes a fact for a taste, or a taste for a fact: on every split, and where a question asks for both.

The classifier is fitted as ``trialign fit objective=gate`` fits it; nothing is trained beside it, nothing is written.

    python benchmarks/gate.py
    python benchmarks/gate.py --data embedded_full
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from trialign.api.agents import fitted_gate
from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.gating.serving import Gatekeeper
from trialign.gating.states import Reader
from trialign.queries import SPLITS


def session_of(data: str, words: Sequence[str]) -> Session:
    """The quick start with a gate and some data."""
    composed = compose("conf/quickstart.yaml", ["objective=gate", f"data={data}", *words])
    return Session(load(composed), composed)


def main() -> None:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="embedded", help="what it is fitted to")
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    session = session_of(arguments.data, arguments.overrides)
    begin = time.monotonic()
    gate = fitted_gate(session)
    assert gate is not None
    print(f"fitted in {time.monotonic() - begin:.0f} s")
    reader = Reader(session.policy.eval(), session.renderer, session.config.audit.batch_tokens)
    keeper = Gatekeeper(gate, reader, session.groups.members)
    print("\n| | facts taken for tastes | tastes taken for facts | mixed taken for facts |\n|---|---|---|---|")
    for split in SPLITS:
        found = keeper.counts(session.split(split))
        facts, tastes, mixed = found["truth"], found["preference"], found["mixed"]
        cells = (
            f"{facts['taken_for_tastes']} of {facts['questions']}",
            f"{tastes['taken_for_facts']} of {tastes['questions']}",
            f"{mixed['taken_for_facts']} of {mixed['questions']}",
        )
        print(f"| {arguments.data}, {split} | {' | '.join(cells)} |")
    both = dict.fromkeys(query.question for query in session_of("two_part", arguments.overrides).queries)
    print(f"\nof {len(both)} questions that ask for both, {sum(keeper.facts(list(both)))} are taken for facts")


if __name__ == "__main__":
    main()
