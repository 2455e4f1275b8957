"""Placing: where the root of every pose is in camera coordinates, an estimate beside the root-relative poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..models.epipolar import normalise_by_intrinsics
from ..models.root import locate_root
from .arrays import Pose3D
from .cache import stage
from .lenses import Lens, without_distortion


@stage(version=1)
def place_root(pose: Pose3D, K: list[list[float]], distortion: Lens | None, source: str) -> Pose3D:
    """The poses with ``root_trajectory``: where each, as large as it is, looks like its 2D pose.

    Args:
        K: the camera's matrix in px.
        distortion: of its lens, if it is known.
        source: where K comes from, in words; ``root_camera`` repeats it.
    """
    keypoint, confidence = np.asarray(pose.keypoint), np.asarray(pose.confidence)
    matrix = np.array(K)
    if distortion is not None:
        keypoint, confidence = without_distortion(keypoint, confidence, matrix, np.array(distortion))
    point = normalise_by_intrinsics(keypoint.astype(np.float64), matrix)
    root = locate_root(pose.joint.astype(np.float64), point, confidence.astype(np.float64))
    return replace(pose, root_trajectory=root.astype(np.float32), root_camera=source)
