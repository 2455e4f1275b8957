"""Measures of gait, jumps and travel, each with the interval in which it lies with 95 % probability."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .contacts import Contacts
from .events import find_aloft, find_events
from .soles import SIDES, Array, runs

USUAL = 1.96
"""Standard deviations on both sides of a mean that make an interval of 95 %."""
TIME_ERROR_S, PLACE_ERROR = 0.02, 0.01
"""Standard deviation of the time of an event, and of a place in statures."""
STEP_S = (0.2, 1.5)
"""Times between two strikes that make a step."""
TOGETHER_S = 0.1
"""Two feet that strike within this time land together, and step nowhere."""
SHORTEST_STEP = 0.1
"""Travel of the body in a step, in statures, from which on it is one of walking or running."""
SHORTEST_JUMP_S = 0.2
"""Time in the air from which on it is a jump."""


class Measure(NamedTuple):
    """A number, and where it comes from."""

    name: str
    side: str
    """left or right; empty for both or the whole body."""
    value: float
    low: float
    high: float
    unit: str
    of: int
    """How many steps, strides or jumps it is the mean of."""


class Walked(NamedTuple):
    """One person in world axes."""

    mass: Array  # (T, 3) centre of mass, z up
    feet: Array  # (T, 2, 3) where the weight rests on each foot
    time: Array  # (T) s
    contacts: Contacts
    stature: float
    """In the unit of the lengths."""
    unit: str
    scale_deviation: float
    """Relative standard deviation of the scale."""


def find_measures(walked: Walked) -> list[Measure]:
    """All measures that the motion allows."""
    return [*_of_gait(walked), *_of_jumps(walked), *_of_travel(walked)]


class _Step(NamedTuple):
    """From the strike of one foot to that of the other."""

    side: str
    seconds: float
    length: float


class _Stride(NamedTuple):
    """From a strike of a foot to its next."""

    side: str
    seconds: float
    length: float
    stance: float


def _of_gait(walked: Walked) -> list[Measure]:
    steps, strides = _steps(walked), _strides(walked)
    found = []
    for side in ("", *SIDES):
        mine = [step for step in steps if side in ("", step.side)]
        own = [stride for stride in strides if side in ("", stride.side)]
        found += [
            *_lengths(walked, "step_length", side, [step.length for step in mine]),
            *_mean("step_time", side, [step.seconds for step in mine], "s", 1.4 * TIME_ERROR_S),
            *_lengths(walked, "stride_length", side, [stride.length for stride in own]),
            *_mean("stride_time", side, [stride.seconds for stride in own], "s", 1.4 * TIME_ERROR_S),
            *_mean("stance_share", side, [stride.stance for stride in own], "%", 2.0),
        ]
    if steps:
        (cadence,) = _mean("cadence", "", [60 / step.seconds for step in steps], "steps/min", 5.0)
        found.append(cadence)
    found += _lengths(walked, "walking_speed", "", [each.length / each.seconds for each in strides], per_s=True)
    return found


def _strikes(walked: Walked) -> list[tuple[int, float, int]]:
    """Foot, time and frame of every strike but for those of both feet together, which are landings."""
    events = find_events(walked.contacts, walked.time)
    found = [(SIDES.index(one.side), one.time, one.frame) for one in events if one.kind == "foot_strike"]
    times = np.array([time for _, time, _ in found])
    return [one for one in found if (np.abs(times - one[1]) < TOGETHER_S).sum() == 1]


def _place(walked: Walked, foot: int, frame: int) -> Array:
    """Where (3) a foot stands that has struck at a frame."""
    start, end = next(run for run in runs(walked.contacts.standing[:, foot]) if run[0] <= frame < run[1])
    return np.asarray(np.nanmedian(walked.feet[start:end, foot], 0))


def _steps(walked: Walked) -> list[_Step]:
    strikes, found = _strikes(walked), []
    for (foot, time, frame), (other, later, then) in pairwise(strikes):
        travel = (walked.mass[then] - walked.mass[frame])[:2]
        far = float(np.linalg.norm(travel))
        if foot == other or not STEP_S[0] <= later - time <= STEP_S[1] or not far > SHORTEST_STEP * walked.stature:
            continue
        ahead = (_place(walked, other, then) - _place(walked, foot, frame))[:2] @ travel / far
        found.append(_Step(SIDES[other], later - time, float(ahead)))
    return found


def _strides(walked: Walked) -> list[_Stride]:
    strikes, found = _strikes(walked), []
    for (foot, time, frame), (between, _, _), (same, later, then) in zip(
        strikes, strikes[1:], strikes[2:], strict=False
    ):
        far = float(np.linalg.norm((_place(walked, same, then) - _place(walked, foot, frame))[:2]))
        if foot != same or between == foot or not 2 * STEP_S[0] <= later - time <= 2 * STEP_S[1]:
            continue
        if far > 2 * SHORTEST_STEP * walked.stature:
            off = next(
                event.time
                for event in find_events(walked.contacts, walked.time)
                if event.kind == "foot_off" and event.side == SIDES[foot] and event.time > time
            )
            found.append(_Stride(SIDES[foot], later - time, far, 100 * (off - time) / (later - time)))
    return found


def _of_jumps(walked: Walked) -> list[Measure]:
    found = []
    for aloft in find_aloft(walked.contacts, walked.time):
        seconds = aloft.landing - aloft.take_off
        if seconds < SHORTEST_JUMP_S:
            continue
        found += _mean("flight_time", "", [seconds], "s", 1.4 * TIME_ERROR_S)
        height = walked.mass[aloft.start - 1 : aloft.end + 1, 2]
        found += _lengths(walked, "jump_height", "", [float(np.nanmax(height) - height[0])])
    return found


def _of_travel(walked: Walked) -> list[Measure]:
    step = np.linalg.norm(np.diff(walked.mass[:, :2], axis=0), axis=-1)
    known = np.isfinite(step)
    if not known.any():
        return []
    seconds = np.diff(walked.time)[known]
    found = _lengths(walked, "path_length", "", [float(step[known].sum())])
    found += _lengths(walked, "mean_speed", "", [float(step[known].sum() / seconds.sum())], per_s=True)
    return found + _lengths(walked, "top_speed", "", [float((step[known] / seconds).max())], per_s=True)


def _lengths(walked: Walked, name: str, side: str, values: Sequence[float], per_s: bool = False) -> list[Measure]:
    unit = f"{walked.unit}/s" if per_s else walked.unit
    return _mean(name, side, values, unit, PLACE_ERROR * walked.stature, walked.scale_deviation)


def _mean(
    name: str, side: str, values: Sequence[float], unit: str, error: float, relative: float = 0.0
) -> list[Measure]:
    """The mean of values with its interval, if there are any.

    Args:
        error: standard deviation of a single value, where values do not spread by more.
        relative: share by which all values may be wrong together.
    """
    if not len(values):
        return []
    mean, count = float(np.mean(values)), len(values)
    spread = max(float(np.std(values, ddof=1)) if count > 1 else 0.0, error) / np.sqrt(count)
    half = USUAL * float(np.hypot(spread, relative * mean))
    return [Measure(name, side, mean, mean - half, mean + half, unit, count)]
