"""Pairs of an audit's replies for people to label, and what their labels come to.

Each pair is of another fact, of two groups that nobody is told. Half are drawn from those that canonical answers call
the same and half from those that they do not, so that there are enough of both; every labelled pair then says for how
many it stands, so that what is measured on them holds for the audit.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from statsmodels.stats.inter_rater import cohens_kappa

from trialign.audit.figures.compared_replies import SaidReplies
from trialign.audit.figures.corrected import pairs_of_replies
from trialign.audit.files.labels import LABELS, GivenLabel
from trialign.comparing.calibration import LabelledPair, Share
from trialign.comparing.pairs import ReplyPair, Verdict, by_canonical
from trialign.queries.answers import normal_text
from trialign.queries.reading.languages import language
from trialign.queries.types import Query, TruthQuery

MOST_PAIRS = 400
_MOST_FACTS = 1000  # whose replies are looked at
_TRIES = 30  # pairs of one question, until one is found in which both replies say something
_SORTS = {True: "canonical answers say the same", False: "canonical answers do not say the same"}
_ALIKE = "the same words"


@dataclass(frozen=True)
class QueuedPair:
    """Two replies to one fact.

    Attributes:
        key: tells it from all others of the audit.
        pair: the replies, in an order drawn by the seed.
        called_same: whether canonical answers call them the same.
    """

    key: str
    pair: ReplyPair
    called_same: bool


@dataclass(frozen=True)
class Queue:
    """What people are asked.

    Attributes:
        pairs: at most `MOST_PAIRS`, of both sorts in turn for as long as there are both.
        alike: pairs in the same words, which state the same fact without anybody being asked.
        drawn: whether canonical answers call a pair the same -> how many facts have such a pair, in other words.
    """

    pairs: tuple[QueuedPair, ...]
    alike: tuple[ReplyPair, ...]
    drawn: Mapping[bool, int]


@dataclass(frozen=True)
class Standing:
    """What was said of the pairs of a queue.

    Attributes:
        said: name -> key of a pair -> the last label; who labelled most comes first.
        settled: key -> what two or more said alike and nobody otherwise, or what was settled.
        differing: keys of pairs on which people differ, in the order of the queue.
        once: pairs that one person alone has labelled.
    """

    said: Mapping[str, Mapping[str, Verdict]]
    settled: Mapping[str, Verdict]
    differing: tuple[str, ...]
    once: int


@dataclass(frozen=True)
class Agreement:
    """How far two people say the same, each alone.

    Attributes:
        share: of the pairs that both labelled, those to which they gave one label.
        kappa: Cohen's (1960), agreement beyond chance; None where both gave one label throughout, which makes it
            undefined.
        low: lower end of its 95 % interval: that of the share, put through kappa's formula with the agreement by chance
            as it was seen (as in Cohen, 1960). On simulated labels of 20 to 200 pairs it holds kappa 94 to 98 times of
            100; the limit law of Fleiss, Cohen and Everitt (1969) 84 to 96 times.
        high: upper end.
    """

    share: Share
    kappa: float | None
    low: float | None
    high: float | None


def labelling_queue(queries: Mapping[str, Query], replies: SaidReplies, seed: int) -> Queue:
    """Draws it; the same audit and seed give the same queue.

    Args:
        queries: query id -> question; facts alone are asked about.
        replies: of the audit.
        seed: of the drawing.
    """
    across, _ = pairs_of_replies(replies.groups, replies.wordings)
    chance = random.Random(seed)
    strata: dict[bool, list[QueuedPair]] = {True: [], False: []}
    alike = []
    facts = np.unique(replies.clusters).tolist()
    for fact in chance.sample(facts, min(len(facts), _MOST_FACTS)):
        place = int(chance.choice(np.flatnonzero(replies.clusters == fact).tolist()))
        query = queries.get(replies.query_ids[place])
        found = _drawn(query, replies.texts[place].tolist(), across.tolist(), chance) if query else None
        if found is None:
            continue
        if normal_text(found.pair.first) == normal_text(found.pair.second):
            alike.append(found.pair)
        else:
            strata[found.called_same].append(found)
    in_turn = chain.from_iterable(zip_longest(strata[True], strata[False]))
    pairs = tuple(one for one in in_turn if one is not None)[:MOST_PAIRS]
    return Queue(pairs, tuple(alike), {same: len(found) for same, found in strata.items()})


def standing(queue: Queue, given: Sequence[GivenLabel]) -> Standing:
    """What was said of a queue's pairs; of others in the file nothing is told.

    Args:
        queue: of the audit.
        given: labels, the oldest first.
    """
    keys = {one.key for one in queue.pairs}
    names: dict[str, str] = {}
    said: dict[str, dict[str, Verdict]] = {}
    settled: dict[str, Verdict] = {}
    for one in given:
        if one.pair in keys:
            name = names.setdefault(one.name.casefold(), one.name)
            (settled if one.settles else said.setdefault(name, {}))[one.pair] = one.label
    differing, once = [], 0
    for key in (one.key for one in queue.pairs):
        labels = [own[key] for own in said.values() if key in own]
        if key in settled:
            continue
        if len(set(labels)) > 1:
            differing.append(key)
        elif len(labels) > 1:
            settled[key] = labels[0]
        once += len(labels) == 1
    ordered = dict(sorted(said.items(), key=lambda item: -len(item[1])))
    return Standing(ordered, settled, tuple(differing), once)


def agreement(first: Mapping[str, Verdict], second: Mapping[str, Verdict]) -> Agreement | None:
    """How far two people agree; None where no pair was labelled by both.

    Args:
        first: key of a pair -> the label that one of them gave.
        second: the same of the other.
    """
    both = [(first[key], second[key]) for key in first if key in second]
    if not both:
        return None
    counts = Counter(both)
    table = np.array([[counts[one, other] for other in LABELS] for one in LABELS], dtype=float)
    share = Share(int(table.trace()), len(both))
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1)) / len(both) ** 2
    if by_chance == 1:
        return Agreement(share, None, None, None)
    low, high = ((end - by_chance) / (1 - by_chance) for end in share.interval())
    return Agreement(share, float(cohens_kappa(table, return_results=False)), low, high)


def settled_pairs(queue: Queue, found: Standing) -> list[LabelledPair]:
    """The pairs with a label, and those in the same words; each says for how many of the audit's facts it stands.

    None as long as one of the two sorts has no label: then nothing could be said of it.

    Args:
        queue: of the audit.
        found: what was said of it.
    """
    labelled = [one for one in queue.pairs if found.settled.get(one.key) in ("same", "other")]
    counts = Counter(one.called_same for one in labelled)
    if not labelled or any(number and not counts[same] for same, number in queue.drawn.items()):
        return []
    asked = [
        LabelledPair(
            one.pair,
            found.settled[one.key] == "same",
            _SORTS[one.called_same],
            language(one.pair.query.question) or "",
            queue.drawn[one.called_same] / counts[one.called_same],
        )
        for one in labelled
    ]
    return asked + [LabelledPair(pair, True, _ALIKE, language(pair.query.question) or "") for pair in queue.alike]


def _drawn(
    query: Query, texts: Sequence[str], across: Sequence[Sequence[int]], chance: random.Random
) -> QueuedPair | None:
    """A pair in which both replies say something; None where there hardly is one, or the question is no fact."""
    if not isinstance(query, TruthQuery):
        return None
    for _ in range(_TRIES):
        one, other = chance.sample(across[chance.randrange(len(across))], 2)
        pair = ReplyPair(query, texts[one], texts[other])
        [told] = by_canonical([pair])
        if told.by != "unread":
            return QueuedPair(_key(pair), pair, told.verdict == "same")
    return None


def _key(pair: ReplyPair) -> str:
    told = json.dumps([pair.query.query_id, pair.first, pair.second])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
