"""2D pose detectors: their interface, and the built-in ones.

A detector is chosen by its settings: a pydantic class, named in ``DETECTORS``, whose ``build`` creates it. Options
under ``[detect]`` beyond the settings of the stage are fields of that class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...models.skeleton import Skeleton
from ..settings.base import StageSettings

DETECTORS: dict[str, str] = {
    "blazepose": "posepipe.pipeline.detectors.blazepose:BlazePoseSettings",
    "mediapipe": "posepipe.pipeline.detectors.blazepose:BlazePoseSettings",  # as it was called in posepipe 0.1
    "mmpose": "posepipe.pipeline.detectors.mmpose_settings:MMPoseSettings",
}
"""Settings classes of detectors by the detectors' names; a class is imported only when it is used."""


@dataclass(frozen=True)
class People:
    """The people (P) found in one image."""

    box: np.ndarray  # (P, 4) float32 px: left, top, right, bottom
    keypoint: np.ndarray  # (P, J, 2) float32 px
    confidence: np.ndarray  # (P, J) float32 in 0..1


class Detector(Protocol):
    """Finds people and their joints in images.

    A detector has no state between two calls of ``detect``: the same images give the same people,
    bit by bit, so that detection can be resumed at any chunk.
    """

    skeleton: Skeleton
    confidence_kind: str
    """Kind of its confidences: "heatmap maximum", "SimCC score", "visibility"."""
    description: str
    """For users: model, file of weights, and source of boxes."""
    key: str
    """Content digest of everything that its output depends on: model, weights, settings, library version."""

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """People in consecutive images of one video, each (H, W, 3) uint8 BGR.

        Images are read on demand and not kept, so that memory use is constant.
        """
        ...

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether anybody is in each image (H, W, 3) uint8 BGR of one video; they are too far apart for tracking."""
        ...


class DetectorSettings(StageSettings):
    """Options of one detector; a detector adds its own fields, which users set as ``detect.NAME``.

    They are not part of the cache's keys, as results depend on ``Detector.key`` alone. A class is imported to check
    users' values, so its file imports heavy packages only in ``build``.
    """

    def build(self, device: str) -> Detector:
        """The detector that these options describe.

        Args:
            device: where networks run: "auto", "cpu", "cuda:1".

        Raises:
            PosepipeError: something that it needs is missing on this machine.
        """
        raise NotImplementedError
