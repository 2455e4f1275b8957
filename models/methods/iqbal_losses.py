"""Losses of the method of Iqbal et al.: heatmaps, agreement of views, limb lengths and labelled depths."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.geometry import rigid_alignment
from ..networks.pose_cnn import gaussians

SIGMA = 2.0
"""Bins: width of the Gaussians that heatmaps learn."""


def heatmap_loss(heatmap: Tensor, bins: Tensor, sure: Tensor) -> Tensor:
    """Squared distance of heatmaps (N, J, h, w) from Gaussians at bins (N, J, 2), mean over sure joints (N, J).

    A sum over pixels: a bin's displacement of a joint then weighs about as much here as its disagreement with other
    views does at the paper's weights. A mean would weigh some thousandth of it, and heatmaps would be given up.
    """
    height, width = heatmap.shape[-2:]
    inside = (bins >= 0).all(-1) & (bins[..., 0] <= width - 1) & (bins[..., 1] <= height - 1)
    square = (heatmap - gaussians(bins, height, width, SIGMA)).square().sum((2, 3))
    used = sure & inside
    return (square * used).sum() / used.sum().clamp_min(1)


def consistency_loss(pose: Tensor, weight: Tensor, shown: Tensor, R: Tensor | None = None) -> Tensor:
    """Mean weighted L1 distance of views' poses after rigid alignment, over ordered pairs and joints (Eq. 8, 10).

    Args:
        pose: (B, V, J, 3) in each camera's axes.
        weight: (B, V, J); that of a pair of joints is the product.
        shown: (B, V) views that have a pose.
        R: (B, V, 3, 3) camera_from_world, if known.
    """
    views = pose.shape[1]
    both = weight[:, :, None] * weight[:, None]
    target, source = pose[:, :, None].expand(-1, -1, views, -1, -1), pose[:, None].expand(-1, views, -1, -1, -1)
    known = None if R is None else R[:, :, None] @ R[:, None].mT
    distance = (target - rigid_alignment(source, target, both, known)).abs().sum(-1)
    other = ~torch.eye(views, dtype=torch.bool, device=pose.device)
    pairs = shown[:, :, None] & shown[:, None] & other
    return (both * distance * pairs[..., None]).sum() / (pairs.sum() * pose.shape[2]).clamp_min(1)


def depth_loss(depth: Tensor, label: Tensor, known: Tensor, torso: Tensor) -> Tensor:
    """Mean squared error of depths (N, J) from those of 3D poses (N, J, 3), relative to the pelvis and in torsos.

    Over known joints (N, J) of poses whose torso is known; this is the paper's fully supervised loss.

    Args:
        torso: (2, J) weights of pelvis and thorax.
    """
    pelvis, thorax = (torso @ label).unbind(1)
    length = (thorax - pelvis).norm(dim=-1)
    whole = (known | (torso == 0).all(0)).all(-1) & (length > 0)
    true = (label[..., 2] - pelvis[:, None, 2]) / torch.where(whole, length, 1.0)[:, None]
    used = known & whole[:, None]
    error = (depth - (depth @ torso[0])[:, None] - true).square()
    return (error * used).sum() / used.sum().clamp_min(1)


def limb_loss(pose: Tensor, weight: Tensor, shown: Tensor, bones: Tensor, lengths: Tensor) -> Tensor:
    """Mean weighted squared deviation of limbs from their mean lengths, over poses (N, J, 3) and bones (Eq. 11)."""
    start, end = bones.unbind(-1)
    both = weight[:, start] * weight[:, end] * shown[:, None]
    deviation = (bone_lengths(pose, bones) - lengths).square()
    return (both * deviation).sum() / (shown.sum() * len(bones)).clamp_min(1)


def torso_loss(depth: Tensor, torso: Tensor) -> Tensor:
    """Mean squared depth of the thorax relative to the pelvis, of depths (N, J) in torsos; ours.

    Of depths as they are read, before poses are made of them: where a torso is drawn in, its length tells nothing.

    Args:
        torso: (2, J) weights of pelvis and thorax.
    """
    return (depth @ (torso[1] - torso[0])).square().mean()


def bone_lengths(pose: Tensor, bones: Tensor) -> Tensor:
    """Lengths (N, bone) of the bones of poses (N, J, 3)."""
    start, end = bones.unbind(-1)
    return (pose[:, start] - pose[:, end]).norm(dim=-1)
