"""Lens distortion: where a real lens shows a point, and where a pinhole camera of the same intrinsics would."""

from __future__ import annotations

import numpy as np

from .epipolar import Array, normalise_by_intrinsics

COEFFICIENTS = 5
"""k1, k2, p1, p2, k3 of Brown's model, in the order of OpenCV."""

_STEPS = 20
_SURE = 1e-6
"""How exactly a point must be found, in focal lengths."""


def distort(points: Array, distortion: Array) -> Array:
    """Where a lens shows points (..., J, 2) at focal length 1; distortion (..., 5) as ``COEFFICIENTS``."""
    return _distorted(points, distortion)[0]


def undistort(keypoint: Array, K: Array, distortion: Array) -> Array:
    """Keypoints (..., J, 2) px of a lens where a pinhole camera would show them, by Newton's method.

    NaN where the lens shows no point there: far outside of its picture the model folds back.

    Args:
        K: (..., 3, 3) px.
        distortion: (..., 5) as ``COEFFICIENTS``.
    """
    seen = normalise_by_intrinsics(keypoint, K)
    points = seen.copy()
    for _ in range(_STEPS):
        image, (xx, xy, yy) = _distorted(points, distortion)
        x, y = np.moveaxis(image - seen, -1, 0)
        determinant = xx * yy - xy * xy
        determinant = np.where(np.abs(determinant) < _SURE, np.nan, determinant)
        points = points - np.stack([yy * x - xy * y, xx * y - xy * x], -1) / determinant[..., None]
    image, (xx, xy, yy) = _distorted(points, distortion)
    found = (np.abs(image - seen).max(-1) < _SURE) & (xx > 0) & (xx * yy > xy * xy)  # and not folded over
    points = np.where(found[..., None], points, np.nan)
    return np.einsum("...ab,...jb->...ja", K[..., :2, :2], points) + K[..., None, :2, 2]


def _distorted(points: Array, distortion: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """Distorted points, and the three different entries of the symmetric Jacobian: dx/dx, dx/dy = dy/dx, dy/dy."""
    k1, k2, p1, p2, k3 = np.moveaxis(distortion[..., None, :], -1, 0)
    x, y = np.moveaxis(points, -1, 0)
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * k3))
    slope = 2 * (k1 + square * (2 * k2 + square * 3 * k3))  # of the radial factor, per x and per y
    image = np.stack([
        x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x),
        y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y),
    ], -1)  # fmt: skip
    xx = radial + slope * x * x + 2 * p1 * y + 6 * p2 * x
    xy = slope * x * y + 2 * p1 * x + 2 * p2 * y
    yy = radial + slope * y * y + 6 * p1 * y + 2 * p2 * x
    return image, (xx, xy, yy)
