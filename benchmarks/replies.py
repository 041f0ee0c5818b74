"""What training on options does to free replies: a run's agents beside the base model, on the same open questions.

Greedy replies to the held-out questions on facts, asked without their options: the share that ends within the limit,
the share of its four-token sequences that a reply has already used, and how likely the base model, told the same
profile, finds the reply. Means over groups with 95 % intervals over questions.

    python benchmarks/replies.py --run runs/quickstart --questions 40
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from trialign.api.session import Session, open_run
from trialign.audit.figures.statistics import Floats, mean_intervals
from trialign.environment import first_turn, observe
from trialign.policy import ROOT, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import score_rows
from trialign.queries import PreferenceQuery

BATCH = 8  # questions
REPEATED = 4  # tokens of a sequence that counts as repeated
MEASURES = ("ends by itself", "repeats itself", "base model's nats a token")


def repeated(reply: Sequence[int]) -> float:
    """Share of the reply's sequences of four tokens that stood in it before."""
    sequences = [tuple(reply[place : place + REPEATED]) for place in range(len(reply) - REPEATED + 1)]
    return 1 - len(set(sequences)) / len(sequences) if sequences else 0.0


def measured(session: Session, questions: Sequence[str], tokens: int, *, reference: bool) -> Floats:
    """[questions, measures], means over the groups; of the agents, or of the base model that is told their profiles."""
    policy, renderer = session.policy.eval(), session.renderer
    values = []
    for begin in range(0, len(questions), BATCH):
        prompts, groups = [], []
        for question in questions[begin : begin + BATCH]:
            query = PreferenceQuery.asked(question, ())
            for group in session.groups.members:
                conversation = first_turn(query, group, "explicit", 0, session.config.prompt)
                prompts.append(observe(query, group, "explicit", 0, 0, conversation, renderer).prompt)
                groups.append(group.name)
        replies = policy.generate(prompts, groups, renderer.end_ids, Sampling(tokens), reference=reference)
        rows = [
            TreeRow(policy.adapter_index(group), (Segment(prompt, ROOT), Segment(reply, 0, action=True)))
            for group, prompt, reply in zip(groups, prompts, replies, strict=True)
        ]
        likely = score_rows(policy, rows, reference=True)
        values.extend(
            (float(renderer.ended(reply)), repeated(reply), -score[0] / len(reply))
            for reply, score in zip(replies, likely, strict=True)
        )
    return np.array(values).reshape(len(questions), -1, len(MEASURES)).mean(axis=1)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--questions", type=int, default=40, help="facts, one wording of each")
    parser.add_argument("--tokens", type=int, default=64, help="longest reply")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which questions")
    arguments = parser.parse_args()
    session = open_run(arguments.run)
    step = session.load_agents(None).step
    asked = reversed(session.split(arguments.split))
    first = {query.cluster: query.question for query in asked if query.kind == "truth"}
    questions = list(first.values())[: arguments.questions]
    with torch.inference_mode():
        sides = {
            "base model": measured(session, questions, arguments.tokens, reference=True),
            f"after step {step}": measured(session, questions, arguments.tokens, reference=False),
        }
    print(f"{len(questions)} questions, {len(session.groups.members)} groups, at most {arguments.tokens} tokens\n")
    print("| | " + " | ".join(MEASURES) + " |\n|---|---|---|---|")
    sides["change"] = sides[f"after step {step}"] - sides["base model"]
    for name, values in sides.items():
        intervals = mean_intervals(values, np.arange(len(values)))
        cells = [f"{v:.3f} [{low:.3f}, {high:.3f}]" for v, (low, high) in zip(values.mean(0), intervals, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
