"""Lists and mappings inside one cell, as JSON, Python and NumPy print them."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.queries.cell_lists import UnreadableError, parsed_cell

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        (" [ 'a' , 'b' ] ", ["a", "b"]),
        ("('a', 'b')", ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ("""['it\\'s' "it's"\n 'so']""", ["it's", "it's", "so"]),
        ("['a']", ["a"]),
        ("[1 0 0]", [1, 0, 0]),
        ("[0. 1.]", [0.0, 1.0]),
        ("[ True False]", [True, False]),
        ("[1, 2]", [1, 2]),
        ("[nan, 'a', None]", [None, "a", None]),
        ("{'A': 'a', 'B': 'b'}", {"A": "a", "B": "b"}),
        ('{"B": "a", "A": "b"}', {"B": "a", "A": "b"}),
        (
            "{'text': array(['a', 'b'], dtype=object), 'label': array(['A', 'B'], dtype=object)}",
            {"text": ["a", "b"], "label": ["A", "B"]},
        ),
        ("[np.str_('a'), np.int64(-3), np.float64(nan)]", ["a", -3, None]),
    ],
)
def test_what_was_printed_is_read_back(cell: str, value: Any) -> None:
    assert parsed_cell(cell) == value
    if isinstance(value, dict):
        assert list(parsed_cell(cell)) == list(value)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "water",
        "[water]",
        "[water",
        "['a' 'b', 'c']",  # Python reads 'ab', 'c'
        "{'text': ['a' 'b']}",
        "['a' ... 'b']",
        "[...]",
        "{'A': 'a', 'A': 'b'}",
        "[__import__('os').getcwd()]",
        "[open('x')]",
        "[f'{1}']",
        "[" * 5000,
        "[1" + ", 1" * 10**6 + "]",
    ],
)
def test_anything_else_is_no_list(cell: str) -> None:
    with pytest.raises(UnreadableError):
        parsed_cell(cell)
