"""Crops of people: from stored pictures to the input of a network, and its place in the camera's image.

A map from pixels to pixels is an affine (2, 3) that acts on (x, y, 1); the centre of pixel (0, 0) is at (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, with which nearly all backbones were trained."""

_OCCLUDER_SIDES = (0.15, 0.4)
"""Range of the sides of an occluding rectangle, in sides of the picture."""


@dataclass(frozen=True)
class Augmentation:
    """How much pictures are changed in training; every number is the largest change."""

    scale: float
    """0.2: the person is shown between 0.8 and 1.2 times as large."""
    rotation_deg: float
    colour: float = 0.0
    """0.2: each of red, green and blue is multiplied by 0.8 to 1.2."""
    occlusion: float = 0.0
    """Share of the pictures over which a rectangle of another picture is laid."""


def unpack(crop: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1 of stored crops (N, H, W, 3) uint8."""
    return crop.movedim(-1, 1).float() / 255


def standardise(picture: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1, standardised as backbones expect."""
    mean, std = (picture.new_tensor(numbers)[:, None, None] for numbers in (_MEAN, _STD))
    return (picture - mean) / std


def augment(picture: Tensor, how: Augmentation) -> tuple[Tensor, Tensor]:
    """Changed pictures (N, 3, H, W) in 0..1, and the maps (N, 2, 3) from old pixels to new.

    Random numbers are drawn on the CPU, so that they are the same on every device.
    """
    count, _, height, width = picture.shape
    scale = 1 + how.scale * _draw(count)
    angle = math.radians(how.rotation_deg) * _draw(count)
    new_from_old = about_middle(scale, angle, height, width).to(picture)
    picture = warp(picture, new_from_old)
    picture = (picture * (1 + how.colour * _draw(count, 3, 1, 1)).to(picture)).clamp(0, 1)
    return _occlude(picture, how.occlusion), new_from_old


def _draw(*shape: int) -> Tensor:
    return 2 * torch.rand(*shape) - 1


def about_middle(scale: Tensor, angle: Tensor, height: int, width: int) -> Tensor:
    """Maps (N, 2, 3) that scale by factors (N) and rotate by angles (N) in rad about the middle of a picture."""
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([cosine, -sine, sine, cosine], -1).unflatten(-1, (2, 2))
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2]).to(turn)
    return torch.cat([turn, (middle - turn @ middle)[..., None]], -1)


def warp(picture: Tensor, new_from_old: Tensor) -> Tensor:
    """Pictures (N, C, H, W) warped by maps (N, 2, 3) of their pixels; black outside the original."""
    height, width = picture.shape[-2:]
    pixel_from_unit = torch.tensor([[(width - 1) / 2, 0, (width - 1) / 2], [0, (height - 1) / 2, (height - 1) / 2]])
    unit = square(pixel_from_unit.to(picture))
    theta = torch.linalg.inv(unit) @ torch.linalg.inv(square(new_from_old)) @ unit
    grid = nn.functional.affine_grid(theta[:, :2], list(picture.shape), align_corners=True)
    return nn.functional.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def _occlude(picture: Tensor, share: float) -> Tensor:
    """Cover part of a share of the pictures with a rectangle of the previous picture, as a simulated occlusion."""
    if share == 0:
        return picture
    count, _, height, width = picture.shape
    low, high = _OCCLUDER_SIDES
    inside = torch.rand(count)[:, None, None] < share
    for axis, size in ((1, height), (2, width)):
        side, middle = low + (high - low) * torch.rand(count, 1), torch.rand(count, 1)
        within = (torch.arange(size) / size - middle).abs() < side / 2
        inside = inside & within.unsqueeze(3 - axis)
    return torch.where(inside[:, None].to(picture.device), picture.roll(1, 0), picture)


def square(affine: Tensor) -> Tensor:
    """Affine maps (..., 2, 3) as matrices (..., 3, 3)."""
    last = affine.new_tensor([0.0, 0.0, 1.0]).expand(*affine.shape[:-2], 1, 3)
    return torch.cat([affine, last], -2)


def chain(second: Tensor, first: Tensor) -> Tensor:
    """The affine map (..., 2, 3) that does ``first``, then ``second``."""
    return second @ square(first)


def moved(point: Tensor, affine: Tensor) -> Tensor:
    """Points (..., J, 2) mapped by affine maps (..., 2, 3)."""
    return point @ affine[..., :2].mT + affine[..., None, :, 2]


def rays(point: Tensor, K: Tensor, crop_from_image: Tensor) -> Tensor:
    """Directions (..., J, 3) with z = 1, in camera axes, of points (..., J, 2) in a crop.

    ``(A K)^-1 (u, v, 1)``: a crop with affine map A is the image of a camera with intrinsics A K, so camera axes, and
    3D poses in them, stay those of the whole image (docs/methods.md, Iqbal et al.).
    """
    ones = torch.ones_like(point[..., :1])
    return torch.cat([point, ones], -1) @ torch.linalg.inv(square(crop_from_image) @ K).mT
