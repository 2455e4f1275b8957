"""Array fields of hand-overs as ``(frame, joint, xyz) float32, m`` rather than as the Python that says so."""

from __future__ import annotations

import sys
from typing import Any

from docutils import nodes
from posepipe.pipeline.arrays import Dims, HandOver, array_fields
from sphinx import addnodes
from sphinx.application import Sphinx

BEFORE_NAPOLEON, AFTER_NAPOLEON = 400, 600


def setup(app: Sphinx) -> dict[str, bool]:
    """Work on signatures of attributes, and keep Napoleon from what they say of themselves."""
    kept: dict[str, list[str]] = {}

    def keep(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        if what == "attribute":
            kept[name] = list(lines)

    def restore(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        lines[:] = kept.pop(name, lines)  # Napoleon takes what stands before a colon for a type

    app.connect("autodoc-process-docstring", keep, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", restore, priority=AFTER_NAPOLEON)
    app.connect("object-description-transform", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _describe(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    for signature in content.parent.findall(addnodes.desc_signature):
        dims = _dims_of(signature.get("module") or "", signature.get("fullname") or "")
        if dims is not None:
            for annotation in list(signature.findall(addnodes.desc_annotation)):
                annotation.parent.remove(annotation)
            shape = f" ({dims.names.replace(' ', ', ')}) {dims.dtype}" + (
                "" if dims.unit == "1" else f", {dims.unit}"
            )
            signature += addnodes.desc_annotation(shape, "", nodes.Text(shape))


def _dims_of(module: str, name: str) -> Dims | None:
    owner_name, _, field = name.rpartition(".")
    owner = getattr(sys.modules.get(module), owner_name, None) if owner_name else None
    return array_fields(owner).get(field) if isinstance(owner, type) and issubclass(owner, HandOver) else None
