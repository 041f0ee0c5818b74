"""A training step with the profile first, and with the profile last and adapters that act from it on.

Eight groups (and 1, 2, 4), one question of some length with four options. First: every group's row holds the question,
forward and backward. Last: the question goes through the base weights once, and the rows begin with the profile.
Both are steps of the same model on the same words; they are different agents (see docs/performance.md).

    python benchmarks/activated.py --tokens 200 --rounds 3
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

from side_by_side import one_thread, peak_memory, setting, table, take_turns
from workloads import session_of

from trialign.api.session import Session
from trialign.environment import first_turn, observe, option_actions
from trialign.policy import ROOT, GroupPolicy, Segment, TreeBatch, TreeRow, build_tree_batch

COUNTS = (1, 2, 4, 8)
FILLER = "Think about what is known, and about what people say; only the first of the two matters here."


def batch_of(session: Session, groups: int, tokens: int) -> tuple[TreeBatch, int]:
    """One question for so many groups, and the tokens of the longest prompt; the question has about ``tokens``."""
    query = next(query for query in session.split("train") if len(query.options) == 4)
    text = query.question
    while len(session.renderer.encode(text)) < tokens:
        text = f"{FILLER} {text}"
    query = replace(query, question=text)
    rows = []
    for group in session.groups.members[:groups]:
        conversation = first_turn(query, group, "explicit", 0, session.config.prompt)
        prompt = observe(query, group, "explicit", 0, 0, conversation, session.renderer).prompt
        answers = option_actions(query, session.config.scoring, session.renderer)
        branches = (Segment(answer, 0, action=True) for answer in answers)
        rows.append(TreeRow(session.policy.adapter_index(group.name), (Segment(prompt, ROOT), *branches)))
    longest = max(len(row.segments[0].tokens) for row in rows)
    return build_tree_batch(rows, session.policy.invocation), longest


def train(policy: GroupPolicy, batch: TreeBatch) -> None:
    """Forward and backward pass."""
    policy.score(batch).sum().backward()


def main(words: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=200, help="of the question, at least")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(words)
    one_thread()
    # Nine groups, of which the first eight are used.
    several = ("groups=[country,education]", "policy=per_group")
    sessions = {
        "first": session_of("options", *several),
        "last": session_of("options", *several, "prompt.profile=last", "policy.activation=profile"),
    }
    print(setting())
    rows = []
    for count in COUNTS:
        batches = {name: batch_of(session, count, arguments.tokens) for name, session in sessions.items()}
        works = {name: partial(train, sessions[name].policy, batch) for name, (batch, _) in batches.items()}
        measured = take_turns(works, arguments.rounds)
        slow = measured["first"].median
        for name, m in measured.items():
            seconds = [f"{m.median:.2f}", m.spread, f"{slow / m.median:.2f}"]
            rows.append([count, name, batches[name][1], *seconds, f"{peak_memory(works[name]):.0f}"])
    print(table(["groups", "profile", "tokens a prompt", "median, CPU s", "range", "times as fast", "peak MB"], rows))


if __name__ == "__main__":
    main()
