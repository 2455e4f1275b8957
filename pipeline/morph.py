"""Skeleton morphing: from the detector's joints to those of the results."""

from __future__ import annotations

from ..models.skeleton import SKELETONS, mapping_to_h36m17
from .arrays import Track
from .cache import stage
from .settings import MorphSettings


@stage(version=1)
def morph_skeleton(track: Track, settings: MorphSettings) -> Track:
    """The track on the wanted skeleton; with ``native`` it stays as it is."""
    keypoint, confidence, name = track.keypoint, track.confidence, track.skeleton
    if settings.skeleton != "native":
        mapping = mapping_to_h36m17(SKELETONS[track.skeleton])
        (keypoint, confidence), name = mapping.apply(keypoint, confidence), mapping.target.name
    return Track(
        time=track.time,
        keypoint=keypoint,
        confidence=confidence,
        box=track.box,
        skeleton=name,
        camera_moves=track.camera_moves,
        dropped=track.dropped,
    )
