"""Equations as MathML, which browsers draw by themselves: no scripts, no fonts, no network."""

from __future__ import annotations

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: nodes.NodeVisitor, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))  # type: ignore[attr-defined]
    raise nodes.SkipNode


def _block(writer: nodes.NodeVisitor, node: nodes.math_block) -> None:
    formula = convert(node.astext(), display="block")
    writer.body.append(f'<div class="equation">{formula}</div>')  # type: ignore[attr-defined]
    raise nodes.SkipNode
