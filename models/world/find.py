"""People in the world: up, ground, contacts and metres from the joints of one person in the axes of a rig.

Who stands tells the ground, and the ground tells who stands: both are found by turns, beginning with feet that are
still.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.body import body_size
from ..skeleton import Skeleton
from .contacts import SPEED, Contacts, find_contacts
from .flight import Flight, find_flights, metres_of
from .floor import Ground, bearing, find_ground, stance_places
from .mass import mass_weights
from .soles import Array, Mask, Soles, soles_of, speed_of, supports
from .vertical import Cue, angle_deg, of_balance, of_flight, of_level_ground, together

ROUNDS = 3
"""How often contacts and ground are found by turns."""
SLOPE_DEG = 9.0
"""By how much the ground may seem to be inclined against the other cues before it counts as a slope."""
SURE_DEG = 3.0
"""Standard deviation of the plane of the feet up to which it can show a slope."""


class Motion(NamedTuple):
    """One person's joints in axes in which the world does not move."""

    joint: Array  # (T, J, 3) smoothed
    raw: Array  # (T, J, 3) as measured
    time: Array  # (T) s, rising
    skeleton: Skeleton


class Standing(NamedTuple):
    """What is known of a person in the world."""

    up: Cue
    ground: Ground
    slope: bool
    """Whether the ground is a slope, so that there is no floor."""
    contacts: Contacts
    soles: Soles
    flights: list[Flight]
    stature: float
    """In the unit of the joints."""
    mass: Array  # (T, 3) centre of mass

    @property
    def metres(self) -> tuple[float, float] | None:
        """Metres per unit of length by flights, and the relative standard deviation; None without flights."""
        return metres_of(self.flights, self.up.direction)


def find_standing(motion: Motion, up: Cue | None = None) -> Standing | None:
    """Up, ground, contacts and flights; None if there are no whole poses.

    Args:
        up: where it is known.
    """
    motion = _without_missing_feet(motion)
    size = body_size(motion.joint, motion.skeleton)
    if not np.isfinite(size).any():
        return None
    stature, soles, time = float(np.nanmedian(size)), soles_of(motion.skeleton), motion.time
    weights = mass_weights(motion.skeleton)
    mass, raw_mass = (np.einsum("j,tjc->tc", weights, joint) for joint in (motion.joint, motion.raw))
    points = motion.joint[:, soles.joint]
    feet = _Feet(points, speed_of(points, time) < SPEED * stature, time, soles, stature)
    start = up or _balance(feet, feet.still, mass)
    if start is None:
        return None
    standing, cue, flights = feet.still, start, list[Flight]()
    for _ in range(ROUNDS):
        others = up or _without_ground(_balance(feet, standing, mass) or start, flights)
        resting = standing & feet.still & bearing(points, cue.direction, soles)
        cue, ground, slope = _stood_on(feet, resting, cue, others, known=up is not None)
        contacts = find_contacts(points, ground.height(points, stature), time, soles, stature)
        standing = contacts.points
        flights = find_flights(raw_mass, contacts.standing, time, cue.direction, stature)
    return Standing(cue, ground, slope, contacts, soles, flights, stature, mass)


class _Feet(NamedTuple):
    """Joints of the soles, and which of them are still."""

    points: Array  # (T, P, 3)
    still: Mask  # (T, P)
    time: Array  # (T) s
    soles: Soles
    stature: float


def _without_missing_feet(motion: Motion) -> Motion:
    """The motion on a skeleton without feet that nobody saw."""
    skeleton = motion.skeleton.shown_by(np.all(np.isfinite(motion.joint), -1))
    kept = len(skeleton.joints)
    return Motion(motion.joint[:, :kept], motion.raw[:, :kept], motion.time, skeleton)


def _balance(feet: _Feet, standing: Mask, mass: Array) -> Cue | None:
    """Up from balance over the feet that stand, or over both where none does at all."""
    support = supports(feet.points, feet.soles)
    down = np.stack([np.any(standing[:, feet.soles.foot == foot], 1) for foot in (0, 1)], 1)
    if not down.any():
        down = np.ones_like(down)
    with np.errstate(invalid="ignore"):
        middle = np.where(down[..., None], support, 0).sum(1) / down.sum(1)[:, None]
    return of_balance(middle, mass)


def _without_ground(balance: Cue, flights: list[Flight]) -> Cue:
    """What balance and flights tell together."""
    if not flights:
        return balance
    acceleration = np.array([flight.acceleration for flight in flights])
    flown = of_flight(acceleration, np.array([flight.deviation for flight in flights]))
    return together([balance, flown])


def _stood_on(feet: _Feet, resting: Mask, cue: Cue, others: Cue, known: bool) -> tuple[Cue, Ground, bool]:
    """Up, the ground on which feet rest, and whether it is a slope.

    Args:
        cue: up as found before.
        others: what is told by other cues than the ground.
        known: whether those are certain.
    """
    places, point = stance_places(feet.points, resting)
    plane = of_level_ground(places, feet.soles.kind[point], cue.direction, feet.stature)
    inclined = plane is not None and _inclined(plane, others)
    slope = plane is not None and inclined and _lie_in(plane, others, feet, resting)
    up = others if known or plane is None or inclined else together([others, plane])
    normal = plane.direction if plane is not None and slope else up.direction
    return up, find_ground(feet.points, resting, normal, feet.time, feet.soles, feet.stature), slope


def _inclined(plane: Cue, up: Cue) -> bool:
    """Whether the plane of the feet is well known, and inclined by more than can be by chance."""
    allowed = max(SLOPE_DEG, 2.5 * float(np.hypot(plane.deg, up.deg)))
    return plane.deg < SURE_DEG and angle_deg(plane.direction, up.direction) > allowed


def _lie_in(plane: Cue, up: Cue, feet: _Feet, resting: Mask) -> bool:
    """Whether feet that stand lie in the plane on which they stand: on stairs they are level, on a slope inclined."""
    if feet.soles.ankles:
        return True
    heel, toe = (feet.soles.kind == kind for kind in (0, 1))
    along = (feet.points[:, toe] - feet.points[:, heel])[resting[:, heel] & resting[:, toe]]
    if not len(along):
        return True
    return bool(np.median(np.abs(along @ plane.direction)) <= np.median(np.abs(along @ up.direction)))
