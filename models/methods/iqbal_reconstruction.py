"""Where a person is, and so its pose in 3D, from joints in a picture and their depths relative to the pelvis.

Iqbal et al., Weakly-Supervised 3D Human Pose Learning via Multi-view Images in the Wild (CVPR 2020), Sec. 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST_TORSO = 1e-8
"""Squared length of the torso in the image, in focal lengths, below which its distance cannot be told."""
_LONGEST_TORSO = 0.95
"""Share of its length that a torso may point at the camera."""


def within_a_torso(ray: Tensor, depth: Tensor, torso: Tensor) -> Tensor:
    """Depths (..., J) relative to the pelvis, drawn in where they alone would make a torso longer than 1.

    No distance fits such a pose, so it would have no loss either, and a network can flee there: *measured* on drawn
    footage, after 36 epochs from random weights no picture had a pose that could be told.

    Args:
        ray: (..., J, 3) with z = 1.
        torso: (2, J) weights of pelvis and thorax.
    """
    length = ((torso[1] - torso[0]) @ (depth[..., None] * ray)).norm(dim=-1)
    return depth * (_LONGEST_TORSO / length.clamp_min(_LONGEST_TORSO))[..., None]


def reconstruct(ray: Tensor, depth: Tensor, torso: Tensor) -> tuple[Tensor, Tensor]:
    """Poses (..., J, 3) of rays and depths relative to the pelvis, such that the torso measures 1 (Eq. 2 and 3).

    Landmarks are means of joints, so a landmark is ``z_root a + b`` with a and b the same means of rays and of
    ``depth * ray``; the length of the torso is then a quadratic equation in z_root, as in docs/methods.md.

    Args:
        ray: (..., J, 3) with z = 1.
        depth: (..., J).
        torso: (2, J) weights of pelvis and thorax.

    Returns:
        Poses, and where the distance can be told (...): not if the torso points straight at the camera.
    """
    along = torso[1] - torso[0]
    a, b = along @ ray, along @ (depth[..., None] * ray)
    A, B, C = a.square().sum(-1), 2 * (a * b).sum(-1), b.square().sum(-1) - 1
    discriminant = B.square() - 4 * A * C
    solvable = (C < 0) & (A >= _SMALLEST_TORSO) & (discriminant >= 0)
    root = (-B + torch.where(solvable, discriminant, 1.0).sqrt()) / (2 * torch.where(solvable, A, 1.0))
    root = torch.where(solvable, root, 1.0)
    return (root[..., None] + depth)[..., None] * ray, solvable
