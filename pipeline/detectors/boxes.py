"""Boxes of people for top-down detectors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice, tee
from typing import Protocol

import numpy as np

from ..errors import PosepipeError
from . import Detector

MARGIN = 0.07
"""Margin around the landmarks of a pose, for heads, hands and feet, as a share of the box's larger side."""


class BoxSource(Protocol):
    """Finds people's boxes; has no state between two calls."""

    description: str
    key: str

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Consecutive images (H, W, 3) uint8 BGR, each with its boxes (P, 4) float32 px: left, top, right, bottom."""
        ...

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether anybody is in each image (H, W, 3) uint8 BGR; they are too far apart for tracking."""
        ...


class BoxesFromPoses:
    """The first person that another detector finds in every n-th image; in between, boxes are interpolated linearly.

    If the person is found at one end of such a span only, that box is used; if at neither, the whole image is.
    """

    def __init__(self, detector: Detector, every: int = 5) -> None:
        if every < 1:
            raise PosepipeError(f"box_every is {every}; it counts images, so it must be 1 or more")
        self._detector = detector
        self._every = every
        self.description = f"boxes from {detector.description} in every {every}. image"
        self.key = hashlib.sha256(f"boxes from poses {detector.key} {every} {MARGIN}".encode()).hexdigest()

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Consecutive images (H, W, 3) uint8 BGR, each with one box (1, 4) float32 px: left, top, right, bottom."""
        spans, spans_to_look_at = tee(spans_of(images, self._every))
        people = self._detector.detect(span[-1] for span in spans_to_look_at)
        before = None
        for span, found in zip(spans, people, strict=True):
            after = grown(found.box[0], span[-1]) if len(found.box) else None
            for step, image in enumerate(span, 1):
                yield image, _between(before, after, step / len(span), image)[None].astype(np.float32)
            before = after

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether the other detector finds anybody in each image (H, W, 3) uint8 BGR."""
        return self._detector.anybody(images)


def mediapipe_boxes(every: int = 5) -> BoxesFromPoses:
    """Boxes from MediaPipe (imports mediapipe)."""
    from .mediapipe import MediapipeDetector

    return BoxesFromPoses(MediapipeDetector(), every)


def spans_of(images: Iterable[np.ndarray], every: int) -> Iterator[list[np.ndarray]]:
    """The first image (H, W, 3) alone, then ``every`` at a time; detection runs on the last of each span."""
    images = iter(images)
    size = 1
    while span := list(islice(images, size)):
        yield span
        size = every


def _between(before: np.ndarray | None, after: np.ndarray | None, share: float, image: np.ndarray) -> np.ndarray:
    """The box (4) interpolated between two, one or both of which may be unknown."""
    if before is None:
        return np.array([0, 0, image.shape[1], image.shape[0]]) if after is None else after
    if after is None:
        return before
    return (1 - share) * before + share * after


def grown(box: np.ndarray, image: np.ndarray) -> np.ndarray | None:
    """The box (4) with its margin, within the image; None if nothing is left of it."""
    height, width = image.shape[:2]
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top, right, bottom = box + np.array([-margin, -margin, margin, margin])
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    return np.array([left, top, right, bottom]) if left < right and top < bottom else None
