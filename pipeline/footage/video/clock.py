"""When pictures are shown: one list of rising times, whatever their time stamps are, and where a picture is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...arrays import Frames

ROUNDING_S = 1e-6
"""Within this two times are the same."""

REORDER = 16
"""Pictures that a codec may hold back; a clock that goes back further than they last was set anew."""

LONGEST_PAUSE_S = 600.0
"""A clock that jumps further ahead was set anew, or its stamp is damaged."""

EQUAL_S = 1e-7
"""Times that are no further apart are equal: sums are as exact as that."""

REGULAR = 0.9
"""Share of steps by which a rate that a container states is confirmed; others are pictures left out."""


@dataclass(frozen=True)
class Times:
    """When the pictures of a video are shown."""

    time: np.ndarray
    """(F) float64 s from the first picture on, rising."""
    origin_s: float
    """The container's time of the first picture."""
    own: bool
    """Whether these are the container's own times, so that a stamp tells when its picture is shown."""


def rising_times(stamps: Sequence[int | None], unit: Fraction, rate: Fraction) -> Times:
    """The times of pictures, whose stamps are as they came one after the other from the decoder or the container.

    A picture without a stamp comes a usual step after the one before. Where the clock was set anew it goes on a
    usual step later. Stamps that go to and fro belong to containers without times of presentation, such as AVI, which
    stamp packets in the order in which they are decoded: pictures come in the order in which they are shown, so that
    the stamps are put in order. Pictures of one stamp share the time up to the next.

    Args:
        stamps: of each picture in ``unit`` s; None where it has none.
        rate: pictures/s, where stamps do not tell.
    """
    raw = np.array([np.nan if stamp is None else stamp for stamp in stamps]) * float(unit)
    known = np.isfinite(raw)
    origin = float(raw[known][0]) if known.any() else 0.0
    # Whole ticks are subtracted, so that times are as exact as the stamps.
    first = next((stamp for stamp in stamps if stamp is not None), 0)
    time = np.array([np.nan if stamp is None else stamp - first for stamp in stamps]) * float(unit)
    stamped = time.copy()
    steps = np.diff(time[known]) / np.diff(np.flatnonzero(known))
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / float(rate)
    time = _filled(time, usual)
    steps = np.diff(time)
    anew = (steps < -REORDER * usual) | (steps > max(LONGEST_PAUSE_S, 2 * usual))
    segments: list[np.ndarray] = []
    end = 0.0
    for segment in np.split(time, np.flatnonzero(anew) + 1):
        ordered = np.sort(segment)
        segments.append(ordered + (end + usual - ordered[0] if segments else 0.0))
        end = segments[-1][-1]
    time = _apart(np.concatenate(segments), usual)
    return Times(time - time[0], origin + float(time[0]), bool(np.array_equal(time, np.sort(stamped))))


def times_of_fields(time: np.ndarray, period: float) -> np.ndarray:
    """Times (2 F) of the fields of interlaced pictures (F): each second one is taken half-way to the next picture."""
    after = np.append(time[1:], time[-1] + period)
    return np.stack([time, (time + after) / 2], 1).ravel()


def _filled(time: np.ndarray, usual: float) -> np.ndarray:
    """Times (F) in which what is missing comes a usual step after what is before it, or before what is after it."""
    known = np.flatnonzero(np.isfinite(time))
    if len(known) == 0:
        return np.arange(len(time)) * usual
    place = np.arange(len(time))
    before = known[(np.searchsorted(known, place, side="right") - 1).clip(0)]
    return time[before] + (place - before) * usual


def _apart(time: np.ndarray, usual: float) -> np.ndarray:
    """Sorted times (F), of which those that are equal are spread evenly up to the next."""
    start = np.flatnonzero(np.diff(time, prepend=-np.inf) > EQUAL_S)
    count = np.diff(np.append(start, len(time)))
    distinct = time[start]
    room = np.diff(np.append(distinct, distinct[-1] + usual))
    among = np.arange(len(time)) - np.repeat(start, count)
    return np.repeat(distinct, count) + among * np.repeat(room / count, count)


def rate_of(time: np.ndarray, stated: Iterable[Fraction | None], tick: float) -> Fraction:
    """Pictures/s of rising times (F) s: a rate that is stated, if nearly all steps confirm it, else the mean.

    Args:
        stated: what the container says, most credible first.
        tick: the unit, in s, to which times are rounded.
    """
    credible = [rate for rate in stated if rate]
    if len(time) < 2:
        return credible[0] if credible else Fraction(30)
    steps = np.diff(time)
    for rate in credible:
        regular = np.abs(steps - 1 / float(rate)) <= 1.5 * tick
        off = abs(float(steps[regular].sum()) - regular.sum() / float(rate))
        if regular.mean() >= REGULAR and off <= 2 * tick * (1 + np.count_nonzero(~regular)):
            return rate
    mean = Fraction((len(time) - 1) / float(time[-1] - time[0])).limit_denominator(1001)
    return max(mean, Fraction(1, 1001))


class Seen:
    """What the decoder gives of a video as it is read for the first time."""

    def __init__(self) -> None:
        self.stamps: list[int | None] = []
        self.damaged = 0
        """Pictures that are damaged or missing."""
        self._unit, self._stated = Fraction(1), Fraction(30)

    def begin(self, stream: VideoStream) -> None:
        """Take in what a stream says of its times."""
        self._stated = stream.average_rate or stream.guessed_rate or self._stated
        self._unit = stream.time_base or 1 / self._stated

    def time(self, field_order: str) -> np.ndarray:
        """Rising times (F) s of all pictures, or of their fields."""
        if not self.stamps:
            return np.zeros(0)
        time = rising_times(self.stamps, self._unit, self._stated).time
        return times_of_fields(time, _usual_step(time)) if field_order else time


class Clock:
    """Tells when each picture of a video is shown, as they come from the decoder one after the other.

    Args:
        frames: of the whole video.
        first: stamp of its first picture; by default that of the first one that comes.
        counting: whether there may be more pictures than frames, where pictures are counted.
    """

    def __init__(self, frames: Frames, first: int | None = None, counting: bool = False) -> None:
        self._time, self._own = np.asarray(frames.time), frames.own_times
        self._each = 2 if frames.field_order else 1
        self._first, self._counting = first, counting
        self._next = 0

    def times_of(self, picture: VideoFrame) -> list[float]:
        """The time in s of a picture, or of its two fields; none if it is not one of the frames."""
        place = self._place(picture) if self._own else self._next
        if place is None:
            return []
        self._next = place + self._each
        if self._counting and self._next > len(self._time):
            later = _usual_step(self._time) * np.arange(1, self._each + 1)
            self._time = np.append(self._time, self._time[-1] + later)
        return self._time[place : self._next].tolist()

    def _place(self, picture: VideoFrame) -> int | None:
        """Where the time that a picture's stamp tells is among the times, if it is there and rises."""
        if self._first is None:
            self._first = picture.pts
        if picture.pts is None or self._first is None:
            return None
        time = (picture.pts - self._first) * float(picture.time_base or 1)
        place = int(np.searchsorted(self._time, time - ROUNDING_S))
        known = self._next <= place < len(self._time) and self._time[place] <= time + ROUNDING_S
        return place if known else None


def _usual_step(time: np.ndarray) -> float:
    """The median step in s of times (F)."""
    return float(np.median(np.diff(time))) if len(time) > 1 else 1.0
