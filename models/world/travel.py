"""Travel with feet that stay where they stand: a small, smooth correction of the path of the root.

The pose stays as it is, so that no joint pops; only the whole body is moved.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from .soles import Array, Mask, runs

SHIFT = 0.003
"""Standard deviation of the correction in statures."""
SLIDE = 0.06
"""Standard deviation of the speed of a joint of a sole that stands, in statures per s."""
BEND = 5.0
"""Standard deviation of the acceleration of the correction, in statures per s^2."""
ROLL_S = 0.04
"""At both ends of a stance a foot still rolls, and is not held."""


def hold_feet(points: Array, standing: Mask, time: Array, stature: float) -> Array:
    """Corrections (T, 3) of a path: by them joints of soles that stand move less.

    Feet are measured less well than the whole body, so that they are held softly: *measured* on drawn yards, a
    stiffer hold moves the body off the truth by more than it takes from the sliding of feet.

    Args:
        points: (T, P, 3) joints of the soles, without NaN.
        standing: (T, P) which of them stand.
        time: (T) s, rising.
        stature: in the unit of the points.
    """
    count = len(time)
    if count < 3 or not standing.any():
        return np.zeros((count, 3))
    step = np.maximum(np.diff(time), 1e-6)
    flat = _without_ends(standing, time)
    held = flat[1:] & flat[:-1]
    moved = np.where(held[..., None], np.diff(points, axis=0), 0.0).sum(1)
    # Of the normal equations, which are symmetric with two diagonals beside the main one, the upper part.
    banded = np.zeros((3, count))
    right = np.zeros((count, 3))
    banded[2] += 1 / (SHIFT * stature) ** 2
    weight = held.sum(1) / (SLIDE * stature * step) ** 2
    each = moved / (SLIDE * stature * step[:, None]) ** 2
    banded[2, :-1] += weight
    banded[2, 1:] += weight
    banded[1, 1:] -= weight
    right[:-1] += each
    right[1:] -= each
    bend = 1 / (BEND * stature * step[1:] * step[:-1]) ** 2
    for place, coefficient in enumerate((1.0, -2.0, 1.0)):
        banded[2, place : count - 2 + place] += coefficient**2 * bend
    banded[1, 1:-1] -= 2 * bend
    banded[1, 2:] -= 2 * bend
    banded[0, 2:] += bend
    return np.asarray(solveh_banded(banded, right))


def _without_ends(standing: Mask, time: Array) -> Mask:
    """Stances (T, P) without their ends, in which feet roll."""
    flat = np.zeros_like(standing)
    for point in range(standing.shape[1]):
        for start, end in runs(standing[:, point]):
            inside = time[start:end]
            flat[start:end, point] = (inside >= inside[0] + ROLL_S) & (inside <= inside[-1] - ROLL_S)
    return flat
