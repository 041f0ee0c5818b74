"""What the teacher of sentences says: how often it states what it was told, and how it sounds to who is only asked.

The teacher of ``objective.text`` on training questions and ordinary instructions; a token's nats are those of the base
model that reads what the agent will read: the profile and the question, without what the teacher was told.

    python benchmarks/teacher.py --questions 60
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from trialign.api import compose
from trialign.api.session import Session
from trialign.api.taught import teacher_of
from trialign.policy import ROOT, Segment, TreeRow
from trialign.policy.scoring import score_rows
from trialign.queries import Query
from trialign.trajectories.teacher import Teacher, asked_openly, instructions, wording_of
from trialign.trajectories.texts import Text


def spread(queries: Sequence[Query], count: int) -> list[Query]:
    """As many of them, one wording of each, from end to end."""
    ones = list({query.cluster: query for query in reversed(queries)}.values())
    return ones[:: max(1, len(ones) // count)][:count]


def nats(session: Session, teacher: Teacher, queries: Sequence[Query], texts: Sequence[Text]) -> list[float]:
    """Of each reply, over all its tokens."""
    agents, seed, known = teacher.agents, teacher.seed, {query.query_id: query for query in queries}
    rows = []
    for text in texts:
        query = known[text.query_id]
        group = next((one for one in session.groups.members if one.name == text.group), session.groups.members[0])
        wording = wording_of(seed, query.query_id, teacher.exposure, group)
        asked = asked_openly(query, group, teacher.exposure, wording, teacher.prompt)
        prompt = agents.observe([asked])[0].prompt
        rows.append(TreeRow(0, (Segment(prompt, ROOT), Segment(text.token_ids, 0, action=True))))
    return [-found[0] for found in score_rows(agents.policy, rows, reference=True, batch_tokens=agents.batch_tokens)]


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--questions", type=int, default=60, help="facts; a third as many tastes, a sixth instructions")
    arguments = parser.parse_args()
    session = compose(arguments.config)
    teacher = teacher_of(session)
    training = session.split("train")
    asked = {
        "facts": spread([one for one in training if one.kind == "truth"], arguments.questions),
        "tastes": spread([one for one in training if one.kind == "preference"], arguments.questions // 3),
        "instructions": spread(instructions(), arguments.questions // 6),
    }
    print("| | replies | state it | end | tokens | nats a token |\n|---|---|---|---|---|---|")
    for name, queries in asked.items():
        with torch.inference_mode():
            texts = teacher.write(queries)
            costs = nats(session, teacher, queries, texts)
        kept = [(text, cost) for text, cost in zip(texts, costs, strict=True) if text.stated]
        tokens = sum(len(text.token_ids) for text, _ in kept)
        ended = sum(session.renderer.ended(text.token_ids) for text, _ in kept)
        cells = (len(kept) / len(texts), ended / len(kept), tokens / len(kept), sum(cost for _, cost in kept) / tokens)
        print(
            f"| {name} | {len(texts)} | {cells[0]:.2f} | {cells[1]:.2f} | {cells[2]:.1f} | {cells[3]:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
