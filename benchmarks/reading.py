"""How well replies are read: the corpus of authored replies, sort by sort, beside other readers.

    python benchmarks/reading.py [--file tests/queries/replies/tuned.jsonl ...] [--faults] [--write] [--forms]

Rivals are run where they are installed (the extra ``bench``): the letter filter of lm-evaluation-harness'
multiple-choice tasks, its last-number filter, and math-verify for numbers.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

from trialign.queries import TruthQuery
from trialign.queries.answers import canonical_number, is_correct, parse_answer
from trialign.queries.reading.sure import Named, Sure

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "queries" / "replies"
#: The sets of replies, and what the tests hold each to: least share read right, largest share misread.
SETS = {
    "tuned": (0.92, 0.005),
    "second": (0.93, 0.005),
    "third": (0.91, 0.005),
    "rounds": (0.86, 0.005),
    "late_rounds": (0.84, 0.005),
    "fourth": (0.71, 0.005),
    "fifth": (0.65, 0.005),  # hard sorts, by people who had not seen the reader
    "sixth": (0.76, 0.005),
    "held_out": (0.65, 0.01),  # nobody has looked at it: what the reader does with replies that it was not made for
    "held_out_2": (0.82, 0.01),  # the same, by another author
}
Case = dict[str, Any]
Reader = Callable[[Case], str | None]


@dataclass
class Score:
    """Counts of one sort: all cases, those read right, and answers that the reply did not give."""

    cases: int = 0
    right: int = 0
    misread: int = 0


def cases(path: Path) -> list[Case]:
    """The cases of one set."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def query(case: Case) -> TruthQuery:
    """The question of a case."""
    return TruthQuery(
        query_id=case["id"],
        cluster=case["id"],
        split="test",
        topic="",
        question=case["question"],
        answer_kind=case["kind"],
        options=tuple(case.get("options", ())),
        gold=case["gold"],
        aliases=tuple(case.get("aliases", ())),
    )


def trialign(case: Case) -> str | None:
    """This project's reader."""
    return parse_answer(query(case), case["reply"], case.get("prompt")).canonical


def judge(case: Case, canonical: str | None) -> tuple[bool, bool]:
    """Whether a case is read right, and whether an answer was read that the reply did not give.

    A text that gives the right answer and counts as wrong is misread too.
    """
    reading = case["reading"]
    if case["kind"] == "text":
        asked = query(case)
        gives_gold = is_correct(asked, canonical)
        wanted = reading is not None and is_correct(asked, reading)
        return gives_gold == wanted, gives_gold != wanted and canonical is not None
    if case["kind"] == "numeric" and reading is not None and canonical is not None:
        left, right = canonical_number(canonical), canonical_number(reading)
        same = left is not None and right is not None and Fraction(left) == Fraction(right)
        return same, not same
    return canonical == reading, canonical is not None and canonical != reading


def scores(read: Reader, corpus: Sequence[Case]) -> dict[str, Score]:
    """Counts by sort, and of all under ``all``."""
    found: dict[str, Score] = defaultdict(Score)
    for case in corpus:
        right, misread = judge(case, read(case))
        for sort in (case["sort"], "all"):
            found[sort].cases += 1
            found[sort].right += right
            found[sort].misread += misread
    return dict(found)


def letter_filter(case: Case) -> str | None:
    """The letter in brackets, or after a colon, as lm-evaluation-harness' generative multiple-choice tasks take it."""
    if case["kind"] != "choice":
        return last_number(case) if case["kind"] == "numeric" else case["reply"]
    from lm_eval.filters.extraction import MultiChoiceRegexFilter

    kept = MultiChoiceRegexFilter(
        regex_pattern=r"(\([A-Z]\))", group_select=0, ignore_case=True, ignore_punctuation=True
    )
    taken = kept.apply([[case["reply"]]], [{"choices": case["options"]}])
    letter = str(next(iter(next(iter(taken)))))
    position = ord(letter.strip("()").upper()[:1] or "[") - ord("A")
    return case["options"][position] if 0 <= position < len(case["options"]) else None


