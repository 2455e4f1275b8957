"""Random perspective cameras about a moving body: near and far, pitched and rolled, standing or panning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ..geometry.geometry import rotation_from_axis_angle
from .draws import happens, normal, uniform

LEVEL = torch.tensor([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
"""camera_from_world of a level camera that looks along x, in a world with z up."""
_NEAREST = 0.25
"""Depth, as a share of that of the root, of what is nearer: a picture of it would be without bounds."""


@dataclass(frozen=True)
class CameraRange:
    """Which cameras are drawn."""

    nearest: float = 1.8
    farthest: float = 25.0
    """Distances from the body in statures, evenly drawn in their logarithms."""
    aside: float = 0.12
    """Standard deviation of how far off its optical axis the body is, in x and y, as a share of the distance; of far
    cameras, which see little beside the body, ``_ASIDE`` at most."""
    pitch_deg: float = 10.0
    roll_deg: float = 4.0
    """Standard deviations of pitch and roll against the camera that is turned."""
    steep: float = 0.0
    """Share of cameras of any pitch between ``STEEP_DEG``."""
    tilted: float = 0.0
    """Share of cameras pitched and rolled by ``TILT_DEG``: so look bodies that lean on slopes and in turns."""
    panning: float = 0.3
    """Share of cameras that turn during a window."""


_ASIDE = 1.0
"""In statures."""
STEEP_DEG = (-20.0, 60.0)
"""Upwards and downwards."""
TILT_DEG = 25.0
"""Standard deviation."""
_PAN = 0.06
"""Standard deviation of how far a panning camera turns from the middle of a window to its end, in rad."""


class Film(NamedTuple):
    """What cameras see of windows, their middle frame at the root of which they are aimed."""

    image: Tensor
    """(N, W, J, 2) on the image plane at depth 1. A camera's zoom cancels where 2D poses are normalised."""
    joint: Tensor
    """(N, W, J, 3) in camera axes, from the camera."""


def film(
    chance: Generator, joint: Tensor, root: Tensor, stature: Tensor, base: Tensor, up: Tensor, cameras: CameraRange
) -> Film:
    """Windows of moving bodies before cameras that are turned about the vertical by any angle.

    Args:
        joint: (N, W, J, 3) in axes of the world, in any unit.
        root: (J) weights whose mean of joints is the root.
        stature: (N) of the bodies, in the unit of ``joint``.
        base: (N, 3, 3) or (3, 3) camera_from_world of cameras to start from, such as ``LEVEL``.
        up: (3) of the world.
        cameras: which are drawn.
    """
    count, size = joint.shape[:2]
    heading = rotation_from_axis_angle(up * uniform(chance, count, 1, high=2 * math.pi))
    R = _pitch_and_roll(chance, count, cameras) @ base @ heading
    distance = uniform(chance, count, low=math.log(cameras.nearest), high=math.log(cameras.farthest)).exp() * stature
    beside = torch.minimum(cameras.aside * distance, _ASIDE * stature)[:, None] * normal(chance, count, 2)
    place = torch.cat([beside, distance[:, None]], -1)[:, None, None]
    aim = root @ joint[:, size // 2]
    seen = ((joint - aim[:, None, None]).flatten(1, 2) @ R.mT).view_as(joint) + place
    seen = _panned(chance, seen, cameras.panning)
    depth = torch.maximum(seen[..., 2:], _NEAREST * distance[:, None, None, None])
    return Film(seen[..., :2] / depth, seen)


def _pitch_and_roll(chance: Generator, count: int, cameras: CameraRange) -> Tensor:
    """Rotations (count, 3, 3) in camera axes; a positive pitch looks down."""
    tilted = happens(chance, count, share=cameras.tilted)
    steep = happens(chance, count, share=cameras.steep)
    pitch = normal(chance, count) * torch.where(tilted, TILT_DEG, cameras.pitch_deg)
    pitch = torch.where(steep, uniform(chance, count, low=STEEP_DEG[0], high=STEEP_DEG[1]), pitch)
    roll = normal(chance, count) * torch.where(tilted, TILT_DEG, cameras.roll_deg)
    zero = torch.zeros(count)
    about_x = rotation_from_axis_angle(torch.deg2rad(torch.stack([pitch, zero, zero], -1)))
    return rotation_from_axis_angle(torch.deg2rad(torch.stack([zero, zero, roll], -1))) @ about_x


def _panned(chance: Generator, joint: Tensor, share: float) -> Tensor:
    """Joints (N, W, J, 3) seen by cameras of which a share turns about its y axis; not in the middle frame."""
    count, size = joint.shape[:2]
    if size == 1:
        return joint
    speed = normal(chance, count, 1, spread=_PAN) * happens(chance, count, 1, share=share)
    angle = (speed * torch.linspace(-1, 1, size))[..., None]
    x, y, z = joint.unbind(-1)
    return torch.stack([angle.cos() * x - angle.sin() * z, y, angle.sin() * x + angle.cos() * z], -1)
