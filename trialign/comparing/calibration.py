"""How often a comparer is right: measured on labelled pairs, kept in a file beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from statsmodels.stats.proportion import proportion_confint

from trialign.comparing.pairs import Comparison, ReplyPair
from trialign.comparing.weighting import weighted_share
from trialign.errors import UserError
from trialign.queries.types import TruthQuery
from trialign.safe_output import json_text
from trialign.storage import write_text_atomic

#: The file in the folder of a model of entailment, or of the answers of a judge.
CALIBRATION_FILE = "calibration.json"
_KINDS = ("choice", "numeric", "text")
_LABELS = ("same", "other")


@dataclass(frozen=True)
class LabelledPair:
    """A pair, and whether a careful person says that it states the same fact.

    Attributes:
        pair: the replies.
        same: the label.
        sort: what makes it hard: ``paraphrase``, ``negation``, ...
        language: of the question.
        stands_for: how many pairs it stands for, where pairs of several sorts were drawn with different chances.
    """

    pair: ReplyPair
    same: bool
    sort: str
    language: str
    stands_for: float = 1.0


@dataclass(frozen=True)
class Share:
    """So many of so many; whole numbers, but where pairs stand for different numbers of others."""

    found: float
    of: float

    @property
    def value(self) -> float:
        """The share."""
        return self.found / self.of

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson's interval (1927)."""
        low, high = proportion_confint(self.found, self.of, alpha=1 - confidence, method="wilson")
        return float(low), float(high)


@dataclass(frozen=True)
class Calibration:
    """What a comparer said of labelled pairs. A flip is what it looks for: whatever it does not call the same is one.

    Attributes:
        comparer: what was measured, by kind, model and hash.
        pairs_sha256: of the file of labelled pairs.
        sensitivity: other pairs that it did not call the same.
        specificity: same pairs that it called the same.
        decided: pairs of which it could tell.
        by_sort: sort -> pairs about which it was right, in the same sense.
    """

    comparer: str
    pairs_sha256: str
    sensitivity: Share
    specificity: Share
    decided: Share
    by_sort: Mapping[str, Share]

    @property
    def usable(self) -> bool:
        """Whether it is above chance beyond doubt: the lower ends of both shares together are above 1."""
        return self.sensitivity.interval()[0] + self.specificity.interval()[0] > 1

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomic(path, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path, comparer: str) -> Calibration:
        """Reads a file that `write` wrote of this comparer.

        Raises:
            UserError: it is missing, damaged, or of another comparer.
        """
        again = "Measure the comparer: trialign calibrate, see docs/audit.md"
        try:
            stated = json.loads(path.read_text(encoding="utf-8"))
            found = cls(
                comparer=str(stated["comparer"]),
                pairs_sha256=str(stated["pairs_sha256"]),
                sensitivity=_share(stated["sensitivity"]),
                specificity=_share(stated["specificity"]),
                decided=_share(stated["decided"]),
                by_sort={str(sort): _share(share) for sort, share in stated["by_sort"].items()},
            )
        except FileNotFoundError as error:
            raise UserError(f"The comparer {comparer} was not measured: there is no {path}", again) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"The calibration {path} is damaged, or is none", again) from error
        if found.comparer != comparer:
            raise UserError(
                f"The calibration {path} is of another comparer ({found.comparer}) than the one in use ({comparer})",
                again,
            )
        return found


def measure(
    labelled: Sequence[LabelledPair],
    compare: Callable[[Sequence[ReplyPair]], Sequence[Comparison]],
    comparer: str,
    pairs_sha256: str,
) -> Calibration:
    """Holds a comparer against labelled pairs.

    Args:
        labelled: pairs; at least one that is the same and one that is not.
        compare: `trialign.comparing.compare.compare` with its tellers.
        comparer: names what is measured.
        pairs_sha256: of the file that the pairs come from.

    Raises:
        UserError: all pairs have one label.
    """
    found = compare([one.pair for one in labelled])
    right = [(verdict.verdict == "same") == one.same for one, verdict in zip(labelled, found, strict=True)]

    def share(chosen: Sequence[bool]) -> Share:
        return Share(sum(r for r, c in zip(right, chosen, strict=True) if c), sum(chosen))

    if len({one.same for one in labelled}) < 2:
        raise UserError("The labelled pairs are all the same, or all others", "Add pairs with the other label")
    stand_for = [one.stands_for for one in labelled]
    if len(set(stand_for)) > 1:
        of_label = (
            weighted_share(stand_for, [one.same == label for one in labelled], right) for label in (False, True)
        )
        sensitivity, specificity = (Share(found, of) for found, of in of_label)
    else:
        sensitivity, specificity = (share([one.same == label for one in labelled]) for label in (False, True))
    return Calibration(
        comparer,
        pairs_sha256,
        sensitivity,
        specificity,
        Share(sum(one.verdict != "cannot tell" for one in found), len(found)),
        {sort: share([one.sort == sort for one in labelled]) for sort in dict.fromkeys(one.sort for one in labelled)},
    )


