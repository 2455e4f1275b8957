"""People looked for where they were in the image before, so that another detector need find them only once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from . import People
from .boxes import BoxSource, grown

SURE = 0.3
"""Median confidence of a person's joints from which on the person counts as seen, and of a joint to be in the box."""


def follow(
    images: Iterable[np.ndarray],
    first: BoxSource,
    find: Callable[[np.ndarray, np.ndarray], People],
    every: int,
) -> Iterator[People]:
    """The people in consecutive images of one video.

    Args:
        images: (H, W, 3) uint8 BGR.
        first: where boxes come from at the start, and when nobody is seen any more.
        find: the people in an image and its boxes (P, 4) px.
        every: images between two looks of ``first`` while nobody is seen.
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
    """Where to look in the next image for those who were seen in this one; None if nobody was."""
    found = []
    for keypoint, confidence in zip(people.keypoint, people.confidence, strict=True):
        sure = confidence >= SURE
        if np.median(confidence) >= SURE and (box := grown(_around(keypoint[sure]), image)) is not None:
            found.append(box)
    return np.array(found, np.float32) if found else None


def _around(keypoint: np.ndarray) -> np.ndarray:
    """The box (4) px of joints (J, 2)."""
    return np.concatenate([keypoint.min(0), keypoint.max(0)])
