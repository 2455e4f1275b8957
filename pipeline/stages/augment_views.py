"""View augmentation: views of cameras rotated about the athlete, for training on little footage.

A network trained on one athlete from four sides for some seconds works for these sides and movements only. The
reconstruction of the footage is therefore projected into the same cameras, rotated about the athlete, with the
detector's own error of each joint in each frame. The shorter the footage, the more copies are needed; later copies
show new movements, composed of those that were seen (``models.body.limb_exchange``).
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
def rotate_cameras(fused: FusedPoses, copies: int, seed: int) -> FusedPoses:
    """The fused poses, followed by copies as further takes, whose cameras are rotated about the athlete.

    Every camera of a take is rotated about the mean direction of the athlete's trunk by its own angle, which
    covers the circle over the copies, and pitched a little. The root keeps its position in camera axes. Copies after
    the first ``PLAIN_COPIES`` take a limb from other moments, with its covariance there.

    Args:
        fused: poses of N instants in V views, joints (N, J, 3).
        copies: number of copies; the result has N * (1 + copies) instants.
        seed: of the angles and of the moments from which limbs are taken.
    """
    skeleton = SKELETONS[fused.skeleton]
    recorded, takes = len(fused.instant), len(fused.takes)
    more: dict[str, Any] = {
        name: np.concatenate([getattr(fused, name)] * (1 + copies)) for name in array_fields(FusedPoses)
    }
    more["take"] += takes * np.repeat(np.arange(1 + copies), recorded)
    for take in np.unique(fused.take).tolist():
        here = np.flatnonzero(np.asarray(fused.take) == take)
        up, chance = _upright(fused, here), np.random.default_rng([seed, take])
        for copy in range(copies):
            there, shape = (1 + copy) * recorded + here, fused.root.shape[1:2]
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
    names = [f"{name}, rotated {copy + 1}" for copy in range(copies) for name in fused.takes]
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
def augment_samples(samples: Samples, rotated: FusedPoses) -> Samples:
    """The samples, followed by those of rotated cameras: projections of the joints plus the detector's errors.

    Args:
        samples: N instants.
        rotated: poses of the N samples, followed by copies of them (``rotate_cameras``).
    """
    recorded = len(samples.instant)
    copies = len(rotated.instant) // recorded - 1
    joint = rotated.joint_in_camera + rotated.root[:, :, None]
    exists = np.isfinite(joint).all(-1) & (np.nan_to_num(joint[..., 2]) > _NEAREST)
    depth = np.where(exists, joint[..., 2], 1)[..., None]
    image = np.nan_to_num(rotated.focal)[..., None, None] * np.nan_to_num(joint[..., :2]) / depth
    image = bend_points(image, np.nan_to_num(rotated.bend))

    def repeated(array: np.ndarray, times: int) -> np.ndarray:
        return np.concatenate([array] * times)

    confidence = repeated(samples.confidence * exists[:recorded], copies) * exists[recorded:]
    keypoint = image[recorded:] + repeated(samples.keypoint - image[:recorded], copies)
    keypoint *= (confidence > 0)[..., None]
    return replace(
        samples,
        keypoint=np.concatenate([samples.keypoint, keypoint]),
        confidence=np.concatenate([samples.confidence, confidence]),
        instant=np.array(rotated.instant),
        take=np.array(rotated.take),
        rig=repeated(samples.rig, 1 + copies),
        K=None,
        R=None,
        t=None,
        takes=rotated.takes,
        frame=None if samples.frame is None else repeated(samples.frame, 1 + copies),
        time=None if samples.time is None else repeated(samples.time, 1 + copies),
    )
