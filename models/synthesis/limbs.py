"""New movements, composed of those that were recorded: an arm or a leg from another moment.

A network trained on few movements otherwise recognises a moment by any of its limbs, and fails on new combinations of
arms and legs.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from ..skeleton import Skeleton
from .bones import Bones, mixed
from .draws import happens

SHARE = 0.2
"""Of the windows in which a limb is exchanged, for each of the four."""


class LimbExchange:
    """Exchanges arms and legs, below the shoulder and the hip, among the windows of a batch."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.bones = Bones(skeleton)
        self.limbs = {
            line: [self.bones.from_joint(skeleton.index(f"{side}_{first}")) for side in ("left", "right")]
            for line, first in (("hip", "knee"), ("shoulder", "elbow"))
        }
        self._lines = {
            line: torch.from_numpy(skeleton.landmark_weights("pelvis", "thorax", f"right_{line}", f"left_{line}"))
            for line in self.limbs
        }

    def __call__(self, chance: Generator, joint: Tensor) -> Tensor:
        """Windows (N, W, J, 3) of which some have limbs of others.

        A limb keeps its movement relative to hips or shoulders, and has the lengths of the body that it joins.
        """
        vector, count = self.bones.vectors(joint), len(joint)
        given = vector.clone()
        length = vector.norm(dim=-1).mean(1)
        for line, limbs in self.limbs.items():
            axes = trunk_axes(mixed(joint, self._lines[line]))
            for limb in limbs:
                taken = happens(chance, count, share=SHARE).nonzero().flatten()
                source = torch.randint(count, (len(taken),), generator=chance)
                turn = axes[taken] @ axes[source].mT
                scale = length[taken][:, limb] / length[source][:, limb].clamp_min(1e-9)
                moved = given[source[:, None], :, limb[None]].transpose(1, 2) @ turn.mT
                vector[taken[:, None], :, limb[None]] = (moved * scale[:, None, :, None]).transpose(1, 2)
        return self.bones.joints(vector)


def trunk_axes(point: Tensor) -> Tensor:
    """Columns (..., 3, 3): up the trunk, to the left along hips or shoulders, and across both.

    Args:
        point: (..., 4, 3) pelvis, thorax, right and left end of the line.
    """
    pelvis, thorax, right, left = point.unbind(-2)
    up, across = normalize(thorax - pelvis, dim=-1), left - right
    across = normalize(across - (across * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([up, across, torch.linalg.cross(up, across)], -1)
