"""Two and more views of the same joints: relative camera poses, triangulation, and how to combine pairs.

All of it works on K-normalised image coordinates (``normalise_by_intrinsics``) in float64, with OpenCV's axes:
``X_camera = R X_world + t``. Of a pair, ``X_2 = R X_1 + t`` and ``x_2^T E x_1 = 0`` with ``E = [t]x R``; under
that order a fundamental matrix gives ``E = K_2^T F K_1`` (EpipolarPose writes ``x_1^T F x_2 = 0`` beside
``E = K^T F K``, and Li et al. exchange the indices).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

RANSAC_CONFIDENCE = 0.9999
RANSAC_ITERATIONS = 5000
MOST_POINTS = 20_000
"""Correspondences that a relative pose is estimated from, at most."""

_TINY = 1e-12


def normalise_by_intrinsics(keypoint: Array, K: Array) -> Array:
    """Image coordinates (..., J, 2) at focal length 1 of keypoints (..., J, 2) px under K (..., 3, 3)."""
    inverse = np.linalg.inv(K)
    return np.einsum("...ab,...jb->...ja", inverse[..., :2, :2], keypoint) + inverse[..., None, :2, 2]


def project(world: Array, R: Array, t: Array) -> tuple[Array, Array]:
    """Normalised images (..., V, J, 2) and depths (..., V, J) of points (..., J, 3) in cameras (..., V, 3, 3)."""
    seen = np.einsum("...vab,...jb->...vja", R, world) + t[..., None, :]
    depth = seen[..., 2]
    return seen[..., :2] / np.where(np.abs(depth) < _TINY, _TINY, depth)[..., None], depth


# One pair.


class RelativePose(NamedTuple):
    """Where the second camera of a pair stands: ``X_2 = R X_1 + t``."""

    R: Array  # (3, 3)
    t: Array  # (3), of unit length: joints do not tell the baseline
    agreeing: float
    """Share of the correspondences that fit."""


def cross_product_matrix(vector: Array) -> Array:
    """Matrix (3, 3) that turns ``w`` into ``vector x w``."""
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def essential_matrix(R: Array, t: Array) -> Array:
    """``E`` (3, 3) of ``X_2 = R X_1 + t``, so that ``x_2^T E x_1 = 0``."""
    return cross_product_matrix(t) @ R


def essential_from_fundamental(F: Array, K1: Array, K2: Array) -> Array:
    """``E = K_2^T F K_1`` (3, 3) of ``x_2^T F x_1 = 0`` in pixels."""
    return K2.T @ F @ K1


def relative_pose(first: Array, second: Array, tolerance: float) -> RelativePose | None:
    """Pose of the second camera from joints that both have seen; the more instants are pooled the better.

    Five-point essential matrix (Nister, PAMI 2004) by robust sampling with local optimisation (MAGSAC++), then
    the one of its four poses that has most points before both cameras (EpipolarPose, Sec. 3.1).

    Args:
        first, second: (N, 2) normalised coordinates of the same joints at the same instants.
        tolerance: distance from an epipolar line that is still noise, in normalised units.

    Returns:
        None if the points determine no pose.
    """
    step = max(len(first) // MOST_POINTS, 1)
    first, second = np.ascontiguousarray(first[::step]), np.ascontiguousarray(second[::step])
    if len(first) < 5:
        return None
    E, mask = cv2.findEssentialMat(
        first, second, np.eye(3), cv2.USAC_MAGSAC, RANSAC_CONFIDENCE, tolerance, RANSAC_ITERATIONS
    )
    if E is None or E.shape != (3, 3):
        return None
    fits = mask.ravel() > 0
    R, t = cheirality(np.asarray(E, np.float64), first[fits], second[fits])
    return RelativePose(R, t, float(fits.mean()))


def cheirality(E: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Of the four poses (R, t) of an essential matrix the one with most points (N, 2) before both cameras."""
    turned, twisted, t = (np.asarray(part, np.float64) for part in cv2.decomposeEssentialMat(E))
    poses = [(R, sign * t.ravel()) for R in (turned, twisted) for sign in (1.0, -1.0)]

    def points_in_front(pose: tuple[Array, Array]) -> int:
        R, t = (np.stack(pair) for pair in zip((np.eye(3), np.zeros(3)), pose, strict=True))
        _, depth = project(triangulate(np.stack([first, second]), R, t), R, t)
        return int((depth > 0).all(0).sum())

    return max(poses, key=points_in_front)


