"""People who walk and jump on a level floor, known exactly: world axes in metres, z up, the floor at z = 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from posepipe.models.skeleton import SKELETONS

Array = NDArray[np.float64]

SKELETON = SKELETONS["h36m17+feet"]
RATE, SPEED, STRIDE_S, STANCE = 50, 1.2, 1.0, 0.6
STRIDE = SPEED * STRIDE_S
PELVIS, HEEL, TOE, ANKLE = 0.95, -0.06, 0.16, 0.08
"""Heights above the floor, and places of heel and toe ahead of the ankle."""


def walk(seconds: float = 6.0, slope: float = 0.0, stair: float = 0.0) -> tuple[Array, NDArray[np.bool_]]:
    """Joints (T, 21, 3) of somebody who walks along x, and which foot stands (T, 2): left, right.

    Args:
        slope: by how much the ground rises per metre.
        stair: by how much every step is higher than the one before.
    """
    time = np.arange(round(seconds * RATE)) / RATE
    feet, stands = [], []
    for foot in (0, 1):
        phase = time / STRIDE_S + 0.5 * foot
        stride, share = np.floor(phase), phase % 1
        swing = ((share - STANCE) / (1 - STANCE)).clip(0, 1)
        moved = stride + (1 - np.cos(np.pi * swing)) / 2 - 0.5 * foot
        x = STRIDE * (moved + STANCE / 2)
        z = slope * x + 2 * stair * moved + 0.12 * np.sin(np.pi * swing)
        feet.append(np.stack([x, np.full_like(x, 0.1 - 0.2 * foot), z], -1))
        stands.append(share < STANCE)
    x = SPEED * time
    pelvis = np.stack([x, np.zeros_like(x), PELVIS + slope * x + 2 * stair * time / STRIDE_S], -1)
    return _body(pelvis, np.stack(feet, 1), slope), np.stack(stands, 1)


def jump(flight_s: float = 0.45, count: int = 3, rest_s: float = 0.8) -> tuple[Array, NDArray[np.bool_]]:
    """Joints of somebody who jumps ahead by 0.5 m several times, all of the body alike, and which foot stands."""
    period = rest_s + flight_s
    time = np.arange(round((count * period + rest_s) * RATE)) / RATE
    number, since = np.floor(time / period), time % period - rest_s
    up = since > 0
    x = 0.5 * (number + np.where(up, since / flight_s, 0.0))
    z = np.where(up, 9.81 / 2 * since * (flight_s - since), 0.0)
    place = np.stack([x, np.zeros_like(x), z], -1)
    feet = np.stack([place + np.array([0, 0.1, 0]), place - [0, 0.1, 0]], 1)
    return _body(place + np.array([0, 0, PELVIS]), feet), np.stack([~up, ~up], 1)


def _body(pelvis: Array, feet: Array, slope: float = 0.0) -> Array:
    """A body above its feet (T, 2, 3), given the points below their ankles, on ground that rises along x."""
    at = {"pelvis": pelvis}
    for name, height in (("spine", 0.25), ("thorax", 0.5), ("nose", 0.65), ("head", 0.78)):
        at[name] = pelvis + np.array([0.1 * (name == "nose"), 0, height])
    for foot, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        ankle = feet[:, foot] + np.array([0, 0, ANKLE])
        at[f"{side}_hip"] = pelvis + np.array([0, 0.1 * sign, 0])
        at[f"{side}_ankle"] = ankle
        at[f"{side}_knee"] = (ankle + at[f"{side}_hip"]) / 2 + np.array([0.05, 0, 0])
        at[f"{side}_heel"] = feet[:, foot] + np.array([HEEL, 0, slope * HEEL + 0.02])
        at[f"{side}_big_toe"] = feet[:, foot] + np.array([TOE, 0, slope * TOE + 0.01])
        for name, down, out in (("shoulder", 0.0, 0.17), ("elbow", 0.3, 0.2), ("wrist", 0.55, 0.2)):
            at[f"{side}_{name}"] = at["thorax"] + np.array([0, out * sign, -down])
    return np.stack([at[name] for name in SKELETON.joints], 1)


def turned(joint: Array, seed: int = 0) -> tuple[Array, Array]:
    """Joints in axes that are turned anyhow, half as large and elsewhere, and the rotation (3, 3) from the world."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    return 0.5 * joint @ rotation.T + rng.normal(size=3), rotation
