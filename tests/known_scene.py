"""A scene whose 3D is known: anatomical people, cameras around them, exact images.

The people are right-handed as real ones are: knees flex backwards, elbows forwards, the nose points ahead.
World axes in metres with z up; cameras look along +z with y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from posepipe.models.skeleton import H36M17

Array = NDArray[np.float64]

_THIGH, _SHIN, _TRUNK, _UPPER_ARM, _FOREARM = 0.45, 0.43, 0.50, 0.30, 0.27


@dataclass(frozen=True)
class Cameras:
    """Calibrated cameras (V)."""

    K: Array  # (V, 3, 3) px
    R: Array  # (V, 3, 3) camera_from_world
    t: Array  # (V, 3) m

    def see(self, points: Array) -> Array:
        """Points (..., J, 3) of the world in the axes of each camera (..., V, J, 3)."""
        return np.einsum("vij,...nj->...vni", self.R, points) + self.t[:, None]

    def project(self, points: Array) -> Array:
        """Pixels (..., V, J, 2) of points (..., J, 3) of the world."""
        image = np.einsum("vij,...vnj->...vni", self.K, self.see(points))
        return image[..., :2] / image[..., 2:]


def people(count: int, seed: int = 0, turn: bool = True) -> Array:
    """Poses (count, 17, 3) of an H36M-17 person in metres, pelvis near the origin, facing anywhere.

    Without ``turn`` everybody faces the +x axis with the left side towards +y.
    """
    rng = np.random.default_rng(seed)
    joint: dict[str, Array] = {"pelvis": np.zeros((count, 3))}
    lean = rng.uniform(-0.1, 0.5, count)
    up, ahead = _sagittal(lean + np.pi), _sagittal(lean + np.pi / 2)
    joint["spine"] = 0.5 * _TRUNK * up
    joint["thorax"] = _TRUNK * up
    nod = lean + rng.uniform(-0.3, 0.3, count)
    joint["nose"] = joint["thorax"] + 0.16 * _sagittal(nod + np.pi) + 0.10 * _sagittal(nod + np.pi / 2)
    joint["head"] = joint["thorax"] + 0.28 * _sagittal(nod + np.pi)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        aside = np.array([0.0, sign, 0.0])
        hip, knee = rng.uniform(-0.4, 1.0, count), rng.uniform(0.15, 1.5, count)
        joint[f"{side}_hip"] = joint["pelvis"] + 0.13 * aside
        joint[f"{side}_knee"] = joint[f"{side}_hip"] + _THIGH * _unit(_sagittal(hip) + 0.1 * aside)
        joint[f"{side}_ankle"] = joint[f"{side}_knee"] + _SHIN * _sagittal(hip - knee)
        arm, elbow = rng.uniform(-0.6, 2.0, count), rng.uniform(0.1, 1.8, count)
        spread = rng.uniform(0.0, 0.8, (count, 1))
        joint[f"{side}_shoulder"] = joint["thorax"] + 0.17 * aside - 0.03 * ahead
        joint[f"{side}_elbow"] = joint[f"{side}_shoulder"] + _UPPER_ARM * _unit(_sagittal(arm) + spread * aside)
        joint[f"{side}_wrist"] = joint[f"{side}_elbow"] + _FOREARM * _unit(_sagittal(arm + elbow) + 0.2 * aside)
    pose = np.stack([joint[name] for name in H36M17.joints], 1)
    yaw = rng.uniform(-np.pi, np.pi, count) if turn else np.zeros(count)
    return np.einsum("nij,nkj->nki", _about_z(yaw), pose)


def cameras(count: int, seed: int = 0, distance_m: float = 5.0) -> Cameras:
    """Cameras on an irregular ring about 1.5 m above the pelvis, looking at it, slightly rolled."""
    rng = np.random.default_rng(seed)
    azimuth = 2 * np.pi * (np.arange(count) + rng.uniform(-0.25, 0.25, count)) / count
    height = rng.uniform(0.5, 2.0, count)
    centre = np.stack([distance_m * np.cos(azimuth), distance_m * np.sin(azimuth), height], -1)
    forward = _unit(-centre)
    right = _unit(np.cross(forward, [0.0, 0.0, 1.0]))
    level = np.stack([right, np.cross(forward, right), forward], 1)
    R = _about_z(rng.uniform(-0.1, 0.1, count)) @ level
    K = np.tile(np.array([[1200.0, 0, 500], [0, 1200.0, 500], [0, 0, 1]]), (count, 1, 1))
    return Cameras(K, R, -np.einsum("vij,vj->vi", R, centre))


def weak_perspective(points: Array, cameras: Cameras, px_per_m: float = 300.0) -> Array:
    """Orthographic pixels (..., V, J, 2) of points (..., J, 3) of the world: what B1's model fits exactly."""
    return px_per_m * np.einsum("vij,...nj->...vni", cameras.R, points)[..., :2] + 500.0


def _sagittal(angle: Array) -> Array:
    """Unit vectors (count, 3) in the plane of symmetry: 0 points down, pi/2 ahead."""
    return np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle)], -1)


def _about_z(angle: Array) -> Array:
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    rows = [np.cos(angle), -np.sin(angle), zero, np.sin(angle), np.cos(angle), zero, zero, zero, one]
    return np.stack(rows, -1).reshape(-1, 3, 3)


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)
