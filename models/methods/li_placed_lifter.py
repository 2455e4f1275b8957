"""Networks that tell from a calibrated view what pose a person has and where it is (Li et al., AAAI 2020).

They see image coordinates at focal length 1, not relative to the root, as a person's place in the picture tells
perspective: at an instant or, with the temporal backbone, at the frames of a window around it.
"""

from __future__ import annotations

from math import prod
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..networks.lifter import Norm, residual_network
from ..networks.temporal import TemporalDilated
from ..skeleton import Skeleton

Backbone = Literal["layer_norm", "reslinear", "four_blocks", "temporal"]
Encoding = Literal["parts", "absolute"]

RESIDUAL_BLOCKS: dict[Backbone, tuple[int, Norm]] = {
    "layer_norm": (2, "layer"),
    "reslinear": (2, "batch"),
    "four_blocks": (4, "batch"),
}
"""Backbones of single instants: number of residual blocks, and normalisation (docs/methods.md, Li et al.)."""

NEAREST_M = 0.3
"""Depth of the root beyond which the network chooses."""

_DROPOUT = 0.25
_SMALLEST_SIZE = 1e-6
_BODY_M = 0.35
"""Root mean square of a person's coordinates relative to the root."""
_OUTPUT_SCALE = 0.1


class Body(NamedTuple):
    """What a network consists of between its first and its last layer."""

    backbone: Backbone
    width: int
    frames: tuple[int, ...]
    """Frames that each layer of the temporal backbone joins."""

    @property
    def window(self) -> int:
        """Frames that it looks at."""
        return prod(self.frames) if self.backbone == "temporal" else 1

    def build(self, inputs: int, outputs: int) -> nn.Module:
        """A network from numbers (N, inputs), of the temporal backbone (N, W, inputs), to numbers (N, outputs)."""
        if self.backbone == "temporal":
            return TemporalDilated(inputs, outputs, self.width, self.frames, _DROPOUT)
        blocks, norm = RESIDUAL_BLOCKS[self.backbone]
        return residual_network(inputs, outputs, self.width, blocks, norm, _DROPOUT)


class PlacedLifter(nn.Module):
    """Two networks without common weights: the pose relative to its root, and where the root is.

    Args:
        encoding: "absolute": networks see the coordinates and answer in metres, as in the paper; "parts": they see
            shape, place and size one by one, and say where the root is in proportion to these.
    """

    root: Tensor

    def __init__(self, skeleton: Skeleton, body: Body, encoding: Encoding) -> None:
        super().__init__()
        joints = len(skeleton.joints)
        numbers = 2 * joints + (3 if encoding == "parts" else 0)
        self.lifting = body.build(numbers, 3 * joints)
        self.placing = body.build(numbers, 3)
        self.window, self.encoding = body.window, encoding
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    def pose(self, images: Tensor, confidences: Tensor) -> Tensor:
        """Poses (..., J, 3) relative to the root, in camera axes, of images (..., W, J, 2)."""
        pose = self._run(self.lifting, images, confidences).unflatten(-1, (-1, 3))
        return pose - (self.root @ pose)[..., None, :]

    def position(self, images: Tensor, confidences: Tensor) -> Tensor:
        """Where the roots of images (..., W, J, 2) are (..., 3) in camera axes, always before the camera."""
        answer = self._run(self.placing, images, confidences)
        if self.encoding == "absolute":
            return torch.cat([answer[..., :2], softplus(answer[..., 2:]) + NEAREST_M], -1)
        _, place, size = self._parts(self._filled(middle(images, -3), middle(confidences, -2)))
        # Small deviations from the depth that the size suggests: once depth has collapsed, it does not recover.
        answer = _OUTPUT_SCALE * answer
        depth = _BODY_M / size * softplus(answer[..., 2:]) / softplus(torch.zeros_like(size)) + NEAREST_M
        return torch.cat([depth * (place + size * answer[..., :2]), depth], -1)

    def _run(self, network: nn.Module, images: Tensor, confidences: Tensor) -> Tensor:
        """Output (..., O) for images (..., W, J, 2) in the form that the settings say; missing frames are zeros."""
        filled = self._filled(images, confidences)
        numbers = filled.flatten(-2)
        if self.encoding == "parts":
            shape, place, size = self._parts(filled)
            numbers = torch.cat([shape.flatten(-2), place, size.log()], -1)
        numbers = numbers * (confidences > 0).any(-1, keepdim=True)
        numbers = numbers if self.window > 1 else numbers.squeeze(-2)
        before = images.shape[:-3]
        return network(numbers.flatten(0, len(before) - 1)).unflatten(0, before)

    def _filled(self, image: Tensor, confidence: Tensor) -> Tensor:
        """Images (..., J, 2) whose missing joints are put amid the others."""
        visible = (confidence > 0).to(image)[..., None]
        amid = (image * visible).sum(-2, keepdim=True) / visible.sum(-2, keepdim=True).clamp_min(1)
        return torch.where(visible > 0, image, amid)

    def _parts(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shape (..., J, 2) of order 1, place (..., 2) and size (..., 1) that make up images (..., J, 2)."""
        place = self.root @ image
        shape = image - place[..., None, :]
        size = shape.square().mean((-2, -1)).sqrt()[..., None].clamp_min(_SMALLEST_SIZE)
        return shape / size[..., None], place, size


def middle(windows: Tensor, dim: int) -> Tensor:
    """The middle (...) of windows (..., W, ...) along a dimension."""
    return windows.select(dim, windows.shape[dim] // 2)
