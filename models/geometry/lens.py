"""Lens distortion: where a real lens shows a point, and where a pinhole camera of the same intrinsics would.

Two models, as in OpenCV: Brown's of ordinary lenses, and the fisheye model of lenses that see 100 degrees and more
(Kannala and Brandt, PAMI 2006), in which the angle from the axis counts, not its tangent.
"""

from __future__ import annotations

import numpy as np

from .epipolar import Array, normalise_by_intrinsics

COEFFICIENTS = 5
"""k1, k2, p1, p2, k3 of Brown's model, in the order of OpenCV."""

FISHEYE_COEFFICIENTS = 4
"""k1, k2, k3, k4 of OpenCV's fisheye model."""

_LEAST_ROOT = 1e-2
"""Where a lens that stretches the margins would show no point any more, its image stays finite."""
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


def undistort_fisheye(keypoint: Array, K: Array, distortion: Array) -> Array:
    """Keypoints (..., J, 2) px of a fisheye lens where a pinhole camera would show them, by Newton's method.

    NaN where a pinhole camera shows nothing, 90 degrees and more from the axis, and where the model folds back.

    Args:
        K: (..., 3, 3) px.
        distortion: (..., 4) as ``FISHEYE_COEFFICIENTS``.
    """
    seen = normalise_by_intrinsics(keypoint, K)
    radius = np.linalg.norm(seen, axis=-1)
    angle = radius.copy()
    for _ in range(_STEPS):
        bent, slope = _fisheye_radius(angle, distortion)
        angle = angle - (bent - radius) / np.where(slope > _SURE, slope, np.nan)
    bent, slope = _fisheye_radius(angle, distortion)
    shown = (np.abs(bent - radius) < _SURE) & (slope > 0) & (angle >= 0) & (angle < np.pi / 2 - _SURE)
    factor = np.where(shown, np.tan(angle) / np.where(radius > _SURE, radius, 1), np.nan)
    factor = np.where(radius > _SURE, factor, 1.0)
    return np.einsum("...ab,...jb->...ja", K[..., :2, :2], factor[..., None] * seen) + K[..., None, :2, 2]


def bend_root(square: Array, bend: Array) -> Array:
    """``sqrt(1 - 4 b r^2)`` (...) of squares r^2 of the distance from the middle, and bends b (...) of lenses."""
    return np.sqrt(np.maximum(1 - 4 * bend * square, _LEAST_ROOT))


def bend_points(points: Array, bend: Array) -> Array:
    """Where a lens of one coefficient shows what a pinhole camera shows at points (..., J, 2) from the middle.

    A point at distance r is shown at r' with ``r = r' / (1 + b r'^2)`` (Fitzgibbon, CVPR 2001).

    Args:
        bend: (...) b in inverse squares of the unit of the points: 0 for none, negative for wide lenses.
    """
    return 2 / (1 + bend_root(np.square(points).sum(-1, keepdims=True), bend[..., None, None])) * points


def _fisheye_radius(angle: Array, distortion: Array) -> tuple[Array, Array]:
    """Distance (..., J) from the middle at focal length 1 of what is seen at angles (..., J) rad, and its slope."""
    k1, k2, k3, k4 = np.moveaxis(distortion[..., None, :], -1, 0)
    square = angle * angle
    radius = angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
    slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
    return radius, slope


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
