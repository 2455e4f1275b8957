"""The ground that people stand on: its levels, and how high the soles of feet are above it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .soles import Array, Mask, Soles, runs

STEP = 0.05
"""Least difference of two levels in statures: half of a stair."""
SHORTEST_S = 0.15
"""How long somebody stands on a level at least, all in all."""
LOW = 20
"""Percentile of the heights of soles that rest on the ground which counts as its height: soles do not sink in."""


class Ground(NamedTuple):
    """Levels along a direction, and how high each joint of the soles is above them while it stands."""

    normal: Array  # (3) up, or across a slope
    level: Array  # (L) heights along it, ascending; none if nobody stands
    own: Array  # (P) heights of joints above a level while they stand

    def height(self, points: Array, stature: float) -> Array:
        """Heights (T, P) of joints of soles (T, P, 3) above where they are while they stand on the level below."""
        if not len(self.level):
            return np.full(points.shape[:2], np.nan)
        height = points @ self.normal - self.own
        below = np.searchsorted(self.level - STEP / 2 * stature, height, side="right") - 1
        return height - self.level[below.clip(0)]


def find_ground(points: Array, resting: Mask, normal: Array, time: Array, soles: Soles, stature: float) -> Ground:
    """Levels on which feet rest.

    Args:
        points: (T, P, 3) joints of the soles.
        resting: (T, P) which of them are still and bear the weight.
    """
    height = points @ normal
    own = np.zeros(points.shape[1])
    level = np.zeros(0)
    for _ in range(2):  # heels and toes differ by what they are above the ground, which tells levels better
        level = _levels(np.where(resting, height - own, np.nan), time, stature)
        if not len(level):
            break
        for kind in np.unique(soles.kind):
            mine = soles.kind == kind
            over = Ground(normal, level, np.zeros(int(mine.sum()))).height(points[:, mine], stature)
            there = over[resting[:, mine]]
            if there.size:
                own[mine] = np.percentile(there, LOW)
    return Ground(normal, level, own)


def _levels(height: Array, time: Array, stature: float) -> Array:
    """Levels, ascending, of heights (T, P), which are NaN where nothing rests."""
    known = np.isfinite(height)
    lowest = np.where(known, height, np.inf).min(1)
    lowest = np.sort(lowest[np.isfinite(lowest)])
    if not len(lowest):
        return np.zeros(0)
    step = float(np.median(np.diff(time)))
    parts = np.split(lowest, np.flatnonzero(np.diff(lowest) > STEP * stature) + 1)
    return np.array([np.percentile(part, LOW) for part in parts if len(part) * step >= SHORTEST_S - step / 2])


def bearing(points: Array, up: Array, soles: Soles) -> Mask:
    """Whether a joint belongs to the lower foot (T, P), which bears the weight."""
    height = points @ up
    feet = np.stack([height[:, soles.foot == foot].min(1) for foot in (0, 1)], 1)
    return (feet <= feet.min(1, keepdims=True) + 1e-9)[:, soles.foot]


def stance_places(points: Array, standing: Mask) -> tuple[Array, Array]:
    """Where (N, 3) joints of soles (T, P, 3) stood, once for every stance (T, P), and which joint it was (N)."""
    found = [
        (np.nanmedian(points[start:end, point], 0), point)
        for point in range(points.shape[1])
        for start, end in runs(standing[:, point])
    ]
    places = np.array([place for place, _ in found]).reshape(-1, 3)
    return places, np.array([point for _, point in found], np.int64)
