"""The generic lifter: weights that come with the package, learnt from motions of other people."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "generic"
"""Folder of its model files, one per skeleton."""


def generic_lifter(skeleton: str) -> Path | None:
    """The model file for a skeleton's bodies; None if there is none."""
    path = WEIGHTS / f"{skeleton.removesuffix('+feet')}.pt"
    return path if path.is_file() else None
