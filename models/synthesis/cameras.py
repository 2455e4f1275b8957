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
    """Share of cameras that follow the athlete by turning."""
    travelling: float = 0.0
    """Share of athletes who are carried past their camera during a window, which then follows: skiers, runners."""


_ASIDE = 1.0
"""In statures."""
STEEP_DEG = (-20.0, 60.0)
"""Upwards and downwards."""
TILT_DEG = 20.0
"""Standard deviation."""
_TRAVEL = 0.5
"""Farthest way of travelling athletes from the middle of a window to its end, as a share of the distance."""


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
    if size > 1:
        seen = _followed(chance, seen, distance, root, cameras)
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


def _followed(chance: Generator, joint: Tensor, distance: Tensor, root: Tensor, cameras: CameraRange) -> Tensor:
    """Joints (N, W, J, 3) of which some travel past their cameras, before cameras of which some turn after them.

    Cameras turn about their y axis, so that the root stays as far to the side as it is in the middle of the window.
    """
    count, size = joint.shape[:2]
    travels = happens(chance, count, share=cameras.travelling)
    angle = uniform(chance, count, high=2 * math.pi)
    way = uniform(chance, count, high=_TRAVEL) * distance * travels
    ahead = way[:, None] * torch.stack([angle.cos(), torch.zeros(count), angle.sin()], -1)
    joint = joint + torch.linspace(-1, 1, size)[:, None, None] * ahead[:, None, None]
    place = root @ joint
    aside = torch.atan2(place[..., 0], place[..., 2])
    follows = travels | happens(chance, count, share=cameras.panning)
    turn = ((aside - aside[:, size // 2, None]) * follows[:, None])[..., None]
    x, y, z = joint.unbind(-1)
    return torch.stack([turn.cos() * x - turn.sin() * z, y, turn.sin() * x + turn.cos() * z], -1)
