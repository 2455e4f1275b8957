"""One human in all cameras of a take, found before anything is known of the cameras' clocks.

Two cameras that show the same human agree at some lag, in the geometry of the pose and in the pace of its joints
(``matching``), by far better than two that show different people do at any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from ...arrays import Track
from .matching import Cue, compare
from .signals import RATE, Signal, pose_signals

CANDIDATES = 3
"""People of a camera, the main ones, that are compared."""
NEAR_S = 0.1
"""How far stated offsets may be wrong."""

View = tuple[int, int]
"""A camera and a person that it shows."""


def same_person(tracks: Sequence[Sequence[Track]], given: Mapping[int, float], max_offset_s: float) -> list[int]:
    """For each camera the number of the person that is the same human in all of them, so far as can be told.

    Of several such humans it is the one on whom the cameras agree most.

    Args:
        tracks: all people of each camera, main ones first.
        given: offsets (s) of cameras that are known.
        max_offset_s: how far apart cameras may have started.
    """
    views = [(camera, person) for camera, each in enumerate(tracks) for person in range(min(len(each), CANDIDATES))]
    signals = {view: pose_signals(tracks[view[0]][view[1]]) for view in views}
    evidence: dict[frozenset[View], float] = {}
    for one, other in combinations(views, 2):
        if one[0] != other[0]:
            lags = (given[one[0]] - given[other[0]]) if {one[0], other[0]} <= set(given) else None
            evidence[frozenset((one, other))] = _agreement(signals[one], signals[other], lags, max_offset_s)
    choices = [_followed_from(view, views, len(tracks), evidence) for view in views]
    return max(choices, key=lambda choice: _total(choice, evidence))


def _agreement(
    first: tuple[list[Signal], Signal], second: tuple[list[Signal], Signal], lag_s: float | None, max_offset_s: float
) -> float:
    """Evidence (logarithm of a likelihood ratio) that two views show one human, at the lag where it is largest.

    Args:
        lag_s: how much later the second camera's clock is, if that is known.
    """
    reach = max_offset_s if lag_s is None else abs(lag_s) + NEAR_S
    cues: list[Cue] = [
        compare("geometry", first[0], second[0], round(reach * RATE)),
        compare("motion", [first[1]], [second[1]], round(reach * RATE)),
    ]
    total = cues[0].evidence + cues[1].evidence
    near = np.ones(len(total), bool) if lag_s is None else np.abs(cues[0].lag / RATE - lag_s) <= NEAR_S + 0.5 / RATE
    return float(total[near].max())


def _followed_from(
    start: View, views: Sequence[View], cameras: int, evidence: Mapping[frozenset[View], float]
) -> list[int]:
    """For each camera the person who agrees best with a person of one camera."""
    choice = []
    for camera in range(cameras):
        here = [view for view in views if view[0] == camera]
        best = start if camera == start[0] else max(here, key=lambda view: evidence[frozenset((start, view))])
        choice.append(best[1])
    return choice


def _total(choice: Sequence[int], evidence: Mapping[frozenset[View], float]) -> float:
    return sum(evidence[frozenset(pair)] for pair in combinations(enumerate(choice), 2))
