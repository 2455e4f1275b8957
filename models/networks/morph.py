"""The skeleton morph of CanonPose: a network that maps a detector's joints to another definition of these joints.

Detectors and references define hips or shoulders differently. Wandt et al., CanonPose (CVPR 2021), Sec. 3.5,
learn the difference from pairs of detections and reference 2D poses of one subject, who is excluded from training
otherwise: a residual network on normalised 2D poses. Unlike the released code, ours then normalises root and norm
again, as later stages rely on both.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..geometry.geometry import normalise_keypoints
from ..skeleton import Skeleton
from .lifter import PublishedBlock

WIDTH = 1024


class Morph(nn.Module):
    """A linear layer, two residual blocks and a linear layer, whose output is added to the pose."""

    version: ClassVar[int] = 1
    """Raised when the network changes: joints are then moved again."""

    root: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        numbers = 2 * len(skeleton.joints)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(numbers, WIDTH), PublishedBlock(WIDTH), PublishedBlock(WIDTH), nn.Linear(WIDTH, numbers)
        )

    def forward(self, pose: Tensor) -> Tensor:
        """Poses (N, J, 2), root-centred and of unit norm, plus the learnt displacements."""
        return pose + self.layers(pose.flatten(-2)).unflatten(-1, (-1, 2))

    def loss(self, found: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
        """Mean squared difference of the morphed poses from the reference ones, both normalised by the same joints.

        Args:
            found, wanted: (N, J, 2) px, 0 where missing.
            known: (N, J), 1 where both have the joint, else 0.
        """
        pose, seen = normalise_keypoints(found, known, self.root)
        target, there = normalise_keypoints(wanted, known, self.root)
        counts = (known * (seen & there)[:, None])[..., None]
        return ((self(pose) - target).square() * counts).sum() / counts.sum().clamp_min(1) / 2

    @torch.no_grad()
    def morph(self, keypoint: Tensor, confidence: Tensor) -> Tensor:
        """Poses (N, J, 2) px with their joints moved; root and size in the picture stay.

        Poses without root stay as they are, and joints that are missing stay missing.

        Args:
            keypoint: (N, J, 2) px, 0 where missing.
            confidence: (N, J), 0 where missing.
        """
        pose, seen = normalise_keypoints(keypoint, confidence, self.root)
        moved, _ = normalise_keypoints(self(pose), confidence, self.root)
        centre = (self.root @ keypoint)[:, None]
        visible = (confidence > 0)[..., None]
        norm = ((keypoint - centre) * visible).square().sum((-2, -1), keepdim=True).sqrt()
        return torch.where(seen[:, None, None] & visible, centre + norm * moved, keypoint)
