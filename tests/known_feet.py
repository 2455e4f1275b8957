"""Heels and big toes for the known scene's people."""

from __future__ import annotations

import numpy as np
from footage import RATE, athlete, scene_cameras
from posepipe.models.skeleton import FEET, H36M17

FOOT = {"heel": (-0.05, -0.06), "toe": (0.17, -0.07)}
"""Ahead of and above the ankle, in m."""


def with_feet(pose: np.ndarray) -> np.ndarray:
    """People (..., 17, 3) with z up, on h36m17+feet; feet point to where the hips face."""
    at = {joint: pose[..., H36M17.index(joint), :] for joint in H36M17.joints}
    left = (at["left_hip"] - at["right_hip"]) * [1, 1, 0]
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    up = np.broadcast_to([0.0, 0.0, 1.0], left.shape)
    ahead = np.cross(left, up)
    feet = []
    for foot in FEET:
        forth, high = FOOT[foot.split("_")[-1]]
        feet.append(at[f"{foot.split('_')[0]}_ankle"] + forth * ahead + high * up)
    return np.concatenate([pose, np.stack(feet, -2)], -2)


def seen_with_feet(frames: int) -> np.ndarray:
    """What the cameras of the scene see of the athlete (F, V, 21, 2) px at instants of 1 / RATE."""
    return scene_cameras().project(with_feet(athlete(np.arange(frames) / RATE))).astype(np.float32)
