"""Small faults that can be put into Python source, one at a time: where each goes, and the source with it in.

Messages, types, documentation and imports are left alone: a fault there is found by reading or by the type checker.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_TWINS = (("min", "max"), ("any", "all"), ("argmin", "argmax"), ("floor", "ceil"), ("minimum", "maximum"))
_TWIN = {**dict(_TWINS), **{second: first for first, second in _TWINS}}
# Nothing depends on their order, or on these keywords but for what a type checker or another machine sees.
_SYMMETRIC = ("min", "max", "np.minimum", "np.maximum", "torch.minimum", "torch.maximum", "isinstance", "math.gcd")
_UNSEEN = ("strict", "encoding", "daemon", "stacklevel")
# What is called for its words alone.
_SPOKEN = ("log", "warnings", "print", "console")


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        path: of the file, relative to the repository.
        scope: the function or class around it.
        kind: of fault, such as ``comparison``.
        before: the expression or statement, in one line.
        after: what stands in its place.
        occurrence: 0 for the first such fault in this scope, 1 for the next.
        start: of what is replaced, (line, column in bytes), lines counted from 1.
        end: its end.
    """

    path: str
    scope: str
    kind: str
    before: str
    after: str
    occurrence: int
    start: tuple[int, int]
    end: tuple[int, int]

    @property
    def key(self) -> str:
        """What it is called; the same after changes elsewhere in the file."""
        times = f" #{self.occurrence + 1}" if self.occurrence else ""
        return f"{self.path}::{self.scope}::{self.kind}: {self.before}  ->  {self.after}{times}"

    @property
    def lot(self) -> str:
        """By which samples are drawn: as good as random, and the same for as long as the code is."""
        return hashlib.sha256(self.key.encode()).hexdigest()

    def put_into(self, source: str) -> str:
        """The source with the fault in."""
        lines = source.encode().splitlines(keepends=True)
        (first, left), (last, right) = self.start, self.end
        head, tail = lines[first - 1][:left], lines[last - 1][right:]
        changed = [*lines[: first - 1], head + self.after.encode() + tail, *lines[last:]]
        return b"".join(changed).decode()


def mutants(path: str, source: str) -> list[Mutant]:
    """Every fault that this file can be given.

    Args:
        path: of the file, relative to the repository.
        source: its content.
    """
    seen: Counter[tuple[str, str, str, str]] = Counter()
    found = []
    for scope, kind, node, changed in _changes(ast.parse(source), ""):
        before, after = ast.unparse(node), changed if isinstance(changed, str) else ast.unparse(changed)
        if isinstance(node, ast.expr):
            after = f"({after})"
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        place = (scope, kind, before, after)
        start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
        found.append(Mutant(path, scope, kind, before, after, seen[place], start, end))
        seen[place] += 1
    return found


Change = tuple[str, ast.expr | ast.stmt, ast.AST | str]


def _changes(node: ast.AST, scope: str) -> Iterator[tuple[str, str, ast.expr | ast.stmt, ast.AST | str]]:
    """(scope, kind, node, what stands in its place) for all of the tree that runs."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        scope = f"{scope}.{node.name}".lstrip(".")
    for make in _OPERATORS:
        for kind, target, changed in make(node):
            yield scope, kind, target, changed
    for child in _parts_that_run(node):
        yield from _changes(child, scope)


def _parts_that_run(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise, ast.Assert, ast.JoinedStr, ast.Global)):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or _is_spoken(node.value)):
        return
    if isinstance(node, (ast.Assign, ast.Call)) and "Literal[" in ast.unparse(node):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST))


def _is_spoken(call: ast.expr) -> bool:
    """Whether it only tells somebody something, or makes the words of an error."""
    return isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[0] in _SPOKEN


def _comparison(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                yield "comparison", node, ast.Compare(node.left, operators, node.comparators)


def _arithmetic(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC and not isinstance(node.left, ast.JoinedStr):
        yield "arithmetic", node, ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", node, ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node, node.operand


def _constant(node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield "constant", node, ast.Constant(not node.value)
    elif isinstance(node.value, (int, float)):
        yield "constant", node, ast.Constant(node.value + 1)
    elif isinstance(node.value, str) and node.value.isidentifier():
        yield "constant", node, ast.Constant(f"{node.value}_")


def _condition(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", node, ast.BoolOp(other, node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not removed", node, node.operand
    tests = [node.test] if isinstance(node, (ast.If, ast.While, ast.IfExp)) else []
    tests += node.ifs if isinstance(node, ast.comprehension) else []
    for test in tests:
        if not isinstance(test, (ast.Compare, ast.UnaryOp)) and ast.unparse(test) != "TYPE_CHECKING":
            yield "negated", test, ast.UnaryOp(ast.Not(), test)


def _call(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not _is_spoken(node.value):
        yield "call removed", node, "pass"
    if not isinstance(node, ast.Call) or _is_spoken(node) or ast.unparse(node.func).endswith("Error"):
        return
    for place, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in _UNSEEN:
            rest = [*node.keywords[:place], *node.keywords[place + 1 :]]
            yield "keyword dropped", node, ast.Call(node.func, node.args, rest)
    plain = len(node.args) > 1 and not any(isinstance(argument, ast.Starred) for argument in node.args[:2])
    if plain and ast.unparse(node.func) not in _SYMMETRIC:
        first, second, *others = node.args
        if ast.dump(first) != ast.dump(second):
            yield "arguments swapped", node, ast.Call(node.func, [second, first, *others], node.keywords)


def _name(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _TWIN:
            yield "twin", node.func, ast.Name(_TWIN[node.func.id])
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TWIN:
            yield "twin", node.func, ast.Attribute(node.func.value, _TWIN[node.func.attr])


def _returned(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
        first, second, *others = node.value.elts
        yield "return swapped", node, ast.Return(ast.Tuple([second, first, *others], ast.Load()))


_OPERATORS = (_comparison, _arithmetic, _constant, _condition, _call, _name, _returned)
