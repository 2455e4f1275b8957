"""Rotations, similarity alignment, projections and the normalisation of 2D poses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SMALL_ANGLE = 1e-3
"""Below this angle (rad) Rodrigues' coefficients come from their Taylor series."""

SMALLEST_DEPTH = 0.1
"""Of a point at unit distance or so that is projected: what lies behind a camera has no image."""

SMALLEST_NORM = 1e-6
"""A 2D pose of a smaller Frobenius norm (px) has no shape that could be lifted."""


def mirrored(points: Tensor, mirror: Tensor) -> Tensor:
    """Joints (..., J, 2 or 3) of the person in a mirror: x negated, left and right exchanged.

    Args:
        mirror: (J) which joint each becomes.
    """
    return torch.cat([-points[..., :1], points[..., 1:]], -1)[..., mirror, :]


def where_rows(mask: Tensor, chosen: Tensor, other: Tensor) -> Tensor:
    """Rows (B, ...) of the one where the mask (B) is true, else of the other."""
    return torch.where(mask.view(-1, *(1,) * (chosen.dim() - 1)), chosen, other)


def rotation_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) in rad, by Rodrigues' formula.

    ``R = I + sin(a)/a W + (1 - cos(a))/a^2 W^2`` with ``W`` the cross-product matrix; value and gradient are
    finite at the zero vector.
    """
    square = axis_angle.square().sum(-1)[..., None, None]
    small = square < SMALL_ANGLE**2
    angle = torch.where(small, 1.0, square).sqrt()
    sine = torch.where(small, 1 - square / 6, angle.sin() / angle)
    # (1 - cos a) / a^2 written without the cancellation of 1 - cos a.
    cosine = torch.where(small, 0.5 - square / 24, 0.5 * ((angle / 2).sin() / (angle / 2)).square())
    cross = cross_product_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + cosine * cross @ cross


def cross_product_matrix(vector: Tensor) -> Tensor:
    """Matrices (..., 3, 3) that turn ``w`` into ``vector x w``, of vectors (..., 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def rotation_from_two_columns(columns: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) whose first two columns are (..., 6) made orthonormal by Gram-Schmidt.

    A representation without jumps, hence easier to regress than axis-angle (Zhou et al., CVPR 2019, Eq. 15).
    """
    first, second = columns.unflatten(-1, (2, 3)).unbind(-2)
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


class Similarity(NamedTuple):
    """The map ``x -> scale R x + t``."""

    scale: Tensor  # (...)
    R: Tensor  # (..., 3, 3)
    t: Tensor  # (..., 3)

    def apply(self, points: Tensor) -> Tensor:
        """Image (..., J, 3) of points (..., J, 3)."""
        return self.scale[..., None, None] * points @ self.R.mT + self.t[..., None, :]


def procrustes(source: Tensor, target: Tensor) -> Similarity:
    """Similarity that brings points (..., J, 3) closest to their targets; a rotation, never a reflection.

    Least squares after Umeyama (PAMI 1991): the smallest singular value turns negative where the best
    orthogonal matrix would mirror.
    """
    source_centre, target_centre = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    centred = source - source_centre
    U, singular, Vt = torch.linalg.svd((target - target_centre).mT @ centred)
    sign = torch.ones_like(singular)
    sign[..., -1] = torch.where(torch.linalg.det(U @ Vt) < 0, -1.0, 1.0).to(sign)
    R = (U * sign[..., None, :]) @ Vt
    spread = centred.square().sum((-2, -1)).clamp_min(torch.finfo(source.dtype).tiny)
    scale = (singular * sign).sum(-1) / spread
    t = target_centre - scale[..., None, None] * source_centre @ R.mT
    return Similarity(scale, R, t.squeeze(-2))


def rigid_alignment(source: Tensor, target: Tensor, weight: Tensor, R: Tensor | None = None) -> Tensor:
    """Points (..., J, 3) turned and moved, not scaled, so that they come closest to their targets.

    Weighted least squares; always a rotation. How the points are turned and moved has no gradient, only the points.

    Args:
        weight: (..., J), not negative.
        R: (..., 3, 3) the rotation, if it is known.
    """
    with torch.no_grad():
        share = (weight / weight.sum(-1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny))[..., None]
        source_centre = (share * source).sum(-2, keepdim=True)
        target_centre = (share * target).sum(-2, keepdim=True)
        if R is None:
            R = rotation_towards(share * (source - source_centre), target - target_centre)
        t = target_centre - source_centre @ R.mT
    return source @ R.mT + t


def rotation_towards(source: Tensor, target: Tensor) -> Tensor:
    """Rotations (..., 3, 3) that turn centred points (..., J, 3) closest to their targets (Umeyama, PAMI 1991)."""
    U, _, Vt = torch.linalg.svd(target.mT @ source)
    sign = torch.ones_like(U[..., 0])
    sign[..., -1] = torch.where(torch.linalg.det(U @ Vt) < 0, -1.0, 1.0).to(sign)
    return (U * sign[..., None, :]) @ Vt


def project_perspective(points: Tensor, K: Tensor) -> Tensor:
    """Pixels (..., J, 2) of points (..., J, 3) in camera axes under intrinsics K (..., 3, 3)."""
    image = points @ K.mT
    return image[..., :2] / image[..., 2:]


def project_weak_perspective(points: Tensor, R: Tensor) -> Tensor:
    """Orthographic image (..., J, 2) of points (..., J, 3) turned by R (..., 3, 3): the first two rows of R x."""
    return points @ R[..., :2, :].mT


def normalise_by_intrinsics(keypoint: Tensor, K: Tensor) -> Tensor:
    """Image coordinates (..., J, 2) at focal length 1 of keypoints (..., J, 2) px under K (..., 3, 3)."""
    x, y = (keypoint - K[..., None, :2, 2]).unbind(-1)
    y = y / K[..., None, 1, 1]
    x = (x - K[..., None, 0, 1] * y) / K[..., None, 0, 0]
    return torch.stack([x, y], -1)


def look_at_root(image: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    """What a camera in the same place would see that looks straight at the root.

    Args:
        image: (..., J, 2) at focal length 1.
        root: (J) weights whose mean of joints is the root.

    Returns:
        Images (..., J, 2) at focal length 1 with the root at 0, and how the camera was turned, by the shortest way:
        rotations (..., 3, 3) from its axes to the new ones.
    """
    points = torch.nn.functional.pad(image, (0, 1), value=1.0)
    ray = torch.nn.functional.normalize(root @ points, dim=-1)
    x, y, z = ray.unbind(-1)
    cross = cross_product_matrix(torch.stack([y, -x, torch.zeros_like(x)], -1))  # of ray x (0, 0, 1)
    identity = torch.eye(3, dtype=image.dtype, device=image.device)
    turn = identity + cross + cross @ cross / (1 + z)[..., None, None]
    turned = points @ turn.mT
    return turned[..., :2] / turned[..., 2:].clamp_min(SMALLEST_DEPTH), turn


def normalise_keypoints(keypoint: Tensor, confidence: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    """2D poses relative to the root and of unit Frobenius norm, and which of them exist.

    Args:
        keypoint: (..., J, 2) px, 0 where missing.
        confidence: (..., J), 0 where missing; it never weighs the norm.
        root: (J) weights whose mean of joints is the root.

    Returns:
        Normalised poses (..., J, 2), missing joints 0, and a mask (...). A view is dropped (all 0, mask
        False) if a joint of its root is missing or its norm is below ``SMALLEST_NORM``.
    """
    visible = confidence > 0
    centred = (keypoint - (root @ keypoint)[..., None, :]) * visible[..., None]
    norm = centred.square().sum((-2, -1)).sqrt()
    seen = (visible | (root == 0)).all(-1) & (norm >= SMALLEST_NORM)
    normalised = centred / torch.where(seen, norm, 1.0)[..., None, None]
    return normalised * seen[..., None, None], seen


def unit_norm(pose: Tensor) -> Tensor:
    """Poses (..., J, C) divided by their Frobenius norm."""
    return pose / pose.norm(dim=(-2, -1), keepdim=True).clamp_min(SMALLEST_NORM)
