"""Joint angles and segment lengths of poses, as numbers that can be checked on a photograph.

All angles are in degrees. They do not depend on the person's size or position nor, except for the lean of the trunk,
on the camera's orientation. They come from joint centres alone: rotations of a bone about its own axis are not
observed, and a hyperextended knee or elbow cannot be distinguished from one that is flexed by the same angle.

=================================  ===========  =====================================================================
angle                              range        zero, and what is positive
=================================  ===========  =====================================================================
``<side>_hip_flexion``             -180 to 180  thigh in line with the trunk; thigh ahead of it
``<side>_knee_flexion``            0 to 180     straight leg; bent
``<side>_ankle_dorsiflexion``      -90 to 90    foot at 90 to the shank; toes towards the shin (skeletons with toes)
``<side>_shoulder_flexion``        -180 to 180  upper arm hanging along the trunk; arm ahead, 180 is overhead
``<side>_elbow_flexion``           0 to 180     straight arm; bent
``trunk_lean_forward``             -180 to 180  trunk upright; leaning to where the pelvis faces
``trunk_lean_left``                -90 to 90    trunk upright; leaning to the person's left
``shoulder_pelvis_separation``     -180 to 180  shoulder line above hip line; shoulders turned to the left
=================================  ===========  =====================================================================

Angles with a range of 360 degrees are unwrapped over time: they go beyond 180 instead of jumping. Hip and shoulder
flexion are measured in the plane perpendicular to the line through both hips, or both shoulders; where the limb
points along that line (to within ``ASIDE_DEG``) they are undefined and NaN. The lean is measured from the camera's
vertical, so it is correct only if the camera is level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..skeleton import Skeleton

Name = TypeVar("Name", bound=str)

SIDES = ("left", "right")
ASIDE_DEG = 15.0
TOES = ("big_toe", "foot_index")
"""Joints that a foot points to, by preference."""

UP = np.array([0.0, -1.0, 0.0])
"""In camera axes."""

SEGMENTS = {
    "thigh": ("hip", "knee"), "shank": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"),
}  # fmt: skip


HINTS = {
    "hip_flexion": "0° in line with the trunk, + thigh ahead",
    "knee_flexion": "0° straight, + bent",
    "ankle_dorsiflexion": "0° foot at 90° to the shank, + toes up",
    "shoulder_flexion": "0° arm hanging along the trunk, + ahead, 180° overhead",
    "elbow_flexion": "0° straight, + bent",
    "trunk_lean_forward": "0° upright, + forward",
    "trunk_lean_left": "0° upright, + to the left",
    "shoulder_pelvis_separation": "0° shoulders above hips, + shoulders turned to the left",
}
"""Zero and sign of each angle, in short."""


def joint_angles(joint: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Angles (frame) in degrees by name of poses (frame, joint, 3) in camera axes; NaN where a joint is missing."""
    shown = ~np.isnan(joint).all((1, 2))
    angles = {}
    for name, angle in _angles_shown(np.asarray(joint[shown], np.float64), skeleton).items():
        angles[name] = np.full(len(shown), np.nan)
        angles[name][shown] = angle
    return angles


