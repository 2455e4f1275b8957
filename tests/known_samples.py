"""Samples of the known scene: two takes, of rigs of their own, with nothing known of the cameras."""

from __future__ import annotations

from typing import Any

import numpy as np
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Samples


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
