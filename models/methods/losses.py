"""Confidence-weighted terms that several methods share."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.geometry import project_weak_perspective

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
    """Mean over the given dimensions of values (...) whose mask (...) is true; 0 where none is."""
    return (values * mask).sum(dim) / mask.sum(dim).clamp_min(1)


def reprojection(
    observed: Tensor,  # (B, V, J, 2)
    confidence: Tensor,  # (B, V, J)
    seen: Tensor,  # (B, V) bool
    pose: Tensor,  # (B, V, J, 3)
    R: Tensor,  # (B, V, 3, 3)
) -> tuple[Tensor, Tensor]:
    """Losses of reprojecting poses into their own views (CanonPose, Eq. 5) and into the others (Sec. 3.2).

    Each is a mean over the views that exist; the latter is summed over source views, as in the released code.
    """
    # (B, source view, target view): the pose lifted from one view, seen by the camera of another.
    reprojected = project_weak_perspective(pose[:, :, None], R[:, None])
    distance = scale_free_distance(observed[:, None], reprojected, confidence[:, None])
    exists = seen[:, :, None] & seen[:, None, :]
    own = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
    return mean_where(distance, exists & own, (0, 1, 2)), mean_where(distance, exists & ~own, (0, 2)).sum()


def camera_consistency(
    observed: Tensor,  # (B, V, J, 2)
    confidence: Tensor,  # (B, V, J)
    seen: Tensor,  # (B, V) bool
    pose: Tensor,  # (B, V, J, 3)
    R: Tensor,  # (B, V, 3, 3)
    rig: Tensor,  # (B) int64
    turn: Tensor | None = None,  # (B, V, 3, 3)
) -> Tensor:
    """Loss of reprojecting with relative rotations of another instant of the same rig (CanonPose, Eq. 8).

    A mean over samples, so that its weight does not depend on how many rigs share a batch, summed over source
    views; 0 where no two instants share an unmoved rig. Where each view was turned towards the person (``turn``), it
    is the cameras as they stand whose relative rotations are the same at both instants.
    """
    standing = R if turn is None else turn.mT @ R
    total = observed.new_zeros(())
    views = range(observed.shape[1])
    for source in views:
        other, paired = partners(rig)
        in_camera = pose[:, source] @ standing[:, source].mT
        elsewhere = (in_camera @ standing[other, source])[:, None]  # canonical, as the other instant has it
        towards = standing[other] if turn is None else turn @ standing[other]
        distance = scale_free_distance(observed, project_weak_perspective(elsewhere, towards), confidence)
        exists = seen & seen[other] & (paired & seen[:, source] & seen[other, source])[:, None]
        targets = torch.tensor([view != source for view in views], device=seen.device)
        total = total + mean_where(distance, exists & targets, (0, 1))
    return total


def partners(rig: Tensor) -> tuple[Tensor, Tensor]:
    """A random permutation of instants within each unmoved rig, and which instants take part.

    Args:
        rig: (B) int64; -1: cameras moved, no partner.

    Returns:
        For each instant the index of its partner (B), and a mask (B) of instants whose rig has at least two.
    """
    # Drawn on the CPU: one random state to store, whatever the device.
    shuffled = torch.randperm(len(rig)).to(rig.device)
    drawn = shuffled[rig[shuffled].argsort(stable=True)]
    partner = torch.empty_like(drawn)
    partner[rig.argsort(stable=True)] = drawn
    companions = (rig[:, None] == rig).sum(1)
    return partner, (rig >= 0) & (companions > 1)


def bone_prior(pose: Tensor, seen: Tensor, bones: Tensor, mirror: Tensor) -> Tensor:
    """How far bones differ between left and right and from instant to instant: one person's do neither.

    The mean over bones of the squared difference of the two sides' lengths, plus the variance of their mean over
    the poses of the batch; lengths in units of a pose's mean bone, so that the size of poses does not matter. It
    removes the freedom that two weak-perspective views leave, which fit any angle between them.

    Args:
        pose: (B, V, J, 3).
        seen: (B, V) bool.
        bones: (bone, 2) joints at the ends.
        mirror: (bone) the bone on the other side; itself if there is none.
    """
    length = (pose[..., bones[:, 0], :] - pose[..., bones[:, 1], :]).square().sum(-1).add(_EPSILON).sqrt()
    length = length / length.mean(-1, keepdim=True)
    sides = (length - length[..., mirror]).square().mean(-1)
    both = (length + length[..., mirror]) / 2
    mean = mean_where(both, seen[..., None], (0, 1))
    return mean_where(sides + (both - mean).square().mean(-1), seen, (0, 1))
