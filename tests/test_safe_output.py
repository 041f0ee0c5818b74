"""Text that is shown does nothing: no formula, no control of a terminal, no change of writing direction."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.safe_output import csv_cell, csv_text, json_text, literal, markdown_cell, shortened, visible

pytestmark = pytest.mark.unit

texts = st.text(alphabet=st.characters(), max_size=30)  # lone surrogates too


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(start: str) -> None:
    assert csv_cell(f"{start}1+1").startswith("'")


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-0.25, "-0.25"), (1e-9, "1e-09"), (7, "7"), (True, "true"), (None, ""), ("plain -1", "plain -1"), ("", "")],
)
def test_numbers_stay_numbers_and_plain_text_stays_itself(value: object, cell: str) -> None:
    assert csv_cell(value) == cell  # type: ignore[arg-type]


def test_numbers_survive_a_csv_file_exactly() -> None:
    values = [0.1 + 0.2, -1 / 3, 1e300]
    [_, row] = csv.reader(io.StringIO(csv_text(["a", "b", "c"], [values])))
    assert [float(cell) for cell in row] == values


@given(st.lists(texts, min_size=1, max_size=4))
def test_every_cell_of_a_csv_file_is_harmless_and_stays_in_its_place(row: list[str]) -> None:
    text = csv_text(["column"] * len(row), [row])
    text.encode("utf-8")
    [_, read] = csv.reader(io.StringIO(text, newline=""))
    assert len(read) == len(row)
    for cell in read:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
        assert all(c.isprintable() or c in "\n\t" for c in cell)


@given(texts)
def test_nothing_unseen_is_left_in_visible_text(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert visible(shown) == shown
    shown.encode("utf-8")


def test_control_characters_and_marks_of_direction_are_named() -> None:
    assert visible("a\x1b[31m\u202eb\u2066\x00") == r"a\x1b[31m\u202eb\u2066\x00"
    assert visible("naïve 日本語 עברית") == "naïve 日本語 עברית"
    assert literal("[bold]\x07").plain == r"[bold]\x07"


def test_a_long_text_says_how_much_of_it_is_missing() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("x" * 1_000_000, 4) == "xxxx […] (999,996 of 1,000,000 characters are not shown)"


@given(texts)
def test_a_markdown_cell_is_one_cell(text: str) -> None:
    cell = markdown_cell(text)
    assert "\n" not in cell
    assert "<" not in cell
    unescaped = cell.replace("\\\\", "").replace("\\|", "")
    assert "|" not in unescaped


def test_no_sign_of_markdown_is_left_in_a_cell() -> None:
    assert markdown_cell("[x](javascript:y) ![z][0]") == r"\[x\](javascript:y) \!\[z\]\[0\]"
    assert markdown_cell("\\ `c` *b* _i_ | # $1$ ~s~ a\nb") == r"\\ \`c\` \*b\* \_i\_ \| \# \$1\$ \~s\~ a b"
    assert markdown_cell("<b>&amp;</b>") == "&#60;b&#62;&#38;amp;&#60;/b&#62;"


@given(st.recursive(texts, lambda part: st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3)))
def test_json_reads_back_to_the_letter_and_holds_nothing_unseen(value: object) -> None:
    text = json_text(value, indent=1)
    assert json.loads(text) == value
    assert all(c.isprintable() or c == "\n" for c in text)
    text.encode("utf-8")
    assert len(json_text(value).splitlines()) == 1


def test_json_stays_readable() -> None:
    assert json_text({"a": "naïve 日本語 \u202e\x9b"}) == '{"a": "naïve 日本語 \\u202e\\u009b"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))
