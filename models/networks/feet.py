"""Feet of lifted bodies: heels and big toes, learnt from what several views show.

The body is lifted first, without its feet. A lifter that learns them like other joints lifts bodies less well, as
detectors place feet less exactly, and fails where a detector finds none (*measured* on ``balance4`` with CanonPose:
PMPJPE of the body 39.6 mm without them, 41.7 with, 58 with them where they are hidden).

A picture shows how far a foot is from its ankle across and down. How far in depth follows at training instants from
the other views, which are turned onto each other by their lifted bodies; a small network learns to tell it from the
body and the picture of one view.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..geometry.geometry import mirrored, rotation_towards, where_rows
from ..skeleton import Skeleton
from .lifter import residual_network

WIDTH, BLOCKS = 128, 2
HIDDEN = 0.1
"""Share of the feet in training that the network does not see, as in some frames of clips."""
_TIE = 1e-3
"""Weight, beside those of the views, with which an offset is drawn to 0: what no view shows is not made up."""
_TINY = 1e-9


class FootLifter(nn.Module):
    """Offsets of heels and toes from their ankles, for bodies that were lifted from the same view.

    Offsets are measured in the mean bone length of the body.
    """

    version: ClassVar[int] = 1
    """Raised when training or network change; methods are then trained, and clips lifted, again."""

    bones: Tensor
    ankles: Tensor
    mirror_body: Tensor
    mirror_feet: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        body, first = skeleton.body, len(skeleton.body.joints)
        feet = skeleton.joints[first:]
        ankles = [body.index(f"{foot.partition('_')[0]}_ankle") for foot in feet]
        fixed = {
            "bones": torch.from_numpy(body.bone_indices),
            "ankles": torch.tensor(ankles),
            "mirror_body": torch.from_numpy(body.mirror),
            "mirror_feet": torch.from_numpy(skeleton.mirror[first:] - first),
        }
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor, persistent=False)
        self.network = residual_network(3 * (first + len(feet)), 3 * len(feet), WIDTH, BLOCKS, "layer", 0.0)

    def forward(self, joint: Tensor, offset: Tensor, seen: Tensor) -> Tensor:
        """Offsets (N, F, 3) of feet from their ankles in camera axes.

        Args:
            joint: (N, J, 3) bodies in their mean bone lengths, camera axes.
            offset: (N, F, 2) offsets in the picture, 0 where not seen.
            seen: (N, F) bool.
        """
        known = torch.cat([offset, seen[..., None].to(offset)], -1)
        numbers = torch.cat([joint.flatten(-2), known.flatten(-2)], -1)
        found = self.network(numbers).unflatten(-1, (-1, 3))
        return found + nn.functional.pad(offset, (0, 1))

    def observe(self, joint: Tensor, keypoint: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bodies (..., J, 3) in their mean bone lengths, offsets (..., F, 2) in the picture, trust (..., F) in these.

        Args:
            joint: (..., J, 3) lifted bodies, root-relative in camera axes, in any unit.
            keypoint: (..., J + F, 2) px, with the feet last.
            confidence: (..., J + F), 0 where missing.
        """
        count = joint.shape[-2]
        start, end = self.bones.unbind(-1)
        length = (joint[..., start, :] - joint[..., end, :]).norm(dim=-1).mean(-1)
        joint = joint / length.clamp_min(_TINY)[..., None, None]
        share = confidence[..., :count, None] / confidence[..., :count].sum(-1).clamp_min(_TINY)[..., None, None]
        image, body = keypoint[..., :count, :], joint[..., :2]
        image = image - (share * image).sum(-2, keepdim=True)
        body = body - (share * body).sum(-2, keepdim=True)
        scale = (share * image * body).sum((-2, -1)) / (share * body.square()).sum((-2, -1)).clamp_min(_TINY)
        trust = torch.minimum(confidence[..., count:], confidence[..., self.ankles])
        trust = trust * (scale > 0)[..., None]
        offset = (keypoint[..., count:, :] - keypoint[..., self.ankles, :]) / scale.clamp_min(_TINY)[..., None, None]
        return joint, offset * (trust > 0)[..., None], trust

    def targets(self, joint: Tensor, offset: Tensor, trust: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets (B, V, F, 3) on which all views agree best, and whether two or more show them (B, F).

        Args:
            joint: (B, V, J, 3) bodies, 0 where a view is missing; ``offset`` and ``trust`` as from ``observe``.
        """
        chosen = trust.sum(-1).argmax(1)
        first = joint[torch.arange(len(joint)), chosen]
        R = rotation_towards(first[:, None].expand_as(joint), joint)  # of each view, from the chosen one
        rows = R[..., :2, :]
        weight = trust / trust.sum(1, keepdim=True).clamp_min(_TINY)
        A = torch.einsum("bvf,bvki,bvkj->bfij", weight, rows, rows) + _TIE * torch.eye(3).to(rows)
        b = torch.einsum("bvf,bvki,bvfk->bfi", weight, rows, offset)
        found = torch.linalg.solve(A, b)
        return torch.einsum("bvij,bfj->bvfi", R, found), (trust > 0).sum(1) > 1

    def loss(self, joint: Tensor, offset: Tensor, trust: Tensor, target: Tensor) -> Tensor:
        """Mean distance of offsets from their targets, weighted by trust; half of the people are seen in a mirror.

        Args:
            joint: (N, J, 3), with ``offset`` (N, F, 2), ``trust`` and ``target`` (N, F, 3) of the same views.
        """
        flipped = (torch.rand(len(joint)) < 0.5).to(joint.device)  # drawn on the CPU, whatever the device
        joint = where_rows(flipped, mirrored(joint, self.mirror_body), joint)
        offset = where_rows(flipped, mirrored(offset, self.mirror_feet), offset)
        target = where_rows(flipped, mirrored(target, self.mirror_feet), target)
        trust = where_rows(flipped, trust[:, self.mirror_feet], trust)
        seen = (trust > 0) & (torch.rand(trust.shape).to(trust.device) >= HIDDEN)
        found = self(joint, offset * seen[..., None], seen)
        return (trust * (found - target).norm(dim=-1)).sum() / trust.sum().clamp_min(_TINY)

    @torch.no_grad()
    def place(self, joint: Tensor, keypoint: Tensor, confidence: Tensor) -> Tensor:
        """Bodies (N, J, 3) in camera axes with their feet (N, J + F, 3); see ``observe``."""
        body, offset, trust = self.observe(joint, keypoint, confidence)
        start, end = self.bones.unbind(-1)
        length = (joint[:, start] - joint[:, end]).norm(dim=-1).mean(-1)[:, None, None]
        return torch.cat([joint, joint[:, self.ankles] + length * self(body, offset, trust > 0)], 1)
