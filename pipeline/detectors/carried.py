"""Boxes of several people, interpolated between the images in which they are detected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from scipy.optimize import linear_sum_assignment

LEAST_SCORE = 0.3
"""Smallest score of a person's box."""
LEAST_OVERLAP = 0.2
"""Smallest IoU of two boxes of the same person."""


class BoxesNowAndThen(ABC):
    """All people in every n-th image; in between, boxes are interpolated linearly.

    Args:
        every: one image in so many is searched for people.
    """

    def __init__(self, every: int) -> None:
        self._every = every

    @abstractmethod
    def look(self, image: np.ndarray) -> np.ndarray:
        """Boxes (P, 4) float32 px of the people in one image (H, W, 3) uint8 BGR."""

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Consecutive images (H, W, 3) uint8 BGR, each with the boxes (P, 4) float32 px of the people in it."""
        before = np.zeros((0, 4), np.float32)
        for span in spans_of(images, self._every):
            after = self.look(span[-1])
            for step, image in enumerate(span, 1):
                yield image, between(before, after, step / len(span))
            before = after

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether anybody is in each image (H, W, 3) uint8 BGR."""
        return (len(self.look(image)) > 0 for image in images)


def spans_of(images: Iterable[np.ndarray], every: int) -> Iterator[list[np.ndarray]]:
    """The first image (H, W, 3) alone, then ``every`` at a time; detection runs on the last of each span."""
    images = iter(images)
    size = 1
    while span := list(islice(images, size)):
        yield span
        size = every


def between(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Boxes (P, 4) float32 interpolated from ``before`` (A, 4) to ``after`` (B, 4), matched by overlap.

    Unmatched boxes of ``before`` stay until the end, where ``share`` is 1; those of ``after`` exist from the start.
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
