"""Frames: when each picture of a video is to be shown and how, which of them can be decoded; and parts of clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import Detections, Frames
from ..errors import PosepipeError
from ..footage.video import as_decoded, probe_clip
from ..runtime.cache import SourceFile, stage

ROUNDING_S = 1e-6
"""Within this two times are the same."""


@stage(version=4)
def extract_frames(video: SourceFile, mirrored: bool) -> Frames:
    """Times, size, orientation and sound of a video, as its packets tell; only a few pictures are decoded.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: not a readable video.
    """
    return probe_clip(video, mirrored)


@stage(version=1)
def correct_frames(frames: Frames, found: Detections) -> Frames:
    """The frames of a video as the detection found them when it decoded them, and what was lost."""
    return as_decoded(frames, np.array(found.time), found.damaged)


@stage(version=1)
def cut_frames(frames: Frames, start: float, end: float) -> Frames:
    """The frames from one time of the clip (s) to another, which does not belong to them; times stay.

    Raises:
        PosepipeError: there is none.
    """
    inside = _inside(frames.time, start, end)
    if not inside.any():
        period = float(np.median(np.diff(frames.time))) if len(frames.time) > 1 else 0.0
        limits = [(word, limit) for word, limit in (("from", start), ("to", end)) if np.isfinite(limit)]
        part = " ".join(f"{word} {limit:g} s" for word, limit in limits)
        raise PosepipeError(
            f"it lasts from {frames.time[0]:.1f} s to {frames.time[-1] + period:.1f} s, and has no picture {part}"
        )
    return replace(
        frames,
        time=frames.time[inside],
        missing_s=frames.missing_s if inside[-1] else 0.0,
        whole_time=frames.whole_time if frames.is_part else frames.time,
    )


@stage(version=1)
def cut_people(found: Detections, start: float, end: float) -> Detections:
    """The people in the frames that ``cut_frames`` leaves."""
    inside = _inside(found.time, start, end)
    kept = inside[found.frame]
    place = np.cumsum(inside) - 1
    return replace(
        found,
        time=found.time[inside],
        camera_motion=found.camera_motion[inside],
        frame=place[found.frame[kept]].astype(np.int32),
        box=found.box[kept],
        keypoint=found.keypoint[kept],
        confidence=found.confidence[kept],
        colours=None if found.colours is None else found.colours[kept],
    )


def hold_all(frames: Frames, start: float, end: float) -> bool:
    """Whether all frames are between two times (s)."""
    return bool(_inside(frames.time, start, end).all())


def _inside(time: np.ndarray, start: float, end: float) -> np.ndarray:
    return (time >= start - ROUNDING_S) & (time < end - ROUNDING_S)
