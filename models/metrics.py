"""The error measures of 3D human pose papers, in millimetres, for numpy arrays.

Every measure is a function of joint errors (frame, joint) after one of three alignments:

    errors = joint_errors(predicted, true, "scale")     # (frame, joint) mm
    errors.mean(), errors.mean(0)                       # NMPJPE, and joint by joint

CanonPose, CVSF and others call NMPJPE "MPJPE" and N-PCK "PCK": name the alignment when you compare.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .geometry import procrustes

Array = NDArray[np.float64]
Alignment = Literal["root", "scale", "procrustes", "procrustes_scale", "norm_scale"]

PCK_THRESHOLD = 150.0
AUC_THRESHOLDS = np.arange(0.0, 151.0, 5.0)
CPS_LIMIT = 300.0


def align(predicted: Array, true: Array, alignment: Alignment, root: int = 0) -> tuple[Array, Array]:
    """Predicted and true poses (frame, joint, 3) in the same frame of reference.

    * ``root``: both relative to the root joint.
    * ``scale``: then the least-squares scale per pose, ``<p, t> / <p, p>``.
    * ``procrustes``: best rotation (no reflection), scale and translation per pose.
    * ``procrustes_scale``, ``norm_scale``: as ``scale``, but by the scale of the best similarity (EpipolarPose)
      or to the same Frobenius norm, to compare with papers that did so.
    """
    if alignment == "procrustes":
        source = torch.from_numpy(predicted)
        return procrustes(source, torch.from_numpy(true)).apply(source).numpy(), true
    predicted = predicted - predicted[:, root, None]
    true = true - true[:, root, None]
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


def joint_errors(predicted: Array, true: Array, alignment: Alignment, root: int = 0) -> Array:
    """Distances (frame, joint) in mm of predicted from true poses (frame, joint, 3) in mm after alignment.

    Raises:
        ValueError: shapes differ, or a coordinate is not finite; leave such frames out first (``complete``)
            and say how many there were.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 3 or predicted.shape[2] != 3:
        raise ValueError(f"poses must both be (frame, joint, 3), not {predicted.shape} and {true.shape}")
    broken = int((~(complete(predicted) & complete(true))).sum())
    if broken:
        raise ValueError(f"{broken} of {len(true)} frames have coordinates that are not finite")
    aligned, target = align(predicted, true, alignment, root)
    return np.linalg.norm(aligned - target, axis=-1)


def complete(pose: Array) -> NDArray[np.bool_]:
    """Mask (frame) of poses (frame, joint, 3) all of whose coordinates are finite."""
    return np.isfinite(pose).all((1, 2))


def pck(errors: Array, threshold: float = PCK_THRESHOLD) -> float:
    """Percentage of correct keypoints: share of joints closer than the threshold in mm."""
    return float((errors < threshold).mean() * 100)


def auc(errors: Array) -> float:
    """Mean PCK in per cent over thresholds 0, 5, ..., 150 mm; 96.77 at best, as nothing is closer than 0."""
    return float(np.mean([pck(errors, threshold) for threshold in AUC_THRESHOLDS]))


def cps(errors: Array) -> float:
    """Correct poses score (CanonPose, Eq. 9): area under the share of poses whose joints are all closer than theta.

    The exact integral over theta = 0..300 mm, for errors after Procrustes alignment; 0 to 300, more is better.
    """
    return float(np.maximum(0, CPS_LIMIT - errors.max(1)).mean())


def evaluate(predicted: Array, true: Array, root: int = 0) -> dict[str, float]:
    """All measures of predicted against true poses (frame, joint, 3), both in mm.

    MPJPE, PCK and AUC assume that predictions have metric scale; the others do not.
    """
    metric = joint_errors(predicted, true, "root", root)
    scaled = joint_errors(predicted, true, "scale", root)
    aligned = joint_errors(predicted, true, "procrustes", root)
    return {
        "MPJPE": float(metric.mean()),
        "NMPJPE": float(scaled.mean()),
        "PMPJPE": float(aligned.mean()),
        "PCK": pck(metric),
        "N-PCK": pck(scaled),
        "AUC": auc(metric),
        "N-AUC": auc(scaled),
        "CPS": cps(aligned),
    }
