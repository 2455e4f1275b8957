"""Labels: 3D poses of the athlete from all views, for methods that train on 3D poses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...models.geometry.epipolar import (
    Array,
    Mask,
    normalise_by_intrinsics,
    project,
    ring,
    triangulate_pair,
    triangulate_robustly,
    vector_median,
)
from ..arrays import FusedPoses, Labels, Rig, Samples
from ..errors import PosepipeError
from ..runtime.cache import stage
from ..settings import LabelSettings

HALF_TRUSTED = 0.05
"""Standard deviation of a fused joint, in body heights, at which its weight is one half."""


@stage(version=1)
def label_from_fused(fused: FusedPoses) -> Labels:
    """Fused poses as labels (S, V, J, 3); joints and views that are not trusted have none."""
    there = np.all(np.isfinite(fused.root), -1)[..., None]
    joint = fused.joint_in_camera + fused.root[:, :, None]
    trust = fused.trusted / (1 + np.square(fused.deviation / HALF_TRUSTED))
    return Labels(
        joint=np.where(there[..., None], joint, 0).astype(np.float32),
        confidence=np.where(there, trust[:, None], 0).astype(np.float32),
        residual=np.asarray(fused.residual),
    )


@stage(version=1)
def label_poses(samples: Samples, rig: Rig, settings: LabelSettings) -> Labels:
    """3D joints (S, V, J, 3) in the axes of every camera (EpipolarPose, Sec. 3.1; docs/methods.md).

    Raises:
        PosepipeError: no joint could be triangulated.
    """
    K, R, t = (np.array(array, np.float64) for array in (rig.K, rig.R, rig.t))
    points = normalise_by_intrinsics(samples.keypoint, K)
    usable = (samples.confidence > 0) & (samples.confidence >= settings.min_confidence)
    if settings.triangulation == "pairs":
        world = _median_of_pairs(points, R, t, usable)
    else:
        visible = (samples.confidence > 0)[..., None]
        high = np.where(visible, points, -np.inf).max(-2) - np.where(visible, points, np.inf).min(-2)
        size = np.where(visible.any((-2, -1)), np.linalg.norm(high, axis=-1), 1.0)
        confidence = np.where(usable, samples.confidence, 0).astype(np.float64)
        world = triangulate_robustly(points, R, t, confidence, settings.tolerance * size)
    return _labels(samples, world, K, R, t, usable)


def _labels(samples: Samples, world: Array, K: Array, R: Array, t: Array, usable: Mask) -> Labels:
    """Labels of world points (S, J, 3); those behind a camera that sees them, or seen once, do not exist."""
    image, depth = project(np.nan_to_num(world), R, t)
    exists = np.isfinite(world).all(-1) & (usable.sum(1) >= 2) & ((depth > 0) | ~usable).all(1)
    if not exists.any():
        raise PosepipeError(
            "no joint could be triangulated: no two cameras see one at the same time surely enough, or the "
            "calibration does not belong to these videos; check it, or lower label.min_confidence"
        )
    seen = np.einsum("svab,sjb->svja", R, np.nan_to_num(world)) + t[:, :, None]
    mean = np.where(usable, samples.confidence, 0).sum(1) / np.maximum(usable.sum(1), 1)
    error = np.linalg.norm(image - normalise_by_intrinsics(samples.keypoint, K), axis=-1) * K[..., 0, 0, None]
    measured = exists[:, None] & (samples.confidence > 0)
    everywhere = np.broadcast_to(exists[:, None], usable.shape)
    return Labels(
        joint=np.where(everywhere[..., None], seen, 0).astype(np.float32),
        confidence=np.where(everywhere, mean[:, None], 0).clip(0, 1).astype(np.float32),
        residual=np.where(measured, error, np.nan).astype(np.float32),
    )


def _median_of_pairs(points: Array, R: Array, t: Array, usable: Mask) -> Array:
    """World points (S, J, 3): the vector median over the pairs of neighbours; NaN where no pair saw the joint."""
    pairs = ring(points.shape[1])
    candidates = np.full((len(pairs), len(points), points.shape[2], 3), np.nan)
    for candidate, pair in zip(candidates, pairs, strict=True):
        a, b = pair
        both = usable[:, a] & usable[:, b]
        for still in _while_cameras_stand(R[:, pair], t[:, pair]):
            found = triangulate_pair(points[still, a].reshape(-1, 2), points[still, b].reshape(-1, 2),
                                     R[still[0], list(pair)], t[still[0], list(pair)])  # fmt: skip
            candidate[still] = found.reshape(len(still), -1, 3)
        candidate[~both] = np.nan
    return vector_median(candidates, np.isfinite(candidates).all(-1))


def _while_cameras_stand(R: Array, t: Array) -> Iterator[np.ndarray]:
    """Indices of samples under equal cameras (S, 2, 3, 3), (S, 2, 3), group by group."""
    numbers = np.concatenate([R.reshape(len(R), -1), t.reshape(len(t), -1)], 1)
    _, group = np.unique(numbers, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1)
