"""A fit that takes a second, and where its files are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

QUICK = ("train.method=sure", "train.epochs=2", "train.min_steps=5", "train.width=32", "detect.chunk_frames=15",
         "fuse.enabled=false")  # fmt: skip
"""Settings of a fit that takes a second."""


@dataclass(frozen=True)
class Fitted:
    """A finished fit: its footage and its results."""

    footage: Path
    out: Path

    def copy_to(self, folder: Path) -> Fitted:
        """A copy that a test may change."""
        made = Fitted(folder / self.footage.name, folder / self.out.name)
        shutil.copytree(self.footage, made.footage)
        shutil.copytree(self.out, made.out)
        return made
