"""Estimated root positions in camera coordinates, apart from the root-relative poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...models.blocks import frame_blocks
from ...models.geometry.epipolar import normalise_by_intrinsics
from ...models.geometry.root import locate_root
from ..arrays import Pose3D, Samples, ViewPoses
from ..footage.camera import Camera
from ..runtime.cache import stage


@stage(version=2)
def place_root(pose: Pose3D, camera: Camera) -> Pose3D:
    """The poses with ``root_trajectory`` (F, 3): positions at which the 3D poses project to the 2D poses.

    Args:
        camera: with K, and perhaps a lens; ``root_camera`` states the source of K.

    Raises:
        ValueError: a camera without K.
    """
    if camera.K is None:
        raise ValueError("to place a root takes K")
    root = np.empty((len(pose.time), 3), np.float32)
    for part in frame_blocks(0, len(pose.time)):
        keypoint, confidence = np.asarray(pose.keypoint[part]), np.asarray(pose.confidence[part])
        keypoint, confidence = camera.without_distortion(keypoint, confidence)
        root[part] = _locate(pose.joint[part], keypoint, confidence, camera.K)
    return replace(pose, root_trajectory=root, root_camera=camera.source)


@stage(version=1)
def place_views(pose: ViewPoses, samples: Samples, source: str) -> ViewPoses:
    """The poses of a keypoint file with ``root_trajectory`` (S, V, 3), as from ``place_root``.

    Args:
        samples: the lifted samples, undistorted, with K.
        source: of K, in words.

    Raises:
        ValueError: samples without K.
    """
    if samples.K is None:
        raise ValueError("to place a root takes K")
    seen = pose.there
    root = np.full((*seen.shape, 3), np.nan, np.float32)
    root[seen] = _locate(pose.joint[seen], samples.keypoint[seen], samples.confidence[seen], samples.K[seen])
    return replace(pose, root_trajectory=root, root_camera=source)


def _locate(joint: np.ndarray, keypoint: np.ndarray, confidence: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Roots (N, 3) float32 of poses (N, J, 3) seen as 2D poses (N, J, 2) px by a camera (3, 3), or by one each."""
    point = normalise_by_intrinsics(keypoint.astype(np.float64), np.asarray(K, np.float64))
    return locate_root(joint.astype(np.float64), point, confidence.astype(np.float64)).astype(np.float32)
