"""The refinement unit of EpipolarPose: a network that corrects lifted poses, trained on true ones.

Kocabas, Karagoz and Akbas, Self-Supervised Learning of 3D Human Pose using Multi-view Geometry (CVPR 2019), Sec. 3.3,
with the layers, losses and normalisation of its authors' released refiner. It is trained on pairs of lifted and true
poses: results are no longer self-supervised. The paper's poses have 15 joints, those of MPII without the pelvis; ours
have all joints of the skeleton but its root.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..method import Prediction, in_chunks
from ..skeleton import Skeleton
from .lifter import DropoutBlock, dropout_layer

WIDTH = 1024
_DROPOUT = 0.5
_MIN_DEVIATION = 0.01
"""Smallest standard deviation of a coordinate, in mean bone lengths, so that still joints are not amplified."""


class RefinementUnit(nn.Module):
    """Two stages of residual blocks, each of which outputs an estimate; the first is an input of the second.

    Poses are relative to the root and measured in their own mean bone length, then standardised coordinate by
    coordinate with the means and deviations of the training poses, lifted and true.
    """

    version: ClassVar[int] = 1
    """Raised when training or network change; models are then refined again, and clips lifted again."""

    root: Tensor
    bones: Tensor
    joints: Tensor
    lifted_mean: Tensor
    lifted_deviation: Tensor
    true_mean: Tensor
    true_deviation: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        root = torch.from_numpy(skeleton.landmark_weights("pelvis")[0])
        joints = (root != 1).nonzero()[:, 0]
        self.register_buffer("root", root, persistent=False)
        self.register_buffer("joints", joints, persistent=False)
        self.register_buffer("bones", torch.from_numpy(skeleton.bone_indices), persistent=False)
        numbers = 3 * len(joints)
        for kind in ("lifted", "true"):
            self.register_buffer(f"{kind}_mean", torch.zeros(numbers))
            self.register_buffer(f"{kind}_deviation", torch.ones(numbers))
        self.features = nn.Sequential(*dropout_layer(numbers, WIDTH, _DROPOUT))
        self.first_stage = nn.Sequential(DropoutBlock(WIDTH, _DROPOUT), DropoutBlock(WIDTH, _DROPOUT))
        self.first_estimate = nn.Linear(WIDTH, numbers)
        self.features_of_first = nn.Sequential(*dropout_layer(numbers, WIDTH, _DROPOUT))
        self.second_stage = nn.Sequential(DropoutBlock(WIDTH, _DROPOUT), DropoutBlock(WIDTH, _DROPOUT))
        self.second_estimate = nn.Linear(WIDTH, numbers)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)

    @torch.no_grad()
    def standardise(self, lifted: Tensor, true: Tensor) -> None:
        """Store the means and standard deviations of training poses, lifted and true (N, J, 3)."""
        for kind, pose in (("lifted", lifted), ("true", true)):
            numbers, _ = self._numbers(pose)
            getattr(self, f"{kind}_mean").copy_(numbers.mean(0))
            deviation = numbers.std(0, unbiased=False)
            getattr(self, f"{kind}_deviation").copy_(deviation.clamp_min(_MIN_DEVIATION))

    def losses(self, lifted: Tensor, true: Tensor) -> dict[str, Tensor]:
        """Mean squared errors of both estimates, in deviations, for poses (N, J, 3)."""
        target = (self._numbers(true)[0] - self.true_mean) / self.true_deviation
        first, second = self.estimates(self._numbers(lifted)[0])
        mse = nn.functional.mse_loss
        return {"first_estimate": mse(first, target), "second_estimate": mse(second, target)}

    def estimates(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Both estimates (N, numbers) of the true pose, standardised, from the coordinates of lifted poses."""
        features = self.features((numbers - self.lifted_mean) / self.lifted_deviation)
        staged = self.first_stage(features)
        first = self.first_estimate(staged)
        second = features + self.second_stage(self.features_of_first(first) + staged + features)
        return first, self.second_estimate(second)

    def forward(self, pose: Tensor) -> Tensor:
        """Poses (N, J, 3) corrected, relative to the root, in the unit of those given; NaN gives NaN."""
        numbers, length = self._numbers(pose)
        _, estimate = self.estimates(numbers)
        corrected = torch.zeros_like(pose)
        corrected[:, self.joints] = (estimate * self.true_deviation + self.true_mean).unflatten(-1, (-1, 3))
        corrected[pose.isnan().any(-1)] = torch.nan
        return (corrected - (self.root @ corrected)[:, None]) * length[:, None, None]

    @torch.no_grad()
    def refine(self, prediction: Prediction) -> Prediction:
        """A prediction with its poses corrected in camera axes; rotations stay. In eval mode only."""
        (joint,) = in_chunks(lambda pose: (self(pose),), prediction.joint)
        return replace(prediction, joint=joint, canonical=joint @ prediction.camera_from_canonical)

    def _numbers(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (N, numbers) of poses (N, J, 3) in their mean bone lengths, and these (N)."""
        start, end = self.bones.unbind(-1)
        length = (pose[:, start] - pose[:, end]).norm(dim=-1).mean(-1)
        centred = (pose - (self.root @ pose)[:, None]) / length[:, None, None]
        return centred[:, self.joints].flatten(-2), length
