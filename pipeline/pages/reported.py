"""What the page of a fit is made from: its takes, their cameras, and the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Detections, Frames, Pose3D, Swaps, Timeline, Track
from ..runtime.utilisation import Busy


@dataclass(frozen=True)
class ReportedCamera:
    """One clip of a take."""

    name: str
    file: str
    frames: Frames
    detections: Detections
    track: Track
    pose: Pose3D | None = None
    page: str = ""
    """Link from the report to the clip's own page; empty if there is none."""
    busy: Busy | None = None
    """Utilisation of the detector's network, if it was measured."""


@dataclass(frozen=True)
class ReportedTake:
    """Cameras of one take, in the order of the timeline's."""

    name: str
    cameras: Sequence[ReportedCamera]
    timeline: Timeline
    swaps: Swaps | None = None
    disagreement: Sequence[float] = ()
    """Distance of each camera's 3D poses from the others' (``consistency``), in body heights; NaN if alone."""
    fused: Sequence[float] = ()
    """Median distance of each camera's detections from the skeleton of all views, in px; NaN where it has none."""
    page: str = ""
    """Link to the page of the skeleton of all views; empty if there is none."""


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    title: str
    takes: Sequence[ReportedTake]
    losses: Sequence[Mapping[str, Any]] = ()
    """One row per epoch: phase, epoch, each loss term, total."""
    handedness: Mapping[str, Any] | None = None
    """Fields of ``models.body.handedness.Handedness``, and its numbers for each of the ``takes`` by name."""
    parity: np.ndarray | None = None
    """Parities (pose) of the lifted poses (``models.body.handedness``) in units of ``EVIDENCE``."""
    supervised: bool = False
    """Whether the model was trained on true 3D poses as well."""
    settings: str = ""
    versions: Mapping[str, str] | None = None
    warnings: Sequence[str] = ()
    placed: bool = False
    """Whether it was given where the cameras stand."""
    impossible: Sequence[str] = ()
    """What cannot be true of the skeletons of all views (``plausibility``)."""
