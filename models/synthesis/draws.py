"""Random numbers from a seeded generator, in the words of the rest of the room."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def uniform(chance: Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Numbers (shape) between two bounds."""
    return torch.rand(shape, generator=chance) * (high - low) + low


def normal(chance: Generator, *shape: int, spread: float = 1.0, mean: float = 0.0) -> Tensor:
    """Numbers (shape) of a normal distribution with a standard deviation."""
    return torch.randn(shape, generator=chance) * spread + mean


def happens(chance: Generator, *shape: int, share: float) -> Tensor:
    """Booleans (shape), true for a share of them."""
    return torch.rand(shape, generator=chance) < share