def labelled_pairs(path: Path | None = None) -> tuple[list[LabelledPair], str]:
    """Labelled pairs of a file of JSON lines: each a question with one pair that is the same and one that is not.

    Or each a question with a single pair, its ``label`` and perhaps how many it ``stands_for``. So the pairs of either
    label are of different questions, and their counts are binomial.

    Args:
        path: of the file; None: the authored pairs that come with the package.

    Returns:
        The pairs, and the hash of the file.

    Raises:
        UserError: it cannot be read, or a line is no such question, or repeats one.
    """
    source = path or Path(str(files("trialign"))) / "data" / "pairs.jsonl"
    try:
        content = source.read_bytes()
        lines = content.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The labelled pairs {source} cannot be read", "Name a file of JSON lines in UTF-8") from error
    pairs: list[LabelledPair] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
                pairs.extend(_labelled(row, f"line-{number}"))
                again = "label" in row and (name := str(row.get("id", row["question"]))) in seen
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"Line {number} of {source} is no labelled question ({type(error).__name__}: {error})",
                    'Write {"question": ..., "kind": "text", "gold": ..., "same": {"first": ..., "second": ...}, '
                    '"other": {"first": ..., "second": ...}}, or a single pair as "first", "second" and "label"',
                ) from error
            if again:
                raise UserError(
                    f"Line {number} of {source} is a second pair of the question {name!r}",
                    "Keep one pair of each question: what is counted has to be independent",
                )
            seen.add(str(row.get("id", row["question"])))
    return pairs, hashlib.sha256(content).hexdigest()


def labelled_line(one: LabelledPair) -> str:
    """A pair of one question of fact as a line that `labelled_pairs` reads, without a line end."""
    query = one.pair.query
    assert isinstance(query, TruthQuery)
    perhaps = {
        "language": one.language,
        "options": list(query.options),
        "aliases": list(query.aliases),
        "tolerance": query.tolerance,
    }
    row = {
        "id": query.query_id,
        "question": query.question,
        "kind": query.answer_kind,
        "gold": query.gold,
        **{key: value for key, value in perhaps.items() if value},
        "first": one.pair.first,
        "second": one.pair.second,
        "label": "same" if one.same else "other",
        "sort": one.sort,
        "stands_for": one.stands_for,
    }
    return json_text(row)


def _labelled(row: Mapping[str, Any], name: str) -> list[LabelledPair]:
    """Both pairs of a question, or its single one."""
    query, language = _question(row, name), str(row.get("language", ""))
    single = row.get("label")
    if single not in (None, *_LABELS):
        raise ValueError(f"the label {single!r}")
    stands_for = float(row.get("stands_for", 1.0))
    if not (math.isfinite(stands_for) and stands_for > 0):
        raise ValueError(f"it stands for {stands_for:g} pairs")
    stated = {str(single): row} if single else {label: row[label] for label in _LABELS}
    return [
        LabelledPair(
            ReplyPair(query, str(one["first"]), str(one["second"])),
            label == "same",
            str(one.get("sort", label)),
            language,
            stands_for,
        )
        for label, one in stated.items()
    ]


def _question(row: Mapping[str, Any], name: str) -> TruthQuery:
    kind, options = row.get("kind", "text"), tuple(str(one) for one in row.get("options", ()))
    if kind not in _KINDS or (kind == "choice") != bool(options):
        raise ValueError(f"the kind {kind!r} with {len(options)} options")
    return TruthQuery(
        query_id=str(row.get("id", name)),
        cluster=str(row.get("id", name)),
        split="test",
        topic="",
        question=str(row["question"]),
        answer_kind=kind,
        options=options,
        gold=str(row["gold"]),
        aliases=tuple(str(one) for one in row.get("aliases", ())),
        tolerance=float(row.get("tolerance", 0.0)),
    )


def _share(stated: Mapping[str, Any]) -> Share:
    share = Share(_count(stated["found"]), _count(stated["of"]))
    if not 0 <= share.found <= share.of or share.of <= 0:
        raise ValueError("no share")
    return share


def _count(stated: Any) -> float:
    count = float(stated)
    return int(count) if count.is_integer() else count
