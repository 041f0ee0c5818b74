"""Text from data is shown, never interpreted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import trialign.dashboard
from trialign.dashboard.components.markup import Markup, isolated, plain, show

pytestmark = pytest.mark.unit


def test_a_template_escapes_what_is_put_in() -> None:
    drawn = Markup('<p title="{}">{}</p>').format('"><script>', "<img src=x onerror=alert(1)>")
    assert drawn.count("<") == 2
    assert drawn.count('"') == 2


def test_a_string_that_is_no_markup_is_not_drawn() -> None:
    with pytest.raises(TypeError):
        show("<b>bold</b>")  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_plain_text_is_literal_in_markdown(text: str) -> None:
    parser = MarkdownIt("commonmark", {"html": True})
    (paragraph,) = [token for token in parser.parse("x " + plain(text)) if token.type == "inline"]
    assert {token.type for token in paragraph.children or ()} <= {"text", "text_special"}
    assert "".join(token.content for token in paragraph.children or ()) == ("x " + " ".join(text.split())).strip()


def test_no_class_is_styled_by_two_sheets() -> None:
    """A page that loads both would show one as the other meant it."""
    folder = Path(trialign.dashboard.__file__).parent
    sheets = [sheet.read_text(encoding="utf-8") for sheet in sorted(folder.rglob("*.css"))]
    alone = [set(re.findall(r"^\.(ta-[\w-]+) *[,{]", sheet, re.MULTILINE)) for sheet in sheets]
    assert len(alone) == 2
    assert all(alone)
    assert alone[0] & alone[1] == set()


def test_a_name_from_right_to_left_is_isolated_and_another_left_as_it_is() -> None:
    assert isolated("Northerners, №1") == "Northerners, №1"
    assert isolated("مردم شیراز") == "\u2068مردم شیراز\u2069"
    assert isolated("תל אביב (Tel Aviv)") == "\u2068תל אביב (Tel Aviv)\u2069"
