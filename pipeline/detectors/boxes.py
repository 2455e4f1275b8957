"""Boxes of people for top-down detectors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Protocol

import numpy as np

from ..errors import PosepipeError
from . import Detector
from .carried import LEAST_OVERLAP, between, spans_of

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
    """Whoever another detector finds in every n-th image; in between each box moves steadily to where it is next."""

    def __init__(self, detector: Detector, every: int = 5) -> None:
        if every < 1:
            raise PosepipeError(f"box_every is {every}; it counts images, so it must be 1 or more")
        self._detector = detector
        self._every = every
        self.description = f"boxes from {detector.description} in every {every}. image"
        parts = f"boxes from poses {detector.key} {every} {MARGIN} {LEAST_OVERLAP}"
        self.key = hashlib.sha256(parts.encode()).hexdigest()

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Consecutive images (H, W, 3) uint8 BGR, each with boxes (P, 4) float32 px: left, top, right, bottom."""
        spans, spans_to_look_at = tee(spans_of(images, self._every))
        people = self._detector.detect(span[-1] for span in spans_to_look_at)
        before = np.zeros((0, 4), np.float32)
        for span, found in zip(spans, people, strict=True):
            grown_boxes = [grown(box, span[-1]) for box in found.box]
            after = np.array([box for box in grown_boxes if box is not None], np.float32).reshape(-1, 4)
            for step, image in enumerate(span, 1):
                yield image, between(before, after, step / len(span))
            before = after

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether the other detector finds anybody in each image (H, W, 3) uint8 BGR."""
        return self._detector.anybody(images)


def blazepose_boxes(every: int = 5) -> BoxesFromPoses:
    """Boxes of everybody from the embedded detector (imports OpenVINO)."""
    from .blazepose.detector import BlazePoseDetector

    return BoxesFromPoses(BlazePoseDetector(every), every)


def grown(box: np.ndarray, image: np.ndarray) -> np.ndarray | None:
    """The box (4) with its margin, within the image; None if nothing is left of it."""
    height, width = image.shape[:2]
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top, right, bottom = box + np.array([-margin, -margin, margin, margin])
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    return np.array([left, top, right, bottom]) if left < right and top < bottom else None
