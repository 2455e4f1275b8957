"""Result files: what an exporter is, and the ones there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..arrays import Frames, Pose3D

EXPORTERS: dict[str, str] = {
    "npz": "posepipe.pipeline.exporters.npz:write",
    "csv": "posepipe.pipeline.exporters.csv:write",
    "trc": "posepipe.pipeline.exporters.trc:write",
    "overlay": "posepipe.pipeline.exporters.overlay:write",
}
"""Exporters by name; the function is imported only when it is used."""


@dataclass(frozen=True)
class Clip:
    """One clip's results, and what they came from."""

    pose: Pose3D
    frames: Frames
    video: Path
    provenance: dict[str, Any]
    """Plain values: posepipe version, digests of model and clip, detector, method, settings."""


Exporter = Callable[[Clip, Path], None]
"""Writes one file. It is given the path to write to, and the caller makes that atomic."""

FILE_NAMES = {"npz": "poses.npz", "csv": "poses.csv", "trc": "poses.trc", "overlay": "overlay.mp4"}


def exporter(name: str) -> Exporter:
    """The function of an exporter."""
    module, _, attribute = EXPORTERS[name].partition(":")
    return getattr(import_module(module), attribute)
