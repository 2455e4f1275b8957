"""Joining: pieces of track as people, over gaps and behind crossings.

Which piece continues which is an assignment of least total cost of all pieces of a video together (Huang et al.,
"Robust object tracking by hierarchical association of detection responses", ECCV 2008): how far place and size are
from where the motion leads, and how differently people dress. Where the second best assignment costs hardly more,
pieces stay apart, as people of their own; other cameras may tell who they are (``match``).
"""

from __future__ import annotations

import numpy as np

from ...arrays import Detections
from .link import (
    MAX_GROWTH,
    MAX_JUMP,
    SPEED,
    VELOCITY_S,
    assigned,
    centre_and_height,
    gains,
    meetings,
    misfit,
    velocity,
    worn,
)

PLACE, WANDER = 0.3, 1.0
"""Standard deviation of a predicted place, in body heights, at once and what it grows by in a second."""
GROWTH = 0.2
"""Standard deviation of the logarithm of the ratio of two sizes."""
LARGEST = 40.0
"""Largest cost (chi-squared) of a continuation."""
LEAST_S = 0.15
"""How long a piece lasts at least that says something."""
CLEAR = 4.0
"""By how much the second best assignment must cost more."""


def join(found: Detections, pieces: list[np.ndarray]) -> list[np.ndarray]:
    """People, each as indices (N) of detections in order of time, of pieces of track.

    What is joined is known better, so that more can be joined then. Pieces of a moment say too little to take part.
    """
    near = meetings(found)
    lasting = np.array([np.ptp(found.time[found.frame[piece]]) >= LEAST_S for piece in pieces], bool)
    people = sorted(
        (piece for piece, lasts in zip(pieces, lasting, strict=True) if lasts), key=lambda piece: int(piece[0])
    )
    while len(people) > 1:
        cost, together = _cost(found, people, near)
        successor = assigned(cost)
        successor[gains(cost, successor, together, together) < CLEAR] = -1
        if (successor < 0).all():
            break
        people = _chained(people, successor)
    return people + [piece for piece, lasts in zip(pieces, lasting, strict=True) if not lasts]


def _chained(pieces: list[np.ndarray], successor: np.ndarray) -> list[np.ndarray]:
    """Pieces joined with those that continue them, of which each comes behind it in order of time."""
    chains = dict(enumerate(pieces))
    for piece in range(len(pieces) - 1, -1, -1):
        if (after := int(successor[piece])) >= 0:
            chains[piece] = np.concatenate([chains[piece], chains.pop(after)])
    return list(chains.values())


def _cost(found: Detections, pieces: list[np.ndarray], near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cost (P, P) of pieces going on as others, inf where impossible; and which are there at the same time (P, P)."""
    first, last = (np.array([piece[end] for piece in pieces]) for end in (0, -1))
    start, end = found.time[found.frame[first]], found.time[found.frame[last]]
    (came, height_then), (left, height_now) = (centre_and_height(found.box[each]) for each in (first, last))
    motion = np.array([velocity(found, piece[-8:]) for piece in pieces])
    if found.colours is not None:
        alone = [piece if near[piece].all() else piece[~near[piece]] for piece in pieces]
        dress = np.array([worn(found.colours, piece) for piece in alone])
    cost, together = np.full((2, len(pieces), len(pieces)), np.inf)
    for number in range(len(pieces)):
        elapsed = start - end[number]
        after = np.maximum(elapsed, 0)
        reach = VELOCITY_S * (1 - np.exp(-after / VELOCITY_S))
        size = np.minimum(height_now[number], height_then)
        apart = np.linalg.norm(came - left[number], axis=1) / size
        astray = np.linalg.norm(came - left[number] - reach[:, None] * motion[number], axis=1) / size
        growth = np.abs(np.log(height_then / height_now[number]))
        possible = (elapsed > 0) & (apart <= np.maximum(MAX_JUMP, SPEED * after))
        possible &= growth <= np.log(MAX_GROWTH) + after
        chi = np.square(astray / (PLACE + WANDER * after)) + np.square(growth / (GROWTH + after))
        if found.colours is not None:
            chi += np.nan_to_num(misfit(dress[number], dress))
        cost[number] = np.where(possible & (chi < LARGEST), chi, np.inf)
        together[number] = (start <= end[number]) & (end >= start[number])
    return cost, together.astype(bool)
