"""Which way is up: cues in the axes of a rig, each with its uncertainty, and what they say together.

A cue is a direction and how well it is known in every direction across. Cues are combined by their precisions; one
that contradicts the others is left out by who asks for it (``find``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .soles import Array

LEAN_DEG = 4.0
"""Standard deviation of the direction from the feet to the centre of mass, on average over a clip: people are in
balance over their feet, but not when they start, stop or turn."""
HEIGHT = 0.008
"""Least standard deviation of the height of a stance, in statures: soles roll and detectors are biased."""
TUKEY = 4.0
"""Residual in standard deviations from which on a stance does not count for the plane (Tukey's biweight)."""
ITERATIONS = 12


class Cue(NamedTuple):
    """A direction in which up may lie."""

    source: str
    direction: Array  # (3) unit
    precision: Array  # (3, 3) per squared rad, of changes across

    @property
    def deg(self) -> float:
        """Standard deviation of the direction in degrees, root mean square over the two ways across."""
        across = _across(self.direction)
        values = np.linalg.eigvalsh(across @ self.precision @ across.T)
        return float(np.degrees(np.sqrt(np.mean(1 / np.maximum(values, 1e-6)))))


def together(cues: Sequence[Cue]) -> Cue:
    """What cues say together, each weighted with its precision.

    Raises:
        ValueError: no cues.
    """
    if not cues:
        raise ValueError("no cue to the vertical")
    up = np.mean([cue.direction for cue in cues], 0)
    for _ in range(ITERATIONS):
        across = _across(up)
        system = sum(across @ cue.precision @ across.T for cue in cues)
        right = sum(across @ cue.precision @ (cue.direction - up) for cue in cues)
        up = up + across.T @ np.linalg.solve(system, right)
        up /= np.linalg.norm(up)
    best = min(cues, key=lambda cue: cue.deg)
    return Cue(best.source, up, np.sum([cue.precision for cue in cues], 0))


def of_balance(feet: Array, mass: Array) -> Cue | None:
    """Up from balance: over time the centre of mass is above the feet.

    Args:
        feet: (T, 3) the middle of both feet; NaN where missing.
        mass: (T, 3) the centre of mass.
    """
    along = mass - feet
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    known = np.isfinite(along).all(-1) & (length[:, 0] > 0)
    if not known.any():
        return None
    direction = np.median(along[known] / length[known], 0)
    direction /= np.linalg.norm(direction)
    return Cue("balance", direction, _isotropic(direction, LEAN_DEG))


def of_level_ground(place: Array, kind: Array, up: Array, stature: float) -> Cue | None:
    """Up as the normal of the plane on which feet stand; None of feet that stand in one place.

    Heels and toes have planes of their own, as they are not equally high above the ground: only where feet stand in
    different places do they tell the plane.

    Args:
        place: (N, 3) where a joint of a sole stood, one for every stance of every joint.
        kind: (N) which of them are compared: 0 heels, 1 toes.
        up: (3) roughly up.
    """
    if len(place) < 3:
        return None
    normal, weight, spread = up, np.ones(len(place)), HEIGHT * stature
    scatter = np.zeros((3, 3))
    for _ in range(ITERATIONS):
        centred = np.array(place)
        for one in np.unique(kind):
            mine = kind == one
            centred[mine] -= np.average(place[mine], axis=0, weights=weight[mine] + 1e-9)
        scatter = np.einsum("n,na,nb->ab", weight, centred, centred)
        across = _across(normal)
        # A weak prior keeps the plane where it is along what its points do not tell.
        system = across @ scatter @ across.T + (HEIGHT * stature / np.radians(30)) ** 2 * np.eye(2)
        normal = normal - across.T @ np.linalg.solve(system, across @ scatter @ normal)
        normal /= np.linalg.norm(normal)
        height = centred @ normal
        spread = max(1.4826 * float(np.median(np.abs(height))), HEIGHT * stature)
        weight = (1 - (height / (TUKEY * spread)) ** 2).clip(0) ** 2
    across = _across(normal)
    precision = across.T @ (across @ scatter @ across.T) @ across / spread**2
    return Cue("level ground", normal, precision)


def of_flight(acceleration: Array, deviation: Array) -> Cue:
    """Up against the acceleration of the centre of mass in flight.

    Args:
        acceleration: (N, 3) in flights.
        deviation: (N) standard deviation of each of their coordinates.
    """
    weight = 1 / deviation**2
    mean = weight @ acceleration / weight.sum()
    size = float(np.linalg.norm(mean))
    direction = -mean / size
    off = np.degrees(1 / (np.sqrt(weight.sum()) * size))
    return Cue("flight", direction, _isotropic(direction, float(off)))


def angle_deg(one: Array, other: Array) -> float:
    """Angle between two unit vectors (3)."""
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))


def _isotropic(direction: Array, deviation_deg: float) -> Array:
    """Precision (3, 3) of a direction that is known equally well in every way across."""
    return (np.eye(3) - np.outer(direction, direction)) / np.radians(deviation_deg) ** 2


def _across(direction: Array) -> Array:
    """Two unit vectors (2, 3) across a direction and each other."""
    least = np.eye(3)[np.abs(direction).argmin()]
    one = np.cross(direction, least)
    one /= np.linalg.norm(one)
    return np.stack([one, np.cross(direction / np.linalg.norm(direction), one)])
