"""A part of a take's timeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...arrays import Timeline
from ...runtime.cache import stage


@stage(version=1)
def cut_timeline(timeline: Timeline, first: list[int], count: list[int]) -> Timeline:
    """The instants at which parts of a take's clips show something, with the frames of these parts.

    Args:
        first: of each camera the frame with which its part begins.
        count: how many frames it has.
    """
    frame = np.array(timeline.frame) - np.array(first)
    with np.errstate(invalid="ignore"):
        frame[(frame < 0) | (frame > np.array(count) - 1)] = np.nan
    shown = np.isfinite(frame).any(1)
    return replace(timeline, time=timeline.time[shown], frame=frame[shown])
