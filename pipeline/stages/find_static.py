"""Static cameras: whether all views of a take keep to one geometry, where there are no pictures to tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np

from ..arrays import Timeline, Track

SOME_INSTANTS = 400
PIECES = 6
"""Of the take: the geometry of all others must hold in each of them."""
FEWEST_MATCHES = 60
"""Joints that two views must share in a piece of the take."""
NEAR_LINE = 0.012
"""Distance from epipolar lines, in heights of the person, of exact joints. A camera that turns by 8° in the take
causes 0.02 and more, but so do poor detectors, of which nothing can be told."""


def are_static(tracks: Sequence[Track], timeline: Timeline) -> bool:
    """Whether the cameras of a take surely stand still: the geometry of two views stays the same throughout.

    Args:
        tracks: of one person in each camera.
        timeline: of the take.
    """
    frame = timeline.nearest_frame()
    frame = frame[:: -(-len(frame) // SOME_INSTANTS)]
    pairs = list(combinations(range(len(tracks)), 2))
    return bool(pairs) and all(_keep_geometry(tracks[a], tracks[b], frame[:, [a, b]]) for a, b in pairs)


def _keep_geometry(first: Track, second: Track, frame: np.ndarray) -> bool:
    """Whether what two views show in frames (T, 2) of a piece is explained by the geometry of all other pieces."""
    frame = frame[(frame >= 0).all(1)]
    views = list(zip((first, second), frame.T, strict=True))
    seen = np.all([np.asarray(track.confidence)[shown] > 0 for track, shown in views], 0)
    x, y = (np.asarray(track.keypoint)[shown][seen].astype(np.float64) for track, shown in views)
    piece = np.linspace(0, PIECES, len(frame), endpoint=False).astype(int)[np.nonzero(seen)[0]]
    if np.bincount(piece, minlength=PIECES).min() < FEWEST_MATCHES:
        return False
    height = float(np.median(np.ptp(np.asarray(first.box)[frame[:, 0]][:, 1::2], axis=1)))
    for number in range(PIECES):
        here = piece == number
        F, _ = cv2.findFundamentalMat(x[~here], y[~here], cv2.FM_LMEDS)
        if F is None or F.shape != (3, 3) or not _off_lines(F, x[here], y[here]) <= NEAR_LINE * height:
            return False
    return True


def _off_lines(F: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Median distance (px) of points (N, 2) of two views from a geometry (Sampson's distance)."""
    first, second = (np.concatenate([points, np.ones((len(points), 1))], 1) for points in (x, y))
    line, back = first @ F.T, second @ F
    slope = np.square(line[:, :2]).sum(1) + np.square(back[:, :2]).sum(1)
    return float(np.median(np.abs((second * line).sum(1)) / np.sqrt(np.maximum(slope, 1e-30))))
