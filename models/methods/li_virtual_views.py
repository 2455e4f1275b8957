"""Cameras that were not there, between those that were, for more training views (Li et al., Data Augmentation)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

_TINY = 1e-6


def virtual_cameras(R: Tensor, t: Tensor, between: int) -> tuple[Tensor, Tensor]:
    """Level cameras between each two neighbours around what they look at, themselves looking there.

    Azimuth, distance and height run evenly from one neighbour to the next (docs/methods.md, Li et al.).

    Args:
        R, t: (B, V, 3, 3) and (B, V, 3) camera_from_world.
        between: virtual cameras between two neighbours, of which there are V.

    Returns:
        R (B, V * between, 3, 3) and t (B, V * between, 3).
    """
    centre = -(R.mT @ t[..., None]).squeeze(-1)
    middle = looked_at(centre, R[:, :, 2])
    up = normalize(-R[:, :, 1].mean(1), dim=-1)
    offset = centre - middle[:, None]
    height = (offset * up[:, None]).sum(-1)
    flat = offset - height[..., None] * up[:, None]
    ahead = normalize(flat[:, 0], dim=-1)
    aside = torch.linalg.cross(up, ahead)
    azimuth = torch.atan2((flat * aside[:, None]).sum(-1), (flat * ahead[:, None]).sum(-1)) % (2 * math.pi)

    order = azimuth.argsort(1)
    polar = torch.stack([azimuth, flat.norm(dim=-1), height], -1).gather(1, order[..., None].expand(-1, -1, 3))
    following = polar.roll(-1, 1)
    following[:, -1, 0] += 2 * math.pi  # the last neighbour is the first
    share = torch.arange(1, between + 1, device=R.device).to(R) / (between + 1)
    turn, radius, height = (
        torch.lerp(polar[:, :, None], following[:, :, None], share[:, None]).flatten(1, 2).unbind(-1)
    )
    around = turn.cos()[..., None] * ahead[:, None] + turn.sin()[..., None] * aside[:, None]
    place = middle[:, None] + radius[..., None] * around + height[..., None] * up[:, None]
    return look_at(place, middle[:, None], up[:, None])


def looked_at(centre: Tensor, forward: Tensor) -> Tensor:
    """The points (B, 3) nearest to optical axes through centres (B, V, 3) along directions (B, V, 3)."""
    across = torch.eye(3).to(centre) - forward[..., None] * forward[..., None, :]
    system = across.sum(1) + _TINY * torch.eye(3).to(centre)
    return torch.linalg.solve(system, (across @ centre[..., None]).sum(1)).squeeze(-1)


def look_at(centre: Tensor, target: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """R (..., 3, 3) and t (..., 3) of level cameras at centres (..., 3) that look at targets."""
    forward = normalize(target - centre, dim=-1)
    right = normalize(torch.linalg.cross(forward, up.expand_as(forward)), dim=-1)
    R = torch.stack([right, torch.linalg.cross(forward, right), forward], -2)
    return R, -(R @ centre[..., None]).squeeze(-1)
