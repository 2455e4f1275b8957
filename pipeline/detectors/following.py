"""Boxes from the poses in the previous image, so that a box detector is needed only when people are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from . import People
from .boxes import BoxSource, grown

SURE = 0.3
"""Smallest median confidence of the joints of a visible person, and smallest confidence of joints for the box."""


def follow(
    images: Iterable[np.ndarray],
    first: BoxSource,
    find: Callable[[np.ndarray, np.ndarray], People],
    every: int,
) -> Iterator[People]:
    """The people in consecutive images of one video.

    Args:
        images: (H, W, 3) uint8 BGR.
        first: source of boxes at the start, and when people are lost.
        find: detects the people in an image with boxes (P, 4) px.
        every: ``first`` is used in one image of so many while nobody is seen.
    """
    boxes, looked, next_look = None, np.zeros((0, 4), np.float32), 0
    for number, image in enumerate(images):
        if boxes is None and number >= next_look:
            _, looked = next(iter(first.boxes([image])))
            next_look = number + every
        people = find(image, looked if boxes is None else boxes)
        yield people
        boxes = _boxes_of_next(people, image)


def _boxes_of_next(people: People, image: np.ndarray) -> np.ndarray | None:
    """Boxes (P, 4) px for the next image from the people in this one; None if nobody is seen."""
    found = []
    for keypoint, confidence in zip(people.keypoint, people.confidence, strict=True):
        sure = confidence >= SURE
        if np.median(confidence) >= SURE and (box := grown(_around(keypoint[sure]), image)) is not None:
            found.append(box)
    return np.array(found, np.float32) if found else None


def _around(keypoint: np.ndarray) -> np.ndarray:
    """The box (4) px of joints (J, 2)."""
    return np.concatenate([keypoint.min(0), keypoint.max(0)])
