"""How like the 2D poses that a model has learnt from a 2D pose is: the distance to the nearest of them.

Root-centred poses of unit size are compared, as lifters see them, so that a pose is far off that nobody performed,
and so is a known one that a camera sees from where none stood.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..skeleton import Skeleton

Array = NDArray[np.float32]

_BLOCK = 512
"""Poses compared at once, so that memory stays small."""


def comparable(keypoint: Array, confidence: Array, skeleton: Skeleton) -> Array:
    """2D poses (N, J, 2) relative to the root, of root mean square 1 over the visible joints; NaN where missing.

    Args:
        keypoint: (N, J, 2) px.
        confidence: (N, J), 0 where missing.
    """
    (root,) = skeleton.landmark_weights("pelvis")
    shown = np.where(confidence[..., None] > 0, keypoint, np.nan).astype(np.float32)
    used = np.flatnonzero(root)
    centred = shown - np.einsum("j,njc->nc", root[used], shown[:, used])[:, None]
    seen = np.isfinite(centred).all(-1)
    square = np.where(seen, np.square(np.nan_to_num(centred)).sum(-1), 0)
    size = np.sqrt(square.sum(1) / np.maximum(seen.sum(1), 1))
    return (centred / np.where(size > 0, size, np.nan)[:, None, None]).astype(np.float32)


def distance_to_nearest(pose: Array, known: Array) -> Array:
    """Distance (N) of poses (N, J, 2) from the nearest of the known ones (M, J, 2), both as from ``comparable``.

    The root mean square over the joints that both show; NaN of poses that show none.
    """
    here, there = np.all(np.isfinite(pose), -1), np.all(np.isfinite(known), -1)
    found = np.full(len(pose), np.nan, np.float32)
    b, shown = np.nan_to_num(known), there.astype(np.float32)
    for start in range(0, len(pose), _BLOCK):
        part = slice(start, start + _BLOCK)
        a, seen = np.nan_to_num(pose[part]), here[part].astype(np.float32)
        square = np.square(a).sum(-1) @ shown.T + seen @ np.square(b).sum(-1).T
        square -= 2 * np.einsum("njc,mjc->nm", a, b, optimize=True)
        both = seen @ shown.T
        with np.errstate(invalid="ignore", divide="ignore"):
            found[part] = np.sqrt(np.maximum(np.where(both > 0, square / both, np.nan), 0)).min(1)
    return found
