"""The error measures of 3D human pose papers, in millimetres, for numpy arrays.

Every metric is a function of joint errors (frame, joint) after one of three alignments:

    errors = joint_errors(predicted, true, "scale")     # (frame, joint) mm
    errors.mean(), errors.mean(0)                       # NMPJPE, and joint by joint

CanonPose, CVSF and others call NMPJPE "MPJPE" and N-PCK "PCK": state the alignment when you compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..geometry.geometry import procrustes

Array = NDArray[np.float64]
Alignment = Literal["root", "scale", "procrustes", "procrustes_scale", "norm_scale"]

PCK_THRESHOLD = 150.0
AUC_THRESHOLDS = np.arange(0.0, 151.0, 5.0)
CPS_LIMIT = 300.0
PSS_CLUSTERS = (50, 100)

_BLOCK = 1000
"""Poses aligned at once, so that they stay in the processor's cache."""
_CLUSTER_DRAWS, _CLUSTER_STEPS = 10, 300


def align(predicted: Array, true: Array, alignment: Alignment, root: int | None = 0) -> tuple[Array, Array]:
    """Predicted and true poses (frame, joint, 3) in the same frame of reference.

    * ``root``: both relative to the root joint; None if they are so already.
    * ``scale``: then the least-squares scale per pose, ``<p, t> / <p, p>``.
    * ``procrustes``: best rotation (no reflection), scale and translation per pose.
    * ``procrustes_scale``, ``norm_scale``: as ``scale``, but with the scale of the best similarity (EpipolarPose)
      or to the same Frobenius norm, for comparison with papers that do so.
    """
    if alignment == "procrustes":
        source = torch.from_numpy(predicted)
        return procrustes(source, torch.from_numpy(true)).apply(source).numpy(), true
    if root is not None:
        predicted, true = predicted - predicted[:, root, None], true - true[:, root, None]
    if alignment == "root":
        return predicted, true
    square = np.maximum((predicted**2).sum((1, 2)), np.finfo(np.float64).tiny)
    if alignment == "scale":
        scale = (predicted * true).sum((1, 2)) / square
    elif alignment == "procrustes_scale":
        scale = procrustes(torch.from_numpy(predicted), torch.from_numpy(true)).scale.numpy()
    else:
        scale = np.sqrt((true**2).sum((1, 2)) / square)
    return predicted * scale[:, None, None], true


def joint_errors(predicted: Array, true: Array, alignment: Alignment, root: int | None = 0) -> Array:
    """Distances (frame, joint) in mm of predicted from true poses (frame, joint, 3) in mm after alignment.

    Raises:
        ValueError: shapes differ, or a coordinate is not finite; exclude such frames first (``complete``)
            and report how many there were.
    """
    predicted, true = _checked(predicted, true)
    errors = np.empty(true.shape[:2])
    for start in range(0, len(true), _BLOCK):
        block = slice(start, start + _BLOCK)
        aligned, target = align(predicted[block], true[block], alignment, root)
        difference = aligned - target
        errors[block] = np.sqrt(np.einsum("fjc,fjc->fj", difference, difference))
    return errors


def _checked(predicted: Array, true: Array) -> tuple[Array, Array]:
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 3 or predicted.shape[2] != 3:
        raise ValueError(f"poses must both be (frame, joint, 3), not {predicted.shape} and {true.shape}")
    broken = int((~(complete(predicted) & complete(true))).sum())
    if broken:
        raise ValueError(f"{broken} of {len(true)} frames have coordinates that are not finite")
    return predicted, true


def complete(pose: Array) -> NDArray[np.bool_]:
    """Mask (frame) of poses (frame, joint, 3) all of whose coordinates are finite."""
    return np.all(np.isfinite(pose), (1, 2))


def pck(errors: Array, threshold: float = PCK_THRESHOLD) -> float:
    """Percentage of correct keypoints: share in per cent of errors (frame, joint) in mm below the threshold in mm."""
    return float((errors < threshold).mean() * 100)


def auc(errors: Array) -> float:
    """Mean PCK in per cent of errors (frame, joint) in mm over thresholds 0, 5, ..., 150 mm.

    Its maximum is 96.77, because no error is below the first threshold, 0.
    """
    return float(np.mean([pck(errors, threshold) for threshold in AUC_THRESHOLDS]))


def cps(errors: Array) -> float:
    """Correct poses score in mm (CanonPose, Eq. 9): area under the share of poses whose errors are all below theta.

    The exact integral over theta = 0..300 mm, from 0 to 300; more is better.

    Args:
        errors: (frame, joint) in mm after Procrustes alignment.
    """
    return float(np.maximum(0, CPS_LIMIT - errors.max(1)).mean())