def last_number(case: Case) -> str | None:
    """The last number, as lm-evaluation-harness' flexible filter takes it."""
    found = re.findall(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", case["reply"])
    return canonical_number(next(filter(None, found[-1])).strip(".,")) if found else None


def math_verify(case: Case) -> str | None:
    """Numbers as math-verify reads them; letters as it reads them too."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse

    if case["kind"] == "text":
        return str(case["reply"])
    if case["kind"] == "numeric":
        read = parse(case["reply"], [LatexExtractionConfig(), ExprExtractionConfig()], parsing_timeout=None)
        return canonical_number(str(read[0]).rstrip("0") if "." in str(read[0]) else str(read[0])) if read else None
    letters = tuple("ABCDEFGH"[: len(case["options"])])
    read = parse(case["reply"], [StringExtractionConfig(strings=letters)], parsing_timeout=None)
    return case["options"][letters.index(read[0].upper())] if read and read[0].upper() in letters else None


def table(corpus: Sequence[Case], readers: dict[str, Reader]) -> str:
    """Accuracy by sort for each reader, and their misreadings."""
    measured = {name: scores(read, corpus) for name, read in readers.items()}
    sorts = [*dict.fromkeys(case["sort"] for case in corpus), "all"]
    lines = ["| sort | replies | " + " | ".join(measured) + " |", "|---|---|" + "---|" * len(measured)]
    for sort in sorts:
        row = [measured[name][sort] for name in measured]
        lines.append(
            f"| {sort} | {row[0].cases} | " + " | ".join(f"{100 * one.right / one.cases:.0f}" for one in row) + " |"
        )
    misread = " | ".join(f"{100 * found['all'].misread / found['all'].cases:.1f}" for found in measured.values())
    lines.append(f"| misread | {len(corpus)} | {misread} |")
    return "\n".join(lines)


def figures() -> str:
    """The shares of all sets side by side, as the documents show them."""
    measured = {name: scores(trialign, cases(FOLDER / f"{name}.jsonl")) for name in SETS}
    sorts = [*dict.fromkeys(sort for found in measured.values() for sort in found if sort != "all"), "all"]
    titles = [name.replace("_", " ") for name in measured]
    lines = [f"| per cent read right (replies) | {' | '.join(titles)} |", "|---|" + "---|" * len(measured)]
    for sort in sorts:
        cells = [found.get(sort, Score()) for found in measured.values()]
        shares = [f"{100 * one.right / one.cases:.0f} ({one.cases})" if one.cases else "" for one in cells]
        name = sort if sort == "all" else f"`{sort}`"
        lines.append(f"| {name} | {' | '.join(shares)} |")
    misread = [f"{100 * found['all'].misread / found['all'].cases:.1f}" for found in measured.values()]
    return "\n".join([*lines, f"| misread | {' | '.join(misread)} |"])


def by_form(names: Sequence[str]) -> str:
    """How often each form is read and misread, and what each set would show had it not chosen the forms.

    A form is admitted by sets that misread at most .5 % of the replies that have it. Every set in turn is left out of
    that choice, and its misreadings by the forms which the others admit are counted.
    """
    counts: dict[str, dict[str, Score]] = {name: defaultdict(Score) for name in names}
    for name in names:
        for case in cases(FOLDER / f"{name}.jsonl"):
            with recorded() as forms:
                right, misread = judge(case, trialign(case))
            one = counts[name][forms[-1] if forms else "no form"]
            one.cases, one.right, one.misread = one.cases + 1, one.right + right, one.misread + misread
    known = sorted({form for found in counts.values() for form in found})
    lines = ["| form | replies | misread |", "|---|---|---|"]
    for form in known:
        found = [counts[name][form] for name in names]
        lines.append(f"| {form} | {sum(one.cases for one in found)} | {sum(one.misread for one in found)} |")
    lines += ["", "| set left out | forms admitted by the others | misread in it |", "|---|---|---|"]
    for left in names:
        others = [counts[name] for name in names if name != left]
        kept = [
            form
            for form in known
            if 200 * sum(found[form].misread for found in others) <= sum(found[form].cases for found in others)
        ]
        total = sum(one.cases for one in counts[left].values())
        lines.append(f"| {left} | {len(kept)} | {sum(counts[left][form].misread for form in kept)} of {total} |")
    return "\n".join(lines)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The forms by which replies are read meanwhile."""
    forms: list[str] = []
    original = Named.surely

    def surely(named: Named) -> Sure | None:
        found = original(named)
        forms.extend([found.form.name] if found else [])
        return found

    with mock.patch.object(Named, "surely", surely):
        yield forms


def write_figures() -> None:
    """Puts the figures into the documents that show them, in place of those that stand there."""
    made = figures()
    for path in (FOLDER / "README.md", ROOT / "docs" / "audit.md"):
        text = path.read_text(encoding="utf-8")
        start = text.index("| per cent read right (replies) |")
        last = text.index("| misread |", start)
        end = text.find("\n", last)
        path.write_text(text[:start] + made + text[end if end >= 0 else len(text) :], encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    files = [FOLDER / f"{name}.jsonl" for name in SETS]
    parser.add_argument("--file", nargs="*", type=Path, default=files)
    parser.add_argument("--write", action="store_true", help="write the figures of all sets into the documents")
    parser.add_argument("--faults", action="store_true", help="print what is not read right")
    parser.add_argument("--forms", action="store_true", help="count by form, each set left out of the choice of forms")
    parser.add_argument("--rivals", action="store_true", help="run the other readers beside")
    arguments = parser.parse_args()
    if arguments.write:
        write_figures()
        return
    if arguments.forms:
        print(by_form([path.stem for path in arguments.file]))
        return
    readers: dict[str, Reader] = {"TriAlign": trialign}
    if arguments.rivals:
        readers |= {"lm-eval filters": letter_filter, "math-verify": math_verify}
    for path in arguments.file:
        corpus = cases(path)
        print(f"\n{path.name}: {len(corpus)} replies, per cent read right\n\n{table(corpus, readers)}")
        for case in corpus if arguments.faults else []:
            parsed = parse_answer(query(case), case["reply"], case.get("prompt"))
            right, misread = judge(case, parsed.canonical)
            if not right or (
                case["reading"] is None
                and parsed.canonical is None
                and case["kind"] != "text"
                and parsed.status != case["status"]
            ):
                print(
                    "MISREAD" if misread else "unread" if not right else "status",
                    case["id"],
                    case["sort"],
                    case["language"],
                    repr(case["reply"][:110]),
                    "->",
                    repr(parsed.canonical),
                    parsed.status,
                    "| meant",
                    repr(case["reading"]),
                    case["status"],
                )


if __name__ == "__main__":
    main()
