"""What a person stands on: the joints of a skeleton that touch the ground, and how they move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..skeleton import Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDES = ("left", "right")
TOES = ("big_toe", "foot_index")
"""Joints at the tip of a foot, by preference."""


class Soles(NamedTuple):
    """Joints that touch the ground: heels and toes, or ankles, which are a hand above it."""

    joint: NDArray[np.int64]  # (P) indices
    foot: NDArray[np.int64]  # (P) 0 left, 1 right
    kind: NDArray[np.int64]  # (P) 0 heel or ankle, 1 toe

    @property
    def ankles(self) -> bool:
        """Whether only ankles are known."""
        return not self.kind.any()


def toe_of(skeleton: Skeleton, side: str) -> str | None:
    """The joint at the tip of a foot, if the skeleton has one."""
    return next((f"{side}_{toe}" for toe in TOES if f"{side}_{toe}" in skeleton.joints), None)


def soles_of(skeleton: Skeleton) -> Soles:
    """The joints of a skeleton that touch the ground."""
    found = []
    for foot, side in enumerate(SIDES):
        toe, heel = toe_of(skeleton, side), f"{side}_heel"
        if toe is not None and heel in skeleton.joints:
            found += [(skeleton.index(heel), foot, 0), (skeleton.index(toe), foot, 1)]
        else:
            found.append((skeleton.index(f"{side}_ankle"), foot, 0))
    return Soles(*(np.array(column, np.int64) for column in zip(*found, strict=True)))


def speed_of(points: Array, time: Array) -> Array:
    """Speeds (T, P) of points (T, P, 3) at rising times (T) s; NaN beside what is missing."""
    if len(time) < 2:
        return np.full(points.shape[:2], np.nan)
    return np.linalg.norm(np.gradient(points, time, axis=0), axis=-1)


def runs(state: Mask) -> list[tuple[int, int]]:
    """Starts and ends, exclusive, of the stretches in which a state (T) holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], state, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


SUPPORT = 0.6
"""Where on the way from heel to toe the weight rests, on average over standing and walking."""


def supports(points: Array, soles: Soles) -> Array:
    """Where the weight rests on each foot (T, 2, 3), from the joints of the soles (T, P, 3)."""
    if soles.ankles:
        return points[:, [0, 1]]
    heel, toe = (points[:, soles.kind == kind] for kind in (0, 1))
    return (1 - SUPPORT) * heel + SUPPORT * toe
