"""View augmentation: what cameras rotated about the athlete would have shown, for training on little footage.

A network that sees one athlete from four sides for some seconds knows only these sides and these movements. The
reconstruction of the footage is therefore projected into the same cameras moved round the athlete, with the errors
that the detector made joint by joint and frame by frame. The shorter the footage, the more copies are needed; after
the first ones they show other movements, composed of those that were seen (``models.body.limb_exchange``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...models.body.limb_exchange import exchange_a_limb
from ...models.geometry.geometry import rotation_from_axis_angle
from ...models.geometry.lens import bend_points
from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, Samples, array_fields
from ..runtime.cache import stage

LARGEST_PITCH_DEG = 10.0
"""Largest pitch of an augmented camera relative to the real one, up or down."""
PLAIN_COPIES = 9
"""Copies whose movements stay unchanged. They keep limbs that move together, such as an arm and the opposite leg."""
_NEAREST = 1e-3
"""Depth, in the unit of the joints, below which nothing is projected."""


@stage(version=2)
def turn_cameras(fused: FusedPoses, copies: int, seed: int) -> FusedPoses:
    """The fused poses, followed by copies as further takes, whose cameras are rotated about the athlete.

    Every camera of a take is rotated about the mean direction of the athlete's trunk by its own angle, from copy
    to copy round the circle, and pitched a little. The root stays where it is in camera axes. Copies after the first
    ``PLAIN_COPIES`` take a limb from other moments, with the covariance it had then.

    Args:
        fused: poses of N instants in V views.
        copies: number of copies; the result has N * (1 + copies) instants.
        seed: of the angles and of the moments that limbs are taken from.
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
    """The samples, followed by what rotated cameras show: projections of the joints plus the detector's errors.

    Args:
        samples: N instants.
        turned: poses of the N samples, followed by copies of them (``turn_cameras``).
    """
    filmed = len(samples.instant)
    copies = len(turned.instant) // filmed - 1
    joint = turned.joint_in_camera + turned.root[:, :, None]
    exists = np.isfinite(joint).all(-1) & (np.nan_to_num(joint[..., 2]) > _NEAREST)
    depth = np.where(exists, joint[..., 2], 1)[..., None]
    image = np.nan_to_num(turned.focal)[..., None, None] * np.nan_to_num(joint[..., :2]) / depth
    image = bend_points(image, np.nan_to_num(turned.bend))

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
