"""When pictures are shown: one list of rising times, whatever their time stamps are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

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
    """Whether these are the container's own times, so that a packet's stamp tells when its picture is shown."""


def rising_times(stamps: Sequence[int | None], unit: Fraction, rate: Fraction) -> Times:
    """The times of pictures that were decoded one after the other.

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
    return Times(time - time[0], origin + float(time[0]), bool(np.array_equal(time, stamped)))


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
    return Fraction((len(time) - 1) / float(time[-1] - time[0])).limit_denominator(1001)
