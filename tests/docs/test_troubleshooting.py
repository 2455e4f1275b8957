"""Sentences that the page of troubles quotes are those that the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (.+?) \| ", (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
QUOTED = [row for row in ROWS if row != "message"]
GAP = "…"
LEAST_LETTERS = 10
"""Of a sentence that says anything besides what is put into it."""


def said(tree: ast.AST) -> Iterator[str]:
    """All texts of a module, with a gap for each value that is put into them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%(\.\d)?[sdf]", GAP, node.value)


def plain(sentence: str) -> str:
    """A sentence in which gaps that meet, if only a sign is between them, are one."""
    return re.sub(rf"(?:{GAP}\W{{0,2}})*{GAP}", GAP, " ".join(sentence.split()))


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    files = (ROOT / "pipeline").rglob("*.py")
    return {plain(text) for file in files for text in said(ast.parse(file.read_text(encoding="utf-8")))}


@pytest.mark.parametrize("quoted", QUOTED, ids=lambda quoted: " ".join(re.findall(r"\w+", quoted)[:8]))
def test_a_quoted_sentence_is_one_of_ours(quoted: str, sentences: set[str]) -> None:
    """A gap in a sentence of the code stands for anything; the rest of it is quoted to the letter."""
    wanted = plain(quoted)
    ours = [sentence for sentence in sentences if len(sentence.replace(GAP, "")) > LEAST_LETTERS]
    assert any(re.fullmatch(re.escape(sentence).replace(GAP, ".+"), wanted) for sentence in ours)


def test_there_is_something_to_look_up() -> None:
    assert len(QUOTED) > 40
    assert len(set(QUOTED)) == len(QUOTED)
