"""Whether two cameras are one: copies of a video in another size show the same poses at another scale."""

from __future__ import annotations

import numpy as np

SAME_VIEW = 0.12
"""Views that are less unlike are one; those of cameras more than about 6 degrees apart are more unlike."""

LEAST = 100
"""Joints that both views must show for a verdict."""

ROUNDS = 10
TOLERANCE = 3.0
"""Points so many medians off a line weigh half (Cauchy)."""


def unlikeness(first: np.ndarray, second: np.ndarray) -> float:
    """How much of what one view shows does not follow from the other by scale and shift: near 0 if they are one.

    Along each axis of the pictures a line is laid through the coordinates of joints in both views, robustly: through
    those in the picture, and through those about the middle of the person, so that neither the way that the person
    goes nor the pose alone makes views alike. The median distance from a line is divided by the median distance of
    the coordinates from their middle; the largest of the four is returned.

    Args:
        first, second: (T, J, 2) px, joints at the same instants; NaN where missing.
    """
    known = np.isfinite(first).all(-1) & np.isfinite(second).all(-1)
    if known.sum() < LEAST:
        return np.inf
    pair = np.where(known, np.stack([first, second], 0).astype(np.float64).transpose(3, 0, 1, 2), np.nan)
    pair = pair[..., known.sum(1) > 1, :]  # (axis, view, instant, joint)
    about = pair - np.nanmedian(pair, -1, keepdims=True)  # joints that are wrong do not move it
    lines = [coordinates[:, np.isfinite(coordinates[0])] for coordinates in (*pair, *about)]
    return max(_off_line(x, y) for x, y in lines)


def _off_line(x: np.ndarray, y: np.ndarray) -> float:
    """The median distance of y (N) from the best rising line over x (N), in medians of its spread."""
    spread = float(np.median(np.abs(y - np.median(y))))
    A, weight, off = np.stack([x, np.ones(len(x))], 1), np.ones(len(x)), np.zeros(len(x))
    slope = 0.0
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        slope, shift = np.linalg.lstsq(A * root[:, None], y * root, rcond=None)[0]
        off = np.abs(y - slope * x - shift)
        weight = 1 / (1 + (off / (TOLERANCE * np.median(off) + 1e-9)) ** 2)
    return float(np.median(off)) / max(spread, 1e-9) if slope > 0 else np.inf
