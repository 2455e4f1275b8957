"""Training views put together, as methods take them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ..method import Batch, Window
from ..skeleton import Skeleton
from .bodies import STATURE, Bodies
from .cameras import LEVEL, CameraRange, film
from .detections import DetectorModel
from .limbs import LimbExchange

GENERIC_CAMERAS = CameraRange(steep=0.15, tilted=0.25, travelling=0.25)
"""Cameras of a network that knows nothing of the footage it will see."""


class TrainingViews(NamedTuple):
    """Windows as one camera and a detector show them, and the pose that a network is to find."""

    keypoint: Tensor
    """(N, W, J, 2) in any unit, 0 where missing."""
    confidence: Tensor
    """(N, W, J), 0 where missing."""
    pose: Tensor
    """(N, J, 3) of the middle frame, root-relative, in camera axes; NaN where not known."""

    def batch(self) -> Batch:
        """The views as instants of one view each, with windows and labels."""
        middle = self.confidence.shape[1] // 2
        known = self.pose.isfinite().all(-1)
        return Batch(
            keypoint=self.keypoint[:, None, middle],
            confidence=self.confidence[:, None, middle],
            rig=torch.full((len(self.pose),), -1),
            label=self.pose.nan_to_num()[:, None],
            label_confidence=known[:, None].float(),
            window=Window(self.keypoint[:, None], self.confidence[:, None]),
        )


def training_views(keypoint: Tensor, confidence: Tensor, joint: Tensor, root: Tensor) -> TrainingViews:
    """Views with what was detected (N, W, ...) of joints (N, J, 3) in camera axes.

    Args:
        keypoint: (N, W, J, 2), NaN where missing.
        confidence: (N, W, J).
        joint: of the middle frame, NaN where not known.
        root: (J) weights whose mean of joints is the root.
    """
    seen = keypoint.isfinite().all(-1) & (confidence > 0)
    pose = joint - (root @ joint)[:, None]
    return TrainingViews(keypoint.masked_fill(~seen[..., None], 0), confidence * seen, pose)


class Footage(NamedTuple):
    """Windows as cameras see them, before anything is detected."""

    image: Tensor
    """(N, W, J, 2) exact 2D poses."""
    joint: Tensor
    """(N, J, 3) of the middle frame, from the camera, in its axes."""
    unit: Tensor
    """(N) mean length of a bone in units of the image."""
    derived: Tensor
    """(N) bool, whether the detector derives pelvis, thorax and spine from hips and shoulders."""


class Synthesis:
    """Views of any body before any camera, for a lifter that knows nothing of the footage it will see."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.exchange, self.bodies = LimbExchange(skeleton), Bodies(skeleton)
        self.detector = DetectorModel(skeleton)
        self.root = torch.from_numpy(skeleton.landmark_weights("pelvis")[0])

    def film(self, chance: Generator, joint: Tensor) -> Footage:
        """Other bodies, with the limbs that they have (``exchange`` gives them others), before cameras.

        Args:
            chance: generator of all draws, on the CPU.
            joint: (N, W, J, 3) in m, z up.
        """
        bodies, middle = self.bodies, joint.shape[1] // 2
        joint, derived = bodies.redefined(chance, bodies.proportioned(chance, joint))
        bone = bodies.bone_length(joint[:, middle])
        up = torch.tensor([0.0, 0.0, 1.0])
        image, seen = film(chance, joint, self.root, STATURE * bone, LEVEL, up, GENERIC_CAMERAS)
        return Footage(image, seen[:, middle], bone / (self.root @ seen[:, middle])[:, 2], derived)

    def detect(self, chance: Generator, footage: Footage) -> TrainingViews:
        """What a detector makes of footage; the same footage gives other views each time."""
        found = self.detector(chance, footage.image, footage.unit)
        keypoint = found.keypoint.clone()
        keypoint[footage.derived] = self.bodies.derive(keypoint[footage.derived])
        return training_views(keypoint, found.confidence, footage.joint, self.root)
