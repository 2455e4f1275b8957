"""Moving joints: 2D poses with their joints where a skeleton morph's reference has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..arrays import Samples, Track
from ..runtime.cache import stage
from ..training.morph_file import MorphNetwork


@stage(version=1)
def move_joints(track: Track, network: MorphNetwork) -> Track:
    """A track on Human3.6M-17 with its joints moved; missing ones stay missing."""
    return replace(track, keypoint=_moved(track.keypoint, track.confidence, network))


@stage(version=1)
def move_joints_of_samples(samples: Samples, network: MorphNetwork) -> Samples:
    """Samples on Human3.6M-17 with their joints moved; missing ones stay missing."""
    return replace(samples, keypoint=_moved(samples.keypoint, samples.confidence, network))


def _moved(keypoint: np.ndarray, confidence: np.ndarray, network: MorphNetwork) -> np.ndarray:
    """Joints (..., J, 2) px moved where their confidence (..., J) is above 0."""
    missing = np.asarray(confidence) <= 0
    known = torch.from_numpy(np.where(missing[..., None], 0, keypoint).astype(np.float32)).flatten(0, -3)
    surety = torch.from_numpy(np.array(confidence, np.float32)).flatten(0, -2)
    moved = network.build().morph(known, surety).numpy().reshape(keypoint.shape)
    return np.where(missing[..., None], keypoint, moved).astype(np.float32)
