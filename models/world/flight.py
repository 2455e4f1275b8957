"""Flights: while nobody touches them, people fall with g, which tells up and metres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .soles import Array, Mask, runs

G = 9.81
"""Acceleration of a free fall in m/s^2."""
SHORTEST_S, LONGEST_S = 0.25, 1.5
"""Flights that count: the acceleration of shorter ones is too uncertain, longer ones are lost feet."""
TRIM_S = 0.015
"""What is left out at both ends, where toes still touch or motion was smoothed into the contact."""
STATURES_M = (1.0, 2.3)
"""Statures for which what falls may be a person."""
LASTING = 2.0
"""By how much errors that last over several frames widen the deviation of an acceleration."""
BENT = 0.022
"""Standard deviation of an acceleration, times the square of how long it was seen, in statures: errors of joints that
change with the posture, which no residual shows."""
STEEPEST_DEG = 20.0
"""How far the acceleration may point from down."""


class Flight(NamedTuple):
    """One flight, between frames at which a foot touches the ground."""

    start: int
    end: int
    """Frames; the first and the one after the last without contact."""
    acceleration: Array  # (3) of the centre of mass, in lengths per s^2
    deviation: float
    """Standard deviation of each coordinate of it."""


def find_flights(mass: Array, standing: Mask, time: Array, up: Array, stature: float) -> list[Flight]:
    """Flights in which the centre of mass falls as a person's does.

    Args:
        mass: (T, 3) centre of mass, as it was measured, not smoothed; NaN where missing.
        standing: (T, 2) whether feet touch the ground.
        time: (T) s.
        up: (3) roughly up.
        stature: in the unit of ``mass``.
    """
    found = []
    for start, end in runs(~np.any(standing, 1)):
        if start == 0 or end == len(time) or not SHORTEST_S <= time[end] - time[start - 1] <= LONGEST_S:
            continue
        inside = (time >= time[start] + TRIM_S) & (time <= time[end - 1] - TRIM_S) & np.isfinite(mass).all(1)
        if inside.sum() < 5:
            continue
        acceleration, noise = _fall(time[inside], mass[inside])
        falls, size = -float(acceleration @ up), float(np.linalg.norm(acceleration))
        deviation = float(np.hypot(noise, BENT * stature / np.ptp(time[inside]) ** 2))
        likely = G / STATURES_M[1] <= falls / stature <= G / STATURES_M[0]
        if likely and falls > size * np.cos(np.radians(STEEPEST_DEG)):
            found.append(Flight(start, end, acceleration, deviation))
    return found


def _fall(time: Array, mass: Array) -> tuple[Array, float]:
    """Constant acceleration (3) of positions (N, 3), and the standard deviation of a coordinate of it."""
    since = time - time.mean()
    terms = np.stack([np.ones_like(since), since, since**2 / 2], -1)
    inverse = np.linalg.inv(terms.T @ terms)
    parameters = inverse @ terms.T @ mass
    left = mass - terms @ parameters
    spread = np.sqrt(np.square(left).sum() / (3 * (len(time) - 3)))
    return parameters[2], LASTING * float(spread * np.sqrt(inverse[2, 2]))


def metres_of(flights: list[Flight], up: Array) -> tuple[float, float] | None:
    """Metres per unit of length by how fast people fall, and its relative standard deviation; None without flights.

    Args:
        up: (3) unit.
    """
    if not flights:
        return None
    fall = np.array([-flight.acceleration @ up for flight in flights])
    weight = 1 / np.array([flight.deviation for flight in flights]) ** 2
    mean = float(weight @ fall / weight.sum())
    spread = float(1 / np.sqrt(weight.sum()))
    if len(fall) > 2:  # what several flights do not agree on
        spread *= max(1.0, float(np.sqrt(weight @ (fall - mean) ** 2 / (len(fall) - 1))))
    return G / mean, spread / mean
