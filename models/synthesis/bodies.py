"""Other bodies with the same movement: proportions, and what a detector calls a joint."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..skeleton import Skeleton
from .bones import Bones, mixed
from .draws import happens, normal
from .limbs import trunk_axes

LENGTHS = 0.06
"""Standard deviation of the factor of a bone's length; left and right are alike."""
WIDTHS = {"hip": 0.15, "shoulder": 0.1, "nose": 0.12, "head": 0.12}
"""The same of bones that end in these joints, which people and data sets define less alike."""
FARTHEST = 3.0
"""Factors deviate by so many standard deviations at most."""

OTHERWISE = 0.5
"""Share of bodies whose joints are where another detector or data set has them."""
OFFSETS = {"hip": 0.016, "head": 0.02, "nose": 0.015, "spine": 0.015, "thorax": 0.012, "shoulder": 0.012,
           "knee": 0.006, "ankle": 0.007, "elbow": 0.006, "wrist": 0.007, "pelvis": 0.015}  # fmt: skip
"""Standard deviations, along each axis of the trunk, of how far off a joint is then, in statures."""
_OTHER_OFFSET = 0.01
DERIVED = 0.5
"""Share of bodies whose pelvis, thorax and spine are half-way between hips and shoulders, as detectors lack them."""
STATURE = 7.0
"""A stature in mean bone lengths of H36M-17."""


class Bodies:
    """Changes the bodies of windows; the poses that a network learns are those of the changed bodies.

    A picture shows which joints its detector means, so that a network can lift the joints that it is shown instead of
    those of one data set.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        def each(known: dict[str, float], other: float) -> Tensor:
            return torch.tensor([known.get(joint.split("_")[-1], other) for joint in skeleton.joints])

        self.bones = Bones(skeleton)
        self.mirror = torch.from_numpy(skeleton.mirror)
        self._factor, self._offset = each(WIDTHS, LENGTHS), each(OFFSETS, _OTHER_OFFSET)
        self._sides = torch.tensor([joint.startswith(("left", "right")) for joint in skeleton.joints])
        self._axes = torch.from_numpy(skeleton.landmark_weights("pelvis", "thorax", "right_hip", "left_hip"))
        self._pairs = torch.from_numpy(skeleton.bone_indices)
        between = skeleton.landmark_weights("left_hip", "right_hip", "left_shoulder", "right_shoulder")
        shares = {"pelvis": (0.5, 0.5, 0, 0), "thorax": (0, 0, 0.5, 0.5), "spine": (0.25,) * 4}
        self._derived = torch.eye(len(skeleton.joints))
        for name in set(shares) & set(skeleton.joints):
            self._derived[skeleton.index(name)] = torch.tensor(shares[name]) @ torch.from_numpy(between)

    def proportioned(self, chance: Generator, joint: Tensor) -> Tensor:
        """Windows (N, W, J, 3) with other lengths of bones."""
        factor = 1 + self._factor * normal(chance, len(joint), len(self.mirror)).clamp(-FARTHEST, FARTHEST)
        factor = 1 + (factor - 1 + (factor - 1)[:, self.mirror]) * torch.where(self._sides, 0.5**0.5, 0.5)
        factor[:, self.bones.root] = 1
        return self.bones.joints(self.bones.vectors(joint) * factor[:, None, :, None])

    def redefined(self, chance: Generator, joint: Tensor) -> tuple[Tensor, Tensor]:
        """Windows (N, W, J, 3) with the joints of other detectors, and which (N) of these derive some joints."""
        count = len(joint)
        offset = self._offset[:, None] * normal(chance, count, len(self.mirror), 3)
        twin = offset[:, self.mirror] * torch.tensor([1.0, -1.0, 1.0])
        offset = torch.where(self._sides[:, None], (offset + twin) * 0.5**0.5, offset * torch.tensor([1.0, 0.0, 1.0]))
        offset = offset * (STATURE * self.bone_length(joint[:, joint.shape[1] // 2]))[:, None, None]
        offset = offset * happens(chance, count, 1, 1, share=OTHERWISE)
        moved = joint + offset[:, None] @ trunk_axes(mixed(joint, self._axes)).mT
        derived = happens(chance, count, share=DERIVED)
        moved[derived] = self.derive(moved[derived])
        return moved, derived

    def derive(self, point: Tensor) -> Tensor:
        """Points (..., J, C) with pelvis, thorax and spine half-way between hips and shoulders."""
        return mixed(point, self._derived)

    def bone_length(self, joint: Tensor) -> Tensor:
        """Mean lengths (...) of bones of poses (..., J, 3)."""
        start, end = self._pairs.unbind(-1)
        return (joint[..., start, :] - joint[..., end, :]).norm(dim=-1).mean(-1)
