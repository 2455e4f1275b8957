"""MediaPipe BlazePose: the embedded detector, which needs no download.

Its weights are part of the wheel. It tracks one person only, and detects the person again in the
first image of each call.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from typing import Any

import numpy as np

from ...models.skeleton import BLAZEPOSE33
from ..runtime.utilisation import network
from . import DetectorSettings, People


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what MediaPipe's C++ code writes to the standard error at its start."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class MediapipeSettings(DetectorSettings):
    """MediaPipe's BlazePose has no options."""

    def build(self, device: str) -> MediapipeDetector:
        """The embedded detector; it runs on the processor."""
        return MediapipeDetector()


class MediapipeDetector:
    """BlazePose full, 33 landmarks of one person per image."""

    skeleton = BLAZEPOSE33
    confidence_kind = "visibility"

    def __init__(self) -> None:
        release = version("mediapipe")
        self.description = f"MediaPipe {release} BlazePose full (embedded weights, one person, finds its own box)"
        self.key = hashlib.sha256(f"mediapipe {release} blazepose-full unsmoothed".encode()).hexdigest()

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """The person that BlazePose tracks through consecutive images (H, W, 3) uint8 BGR, from a fresh start."""
        import mediapipe  # takes seconds, and is not needed for what is in the cache

        images = iter(images)
        first = next(images, None)
        if first is None:
            return
        with mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=False) as pose:
            with _quiet():
                people = self._detect(pose, first)
            yield people
            for image in images:
                yield self._detect(pose, image)

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether BlazePose finds a person in each image (H, W, 3) uint8 BGR by itself, without tracking."""
        import mediapipe

        with mediapipe.solutions.pose.Pose(model_complexity=1, static_image_mode=True) as pose:
            for number, image in enumerate(images):
                with _quiet() if number == 0 else nullcontext():
                    people = self._detect(pose, image)
                yield len(people.box) > 0

    def _detect(self, pose: Any, image: np.ndarray) -> People:
        with network():
            found = pose.process(np.ascontiguousarray(image[..., ::-1])).pose_landmarks
        if found is None:
            joints = len(self.skeleton.joints)
            return People(
                np.zeros((0, 4), np.float32), np.zeros((0, joints, 2), np.float32), np.zeros((0, joints), np.float32)
            )
        height, width = image.shape[:2]
        landmarks = np.array([[p.x * width, p.y * height, p.visibility] for p in found.landmark], np.float32)
        keypoint = landmarks[None, :, :2]
        box = np.concatenate([keypoint.min(1), keypoint.max(1)], 1)
        return People(box, keypoint, np.clip(landmarks[None, :, 2], 0, 1))
