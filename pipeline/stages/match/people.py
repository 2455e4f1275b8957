"""Matching: people across cameras, without calibration.

Two views of one person agree in two ways, even with moving cameras: their root-relative poses at the same instant,
stacked as a (4, joints) matrix, have rank 3 under weak perspective, and their joints move up and down together.
``disagreement`` measures both. People are merged, the best pairs first, into athletes of at most one person per
camera; then those pieces of a track are added that a camera has of them at other times, where it was not clear
whose they are. Whoever is left remains alone: a camera may show somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ...arrays import Athletes, Identities, Timeline, Track
from ...runtime.cache import stage
from .views import SAME, disagreement, seen_at

SAME_ALONE = 0.9
"""The same where each camera shows one person only, who is the same in most takes."""
CLEAR = 0.15
"""By how much a piece of a track must agree better with one person than with others."""


@stage(version=2)
def match_people(tracks: list[list[Track]], people: list[Identities], timeline: Timeline) -> Athletes:
    """Athletes of a take from the tracks of all people in each camera."""
    cameras = [(camera, person) for camera, each in enumerate(tracks) for person in range(len(each))]
    camera = np.array([camera for camera, _ in cameras])
    views = [seen_at(tracks[camera][person].body, timeline, camera) for camera, person in cameras]
    cost, at_once = np.full((len(views), len(views)), np.nan), np.zeros((len(views), len(views)), bool)
    for a, b in combinations(range(len(views)), 2):
        if camera[a] != camera[b]:
            cost[a, b] = cost[b, a] = disagreement(views[a], views[b], timeline.time)
        else:
            at_once[a, b] = at_once[b, a] = (views[a][1].any(1) & views[b][1].any(1)).any()
    groups = _merge(cost, camera, SAME)
    if len(groups) == len(views) == len(tracks):  # one person in each camera, who is the same in most takes
        groups = _merge(np.nan_to_num(cost, nan=SAME), camera, SAME_ALONE)
    groups = _completed(groups, cost, at_once)
    share = np.array([people[camera].score[person] / people[camera].score.max() for camera, person in cameras])
    groups.sort(key=lambda group: -share[group].sum())
    pieces = max(int(np.bincount(camera[group]).max()) for group in groups)
    person = np.full((len(groups), len(tracks), pieces), -1, np.int32)
    agreement = np.full((len(groups), len(tracks)), np.nan, np.float32)
    for row, group in enumerate(groups):
        for number in range(len(tracks)):
            here = [member for member in group if camera[member] == number]
            person[row, number, : len(here)] = sorted(cameras[member][1] for member in here)
            others = cost[np.ix_(here, group)]
            if np.isfinite(others).any():
                agreement[row, number] = 1 - np.nanmedian(others)
    return Athletes(person=person, agreement=agreement)


def _merge(cost: np.ndarray, camera: Sequence[int] | np.ndarray, most: float) -> list[list[int]]:
    """Groups of members of different cameras: average linkage up to ``most``, the two that agree best first."""
    groups = [[member] for member in range(len(camera))]
    while True:
        best, pair = most, None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if {camera[member] for member in groups[a]} & {camera[member] for member in groups[b]}:
                    continue
                mean = _mean(cost[np.ix_(groups[a], groups[b])])
                if mean < best:
                    best, pair = mean, (a, b)
        if pair is None:
            return groups
        groups[pair[0]] += groups.pop(pair[1])


def _completed(groups: list[list[int]], cost: np.ndarray, at_once: np.ndarray) -> list[list[int]]:
    """Groups, those joined that show one person at different times, if it is clear with which group one belongs.

    Args:
        at_once: which members (N, N) one camera sees at the same time.
    """
    done: list[list[int]] = []
    for group in sorted(groups, key=len, reverse=True):
        others = [other for other in done if not at_once[np.ix_(group, other)].any()]
        means = np.array([_mean(cost[np.ix_(group, other)]) for other in others])
        order = np.argsort(means)
        if len(means) and means[order[0]] < SAME and (len(means) == 1 or np.diff(means[order[:2]])[0] > CLEAR):
            others[order[0]].extend(group)
        else:
            done.append(list(group))
    return done


def _mean(cost: np.ndarray) -> float:
    """The mean of those costs that are known; infinite if none is."""
    return float(np.nanmean(cost)) if np.isfinite(cost).any() else np.inf
