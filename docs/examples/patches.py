"""A suit with a patch of one colour on every joint, seen by looking for these colours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Self

import cv2
import numpy as np
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.detectors import People

HUES = np.arange(len(H36M17.joints)) * 180 / len(H36M17.joints)
"""Of the patches, joint by joint, in OpenCV's halves of a degree."""
COLOURED = 120
"""Saturation and brightness (0 to 255) that tell a patch from the rest."""
WHOLE_PX = 20
"""Area of a patch that is surely seen."""


class PatchDetector:
    """Finds one person, the one who wears the suit."""

    skeleton = H36M17
    confidence_kind = "area of the patch"
    description = "coloured patches"
    key = hashlib.sha256(f"coloured patches 1 {HUES.tolist()} {COLOURED} {WHOLE_PX}".encode()).hexdigest()

    @classmethod
    def from_settings(cls, settings: Any, device: str) -> Self:
        """There is nothing to choose, and nothing that could be missing."""
        return cls()

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """The person in each picture (H, W, 3) uint8 BGR; none where fewer than half of the patches are seen."""
        return map(self._find, images)

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether each picture shows the person."""
        return (len(people.box) > 0 for people in self.detect(images))

    def _find(self, image: np.ndarray) -> People:
        hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
        y, x = np.nonzero((saturation > COLOURED) & (value > COLOURED))
        apart = np.abs(hue[y, x, None] - HUES)
        joint = np.minimum(apart, 180 - apart).argmin(-1)  # hues go round
        area = np.bincount(joint, minlength=len(HUES))
        if (area > 0).mean() < 0.5:
            nobody = np.zeros((0, len(HUES), 2), np.float32)
            return People(np.zeros((0, 4), np.float32), nobody, nobody[..., 0])
        centre = np.stack([np.bincount(joint, at, len(HUES)) for at in (x, y)], -1) / np.maximum(area, 1)[:, None]
        seen = centre[area > 0]
        return People(
            box=np.concatenate([seen.min(0), seen.max(0)])[None].astype(np.float32),
            keypoint=centre[None].astype(np.float32),
            confidence=np.clip(area / WHOLE_PX, 0, 1)[None].astype(np.float32),
        )
