"""Shared by all drawings of 3D poses: sides of bones, upright axes, the floor, the size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Pose3D

UPRIGHT_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Camera axes to axes with x right, y ahead, z up."""
MAX_TILT_DEG = 40.0
LOOK_AT_FRAMES = 2000


@dataclass(frozen=True)
class Scene:
    """Upright axes for a clip's poses, and the space that the poses need."""

    upright: np.ndarray  # (3, 3), from camera axes to x right, y ahead, z up
    floor: float  # z of the ground, the root being at 0
    reach: float  # largest distance of a joint from the root

    def place(self, joint: np.ndarray) -> np.ndarray:
        """Poses (..., 3) in camera axes, transformed to the axes of this scene."""
        return joint @ self.upright.T


def scene_of(pose: Pose3D) -> Scene:
    """The scene of a clip.

    A camera is rarely level. If the mean direction of the trunks is within ``MAX_TILT_DEG`` of the camera's vertical,
    it is taken as the vertical; otherwise the camera's is. This affects drawings only, not exported numbers.
    """
    pose = pose.without_missing_feet
    some = slice(None, None, max(1, len(pose.time) // LOOK_AT_FRAMES))
    joint = np.asarray(pose.joint[some], float)[pose.there[some]]
    if len(joint) == 0:
        return Scene(UPRIGHT_FROM_CAMERA, -1.0, 1.0)
    ends = SKELETONS[pose.skeleton].landmark_weights("thorax", "left_ankle", "right_ankle") @ joint
    body = (ends[:, 0] - ends[:, 1:].mean(1)) @ UPRIGHT_FROM_CAMERA.T
    upright = _onto_z((body / np.linalg.norm(body, axis=-1, keepdims=True)).mean(0)) @ UPRIGHT_FROM_CAMERA
    floor = float(np.percentile((joint @ upright.T)[..., 2].min(1), 5))
    return Scene(upright, floor, float(np.percentile(np.linalg.norm(joint, axis=-1).max(1), 98)))


def _onto_z(up: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) of ``up`` (3) onto z; identity if it is too large for the camera's tilt."""
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    if up[2] < np.cos(np.deg2rad(MAX_TILT_DEG)):
        return np.eye(3)
    x, y, z = up
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])  # of the rotation axis, up x z
    return np.eye(3) + cross + cross @ cross / (1 + z)


def side(*joints: str) -> str:
    """The side that a joint, or a bone between two, is on: ``left``, ``right`` or ``middle``."""
    sides = {word for joint in joints for word in joint.split("_") if word in ("left", "right")}
    return sides.pop() if len(sides) == 1 else "middle"


def bone_sides(skeleton: Skeleton) -> list[str]:
    """The side of each bone."""
    return [side(*bone) for bone in skeleton.bones]
