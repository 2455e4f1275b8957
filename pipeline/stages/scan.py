"""Scan of long videos for the parts that show people.

Only key frames are decoded, which cameras write about every second, and of these one in ``LOOK_S``. A video is
processed in full where people are seen and for ``MARGIN`` key frames around, and between key frames that are too far
apart. So these key frames are decoded twice, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Frames, Parts
from ..detectors import Detector
from ..footage.video import read_clip_keys
from ..runtime.cache import SourceFile, stage
from ..runtime.progress import progress

LOOK_S = 2.0
"""Shortest time between two key frames that are searched."""
BLIND_S = 4.0
"""Time between two searched key frames above which all frames between them are processed."""
MARGIN = 2
"""Searched key frames before and after people are seen that belong to the part."""


@stage(version=2)
def find_parts(video: SourceFile, frames: Frames, detector: Detector) -> Parts:
    """Parts of a video that may show people; the whole video if no searched key frame shows anybody.

    Args:
        frames: with their own times.
    """
    times: list[float] = []

    def looks() -> Iterator[np.ndarray]:
        with progress(f"look through {video.path.name}", round(float(np.ptp(frames.time)))) as advance:
            for time, picture in read_clip_keys(video, frames):
                if not times or time - times[-1] >= LOOK_S:
                    advance(round(time - (times[-1] if times else float(frames.time[0]))))
                    times.append(time)
                    yield picture

    seen = np.array(list(detector.anybody(looks())), bool)
    start = float(frames.time[0])
    part = start + parts_from(np.array(times) - start, seen, float(frames.time[-1]) - start)
    return Parts(time=np.array(frames.time), part=part)


def parts_from(time: np.ndarray, seen: np.ndarray, end: float) -> np.ndarray:
    """Starts and ends (P, 2) in s of the parts to process, in order and disjoint.

    Args:
        time: (L) s of the searched key frames, increasing.
        seen: (L) whether they show anybody.
        end: of the video, s.
    """
    if not seen.any():
        return np.array([[0.0, end]])
    edge = np.concatenate([[0.0], time, [end]])  # the gaps between searched frames, and before and after them
    wanted = np.diff(edge) > BLIND_S
    for look in np.flatnonzero(seen):
        wanted[max(look + 1 - MARGIN, 0) : look + 1 + MARGIN] = True
    change = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    return edge[change.reshape(-1, 2)]
