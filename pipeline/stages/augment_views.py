"""Turned footage: what cameras turned about the athlete would have shown, for methods that learn from little footage.

A network that sees one athlete from four sides for some seconds knows these sides and these movements only. The
reconstruction of the footage is filmed again by the same cameras, moved round the athlete, and their detector makes
the same errors, joint by joint and frame by frame. The shorter the footage, the more of its copies are needed; behind
the first ones they show other movements, made of those that were seen (``models.other_movements``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...models.body.limb_exchange import exchange_a_limb
from ...models.geometry.geometry import rotation_from_axis_angle
from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, Samples, array_fields
from ..runtime.cache import stage

LARGEST_PITCH_DEG = 10.0
"""How far a turned camera may look up or down compared with the real one."""
PLAIN_COPIES = 9
"""Copies whose movements stay as they were. They keep what belongs together, such as an arm and the other leg."""
_NEAREST = 1e-3
"""Depth, in the unit of the joints, below which nothing is imaged."""


@stage(version=2)
def turn_cameras(fused: FusedPoses, copies: int, seed: int) -> FusedPoses:
    """The fused poses, and behind them copies as takes of their own, whose cameras are turned about the athlete.

    Every camera of a take is turned by an angle of its own about the mean direction of the athlete's trunk, from copy
    to copy round the circle, and pitched a little. The root stays where it is in a camera's axes. Copies behind the
    first ``PLAIN_COPIES`` have a limb from other moments, as sure as it was then.
    """
    skeleton = SKELETONS[fused.skeleton]
    filmed, takes = len(fused.instant), len(fused.takes)
    more: dict[str, Any] = {
        name: np.concatenate([getattr(fused, name)] * (1 + copies)) for name in array_fields(FusedPoses)
    }
    more["take"] += takes * np.repeat(np.arange(1 + copies), filmed)
    for take in np.unique(fused.take).tolist():
        here = np.flatnonzero(np.asarray(fused.take) == take)
        up, chance = _upright(fused, here), np.random.default_rng([seed, take])
        for copy in range(copies):
            there, shape = (1 + copy) * filmed + here, fused.root.shape[1]
            angle = 2 * np.pi * (copy + chance.uniform(size=shape)) / copies
            pitch = np.radians(chance.uniform(-LARGEST_PITCH_DEG, LARGEST_PITCH_DEG, shape))
            R = _rotations(pitch, np.eye(3)[0]) @ fused.camera_from_rig[here] @ _rotations(angle, up)
            more["camera_from_rig"][there] = R
            if copy < PLAIN_COPIES:
                continue
            more["joint"][there], moment = exchange_a_limb(fused.joint[here].astype(np.float64), skeleton, chance)
            for name in ("trusted", "covariance"):
                values = np.asarray(getattr(fused, name))[here]
                more[name][there] = values[moment, np.arange(values.shape[1])]
    names = [f"{name}, turned {copy + 1}" for copy in range(copies) for name in fused.takes]
    return replace(fused, **more, takes=[*fused.takes, *names])


def _upright(fused: FusedPoses, here: np.ndarray) -> np.ndarray:
    """Mean direction (3) from pelvis to thorax, in axes of the rig."""
    pelvis, thorax = SKELETONS[fused.skeleton].landmark_weights("pelvis", "thorax")
    trunk = (thorax - pelvis) @ fused.joint[here]
    mean = (trunk / np.linalg.norm(trunk, axis=-1, keepdims=True)).mean(0)
    return mean / np.linalg.norm(mean)


def _rotations(angle: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) by angles (N) in rad about an axis (3)."""
    return rotation_from_axis_angle(torch.from_numpy(angle[:, None] * axis)).numpy()


@stage(version=1)
def film(samples: Samples, turned: FusedPoses) -> Samples:
    """The samples, and behind them what turned cameras show: images of the joints, and the detector's errors.

    Args:
        turned: poses of the samples, and copies of them (``turn_cameras``).
    """
    filmed = len(samples.instant)
    copies = len(turned.instant) // filmed - 1
    joint = turned.joint_in_camera + turned.root[:, :, None]
    exists = np.isfinite(joint).all(-1) & (np.nan_to_num(joint[..., 2]) > _NEAREST)
    depth = np.where(exists, joint[..., 2], 1)[..., None]
    image = np.nan_to_num(turned.focal)[..., None, None] * np.nan_to_num(joint[..., :2]) / depth

    def repeated(array: np.ndarray, times: int) -> np.ndarray:
        return np.concatenate([array] * times)

    confidence = repeated(samples.confidence * exists[:filmed], copies) * exists[filmed:]
    keypoint = image[filmed:] + repeated(samples.keypoint - image[:filmed], copies)
    keypoint *= (confidence > 0)[..., None]
    return replace(
        samples,
        keypoint=np.concatenate([samples.keypoint, keypoint]),
        confidence=np.concatenate([samples.confidence, confidence]),
        instant=np.array(turned.instant),
        take=np.array(turned.take),
        rig=repeated(samples.rig, 1 + copies),
        K=None,
        R=None,
        t=None,
        takes=turned.takes,
        frame=None if samples.frame is None else repeated(samples.frame, 1 + copies),
        time=None if samples.time is None else repeated(samples.time, 1 + copies),
    )
