"""Uneven times for formats that know one rate only: poses between two frames lie on the straight line."""

from __future__ import annotations

import logging

import numpy as np

from .clip import Clip

log = logging.getLogger("posepipe")

EVEN = 0.1
"""Frames that are off by at most this share of a period count as even: containers round times."""


def even_times(clip: Clip, time: np.ndarray, name: str) -> np.ndarray:
    """Times (G) s at the clip's rate from the first of ``time`` (F) s to its last; ``time`` itself where it is even.

    Args:
        time: rising, of frames of the clip.
        name: the format, for the message that poses are resampled.
    """
    rate = float(clip.life_rate)
    since = time - time[0]
    if np.abs(since - np.arange(len(time)) / rate).max() <= EVEN / rate:
        return time
    log.warning(
        "%s: %s knows one rate only, and the times of the frames are uneven; the poses are resampled at %.4g Hz",
        clip.video.name, name, rate,
    )  # fmt: skip
    return time[0] + np.arange(int(np.floor(since[-1] * rate + EVEN)) + 1) / rate


def at_times(position: np.ndarray, time: np.ndarray, wanted: np.ndarray, longest_s: float) -> np.ndarray:
    """Positions (W, ...) at the ``wanted`` (W) times, between those (F, ...) at rising times (F).

    Missing where one of the two next to it is missing, or where they are further apart than ``longest_s``.
    """
    after = np.searchsorted(time, wanted).clip(1, max(len(time) - 1, 1))
    if len(time) == 1:
        return np.repeat(position, len(wanted), 0)
    before = after - 1
    step = time[after] - time[before]
    share = ((wanted - time[before]) / step).clip(0, 1).round(6)  # what is as good as a frame is that frame
    weight = share.reshape(-1, *[1] * (position.ndim - 1))
    between = (1 - weight) * position[before] + weight * position[after]
    between[(step > longest_s) & (share % 1 > 0)] = np.nan
    return np.where(weight == 0, position[before], np.where(weight == 1, position[after], between))
