"""What 2D poses of several views say of each other under weak perspective, with nothing known of the cameras."""

from __future__ import annotations

import numpy as np

from ..skeleton import Skeleton


def pose_in_sizes(keypoint: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Root-relative poses (..., J, 2) in sizes of the person, 0 where missing, and which joints are seen (..., J).

    The size is the root mean square distance of the joints from the root, so that zoom and distance do not count.

    Args:
        keypoint: (..., J, 2) px, NaN where missing; without the root all joints count as missing.
    """
    root = keypoint[..., list(skeleton.landmark("pelvis")), :].mean(-2, keepdims=True)
    centred = np.asarray(keypoint - root, float)
    seen = np.isfinite(centred).all(-1)
    square = np.square(np.where(seen[..., None], centred, 0)).sum((-2, -1))
    size = np.sqrt(square / np.maximum(seen.sum(-1), 1))
    return np.where(seen[..., None], centred / np.maximum(size, 1e-6)[..., None, None], 0), seen


def rank_residual(pose: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What of each joint no three-dimensional body explains (T, J), in the unit of the poses.

    The distance of each column of the (2 views, joints) matrix from the space of the first three singular vectors.

    Args:
        pose: (T, V, J, 2) root-relative.
        seen: (T, V, J); a joint counts if all views see it that show anybody, others are 0.
    """
    instants, views, joints, _ = pose.shape
    some = np.any(seen, -1)
    common = (seen | ~some[..., None]).all(1)
    matrix = np.where((seen & common[:, None])[..., None], pose, 0)
    matrix = matrix.transpose(0, 1, 3, 2).reshape(instants, 2 * views, joints)
    _, vectors = np.linalg.eigh(matrix @ matrix.transpose(0, 2, 1))
    body = vectors[..., -3:]
    return np.linalg.norm(matrix - body @ (body.transpose(0, 2, 1) @ matrix), axis=1)
