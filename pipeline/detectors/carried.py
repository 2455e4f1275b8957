"""Boxes of several people between two looks for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from scipy.optimize import linear_sum_assignment

LEAST_SCORE = 0.3
"""Score from which on a box counts as a person."""
LEAST_OVERLAP = 0.2
"""Share of their union that two boxes have in common if they may be the same person's."""


class BoxesNowAndThen(ABC):
    """All people in every n-th image; in between each box moves steadily to where it is next.

    Args:
        every: images between two looks.
    """

    def __init__(self, every: int) -> None:
        self._every = every

    @abstractmethod
    def look(self, image: np.ndarray) -> np.ndarray:
        """Boxes (P, 4) float32 px of the people in one image (H, W, 3) uint8 BGR."""

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Consecutive images, each with the boxes (P, 4) float32 px of the people in it."""
        before = np.zeros((0, 4), np.float32)
        for span in spans_of(images, self._every):
            after = self.look(span[-1])
            for step, image in enumerate(span, 1):
                yield image, between(before, after, step / len(span))
            before = after

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether there is anybody in each image."""
        return (len(self.look(image)) > 0 for image in images)


def spans_of(images: Iterable[np.ndarray], every: int) -> Iterator[list[np.ndarray]]:
    """The first image, then so many at a time; the last of each is the one to look at."""
    images = iter(images)
    size = 1
    while span := list(islice(images, size)):
        yield span
        size = every


def between(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Boxes (P, 4) float32 at a share of the way from some (A, 4) to others (B, 4), each to the one that it overlaps.

    Boxes that go to none stay, but vanish at the end of the way; those that come from none are there from its start.
    """
    overlap = _overlap(before, after)
    rows, columns = linear_sum_assignment(-overlap)
    pairs = [(a, b) for a, b in zip(rows, columns, strict=True) if overlap[a, b] >= LEAST_OVERLAP]
    here = after.copy()
    for a, b in pairs:
        here[b] = (1 - share) * before[a] + share * after[b]
    gone = np.setdiff1d(np.arange(len(before)), [a for a, _ in pairs]) if share < 1 else np.zeros(0, int)
    return np.concatenate([here, before[gone]]).astype(np.float32)


def _overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union (A, B) of boxes (A, 4) and (B, 4)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (one, other)]
    return common / np.maximum(area[0][:, None] + area[1][None] - common, 1e-9)
