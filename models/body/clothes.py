"""What people wear, as histograms of colours, by which they are told apart where their motion does not say enough.

The colours of the trunk and of the thighs are counted along three opponent axes: brightness, red against green, and
both against blue (Ohta et al., "Color information for region segmentation", 1980). Histograms are compared by the
least movement of colours that makes one the other (the earth mover's distance, Rubner et al., IJCV 2000), which for
one axis is the area between the cumulative histograms.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ..skeleton import Skeleton

BINS, AXES = 8, 3
STRIPS = (("left_shoulder", "right_shoulder", "left_hip", "right_hip"), ("left_hip", "left_knee"),
          ("right_hip", "right_knee"))  # fmt: skip
"""Between which joints clothes are looked at: the trunk and both thighs."""
PART = np.array([0, 1, 1])
"""Of each strip: both thighs are one part."""
COLOURS = (PART.max() + 1) * AXES * BINS
"""Numbers that describe what somebody wears."""
BREADTH = 0.35
"""Least width of a trunk, as of one seen from the side, in its lengths."""
LIMB = 0.25
"""Width of a thigh, in its lengths."""
INSIDE = 0.75
"""Share of a part's length and width that counts, so that what is behind does not."""
_DOWN, _ASIDE = (INSIDE / 2 * axis.ravel()
                 for axis in np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 5), indexing="ij"))  # fmt: skip


def colours_worn(image: np.ndarray, keypoint: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Histograms (P, COLOURS) float32 of what people wear; NaN for those of whom the picture shows too little.

    Args:
        image: (H, W, 3) uint8 BGR.
        keypoint: their joints (P, J, 2) px.
    """
    joint = _weights(skeleton) @ np.nan_to_num(keypoint, nan=-1e6)
    left, right, left_hip, right_hip = (joint[:, number] for number in range(4))
    start = np.stack([(left + right) / 2, joint[:, 4], joint[:, 6]], 1)
    end = np.stack([(left_hip + right_hip) / 2, joint[:, 5], joint[:, 7]], 1)
    along = end - start
    length = np.linalg.norm(along, axis=-1)
    width = LIMB * length
    width[:, 0] = np.maximum(np.linalg.norm(left - right, axis=-1), BREADTH * length[:, 0])
    across = along[..., ::-1] * [1, -1] * (width / np.maximum(length, 1e-6))[..., None]
    middle = (start + end) / 2
    point = middle[..., None, :] + _DOWN[:, None] * along[..., None, :] + _ASIDE[:, None] * across[..., None, :]
    return _histogram(image, point)


def unlikeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How differently (...) people dress, by histograms (..., COLOURS): 0 for the same, 1 for black beside white.

    NaN where either is unknown.
    """
    apart = np.asarray(one) - np.asarray(other)
    area = np.abs(np.cumsum(apart.reshape(*apart.shape[:-1], COLOURS // BINS, BINS), -1)).sum(-1) / (BINS - 1)
    return np.sqrt(np.square(area).mean(-1))


@cache
def _weights(skeleton: Skeleton) -> np.ndarray:
    """Weights (8, J) float32 that make the ends of the strips of the joints of a skeleton."""
    return skeleton.landmark_weights(*(name for strip in STRIPS for name in strip))


def _histogram(image: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Histograms (P, COLOURS) float32 of the pixels at points (P, strip, N, 2) px."""
    people, size = len(point), image.shape[1::-1]
    inside = ((point > -0.5) & (point < np.array(size) - 0.5)).all(-1)
    person, strip, _ = where = np.nonzero(inside)
    column, row = np.rint(point[where]).astype(int).T
    blue, green, red = image[row, column].T / np.float32(255)
    axes = np.stack([(red + green + blue) / 3, (1 + red - green) / 2, (2 + red + green - 2 * blue) / 4]) * (BINS - 1)
    low = np.minimum(axes.astype(int), BINS - 2)
    # Each pixel counts in two bins, so that a little more light moves little.
    share, part = axes - low, person * (PART.max() + 1) + PART[strip]
    place = (part * AXES + np.arange(AXES)[:, None]) * BINS + low
    counts = np.bincount(np.append(place, place + 1), np.append(1 - share, share), people * COLOURS)
    counts = counts.reshape(people, COLOURS // BINS, BINS)
    known = inside.mean((1, 2)) > 0.5
    made = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    return np.where(known[:, None], made.reshape(people, COLOURS), np.nan).astype(np.float32)
