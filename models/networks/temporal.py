"""A network on a window of frames: temporal convolutions with residuals."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn


class TemporalDilated(nn.Module):
    """Output for the middle frame of a window from all of its frames (Pavllo et al., CVPR 2019, Fig. 3).

    A convolution over ``frames[0]`` frames, then for each of the others a residual block: a convolution over so many
    outputs of the previous layer, one over single outputs, plus the middle of the block's input. On a sequence these
    convolutions are dilated by the product of the frames before them. On a single window, strided convolutions give
    the same output and skip what does not reach the middle.

    Args:
        inputs, outputs: features per frame, and per window.
        width: channels.
        frames: odd number of frames that each layer convolves; the window is their product, 243 for five times 3.
        dropout: share of channels that are dropped in training.
    """

    def __init__(self, inputs: int, outputs: int, width: int, frames: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.frames = tuple(frames)
        first, *others = frames
        self.first = _layer(inputs, width, first, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(_layer(width, width, joined, dropout), _layer(width, width, 1, dropout))
            for joined in others
        )
        self.last = nn.Conv1d(width, outputs, 1)

    @property
    def window(self) -> int:
        """Frames of a window."""
        return prod(self.frames)

    def forward(self, numbers: Tensor) -> Tensor:
        """Outputs (N, O) of windows (N, W, I)."""
        features = self.first(numbers.mT)  # (N, width, W / frames[0])
        for joined, block in zip(self.frames[1:], self.blocks, strict=True):
            features = features[..., joined // 2 :: joined] + block(features)
        return self.last(features).squeeze(-1)


def _layer(inputs: int, outputs: int, joined: int, dropout: float) -> nn.Sequential:
    """A convolution over ``joined`` frames, without a bias, as batch norm follows."""
    convolution = nn.Conv1d(inputs, outputs, joined, stride=joined, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout))
