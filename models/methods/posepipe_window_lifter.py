"""A network that lifts the 2D poses of a window of frames to one 3D pose, and predicts the error of each joint."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ..networks.lifter import NormalisedBlock
from ..networks.precision import Precision, hidden_layers

_JOINED = 3
"""Frames that a layer joins."""
_NARROWEST = 4
"""Layers are a quarter as wide as the last ones at least; each joining doubles the width."""

_FEWEST = 16
"""Units of a layer at least: sums over the inputs of fewer depend on the place of a row in its batch."""


class WindowLifter(nn.Module):
    """Predicts the pose in the middle of a window from all of its frames.

    Layers join three neighbours at a time, as in Pavllo et al. (CVPR 2019, Fig. 3); residual blocks have layer norm.
    There are many frames and one pose: layers are narrow where frames are many, and the middle frame also enters the
    last joining by itself, in full width. A window of 27 frames costs about twice as much as a single frame, which is
    lifted by residual blocks alone.

    Args:
        joints: number of joints J.
        window: frames, a power of 3.
        width: units of a hidden layer behind the last joining.
        precision: of the hidden layers in training.
    """

    def __init__(self, joints: int, window: int, width: int, precision: Precision) -> None:
        super().__init__()
        self.precision = precision
        joinings = 0
        while _JOINED**joinings < window:
            joinings += 1
        self.frames = _JOINED if joinings else 1
        few = min(_FEWEST, width)
        widths = [max(width // min(2**later, _NARROWEST), few) for later in reversed(range(max(joinings, 1)))]
        self.first = nn.Linear(3 * joints * self.frames, widths[0])
        self.block = NormalisedBlock(widths[0])
        self.joining = nn.ModuleList(nn.Linear(_JOINED * few, more) for few, more in pairwise(widths))
        self.blocks = nn.ModuleList(NormalisedBlock(more) for more in widths[1:])
        self.middle = nn.Linear(3 * joints, width) if self.joining else None
        self.last = nn.Sequential(NormalisedBlock(width), nn.LayerNorm(width), nn.Linear(width, 4 * joints))

    def forward(self, keypoint: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Poses (N, J, 3) and the logarithms (N, J) of the spread of their errors.

        Args:
            keypoint: (N, W, J, 2) root-centred, of unit norm; zeros where a frame is missing.
            confidence: (N, W, J), 0 where missing.
        """
        joints = keypoint.shape[-2]
        # Unit Frobenius norm leaves each coordinate small; the network is easier to start with numbers around 1.
        numbers = torch.cat([keypoint * joints**0.5, confidence[..., None]], -1).flatten(-2)
        with hidden_layers(self.precision, self.training, numbers.device):
            features = self.block(self.first(numbers.unflatten(1, (-1, self.frames)).flatten(-2)))
            for joining, block in zip(self.joining, self.blocks, strict=True):
                joined = joining(features.unflatten(1, (-1, _JOINED)).flatten(-2))
                if self.middle is not None and joined.shape[1] == 1:
                    joined = joined + self.middle(numbers[:, numbers.shape[1] // 2, None])
                features = block(joined)
            features = self.last[:-1](features.squeeze(1))
        told = self.last[-1](features.to(numbers)).unflatten(-1, (joints, 4))
        return told[..., :3], told[..., 3]
