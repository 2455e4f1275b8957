"""2D pose detectors: what a detector is, and the ones there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from ...models.skeleton import Skeleton

DETECTORS: dict[str, str] = {
    "mediapipe": "posepipe.pipeline.detectors.mediapipe:MediapipeDetector",
    "mmpose": "posepipe.pipeline.detectors.mmpose:MMPoseDetector",
}
"""Detectors by name; the class is imported only when it is used, and made by its ``from_settings``."""


@dataclass(frozen=True)
class People:
    """The people (P) found in one image."""

    box: np.ndarray  # (P, 4) float32 px: left, top, right, bottom
    keypoint: np.ndarray  # (P, J, 2) float32 px
    confidence: np.ndarray  # (P, J) float32 in 0..1


class Detector(Protocol):
    """Finds people and their joints in images.

    A detector keeps nothing between two calls of ``detect``: the same images give the same people,
    bit by bit, so that detection can be resumed at any chunk.
    """

    skeleton: Skeleton
    confidence_kind: str
    """What its confidences are: "heatmap maximum", "SimCC score", "visibility"."""
    description: str
    """For people: which model, from which file, with boxes from where."""
    key: str
    """Content digest of everything that its output depends on: model, weights, settings, library version."""

    @classmethod
    def from_settings(cls, settings: Any, device: str) -> Self:
        """The detector that ``DetectSettings`` describe.

        Raises:
            PosepipeError: something that it needs is missing here.
        """
        ...

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """People in consecutive images of one video, each (H, W, 3) uint8 BGR.

        Images are taken as they are needed and let go, so that memory stays flat.
        """
        ...

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether there is anybody in images of one video that are too far apart to follow people through them."""
        ...
