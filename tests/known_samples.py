"""Samples of the known scene: two takes, of rigs of their own, with nothing known of the cameras."""

from __future__ import annotations

from typing import Any

import numpy as np
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import FusedPoses, Labels, Samples


def samples_of_two_takes(keypoint: np.ndarray, confidence: np.ndarray, step: int = 1, **known: Any) -> Samples:
    """Samples of keypoints (S, V, 17, 2) and confidences (S, V, 17), half of them in each take.

    Args:
        step: between the numbers of instants that follow each other.
        known: what else the samples hold.
    """
    take, instant = np.divmod(np.arange(len(keypoint)), len(keypoint) // 2)
    return Samples(
        keypoint=keypoint.astype(np.float32),
        confidence=confidence.astype(np.float32),
        instant=step * instant,
        take=take,
        rig=take,
        **({"K": None, "R": None, "t": None} | known),
        skeleton=H36M17.name,
        takes=["first", "second"],
    )


def reconstruction_of(samples: Samples, labels: Labels) -> FusedPoses:
    """The reconstruction that samples with K and R have these labels from."""
    assert samples.K is not None and samples.R is not None
    joint, rotation = np.array(labels.joint), np.array(samples.R) @ np.array(samples.R)[:, :1].mT
    return FusedPoses(
        joint=joint[:, 0] - joint[:, 0, :1],
        covariance=np.zeros((len(joint), joint.shape[2], 3, 3), np.float32),
        trusted=np.ones((len(joint), joint.shape[2]), bool),
        camera_from_rig=rotation,
        root=joint[:, :, 0],
        focal=np.array(samples.K)[..., 0, 0],
        bend=np.zeros(joint.shape[:2], np.float32),
        residual=np.array(labels.residual),
        take=np.array(samples.take),
        instant=np.array(samples.instant),
        skeleton=samples.skeleton,
        unit="body heights",
        takes=samples.takes,
        cameras="nothing",
    )
