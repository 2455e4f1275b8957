"""Which foot stands when: from heights above the floor and speeds, with a probability.

A point of the sole is certainly on the ground while it is low and slow at once. A stretch of contact goes on while it
is moderately so (hysteresis), and lasts for a shortest time. Lengths are in statures, so that nothing depends on the
scale.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .soles import Array, Mask, Soles, runs, speed_of

HEIGHT, SPEED = 0.0215, 0.24
"""Height above the floor (statures) and speed (statures per s) at which contact is as likely as not, each alone."""
STEEP_HEIGHT, STEEP_SPEED = 0.0025, 0.055
"""By how much they change a probability from 0.5 to 0.73."""
SURE, POSSIBLE = 0.7, 0.25
"""Probabilities that a contact reaches at least once, and that it keeps throughout."""
SHORTEST_S = 0.06
"""Shorter contacts, and shorter gaps in contacts, do not count."""
ANKLE_SLACK = 2.0
"""How much wider the limits are for ankles, which rise while the foot rolls."""


class Contacts(NamedTuple):
    """Contact of both feet with the ground, left and right."""

    probability: Array  # (T, 2) in 0..1, NaN where a foot is not known
    standing: Mask  # (T, 2)
    points: Mask  # (T, P) of each joint of the soles by itself


def find_contacts(points: Array, height: Array, time: Array, soles: Soles, stature: float) -> Contacts:
    """Contacts of feet.

    Args:
        points: (T, P, 3) joints of the soles, smoothed, in any axes; NaN where missing.
        height: (T, P) above the ground, along its normal; of joints that are not in the sole, above where they are
            while the foot stands.
        time: (T) s, rising.
        stature: in the unit of the points.
    """
    slack = ANKLE_SLACK if soles.ankles else 1.0
    low = _falling(height / stature, slack * HEIGHT, slack * STEEP_HEIGHT)
    slow = _falling(speed_of(points, time) / stature, slack * SPEED, slack * STEEP_SPEED)
    each = low * slow
    in_contact = np.stack([_stretches(one, time) for one in each.T], 1)
    probability, standing = np.full((len(time), 2), np.nan), np.zeros((len(time), 2), bool)
    for foot in (0, 1):
        mine = soles.foot == foot
        known = np.isfinite(each[:, mine]).any(1)
        probability[known, foot] = np.nanmax(each[known][:, mine], 1)
        standing[:, foot] = _without_blinks(np.any(in_contact[:, mine], 1), time)
    return Contacts(probability, standing, in_contact)


def _falling(value: Array, middle: float, steep: float) -> Array:
    """Logistic functions that fall from 1 to 0 around a middle."""
    return 1 / (1 + np.exp(((value - middle) / steep).clip(-50, 50)))


def _stretches(probability: Array, time: Array) -> Mask:
    """When a point is in contact (T)."""
    here = np.zeros(len(time), bool)
    for start, end in runs(probability >= POSSIBLE):
        here[start:end] = bool((probability[start:end] >= SURE).any())
    return _without_blinks(here, time)


def _without_blinks(here: Mask, time: Array) -> Mask:
    """A state (T) without gaps and stretches that are too short; those at the ends of the clip stay."""
    if len(time) < 2:
        return here
    here, step = here.copy(), float(np.median(np.diff(time)))
    for value in (False, True):
        for start, end in runs(here == value):
            inside = start > 0 and end < len(here)
            if inside and time[end - 1] - time[start] + step < SHORTEST_S - step / 2:
                here[start:end] = not value
    return here
