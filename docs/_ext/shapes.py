"""Array fields of hand-overs as ``(frame, joint, xyz) float32, m`` rather than as the Python that says so."""

from __future__ import annotations

import sys
from typing import Any

from posepipe.pipeline.arrays import HandOver, array_fields
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Put the dimensions of array fields before what their docstrings say."""
    app.connect("autodoc-process-docstring", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _describe(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what != "attribute":
        return
    owner_name, _, field = name.rpartition(".")
    module_name, _, class_name = owner_name.rpartition(".")
    owner = getattr(sys.modules.get(module_name), class_name, None)
    if isinstance(owner, type) and issubclass(owner, HandOver) and (dims := array_fields(owner).get(field)):
        lines[:0] = [f"({dims.names.replace(' ', ', ')}) {dims.dtype}, {dims.unit}.", ""]