def correct_matches(E: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """The nearest points (N, 2) that satisfy ``x_2^T E x_1 = 0`` exactly (Hartley and Sturm, CVIU 1997).

    Points of which the polynomial has no root, as under a pure sideways motion, stay as they are.
    """
    corrected = cv2.correctMatches(E, first[None], second[None])
    found = [points.reshape(-1, 2) for points in corrected]
    lost = ~np.isfinite(np.concatenate(found, -1)).all(-1, keepdims=True)
    return np.where(lost, first, found[0]), np.where(lost, second, found[1])


def triangulate_pair(first: Array, second: Array, R: Array, t: Array) -> Array:
    """World points (N, 3) of a pair's normalised coordinates (N, 2), by the polynomial method.

    Args:
        R, t: (2, 3, 3) and (2, 3), camera_from_world of the two cameras.
    """
    between = R[1] @ R[0].T
    E = essential_matrix(between, t[1] - between @ t[0])
    return triangulate(np.stack(correct_matches(E, first, second)), R, t)


# Any number of views.


def triangulate(points: Array, R: Array, t: Array, weight: Array | None = None) -> Array:
    """World points (..., J, 3) whose images are nearest to the given ones, by weighted linear least squares.

    Args:
        points: (..., V, J, 2) normalised coordinates; finite also where the weight is 0.
        R, t: (..., V, 3, 3) and (..., V, 3) camera_from_world.
        weight: (..., V, J); points with fewer than two weights are meaningless.
    """
    # Seen from the middle of the cameras, in units of their distance from it, the system is well conditioned.
    centre = -np.einsum("...vba,...vb->...va", R, t)
    origin = centre.mean(-2, keepdims=True)
    size = np.linalg.norm(centre - origin, axis=-1).mean(-1)[..., None, None] + _TINY
    shifted = (t + np.einsum("...vab,...b->...va", R, origin[..., 0, :])) / size
    P = np.concatenate([R, shifted[..., None]], -1)[..., :, None, :, :]  # (..., V, 1, 3, 4)
    rows = points[..., None] * P[..., 2:, :] - P[..., :2, :]  # (..., V, J, 2, 4)
    if weight is not None:
        rows = rows * weight[..., None, None]
    rows = np.moveaxis(rows, -4, -3)  # (..., J, V, 2, 4)
    null = np.linalg.svd(rows.reshape(*rows.shape[:-3], -1, 4), full_matrices=rows.shape[-3] < 2)[2][..., -1, :]
    scale = null[..., 3:]
    return size * null[..., :3] / np.where(np.abs(scale) < _TINY, _TINY, scale) + origin


def triangulate_robustly(
    points: Array, R: Array, t: Array, confidence: Array, tolerance: Array, rounds: int = 4
) -> Array:
    """World points (..., J, 3) from all views, with low weights for views that contradict the others.

    Repeats the linear method with weights ``c / (1 + (e / tolerance)^2)`` of the reprojection errors e, each
    divided by its depth, which makes algebraic errors geometric.

    Args:
        points: (..., V, J, 2) normalised coordinates.
        confidence: (..., V, J), 0 where missing.
        tolerance: (..., V) error at which a view counts half.
    """
    world = triangulate(points, R, t, confidence)
    for _ in range(rounds):
        image, depth = project(world, R, t)
        error = np.linalg.norm(image - points, axis=-1)
        weight = confidence / (1 + (error / tolerance[..., None]) ** 2)
        nearest = np.where(confidence > 0, np.abs(depth), np.inf).min(-2, keepdims=True)
        nearest = np.where(np.isfinite(nearest), nearest, 1.0)  # of joints that nobody sees
        world = triangulate(points, R, t, weight * nearest / np.maximum(np.abs(depth), nearest))
    return world


def vector_median(candidates: Array, exists: Mask) -> Array:
    """The candidate nearest to all others (EpipolarPose, Sec. 3.1), the mean of two, NaN of none.

    Args:
        candidates: (C, ..., 3).
        exists: (C, ...).
    """
    points = np.where(exists[..., None], candidates, 0)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    total = np.where(exists, (distance * exists).sum(1), np.inf)
    best = np.take_along_axis(points, total.argmin(0)[None, ..., None], 0)[0]
    count = exists.sum(0)[..., None]
    chosen = np.where(count == 2, points.sum(0) / 2, best)
    return np.where(count > 0, chosen, np.nan)


# From pairs to a rig.


class Link(NamedTuple):
    """The result of one pair of cameras: the pose of the second, and the torso's length in units of the baseline."""

    first: int
    second: int
    pose: RelativePose
    torso: float
    """Median distance from pelvis to thorax in units of the pair's baseline."""


def ring(views: int) -> list[tuple[int, int]]:
    """Pairs of neighbouring views, the last with the first: as many as views, but only one for two views."""
    return [(view, (view + 1) % views) for view in range(views if views > 2 else 1)]


def join_links(links: list[Link], views: int) -> tuple[Array, Array] | None:
    """Cameras R (V, 3, 3), t (V, 3) in the axes of camera 0, in units of the torso's length.

    Pairs are joined in order of agreement until all cameras hang together; each pair's unknown scale is the
    one under which it sees the torso as long as the others do (docs/methods.md, EpipolarPose).

    Returns:
        None if the pairs do not connect all cameras.
    """
    R, t = np.tile(np.eye(3), (views, 1, 1)), np.zeros((views, 3))
    placed = {0}
    while len(placed) < views:
        open_links = [link for link in links if (link.first in placed) != (link.second in placed)]
        if not open_links:
            return None
        link = max(open_links, key=lambda link: link.pose.agreeing)
        between, baseline = link.pose.R, link.pose.t / link.torso
        if link.first in placed:
            R[link.second] = between @ R[link.first]
            t[link.second] = between @ t[link.first] + baseline
        else:
            R[link.first] = between.T @ R[link.second]
            t[link.first] = between.T @ (t[link.second] - baseline)
        placed |= {link.first, link.second}
    return R, t
