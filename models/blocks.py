"""Blocks of frames: what is worked out on the way to a result takes no more memory for a longer clip."""

from __future__ import annotations

BLOCK_FRAMES = 1024


def frame_blocks(start: int, stop: int) -> list[slice]:
    """The frames from ``start`` up to ``stop`` in blocks, in order."""
    return [slice(first, min(first + BLOCK_FRAMES, stop)) for first in range(start, stop, BLOCK_FRAMES)]
