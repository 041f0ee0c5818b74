"""A list or a mapping that was written into one cell: as JSON, as Python prints it, or as NumPy prints it."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import tokenize
import warnings
from typing import Any

# The longest cell that is parsed; the cells of public sets are far below it.
_LONGEST = 1_000_000
# NumPy puts blanks, and no commas, between what it prints.
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_NUMPY_TEXTS = re.compile(rf"\[\s*(?:{_TEXT})(?:\s+(?:{_TEXT}))*\s*\]", re.DOTALL)
_NUMPY_NUMBERS = re.compile(r"\[\s*[^\s,'\"\[\]]+(?:\s+[^\s,'\"\[\]]+)*\s*\]")
_NAMES = {"true": True, "false": False, "null": None, "nan": None, "NaN": None}


class UnreadableError(ValueError):
    """The cell holds neither list nor mapping, or one that can be read in two ways."""


def parsed_cell(text: str) -> Any:
    """The list or mapping in a cell; only literals are read, nothing is executed.

    Raises:
        UnreadableError: there is none, or a part of it was left out where it was printed.
    """
    text = text.strip()
    if not text or text[0] not in "[{(" or len(text) > _LONGEST:
        raise UnreadableError("no list")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _printed(text)
    if not isinstance(value, list | dict):
        raise UnreadableError("no list")
    return value


def _printed(text: str) -> Any:
    if _NUMPY_TEXTS.fullmatch(text):
        return [_evaluated(part) for part in re.findall(_TEXT, text, re.DOTALL)]
    if _NUMPY_NUMBERS.fullmatch(text) and " " in text.strip("[] "):
        return [_evaluated(part) for part in text.strip("[]").split()]
    _refuse_joined_texts(text)
    return _evaluated(text)


def _evaluated(text: str) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd escapes inside the text
            return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


def _refuse_joined_texts(text: str) -> None:
    """Python reads 'a' 'b' as 'ab': two texts with nothing between them are no list that it has printed."""
    try:
        kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    except (tokenize.TokenError, SyntaxError, ValueError) as error:
        raise UnreadableError(str(error)) from error
    kinds = [kind for kind in kinds if kind not in (tokenize.NL, tokenize.NEWLINE)]
    if any(pair == (tokenize.STRING, tokenize.STRING) for pair in itertools.pairwise(kinds)):
        raise UnreadableError("two texts without a comma between them")


def _value(node: ast.AST) -> Any:
    """What a literal stands for; arrays and NumPy's numbers and texts are what they hold."""
    if isinstance(node, ast.Constant) and node.value is not Ellipsis:
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(key) for key in node.keys if key is not None]
        if len(set(keys)) < len(keys):
            raise UnreadableError("a key is there twice")
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.Call) and node.args:
        name = ast.unparse(node.func).removeprefix("np.").removeprefix("numpy.")
        if name in ("array", "str_", "bool_", "bool") or re.fullmatch(r"u?int\d+|float\d+", name):
            return _value(node.args[0])
    raise UnreadableError("no literal")
