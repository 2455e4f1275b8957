"""Sentences that the page of troubles quotes are those that the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from posepipe.pipeline.training.model_file import FORMAT

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (.+?) \| ", (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
QUOTED = [row for row in ROWS if row != "it says"]
GAP = "…"


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


def of_models(source: str) -> str:
    """The code that reads all files of tensors, with the words for model files put in."""
    for name in ("file", "noun", "origin", "again"):
        source = source.replace(f"{{self.{name}}}", getattr(FORMAT, name))
    return source


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "pipeline").rglob("*.py")]
    return {plain(text) for source in sources for text in said(ast.parse(of_models(source)))}


@pytest.mark.parametrize("quoted", QUOTED, ids=lambda quoted: " ".join(re.findall(r"\w+", quoted)[:8]))
def test_a_quoted_sentence_is_one_of_ours(quoted: str, sentences: set[str]) -> None:
    assert plain(quoted) in sentences


def test_there_is_something_to_look_up() -> None:
    assert len(QUOTED) > 40
    assert len(set(QUOTED)) == len(QUOTED)
