"""Public names are documented: every one has a docstring, arrays have shapes, errors are named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("models", "pipeline") for path in (ROOT / package).rglob("*.py"))
ARRAYS = {"ndarray", "NDArray", "ArrayLike", "Tensor", "Array", "Mask"}
"""Names of array types in annotations, the aliases of modules among them."""
SHAPE = re.compile(r"\((?:|\.\.\.|\w[\w .+*/|-]*)(?:, ?[\w.][\w .+*/|-]*)*\)")
"""A shape in parentheses: () of a scalar, (N), (T, J, 3), (..., 3, 3)."""


class Public(NamedTuple):
    """A public function or class."""

    place: str
    node: ast.FunctionDef | ast.ClassDef

    @property
    def text(self) -> str:
        return ast.get_docstring(self.node) or ""


def public_names(path: Path) -> Iterator[Public]:
    def within(body: list[ast.stmt], prefix: str) -> Iterator[Public]:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            yield Public(f"{path.relative_to(ROOT)}:{node.lineno} {prefix}{node.name}", node)
            if isinstance(node, ast.ClassDef):
                yield from within(node.body, f"{prefix}{node.name}.")

    return within(ast.parse(path.read_text(encoding="utf-8")).body, "")


def has_arrays(function: ast.FunctionDef) -> bool:
    given = function.args
    annotations = [one.annotation for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    nodes = [node for one in (*annotations, function.returns) if one is not None for node in ast.walk(one)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return bool(ARRAYS & (names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}))


def raises(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(function))


def is_command(function: ast.FunctionDef) -> bool:
    """Whether the docstring is the help text of a command, which states no exceptions."""
    given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return any("typer" in ast.unparse(one.annotation) for one in given if one.annotation is not None)


def missing(path: Path) -> dict[str, list[str]]:
    """What the docstrings of a file lack."""
    functions = [one for one in public_names(path) if isinstance(one.node, ast.FunctionDef)]
    documented = [one for one in functions if one.text]
    return {
        "docstring": [one.place for one in public_names(path) if not one.text],
        "shape": [one.place for one in documented if has_arrays(one.node) and not SHAPE.search(one.text)],
        "Raises": [
            one.place
            for one in documented
            if raises(one.node) and not is_command(one.node) and "Raises:" not in one.text
        ],
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_have_docstrings_with_shapes_and_errors(path: Path) -> None:
    assert {what: places for what, places in missing(path).items() if places} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [("Poses (N, J, 3).", True), ("Scalars ().", True), ("R (..., 3, 3) of", True), ("Masks (T - 2)", True),
     ("No shape.", False), ("An aside (or more; see ``adjust``).", False)],
)  # fmt: skip
def test_shapes_are_recognised(text: str, found: bool) -> None:
    assert bool(SHAPE.search(text)) == found
