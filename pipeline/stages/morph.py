"""Skeleton mapping: from the detector's joints to those of the results, by an exact map and by a learnt morph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...models.blocks import frame_blocks
from ...models.skeleton import H36M17, SKELETONS, mapping_to_h36m17
from ..arrays import Samples, Track
from ..runtime.cache import stage
from ..settings import MorphSettings
from ..training.morph_file import MorphNetwork


@stage(version=2)
def morph_skeleton(track: Track, settings: MorphSettings) -> Track:
    """The track on the chosen skeleton; ``native`` does not change it."""
    keypoint, confidence, name = track.keypoint, track.confidence, track.skeleton
    if settings.skeleton != "native":
        mapping = mapping_to_h36m17(SKELETONS[track.skeleton], SKELETONS[settings.skeleton])
        name, shape = mapping.target.name, (len(track.time), len(mapping.target.joints))
        keypoint, confidence = np.empty((*shape, 2), np.float32), np.empty(shape, np.float32)
        for part in frame_blocks(0, len(track.time)):
            keypoint[part], confidence[part] = mapping.apply(track.keypoint[part], track.confidence[part])
    return Track(
        time=track.time,
        keypoint=keypoint,
        confidence=confidence,
        box=track.box,
        skeleton=name,
        camera_moves=track.camera_moves,
        dropped=track.dropped,
    )


@stage(version=2)
def move_joints(track: Track, network: MorphNetwork) -> Track:
    """A track with the joints of Human3.6M-17 mapped by the network; feet and missing joints stay as they are."""
    return replace(track, keypoint=_moved(track.keypoint, track.confidence, network))


@stage(version=1)
def move_joints_of_samples(samples: Samples, network: MorphNetwork) -> Samples:
    """Samples with their joints mapped by the network, as ``move_joints`` does."""
    return replace(samples, keypoint=_moved(samples.keypoint, samples.confidence, network))


def _moved(keypoint: np.ndarray, confidence: np.ndarray, network: MorphNetwork) -> np.ndarray:
    """Joints (..., J, 2) px moved where their confidence (..., J) is above 0."""
    import torch  # here: a fit with nothing to do can do without

    body = slice(len(H36M17.joints))
    keypoint, confidence = np.array(keypoint, np.float32), np.array(confidence, np.float32)
    missing = confidence[..., body] <= 0
    known = torch.from_numpy(np.where(missing[..., None], 0, keypoint[..., body, :])).flatten(0, -3)
    surety = torch.from_numpy(confidence[..., body].copy()).flatten(0, -2)
    moved = network.build().morph(known, surety).numpy().reshape(*missing.shape, 2)
    keypoint[..., body, :] = np.where(missing[..., None], keypoint[..., body, :], moved)
    return keypoint
