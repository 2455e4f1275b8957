"""A first look at long videos: in which parts of them is there anybody?

Only key frames are decoded, which cameras write every second or so, and of those one in ``LOOK_S``. Where somebody is
seen, and for ``MARGIN`` looks around, the video is worth a full look; so is whatever lies between key frames that are
too far apart to tell.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Frames, Parts
from ..detectors import Detector
from ..footage.video import read_key_frames
from ..runtime.cache import SourceFile, stage
from ..runtime.progress import progress

LOOK_S = 2.0
"""Time between two looks at least."""
BLIND_S = 4.0
"""Time between two looks from which on nothing is known of what lies between them."""
MARGIN = 2
"""Looks before and after somebody is seen that belong to the part."""


@stage(version=2)
def find_parts(video: SourceFile, frames: Frames, detector: Detector) -> Parts:
    """Parts of a video in which there may be somebody; all of it if nobody is seen in any of the looks."""
    times: list[float] = []

    def looks() -> Iterator[np.ndarray]:
        with progress(f"look through {video.path.name}", round(float(frames.time[-1]))) as advance:
            for time, picture in read_key_frames(video.path, frames):
                if not times or time - times[-1] >= LOOK_S:
                    advance(round(time - (times[-1] if times else 0.0)))
                    times.append(time)
                    yield picture

    seen = np.array(list(detector.anybody(looks())), bool)
    part = parts_from(np.array(times), seen, float(frames.time[-1]))
    return Parts(time=np.array(frames.time), part=part)


def parts_from(time: np.ndarray, seen: np.ndarray, end: float) -> np.ndarray:
    """Starts and ends (P, 2) s of the parts that are worth a full look, in order and apart.

    Args:
        time: (L) s of the looks, rising.
        seen: (L) whether somebody was seen.
        end: of the video, s.
    """
    if not seen.any():
        return np.array([[0.0, end]])
    edge = np.concatenate([[0.0], time, [end]])  # the gaps between looks, and before and after them
    wanted = np.diff(edge) > BLIND_S
    for look in np.flatnonzero(seen):
        wanted[max(look + 1 - MARGIN, 0) : look + 1 + MARGIN] = True
    change = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    return edge[change.reshape(-1, 2)]
