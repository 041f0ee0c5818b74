"""The steps one after the other: what one cannot tell, the next is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trialign.comparing.pairs import By, Comparison, ReplyPair, Verdict, by_canonical
from trialign.queries.types import Query

#: Tells of each pair, in order: `trialign.comparing.entailment.Entailment`, `trialign.comparing.judge.Judge`.
Teller = Callable[[Sequence[ReplyPair]], Sequence[Verdict]]


def compare(pairs: Sequence[ReplyPair], *, nli: Teller | None = None, judge: Teller | None = None) -> list[Comparison]:
    """Whether two replies to one question state the same fact, pair by pair.

    The canonical answers tell first, then the model of entailment, then the judge; each is asked only about what those
    before it could not tell. The order of the two replies changes nothing, as far as it changes nothing for `nli` and
    `judge`. Equal pairs are asked about once.

    Args:
        pairs: any number, of any questions.
        nli: two-way entailment; None: none is asked.
        judge: a model behind an address; None: none is asked.

    Returns:
        One comparison a pair, in order. ``cannot tell`` is no agreement: whoever counts flips counts it as one.

    Raises:
        UserError: a teller cannot be asked.
    """
    found = by_canonical(pairs)
    steps: tuple[tuple[By, Teller | None], ...] = (("nli", nli), ("judge", judge))
    for by, teller in steps:
        if teller is None:
            continue
        open_places = [n for n, one in enumerate(found) if one.verdict == "cannot tell" and one.by != "unread"]
        distinct = list(dict.fromkeys(_worded(pairs[n]) for n in open_places))
        asked = {_worded(pairs[n]): pairs[n] for n in open_places}
        told = dict(zip(distinct, teller([asked[key] for key in distinct]), strict=True)) if distinct else {}
        for n in open_places:
            found[n] = Comparison(told[_worded(pairs[n])], by)
    return found


def flip_matrix(
    queries: Sequence[Query],
    replies: Sequence[Sequence[str]],
    *,
    nli: Teller | None = None,
    judge: Teller | None = None,
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Which replies to each question are not the same.

    Args:
        queries: the questions.
        replies: [questions][replies], equally many to each question.
        nli: as `compare` takes it.
        judge: as `compare` takes it.

    Returns:
        [questions, replies, replies], symmetric: 1 where two replies are not the same, or it cannot be told; 0 where
        they are the same, and on the diagonal; NaN where one of them gives nothing to compare. And how many pairs were
        told by what: ``canonical``, ``nli``, ``judge``; or not: ``unread``, ``cannot tell``.
    """
    size = len(replies[0]) if replies else 0
    places = list(combinations(range(size), 2))
    pairs = [ReplyPair(query, row[i], row[j]) for query, row in zip(queries, replies, strict=True) for i, j in places]
    found = compare(pairs, nli=nli, judge=judge)
    flips = np.zeros((len(replies), size, size))
    for number, one in enumerate(found):
        question, (i, j) = number // len(places), places[number % len(places)]
        flip = np.nan if one.by == "unread" else float(one.verdict != "same")
        flips[question, i, j] = flips[question, j, i] = flip
    told = Counter("cannot tell" if one.verdict == "cannot tell" and one.by != "unread" else one.by for one in found)
    return flips, dict(told)


def _worded(pair: ReplyPair) -> tuple[str, str, str]:
    return (pair.query.question, pair.first, pair.second)
