"""Small mistakes that one can make in a source file: what ``mutation_score`` puts in, one at a time.

Comparisons, arithmetic, numbers and truth values are exchanged; keyword arguments, returned values, negations and
calls whose value is not used are dropped. Texts, annotations, decorators, log messages and errors stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COMPUTED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
JOINED: dict[type, type] = {ast.And: ast.Or, ast.Or: ast.And}
SAID = ("log", "logging", "warn", "warnings", "print", "TypeVar")
"""Calls of these names only say something."""


@dataclass(frozen=True)
class Mutant:
    """One mistake in a file."""

    path: Path
    line: int
    number: int
    """Of the file's mutants, in the order in which they are found."""
    kind: str
    change: str
    """What stood there and what stands there now."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.change}"


@dataclass(frozen=True)
class _Site:
    """A node that can be changed: ``change`` does it in place."""

    node: ast.AST
    kind: str
    change: Callable[[], None]


def mutants_of(path: Path) -> list[Mutant]:
    """All mistakes that can be made in a file."""
    found = []
    for number, site in enumerate(list(_sites(ast.parse(path.read_text(encoding="utf-8"))))):
        before, whole = ast.unparse(site.node), dict(vars(site.node))
        site.change()
        after = ast.unparse(site.node)
        vars(site.node).update(whole)
        found.append(Mutant(path, site.node.lineno, number, site.kind, f"{_short(before)} -> {_short(after)}"))
    return found


def mutated(path: Path, number: int) -> ast.Module:
    """The syntax tree of a file with one of its mistakes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    list(_sites(tree))[number].change()
    return ast.fix_missing_locations(tree)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def _sites(tree: ast.AST) -> Iterator[_Site]:
    """Sites of a tree, without what only says something."""
    for node in _code(tree):
        yield from _sites_of(node)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without texts, annotations, decorators, messages and errors."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _only_says(child):
                yield from _code(child)


def _only_says(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in SAID


def _sites_of(node: ast.AST) -> Iterator[_Site]:
    def put(name: str, value: object) -> Callable[[], None]:
        return lambda: setattr(node, name, value)

    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            ops = [*node.ops]
            ops[index] = COMPARED[type(operator)]()
            yield _Site(node, "comparison", put("ops", ops))
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in COMPUTED and not _is_text(node):
        yield _Site(node, "arithmetic", put("op", COMPUTED[type(node.op)]()))
    elif isinstance(node, ast.BoolOp):
        yield _Site(node, "boolean", put("op", JOINED[type(node.op)]()))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        undone = ast.UnaryOp(type(node.op)(), node.operand)
        yield _Site(node, "sign", put("operand", undone))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield _Site(node, "constant", put("value", value))
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            rest = [other for other in node.keywords if other is not keyword]
            yield _Site(node, "argument", put("keywords", rest))
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield _Site(node, "return", put("value", ast.Constant(None)))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not _only_says(node.value):
        yield _Site(node, "call", put("value", ast.Constant(None)))


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    parts = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in parts
    )
