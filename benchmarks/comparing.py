"""How well a comparer of free replies tells the same fact from another: sensitivity and specificity on labelled pairs.

    python benchmarks/comparing.py                                        # canonical answers, beside naive rivals
    python benchmarks/comparing.py --nli FOLDER_OR_HUB_ID                 # then two-way entailment
    python benchmarks/comparing.py --judge '{"base_url": "http://127.0.0.1:8000/v1", "name": "NAME"}' [--nli ...]

``--pairs FILE`` takes your own labelled pairs (the form of trialign/data/pairs.jsonl, or a file of the dashboard's page
Label). ``--write FILE`` keeps the figures; without it they go into calibration.json beside what was measured: in the
folder of an NLI model, or beside the judge's answers.
A flip is what is looked for: sensitivity is the share of pairs with different facts that are not called the same,
specificity the share of pairs with the same fact that are; "cannot tell" counts as a flip.
"""

from __future__ import annotations

import argparse
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from trialign.comparing.calibration import CALIBRATION_FILE, Calibration, Share, labelled_pairs, measure
from trialign.comparing.compare import compare
from trialign.comparing.entailment import Entailment
from trialign.comparing.judge import Judge, JudgeConfig
from trialign.comparing.opening import identity
from trialign.comparing.pairs import Comparison, ReplyPair
from trialign.queries.answers import normal_text

Compare = Callable[[Sequence[ReplyPair]], list[Comparison]]


def exact(pairs: Sequence[ReplyPair]) -> list[Comparison]:
    """Equal after case, blanks and outer punctuation are made alike."""
    return [_said(normal_text(one.first) == normal_text(one.second)) for one in pairs]


def overlap(pairs: Sequence[ReplyPair]) -> list[Comparison]:
    """At least half of the words (ideographs and kana one by one) of both replies together stand in both."""
    return [_said(_shared(_words(one.first), _words(one.second)) >= 0.5) for one in pairs]


def _said(same: bool) -> Comparison:
    return Comparison("same" if same else "other", "canonical")


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return set(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W_\u3040-\u30ff\u4e00-\u9fff]+", plain))


def _shared(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second) if first | second else 1.0


def table(measured: Sequence[Calibration]) -> str:
    """The figures, a column a comparer."""
    lines = [
        "| | " + " | ".join(one.comparer.split("@")[0] for one in measured) + " |",
        "|---|" + "---|" * len(measured),
    ]
    for name in ("sensitivity", "specificity", "decided"):
        lines.append(_row(name, [getattr(one, name) for one in measured]))
    lines.extend(_row(f"`{sort}`", [one.by_sort[sort] for one in measured]) for sort in measured[0].by_sort)
    return "\n".join(lines)


def _row(name: str, shares: Sequence[Share]) -> str:
    told = (f"{100 * one.value:.0f} [{100 * one.interval()[0]:.0f}, {100 * one.interval()[1]:.0f}]" for one in shares)
    return f"| {name} ({shares[0].of:.0f}) | " + " | ".join(told) + " |"


def chosen(given: argparse.Namespace) -> tuple[str, Compare, Path | None]:
    """The comparer that the arguments name: what it is called, how it compares, and where its figures belong."""
    nli, judge = Entailment.load(given.nli) if given.nli else None, None
    place = Path(given.nli) / CALIBRATION_FILE if given.nli and Path(given.nli).is_dir() else None
    if given.judge:
        config = TypeAdapter(JudgeConfig).validate_python(json.loads(given.judge))
        judge = Judge.at_the_door(config, given.judge_answers)
        place = given.judge_answers.with_name(CALIBRATION_FILE)
    return identity(nli, judge), partial(compare, nli=nli, judge=judge), place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, help="labelled pairs of your own")
    parser.add_argument("--nli", help="hub id or folder of a model of natural language inference")
    parser.add_argument("--judge", help="a judge as audit.judge states it, in JSON: base_url, name, ...")
    parser.add_argument("--judge-answers", type=Path, default=Path("judge/answers.jsonl"), help="where they are kept")
    parser.add_argument("--write", type=Path, help="file for the figures")
    given = parser.parse_args()
    labelled, sha256 = labelled_pairs(given.pairs)
    name, comparer, place = chosen(given)
    measured = measure(labelled, comparer, name, sha256)
    rivals = [
        measure(labelled, exact, "exact match", sha256),
        measure(labelled, overlap, "token overlap", sha256),
    ]
    languages = len({one.language for one in labelled})
    questions = len({one.pair.query.query_id for one in labelled})
    print(f"{len(labelled)} pairs of {questions} questions in {languages} languages; per cent, with 95 % intervals\n")
    print(table([measured, *rivals]))
    if target := given.write or place:
        measured.write(target)
        print(f"\nThe figures of {name} are kept in {target}")


if __name__ == "__main__":
    main()
