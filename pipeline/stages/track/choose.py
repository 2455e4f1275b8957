"""The choice of the athlete among the people of a video or of a take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...arrays import Detections, Identities
from ...errors import PosepipeError
from ...settings import Place
from .link import centre_and_height

NEAR_S = 0.25
"""How long before or after a moment somebody may be found who is there at that moment."""
AROUND = 0.1
"""By how much a box grows, in sizes of the person, within which a point means that person."""


def shares(people: Identities, person: str) -> np.ndarray:
    """Merit (P) of each identity under the criterion ``person``, relative to the best one."""
    ranking = {"largest": people.height, "longest": people.frames}.get(person, people.score)
    return ranking / ranking.max()


def choose(merit: np.ndarray, person: str) -> int:
    """Index of the person that ``main``, ``largest``, ``longest`` or a number chooses.

    Args:
        merit: (P) of each person under the criterion (``shares``), in order of their score.

    Raises:
        PosepipeError: a number that does not exist.
    """
    if not person.isdecimal():
        return int(np.argmax(merit))
    if int(person) >= len(merit):
        there = "there is only person 0" if len(merit) == 1 else f"the people found are 0 to {len(merit) - 1}"
        raise PosepipeError(f"there is no person {person}; {there}, in order of their score")
    return int(person)


def find_at(place: Place, found: Detections, people: Identities, names: Sequence[str]) -> int:
    """The identity of whoever is at a place of a clip.

    Args:
        names: of the identities, for messages.

    Raises:
        PosepipeError: nobody is; the sentence says who is nearest.
    """
    tracked = np.flatnonzero(people.person >= 0)
    time, person = found.time[found.frame[tracked]], people.person[tracked]
    box, (centre, height) = found.box[tracked], centre_and_height(found.box[tracked])
    point = np.array([place.x, place.y])
    outside = np.maximum(np.maximum(box[:, :2] - point, point - box[:, 2:]), 0)
    away, late = np.linalg.norm(outside, axis=1), np.abs(time - place.time_s)
    now = late <= NEAR_S
    if not now.any():
        nearest = int(np.argmin(late))
        raise PosepipeError(
            f"nobody is seen at {place.time_s:g} s; {names[person[nearest]]} is at {time[nearest]:.2f} s, at "
            f"{_pixels(centre[nearest])}"
        )
    within = now & (away <= AROUND * height)
    if not within.any():
        nearest = int(np.argmin(np.where(now, away, np.inf)))
        raise PosepipeError(
            f"nobody is at {place.words}; the nearest is {names[person[nearest]]}, at {_pixels(centre[nearest])}"
        )
    # Where boxes overlap, the nearest joint tells who is meant.
    joint = np.linalg.norm(found.keypoint[tracked] - point, axis=-1)
    nearest_joint = np.min(joint, axis=1, where=np.isfinite(joint), initial=np.inf) / height
    return int(person[np.argmin(np.where(within, nearest_joint + late / NEAR_S, np.inf))])


def _pixels(point: np.ndarray) -> str:
    return f"{point[0]:.0f},{point[1]:.0f}"
