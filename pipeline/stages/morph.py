"""Skeleton morphing: from the detector's joints to those of the results."""

from __future__ import annotations

import numpy as np

from ...models.blocks import frame_blocks
from ...models.skeleton import SKELETONS, mapping_to_h36m17
from ..arrays import Track
from ..runtime.cache import stage
from ..settings import MorphSettings


@stage(version=1)
def morph_skeleton(track: Track, settings: MorphSettings) -> Track:
    """The track on the wanted skeleton; with ``native`` it stays as it is."""
    keypoint, confidence, name = track.keypoint, track.confidence, track.skeleton
    if settings.skeleton != "native":
        mapping = mapping_to_h36m17(SKELETONS[track.skeleton])
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