def _angles_shown(joint: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """``joint_angles`` of frames that show anyone, which are often few in a long clip."""
    at = _Landmarks(joint, skeleton)
    trunk = _unit(at["thorax"] - at["pelvis"])
    angles = {}
    for side in SIDES:
        hip, knee, ankle, shoulder, elbow, wrist = (
            at[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        )
        angles[f"{side}_hip_flexion"] = _swing(knee - hip, trunk, at.across("hip"))
        angles[f"{side}_knee_flexion"] = _between(knee - hip, ankle - knee)
        if (toe := at.toe(side)) is not None:
            angles[f"{side}_ankle_dorsiflexion"] = 90 - _between(knee - ankle, toe - ankle)
        angles[f"{side}_shoulder_flexion"] = _swing(elbow - shoulder, trunk, at.across("shoulder"))
        angles[f"{side}_elbow_flexion"] = _between(elbow - shoulder, wrist - elbow)
    left = _unit(_square(at.across("hip"), UP))
    ahead = np.cross(left, UP)
    angles["trunk_lean_forward"] = unwrapped(np.arctan2(_dot(trunk, ahead), _dot(trunk, UP)))
    angles["trunk_lean_left"] = np.degrees(np.arcsin(_dot(trunk, left).clip(-1, 1)))
    hips, shoulders = (_unit(_square(at.across(name), trunk)) for name in ("hip", "shoulder"))
    angles["shoulder_pelvis_separation"] = unwrapped(
        np.arctan2(_dot(np.cross(hips, shoulders), trunk), _dot(hips, shoulders))
    )
    return angles


def by_joint(angles: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Angles (frame) in degrees by name without the side, then by side; the side of trunk angles is ``""``."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, angle in angles.items():
        side, _, rest = name.partition("_")
        side, rest = (side, rest) if side in SIDES else ("", name)
        found.setdefault(rest, {})[side] = angle
    return found


def segment_lengths(joint: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Lengths (frame) by name of segments, trunk and widths of poses (frame, joint, 3), in their unit."""
    at = _Landmarks(np.asarray(joint, np.float64), skeleton)
    lengths = {
        f"{side}_{name}": np.linalg.norm(at[f"{side}_{end}"] - at[f"{side}_{start}"], axis=-1)
        for name, (start, end) in SEGMENTS.items()
        for side in SIDES
    }
    lengths["trunk"] = np.linalg.norm(at["thorax"] - at["pelvis"], axis=-1)
    lengths["shoulder_width"] = np.linalg.norm(at.across("shoulder"), axis=-1)
    lengths["hip_width"] = np.linalg.norm(at.across("hip"), axis=-1)
    return lengths


def stature_by_segments(joint: np.ndarray, skeleton: Skeleton, lengths: Mapping[Name, float]) -> float:
    """The stature at which segments have their lengths in total, in the unit of these lengths.

    Args:
        joint: (frame, joint, 3) poses whose stature is 1.
        lengths: by name; without a side, the mean of both is meant.
    """
    found = segment_lengths(joint, skeleton)
    found |= {name: (found[f"left_{name}"] + found[f"right_{name}"]) / 2 for name in SEGMENTS}
    return sum(lengths.values()) / sum(float(np.nanmedian(found[name])) for name in lengths)


def asymmetry(left: float, right: float) -> float:
    """Symmetry index of Robinson, Herzog and Nigg (1987): difference over mean in per cent, left minus right."""
    return 100 * (left - right) / ((left + right) / 2)


@dataclass(frozen=True)
class Segment:
    """One segment of a body over a clip."""

    name: str
    median: float
    """Length, in the unit of the poses."""
    spread: float
    """Half the width of the middle 68 % of the lengths."""
    asymmetry: float | None
    """Symmetry index of the left and right one's medians in per cent; None of the trunk and of widths."""


def measure_segments(joint: np.ndarray, skeleton: Skeleton) -> list[Segment]:
    """All segments of poses (frame, joint, 3), over the frames with a whole body."""
    skeleton, joint = skeleton.body, joint[:, : len(skeleton.body.joints)]
    joint = joint[np.isfinite(joint).all((1, 2))]
    lengths = segment_lengths(joint, skeleton) if len(joint) else {}
    medians = {name: float(np.median(length)) for name, length in lengths.items()}
    found = []
    for name, length in lengths.items():
        low, high = np.percentile(length, (16, 84))
        _, _, pair = name.partition("_")
        index = asymmetry(medians[f"left_{pair}"], medians[f"right_{pair}"]) if pair in SEGMENTS else None
        found.append(Segment(name, medians[name], float(high - low) / 2, index))
    return found


def unwrapped(angle: np.ndarray) -> np.ndarray:
    """Angles (frame) in radians as degrees without jumps of 360, the first within -180 to 180; NaN stays."""
    turned = np.degrees(angle)
    known = np.isfinite(turned)
    turned[known] = np.unwrap(turned[known], period=360)
    return turned


class _Landmarks:
    """Positions (frame, 3) of a pose's landmarks by name."""

    def __init__(self, joint: np.ndarray, skeleton: Skeleton) -> None:
        self._joint, self._skeleton = joint, skeleton

    def __getitem__(self, name: str) -> np.ndarray:
        return self._joint[:, list(self._skeleton.landmark(name))].mean(1)

    def across(self, name: str) -> np.ndarray:
        """Vectors (frame, 3) from the right hip, or shoulder, to the left one."""
        return self[f"left_{name}"] - self[f"right_{name}"]

    def toe(self, side: str) -> np.ndarray | None:
        """Positions (frame, 3) of a side's toe; None if the skeleton has no toes."""
        names = [f"{side}_{name}" for name in TOES if f"{side}_{name}" in self._skeleton.joints]
        return self._joint[:, self._skeleton.index(names[0])] if names else None


def _swing(limb: np.ndarray, trunk: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Angles (frame) in rad by which limbs (frame, 3) are flexed from along the trunk, about the line ``across``."""
    axis = _unit(across)
    limb = _unit(limb)
    up = _unit(_square(trunk, axis))
    angle = np.arctan2(_dot(limb, np.cross(axis, up)), -_dot(limb, up))
    aside = np.abs(_dot(limb, axis)) > np.cos(np.radians(ASIDE_DEG))
    return unwrapped(np.where(aside, np.nan, angle))


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle in degrees between vectors (frame, 3)."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), _dot(a, b)))


def _square(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The component of vectors (frame, 3) perpendicular to a unit axis."""
    return vector - _dot(vector, axis)[..., None] * axis


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)
