"""A suit with a patch of one colour on every joint, seen by looking for these colours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.detectors import DetectorSettings, People
from pydantic import Field

HUES = np.arange(len(H36M17.joints)) * 180 / len(H36M17.joints)
"""Of the patches, joint by joint, in OpenCV's halves of a degree."""
COLOURED = 120
"""Saturation and brightness (0 to 255) that tell a patch from the rest."""


class PatchSettings(DetectorSettings):
    """Options of the detector; on the command line ``--set detect.whole_px=30``."""

    whole_px: float = Field(20, gt=0, description="area of a patch that is surely seen")

    def build(self, device: str) -> PatchDetector:
        """Nothing could be missing, and no network needs a device."""
        return PatchDetector(self.whole_px)


class PatchDetector:
    """Finds one person, the one who wears the suit."""

    skeleton = H36M17
    confidence_kind = "area of the patch"
    description = "coloured patches"

    def __init__(self, whole_px: float) -> None:
        self.whole_px = whole_px
        text = f"coloured patches 1 {HUES.tolist()} {COLOURED} {whole_px}"
        self.key = hashlib.sha256(text.encode()).hexdigest()

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
            confidence=np.clip(area / self.whole_px, 0, 1)[None].astype(np.float32),
        )
