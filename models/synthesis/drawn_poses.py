"""Poses that nobody recorded: random joint angles within human limits, changing within a window.

Recorded motion is mostly upright. Sport is not: deep crouches, bent trunks, arms before, beside and above the body.
Limits are those of healthy adults (American Academy of Orthopaedic Surgeons, Joint Motion, 1965), rounded; how often
an angle occurs is our choice.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from ..body.body import STANDING
from ..geometry.geometry import rotation_from_axis_angle
from ..skeleton import H36M17_FEET
from .draws import happens, normal, uniform

_STATURE_M = 1.75
_KEYS = 9
"""Moments of a window at which poses are composed; between them joints move along straight lines."""
_TUMBLING = 0.05
"""Share of bodies in any orientation, as in flips, falls and cartwheels."""
_TRAVEL_M = 0.4
"""Standard deviation of how far a body moves during a window, along each axis."""
_HEEL, _TOE = (-0.029, 0.0, -0.04), (0.105, 0.0, -0.04)
"""Points of a foot from its ankle (ahead, left, up), in statures."""


def drawn_poses(chance: Generator, count: int, size: int) -> Tensor:
    """Windows (count, size, 21, 3) of poses of H36M-17 with feet in m: x ahead, y left, z up, the pelvis near 0.

    Each window leads from one pose a part of the way to another one.
    """
    keys = min(size, _KEYS)
    phase = torch.linspace(0, 1, keys) if keys > 1 else torch.full((1,), 0.5)
    share = uniform(chance, count, 1)
    begin = uniform(chance, count, 1) * (1 - share)
    blend = begin + share * (0.5 - 0.5 * (math.pi * phase).cos())
    angles = {
        name: torch.deg2rad(ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * blend)
        for name, ends in _angles(chance, count).items()
    }
    pose = _pose(angles, _orientation(chance, angles))
    pose = pose + normal(chance, count, 1, 1, 3, spread=_TRAVEL_M) * (phase - 0.5)[:, None, None]
    if keys == size:
        return pose
    along = pose.flatten(2).mT
    return interpolate(along, size, mode="linear", align_corners=True).mT.unflatten(-1, (-1, 3))


def _angles(chance: Generator, count: int) -> dict[str, Tensor]:
    """Angles (count, 2) in degrees at two moments, by name; those of limbs end in their side."""

    def bell(mean: float, spread: float, low: float, high: float) -> Tensor:
        return normal(chance, count, 2, spread=spread, mean=mean).clamp(low, high)

    def either(share: float, first: Tensor, second: Tensor) -> Tensor:
        return torch.where(happens(chance, count, 2, share=share), first, second)

    def even(low: float, high: float) -> Tensor:
        return uniform(chance, count, 2, low=low, high=high)

    crouch = uniform(chance, count, 2) ** 1.3 * 110
    together = happens(chance, count, 1, share=0.5)  # both legs bend alike, as in squats, jumps and skiing
    alike = happens(chance, count, 1, share=0.35)  # both arms do
    angles = {
        "lean": bell(12, 22, -25, 95), "roll": bell(0, 10, -35, 35),
        "bend": bell(8, 18, -20, 60), "side": bell(0, 10, -30, 30), "twist": bell(0, 15, -45, 45),
        "nod": bell(5, 18, -40, 50), "shake": bell(0, 25, -70, 70),
    }  # fmt: skip
    for side in ("left", "right"):
        limb = {
            "hip": torch.where(
                together, 0.9 * crouch + bell(0, 6, -15, 15), either(0.5, even(-20, 110), bell(10, 20, -20, 80))
            ),
            "abduction": bell(7, 12, -15, 50),
            "turnout": bell(0, 15, -40, 40),
            "knee": torch.where(together, crouch + bell(0, 8, -20, 20), uniform(chance, count, 2) ** 1.6 * 135),
            "ankle": bell(5, 18, -25, 50),
            "toes": bell(8, 10, -20, 40),
            "elevation": either(0.7, bell(35, 30, 0, 170), even(0, 170)),
            "plane": bell(60, 45, -50, 150),  # 0: beside the body, 90: before it
            "arm": bell(0, 45, -100, 100),
            "elbow": uniform(chance, count, 2) ** 1.2 * 145,
        }
        limb["knee"] = limb["knee"].clamp(0, 145)
        angles |= {f"{name}_{side}": value for name, value in limb.items()}
    for name in ("elevation", "plane", "arm", "elbow"):
        other = angles[f"{name}_left"] + bell(0, 8, -20, 20)
        angles[f"{name}_right"] = torch.where(alike, other, angles[f"{name}_right"])
    return angles


def _orientation(chance: Generator, angles: dict[str, Tensor]) -> Tensor:
    """Rotations (count, keys, 3, 3) of the pelvis."""
    upright = _turn("y", angles["lean"]) @ _turn("x", angles["roll"])
    count = len(upright)
    axis = torch.nn.functional.normalize(normal(chance, count, 3), dim=-1)
    anyhow = rotation_from_axis_angle(axis * uniform(chance, count, 1, high=math.pi))[:, None] @ upright
    return torch.where(happens(chance, count, 1, 1, 1, share=_TUMBLING), anyhow, upright)


def _pose(angles: dict[str, Tensor], pelvis: Tensor) -> Tensor:
    """Joints (count, keys, 21, 3) in m of bodies with angles (count, keys) in rad and rotations of their pelvises."""
    spine = pelvis @ _turn("y", angles["bend"] / 2) @ _turn("x", angles["side"] / 2) @ _turn("z", angles["twist"] / 2)
    chest = spine @ _turn("y", angles["bend"] / 2) @ _turn("x", angles["side"] / 2) @ _turn("z", angles["twist"] / 2)
    head = chest @ _turn("y", angles["nod"]) @ _turn("z", angles["shake"])
    at = {"pelvis": torch.zeros(*pelvis.shape[:2], 3)}

    def hang(name: str, parent: str, turn: Tensor, along: tuple[float, float, float] | None = None) -> None:
        vector = torch.tensor(along or _standing(name)) - (0 if along else torch.tensor(_standing(parent)))
        at[name] = at[parent] + turn @ (vector * _STATURE_M)

    hang("spine", "pelvis", pelvis)
    hang("thorax", "spine", spine)
    hang("nose", "thorax", head)
    hang("head", "nose", head)
    for side, sign in (("left", 1.0), ("right", -1.0)):

        def of(name: str, side: str = side) -> Tensor:
            return angles[f"{name}_{side}"]

        hang(f"{side}_hip", "pelvis", pelvis)
        thigh = (
            pelvis @ _turn("y", -of("hip")) @ _turn("x", sign * of("abduction")) @ _turn("z", sign * of("turnout"))
        )
        hang(f"{side}_knee", f"{side}_hip", thigh)
        shank = thigh @ _turn("y", of("knee"))
        hang(f"{side}_ankle", f"{side}_knee", shank)
        foot = shank @ _turn("y", of("ankle")) @ _turn("z", sign * of("toes"))
        hang(f"{side}_heel", f"{side}_ankle", foot, _HEEL)
        hang(f"{side}_big_toe", f"{side}_ankle", foot, _TOE)
        hang(f"{side}_shoulder", "thorax", chest)
        upper = chest @ _turn("z", -sign * of("plane")) @ _turn("x", sign * of("elevation"))
        upper = upper @ _turn("z", sign * of("arm"))
        hang(f"{side}_elbow", f"{side}_shoulder", upper)
        hang(f"{side}_wrist", f"{side}_elbow", upper @ _turn("y", -of("elbow")))
    return torch.stack([at[name] for name in H36M17_FEET.joints], -2)


def _standing(name: str) -> tuple[float, float, float]:
    """A joint of a standing body (ahead, left, up), in statures."""
    ahead, left, up = STANDING[name.replace("right", "left")]
    return ahead, -left if name.startswith("right") else left, up


def _turn(axis: str, angle: Tensor) -> Tensor:
    """Rotations (..., 3, 3) about x, y or z by angles (...) in rad."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turned = torch.zeros(*angle.shape, 3, 3)
    turned[..., "xyz".index(axis), "xyz".index(axis)] = 1
    turned[..., first, first] = turned[..., second, second] = angle.cos()
    turned[..., second, first] = angle.sin()
    turned[..., first, second] = -turned[..., second, first]
    return turned
