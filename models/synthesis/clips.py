"""Windows of frames from recorded clips, at any time step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from .draws import uniform


class Clips:
    """Numbers of frames of several clips, one behind the other, of which windows are drawn.

    What is recorded of the frames (poses, residuals, confidences) stays with the caller, joined in the same
    order. Long clips are drawn more often than short ones, by the root of their lengths: their frames are more alike.

    Args:
        lengths: frames of each clip.
        rates_hz: frame rate of each clip.
    """

    def __init__(self, lengths: Sequence[int], rates_hz: Sequence[float]) -> None:
        self.length, self.rate = torch.tensor(lengths), torch.tensor(rates_hz)
        self.first = self.length.cumsum(0) - self.length
        self.share = self.length.sqrt()

    def windows(self, chance: Generator, size: int, step_s: Tensor) -> Tensor:
        """Frames (N, size) int64 of random windows; the first and last of a clip are repeated beyond its ends.

        Args:
            size: frames of a window, odd; the middle one is any frame of a clip.
            step_s: (N) time between two frames of each window.
        """
        count = len(step_s)
        clip = torch.multinomial(self.share, count, replacement=True, generator=chance)
        length = self.length[clip, None]
        middle = (uniform(chance, count, 1) * length).floor()
        away = (torch.arange(size) - size // 2) * (step_s * self.rate[clip])[:, None]
        frame = (middle + away).round().long().clamp_min(0)
        return self.first[clip, None] + torch.minimum(frame, length - 1)
