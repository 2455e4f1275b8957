"""The embedded detector: everybody in the picture, near and far, with weights that are part of the package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from ....models.skeleton import BLAZEPOSE33
from .. import People
from ..checkpoint import file_digest
from ..openvino_runtime import RUNTIME
from . import finder, landmarks
from .following import Follower


class BlazePoseDetector:
    """BlazePose's 33 landmarks of everybody whom MoveNet finds; it runs on the processor.

    Args:
        every: pictures of the video from one image that it is given to the next.
    """

    skeleton = BLAZEPOSE33
    confidence_kind = "visibility"
    VERSION = 2
    """To be raised when the code beside the networks finds something else."""

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._finder, self._landmarks = finder.FinderNetwork(), landmarks.LandmarkNetwork()
        self.description = f"BlazePose full, people found by MoveNet (embedded weights, {RUNTIME})"
        digests = [file_digest(network.WEIGHTS) for network in (finder, landmarks)]
        self.key = hashlib.sha256(" ".join(["blazepose", str(self.VERSION), RUNTIME, *digests]).encode()).hexdigest()

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """The people in consecutive images (H, W, 3) uint8 BGR, who are looked for anew at the first one."""
        follower = Follower(self._finder, self._landmarks, self._every)
        for image in images:
            poses = follower.next(image)
            box = np.concatenate([poses.keypoint.min(1), poses.keypoint.max(1)], 1)
            yield People(box, poses.keypoint, poses.confidence)

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether there is anybody in each image (H, W, 3) uint8 BGR, without following people."""
        return (len(Follower(self._finder, self._landmarks).next(image).region) > 0 for image in images)
