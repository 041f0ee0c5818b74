"""Whether a question that is written otherwise is still the same question: the base model without a profile, on both.

Of embedded facts, the share to which the model gives the same answer as to the plain question, the mean divergence of
the two answer distributions (Jensen-Shannon, of at most 1), and right answers in both. As a yardstick: another
paraphrase of the same fact with the same options.

    python benchmarks/styles.py --facts 100
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trialign.api.session import Session
from trialign.audit.asking.pressing import facts_with_options
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.statistics import divergences
from trialign.audit.files.items import AuditItem
from trialign.composition import compose
from trialign.config import load
from trialign.queries import TruthQuery
from trialign.writing import WAYS, written


def row(name: str, plain: Sequence[AuditItem], other: Sequence[AuditItem]) -> str:
    """What a way of writing changes, as a row of the table."""
    both = list(zip(plain, other, strict=True))
    same = np.mean([one.answer == two.answer for one, two in both])
    shares = [(one.option_probabilities or (), two.option_probabilities or ()) for one, two in both]
    apart = np.mean([divergences(np.array([pair]), np.array([len(pair[0])]))[0] for pair in shares])
    right = " | ".join(f"{np.mean([bool(one.correct) for one in side]):.3f}" for side in (plain, other))
    return f"| {name} | {len(plain)} | {same:.3f} | {apart:.4f} | {right} |"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, default=100, help="facts of the validation split")
    arguments = parser.parse_args()
    composed = compose("conf/quickstart.yaml", ["audit.answers=[scored]"])
    session = Session(load(composed), composed)
    groups = replace(session.groups, members=())
    auditor = Auditor(session.agents(None), groups, session.config.prompt, session.config.audit)
    clusters: dict[str, list[TruthQuery]] = {}
    for query in facts_with_options(session.split("validation")):
        clusters.setdefault(query.cluster, []).append(query)
    asked = list(clusters.values())[: arguments.facts]
    first = [queries[0] for queries in asked]
    plain = auditor.run(first, "plain")
    print(
        "| written | facts | same answer | divergence | right, plain | right, so written |\n|---|---|---|---|---|---|"
    )
    for way in WAYS:
        others = [replace(one, question=written(one.question, way, one.query_id, one.options)) for one in first]
        print(row(way, plain, auditor.run(others, way)))
    pairs = [(one, found) for one, queries in zip(plain, asked, strict=True) if (found := paraphrase(queries))]
    print(row("another paraphrase", [one for one, _ in pairs], auditor.run([two for _, two in pairs], "paraphrase")))


def paraphrase(queries: Sequence[TruthQuery]) -> TruthQuery | None:
    """Another question for the same fact, with the options in the order of the first one's."""
    first, *others = queries
    same = (other for other in others if set(other.options) == set(first.options) and other.gold == first.gold)
    other = next(same, None)
    return replace(other, options=first.options) if other else None


if __name__ == "__main__":
    main()
