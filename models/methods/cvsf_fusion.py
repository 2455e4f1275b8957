"""Cross-view self-fusion: 2D poses refined by what the other views say, without calibration.

Kim et al., Cross-View Self-Fusion for Self-Supervised 3D Human Pose Estimation in the Wild (ACCV 2022), Sec. 3.3. A
joint seen by one view lies, at unknown depth, on a line in every other; the point where lines and detection agree
best is the refined joint.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ..geometry.geometry import project_weak_perspective, unit_norm
from ..networks.heatmap import Grid, Ridges, argmax, heat, lattice, segment_distances, soft_argmax
from .base import CanonicalSettings
from .losses import mean_where

_AGREE = 3.0
"""Evidence that lies farther apart than this many sigmas of a line has nothing in common."""

_WINDOW_SIGMAS, _WINDOW_POINTS, _SHARPNESS = 4.0, 13, 3.0
"""Soft-argmax: half side of the window, points in a row, and factor of the softmax."""

_TINY = 1e-6


class FusionSettings(CanonicalSettings):
    """How views are fused. The defaults are ours."""

    fusion: Literal["hard", "soft"] = Field(
        "hard",
        description="hard: refined poses carry no gradient, their distance to the detections is only monitored",
    )
    joint_map: Literal["detection", "reprojection"] = Field(
        "detection", description="what speaks for a joint beside the lines of the other views"
    )
    alignment: Literal["none", "scale", "scale_and_shift"] = Field(
        "scale_and_shift", description="what of each view is brought in line with the mean lifted pose before fusion"
    )
    refine_below: float = Field(0.85, ge=0, description="joints of at least this confidence stay as they are")
    kept_joints: tuple[str, ...] = Field((), description="joints that stay as they are at any confidence")
    line_half_length: float = Field(0.6, gt=0, description="largest depth of a joint, in norms of a 2D pose")
    joint_sigma: float = Field(2 / 64, gt=0, description="spread of a detection, in norms of a 2D pose")
    line_sigma: float = Field(4 / 64, gt=0, description="spread of a line, in norms of a 2D pose")
    grid_bins: int = Field(160, ge=16, multiple_of=16, description="bins in a row of a map")
    grid_half_side: float = Field(0.65, gt=0, description="half the side of a map, in norms of a 2D pose")
    sub_pixel: bool = Field(True, description="maxima between bins")


def fuse(
    observed: Tensor,  # (B, V, J, 2) normalised
    confidence: Tensor,  # (B, V, J), 0 throughout where the view is missing
    pose: Tensor,  # (B, V, J, 3) centred
    R: Tensor,  # (B, V, 3, 3)
    refinable: Tensor,  # (J) bool
    settings: FusionSettings,
) -> Tensor:
    """2D poses (B, V, J, 2) refined by cross-view self-fusion (CVSF, Eq. 2), neither centred nor normalised.

    A joint stays where it is if it is sure, missing, or if no line comes near another or near the detection.
    """
    scale, shift = torch.ones_like(R[..., 0, 0]), torch.zeros_like(observed[..., :1, :])
    if settings.alignment != "none":
        with_shift = settings.alignment == "scale_and_shift"
        scale, shift = view_frames(observed, confidence, unit_norm(pose), R, with_shift)
    aligned = observed - shift
    lines = epipolar_segments(aligned, confidence, scale, R, settings)
    points = _own_evidence(aligned, confidence, pose, R, settings)
    unsure = (confidence > 0) & (confidence < settings.refine_below) & refinable
    lines, points, joint = lines.pick(unsure), points.pick(unsure), aligned[unsure]
    agreed = _evidence_meets(joint, lines, _AGREE * settings.line_sigma)
    ridges = Ridges(*(torch.cat(pair, 1) for pair in zip(points, lines, strict=True))).pick(agreed)
    joint = joint.masked_scatter(agreed[:, None], _maximum(ridges, settings))
    return aligned.masked_scatter(unsure[..., None], joint) + shift


@torch.no_grad()
def view_frames(
    observed: Tensor,  # (B, V, J, 2) normalised
    confidence: Tensor,  # (B, V, J), 0 throughout where the view is missing
    pose: Tensor,  # (B, V, J, 3) centred, of unit norm
    R: Tensor,  # (B, V, 3, 3)
    with_shift: bool,
) -> tuple[Tensor, Tensor]:
    """Scales s (B, V) and shifts b (B, V, 1, 2) with which ``P_v = Pi R_v X / s_v + b_v`` for the mean pose X.

    Exact projections have ``s = |Pi R X|`` and no shift; detections have a root that is not where it should
    be, and joints gone astray that inflate the norm which they were divided by. Hence centres and norms are
    compared, of joints weighed by their confidence.
    """
    seen = (confidence > 0).any(-1)
    mean = mean_where(pose, seen[..., None, None], (1,))
    image = project_weak_perspective(mean[:, None], R)
    weight = confidence[..., None]
    total = weight.square().sum(-2, keepdim=True).clamp_min(_TINY)
    centres = [(weight.square() * part).sum(-2, keepdim=True) / total * with_shift for part in (image, observed)]
    of_image, of_observed = (
        ((part - centre) * weight).norm(dim=(-2, -1)).clamp_min(_TINY)
        for part, centre in zip((image, observed), centres, strict=True)
    )
    scale = torch.where(seen, of_image / of_observed, 1.0)
    return scale, centres[1] - centres[0] / scale[..., None, None]


def epipolar_segments(
    observed: Tensor, confidence: Tensor, scale: Tensor, R: Tensor, settings: FusionSettings
) -> Ridges:
    """Epipolar segments (B, V, J, V - 1) of the joints of all other views in each view.

    ``g(z) = s_n/s_m R_mn[:2, :2] p_n + z R_mn[:2, 2]`` with ``R_mn = R_m R_n^T`` (the paper has it
    transposed) and ``s`` the scales (B, V); where axes are parallel a segment shrinks to a point.
    """
    target, source = _other_views(scale.shape[1], R.device)  # (V, V - 1)
    relative = R[:, target] @ R[:, source].mT  # (B, V, V - 1, 3, 3)
    joint = observed[:, source] * (scale[:, source] / scale[:, target])[..., None, None]
    origin = (joint @ relative[..., :2, :2].mT).transpose(2, 3)
    direction = (settings.line_half_length * relative[..., None, :2, 2]).transpose(2, 3)
    height = confidence[:, source].mT
    return Ridges(origin, direction.expand_as(origin), height, torch.full_like(height, settings.line_sigma))


def _own_evidence(observed: Tensor, confidence: Tensor, pose: Tensor, R: Tensor, settings: FusionSettings) -> Ridges:
    """What speaks for the joints of a view itself (B, V, J, 1 or V): detections, or lifted poses of all views."""
    if settings.joint_map == "detection":
        origin, height = observed[..., None, :], confidence[..., None]
    else:
        image = project_weak_perspective(pose[:, None], R[:, :, None])
        visible = (confidence > 0)[:, :, None, :, None]
        size = (image * visible).norm(dim=(-2, -1), keepdim=True).clamp_min(_TINY)
        origin = (image / size).transpose(2, 3)  # (B, V, J, source view, 2)
        height = confidence.mT[:, None].expand(origin.shape[:-1])
    return Ridges(origin, torch.zeros_like(origin), height, torch.full_like(height, settings.joint_sigma))


def _maximum(ridges: Ridges, settings: FusionSettings) -> Tensor:
    """Points (N, 2) where maps are highest, with a gradient in soft mode."""
    highest = argmax(ridges.detach(), Grid(settings.grid_bins, settings.grid_half_side), settings.sub_pixel)
    if settings.fusion == "hard":
        return highest
    spacing = 2 * _WINDOW_SIGMAS * settings.line_sigma / (_WINDOW_POINTS - 1)
    window = highest[:, None] + lattice(_WINDOW_POINTS, spacing, highest)
    return soft_argmax(heat(window, ridges), window, _SHARPNESS)


@torch.no_grad()
def _evidence_meets(joint: Tensor, lines: Ridges, distance: float) -> Tensor:
    """Mask (N) of joints (N, 2) one of whose lines (N, S) comes that near to another or to the joint."""
    origin = torch.cat([joint[:, None], lines.origin], 1)
    direction = torch.cat([torch.zeros_like(joint)[:, None], lines.direction], 1)
    exists = torch.cat([torch.ones_like(joint[:, :1]), lines.height], 1) > 0
    pairs = exists[:, :, None] & exists[:, None, :]
    near = segment_distances(origin, direction) <= distance
    return (near & pairs).triu(1).flatten(1).any(1)


def _other_views(views: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Each view beside each of the others: indices (V, V - 1) of both."""
    pairs = (~torch.eye(views, dtype=torch.bool, device=device)).nonzero()
    target, source = pairs.unflatten(0, (views, views - 1)).unbind(-1)
    return target, source
