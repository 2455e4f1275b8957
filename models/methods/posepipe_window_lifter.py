"""A network that lifts the 2D poses of a window of frames to one 3D pose, and predicts the error of each joint."""

from __future__ import annotations

from itertools import repeat

import torch
from torch import Tensor, nn

from ..networks.lifter import NormalisedBlock
from ..networks.precision import Precision, hidden_layers

_JOINED = 3
"""Frames that a layer joins."""


class WindowLifter(nn.Module):
    """Predicts the pose in the middle of a window from all of its frames.

    Layers join three neighbours at a time, as in Pavllo et al. (CVPR 2019, Fig. 3), and add the result to the middle
    one; residual blocks have layer norm. A window of one frame is lifted by residual blocks alone.

    Args:
        joints: number of joints J.
        window: frames, a power of 3.
        width: units of a hidden layer.
        precision: of the hidden layers in training.
    """

    def __init__(self, joints: int, window: int, width: int, precision: Precision) -> None:
        super().__init__()
        self.precision = precision
        layers = 0
        while _JOINED**layers < window:
            layers += 1
        self.frames = _JOINED if layers else 1
        self.first = nn.Linear(3 * joints * self.frames, width)
        self.block = NormalisedBlock(width)
        self.joining = nn.ModuleList(nn.Linear(_JOINED * width, width) for _ in repeat(None, layers - 1))
        self.blocks = nn.ModuleList(NormalisedBlock(width) for _ in repeat(None, layers - 1))
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
                threes = features.unflatten(1, (-1, _JOINED))
                features = block(threes[:, :, _JOINED // 2] + joining(threes.flatten(-2)))
            features = self.last[:-1](features.squeeze(1))
        told = self.last[-1](features.to(numbers)).unflatten(-1, (joints, 4))
        return told[..., :3], told[..., 3]
