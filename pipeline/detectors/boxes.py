"""Where people are, for detectors that need a box to look into."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import PosepipeError
from . import Detector

MARGIN = 0.07
"""Share of a person's larger side by which heads, hands and feet reach beyond the landmarks of a pose."""


class BoxSource(Protocol):
    """Finds people's boxes; keeps nothing between two calls."""

    description: str
    key: str

    def boxes(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """For each of consecutive images (H, W, 3) uint8 BGR the boxes (P, 4) float32 px: left, top, right, bottom."""
        ...


class BoxesFromPoses:
    """The first person that another detector finds in every n-th image; in between the box moves steadily.

    Images without a person within n images get the whole picture as their box.
    """

    def __init__(self, detector: Detector, every: int = 5) -> None:
        if every < 1:
            raise PosepipeError(f"box_every is {every}; it counts images, so it must be 1 or more")
        self._detector = detector
        self._every = every
        self.description = f"boxes from {detector.description} in every {every}. image"
        self.key = hashlib.sha256(f"boxes from poses {detector.key} {every} {MARGIN}".encode()).hexdigest()

    def boxes(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One box (1, 4) float32 px per image."""
        if not images:
            return []
        looked_at = sorted({*range(0, len(images), self._every), len(images) - 1})
        people = self._detector.detect([images[index] for index in looked_at])
        found = {
            index: box
            for index, person in zip(looked_at, people, strict=True)
            if len(person.box) and _area(box := _grown(person.box[0], images[index])) > 0
        }
        whole = np.array([[0, 0, image.shape[1], image.shape[0]] for image in images], np.float32)
        if not found:
            return list(whole[:, None])
        indices = np.arange(len(images))
        known = np.array(list(found))
        corners = np.array(list(found.values()))
        box = np.stack([np.interp(indices, known, corner) for corner in corners.T], 1).astype(np.float32)
        far = np.abs(indices[:, None] - known).min(1) > self._every
        return list(np.where(far[:, None], whole, box)[:, None])


def mediapipe_boxes(every: int = 5) -> BoxesFromPoses:
    """Boxes from the embedded detector (imports mediapipe)."""
    from .mediapipe import MediapipeDetector

    return BoxesFromPoses(MediapipeDetector(), every)


def _grown(box: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The box with its margin, within the image."""
    height, width = image.shape[:2]
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    return np.clip(box + [-margin, -margin, margin, margin], 0, [width, height, width, height])


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))
