"""What a video promises and the decoder does not give."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...arrays import Frames
from .clock import rate_of

TICK_S = 1e-3
"""The unit to which containers round times, at most."""


def as_decoded(frames: Frames, time: np.ndarray, damaged: int) -> Frames:
    """The frames of a clip as the decoder gave them, and what was lost, in sentences.

    Args:
        frames: as the packets promise them.
        time: (F) s of the pictures that were decoded.
        damaged: how many pictures the decoder found damaged or missing.
    """
    rate, time = Fraction(frames.rate), np.array(time)
    if not np.array_equal(time, frames.time):
        rate = rate_of(time, (rate,), TICK_S)
    unread_s = float(frames.time[-1]) - float(time[-1])
    missing_s = missing_of(frames.missing_s + unread_s, 1 / float(rate)) if frames.reach_the_end else 0.0
    found = replace(frames, time=time, rate=str(rate), missing_s=missing_s, lost=list(frames.lost))
    if damaged:
        are = "is" if damaged == 1 else "are"
        found.lost.append(f"is damaged: {damaged} of its pictures {are} damaged or missing; the rest is used")
    found.lost.extend(breaks_off(found))
    return found


def missing_of(seconds: float, period_s: float) -> float:
    """How much is missing (s) at the end of a video of which so much seems to be: hardly anything is nothing."""
    return seconds if seconds > max(2 * period_s, 0.1) else 0.0


def begins_late(late_s: float, period_s: float) -> list[str]:
    """What is to be said of a video whose first seconds cannot be decoded."""
    if late_s <= 1.5 * period_s:
        return []
    return [f"begins between two key frames: its first {late_s:.1f} s cannot be decoded; the rest is used"]


def breaks_off(frames: Frames) -> list[str]:
    """What is to be said of a video that ends before its container says."""
    if not frames.missing_s:
        return []
    end = float(frames.time[-1]) + 1 / float(Fraction(frames.rate))
    return [f"breaks off after {end:.1f} s of {end + frames.missing_s:.1f} s; the rest is used"]