@dataclass(frozen=True)
class Errors:
    """Joint errors (frame, joint) in mm after each of the three alignments that papers use."""

    root: Array
    scale: Array
    procrustes: Array

    def of(self, frames: Any = slice(None), joints: Any = slice(None)) -> Errors:
        """Those of some frames and joints (masks, indices or slices)."""
        return Errors(*(errors[frames][:, joints] for errors in (self.root, self.scale, self.procrustes)))

    def summary(self) -> dict[str, float]:
        """All metrics; MPJPE, PCK and AUC assume that predictions have metric scale, the others do not."""
        return {
            "MPJPE": float(self.root.mean()),
            "NMPJPE": float(self.scale.mean()),
            "PMPJPE": float(self.procrustes.mean()),
            "PCK": pck(self.root),
            "N-PCK": pck(self.scale),
            "AUC": auc(self.root),
            "N-AUC": auc(self.scale),
            "CPS": cps(self.procrustes),
        }


def all_errors(predicted: Array, true: Array, root: int | None = 0) -> Errors:
    """Joint errors of predicted against true poses (frame, joint, 3), both in mm, after each alignment."""
    return Errors(
        joint_errors(predicted, true, "root", root),
        joint_errors(predicted, true, "scale", root),
        joint_errors(predicted, true, "procrustes", root),
    )


def jdr(errors: Array, crop_side: Array) -> float:
    """Joint detection rate (CVSF, Sec. 4.1): percentage of 2D joints closer to the truth than half a head.

    The paper does not define the size of a head; as in the work that it builds on (Qiu et al., ICCV 2019) it is a
    tenth of the side of the square crop around the person.

    Args:
        errors: (frame, joint) px.
        crop_side: (frame) px.
    """
    return float((errors < crop_side[:, None] / (10 * 2)).mean() * 100)


def evaluate(predicted: Array, true: Array, root: int = 0) -> dict[str, float]:
    """All metrics of predicted against true poses (frame, joint, 3), both in mm."""
    return all_errors(predicted, true, root).summary()


def pose_clusters(true: Array, count: int, root: int = 0, seed: int = 0) -> Array:
    """Centroids (count, joint * 3) of the shapes of true poses (frame, joint, 3), for ``pss``.

    k-means with k-means++ seeding, the best of ten draws, on poses of the training split (EpipolarPose, Sec. 4.3).

    Raises:
        ValueError: fewer poses than clusters.
    """
    shapes = _shapes(true, root)
    if len(shapes) < count:
        raise ValueError(f"{len(shapes)} poses are too few for {count} clusters")
    rng = np.random.default_rng(seed)
    draws = [_k_means(shapes, _spread_points(shapes, count, rng)) for _ in range(_CLUSTER_DRAWS)]
    return min(draws, key=lambda draw: draw[1])[0]


def _spread_points(points: Array, count: int, rng: np.random.Generator) -> Array:
    """Points (count, D) drawn far from each other (k-means++; Arthur and Vassilvitskii, SODA 2007)."""
    chosen = [int(rng.integers(len(points)))]
    nearest = _square_distances(points, points[chosen])[:, 0]
    while len(chosen) < count:
        even = not nearest.any()
        chosen.append(int(rng.choice(len(points), p=None if even else nearest / nearest.sum())))
        nearest = np.minimum(nearest, _square_distances(points, points[chosen[-1:]])[:, 0])
    return points[chosen]


def _k_means(points: Array, centroids: Array) -> tuple[Array, float]:
    """Centroids (count, D) after convergence on points (N, D), and the mean square distance to them."""
    cell = np.full(len(points), -1)
    for _ in range(_CLUSTER_STEPS):
        before, cell = cell, _cells(points, centroids)
        if (cell == before).all():
            break
        members = csr_array((np.ones(len(points)), (cell, np.arange(len(points)))), (len(centroids), len(points)))
        size = np.bincount(cell, minlength=len(centroids))[:, None]
        centroids = np.where(size > 0, (members @ points) / np.maximum(size, 1), centroids)
    return centroids, float(_square_distances(points, centroids).min(1).mean())


def _cells(points: Array, centroids: Array) -> NDArray[np.int64]:
    """For each point (N, D) the nearest of the centroids (K, D)."""
    return ((centroids**2).sum(1) - points @ (2 * centroids.T)).argmin(1)


def _square_distances(points: Array, centroids: Array) -> Array:
    """Square distances (N, K) of points (N, D) from centroids (K, D)."""
    square = (points**2).sum(1)[:, None] - 2 * points @ centroids.T + (centroids**2).sum(1)
    return np.maximum(square, 0)


def pss(predicted: Array, true: Array, centroids: Array, root: int = 0) -> float:
    """Pose structure score (EpipolarPose, Eq. 4): percentage of poses that fall into the true pose's cluster.

    Both poses (frame, joint, 3) are made relative to the root and of unit norm first, as the clusters are; the
    mean over frames is the mPSS.
    """
    predicted, true = _checked(predicted, true)
    cells = [_cells(_shapes(pose, root), centroids) for pose in (predicted, true)]
    return float((cells[0] == cells[1]).mean() * 100)


def _shapes(pose: Array, root: int) -> Array:
    """Root-relative poses of unit norm (frame, joint * 3)."""
    flat = (pose - pose[:, root, None]).reshape(len(pose), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.finfo(np.float64).tiny)
