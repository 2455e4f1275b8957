"""Confidence-weighted terms that several methods share."""

from __future__ import annotations

from torch import Tensor

_EPSILON = 1e-8
"""Inside the root of ``rms``, so that its gradient is finite for a pose of size zero."""


def rms(pose: Tensor, visible: Tensor) -> Tensor:
    """Root of the sum of squares over 2J of 2D poses (..., J, 2), counting only visible joints (..., J)."""
    square = (pose.square() * visible[..., None]).sum((-2, -1))
    return (square / (2 * pose.shape[-2]) + _EPSILON).sqrt()


def scale_free_distance(observed: Tensor, projected: Tensor, confidence: Tensor) -> Tensor:
    """Confidence-weighted L1 distance of 2D poses after each is divided by its own size (CanonPose, Eq. 5).

    ``1/(2J) sum_j c_j (|dx_j| + |dy_j|)`` with ``d = P/rms(P) - Q/rms(Q)``: the paper's equation divided by
    the root of 2J, as in its released code, for which its weights were tuned. The gradient flows through the
    size of the projection. Confidences weigh residuals, not sizes, and are not divided by their sum; joints
    that are missing (confidence 0) count in neither size.

    Args:
        observed: (..., J, 2).
        projected: (..., J, 2), of any scale.
        confidence: (..., J) of the observed joints.

    Returns:
        Distances (...).
    """
    visible = confidence > 0
    observed = observed / rms(observed, visible)[..., None, None]
    projected = projected / rms(projected, visible)[..., None, None]
    residual = (observed - projected).abs().sum(-1)
    return (confidence * residual).sum(-1) / (2 * observed.shape[-2])


def mean_where(values: Tensor, mask: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Mean over the given dimensions of the values whose mask is true; 0 where none is."""
    return (values * mask).sum(dim) / mask.sum(dim).clamp_min(1)
