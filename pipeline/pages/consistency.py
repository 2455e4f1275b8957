"""Consistency: how well the 3D poses that were lifted from each camera of a take agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...models.geometry.geometry import procrustes
from ..arrays import Pose3D, Timeline

MAX_INSTANTS = 300
"""Instants that are compared, spread over the take."""


def disagreement_in_3d(poses: Sequence[Pose3D | None], timeline: Timeline) -> np.ndarray:
    """Median distance (camera) of a camera's joints from those of the other cameras at the same instants.

    After the best similarity (PMPJPE), in body heights; NaN where no other camera shows the person as well. A take
    whose cameras are badly synchronised or show different people disagrees more than others do.
    """
    frame = timeline.nearest_frame()
    seen = [None if pose is None else _at_instants(pose, frame[:, view]) for view, pose in enumerate(poses)]
    residual = np.full(len(poses), np.nan)
    for view, own in enumerate(seen):
        if own is None:
            continue
        errors = [_distances(own, other) for number, other in enumerate(seen) if number != view and other is not None]
        if errors and (together := np.concatenate(errors)).size:
            residual[view] = np.median(together)
    return residual


def _at_instants(pose: Pose3D, frame: np.ndarray) -> np.ndarray:
    """Joints (T, J, 3) in body heights, in the frames (T); NaN where there is none (-1)."""
    some = frame[:: -(-len(frame) // MAX_INSTANTS)]
    joint = np.asarray(pose.body.joint)[some]
    return np.where((some >= 0)[:, None, None], joint, np.nan)


def _distances(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean distance (T') of the joints at the instants with both poses."""
    both = np.isfinite(own).all((1, 2)) & np.isfinite(other).all((1, 2))
    source, target = torch.from_numpy(own[both]), torch.from_numpy(other[both])
    return (procrustes(source, target).apply(source) - target).norm(dim=-1).mean(-1).numpy()
