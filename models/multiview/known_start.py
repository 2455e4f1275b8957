"""The start of the adjustment in known cameras: triangulated joints, and those that cannot be triangulated.

Where two cameras look along nearly one line, or a joint is swapped or hidden, the rays of a joint meet far away or
behind the cameras. No adjustment comes back from there, as images hardly tell such depths. What cannot be of the
athlete is therefore taken from the instants around, relative to the middle of the body.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.epipolar import project, triangulate_robustly

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def start_in_known_cameras(points: Array, confidence: Array, R: Array, t: Array, size: Array, noise: float) -> Array:
    """Joints (T, J, 3) in cameras ``X_camera = R X + t`` of focal length 1, none behind a camera that sees it.

    Args:
        points: (T, V, J, 2) images; finite even where missing.
        confidence: (T, V, J), 0 where missing.
        R: (T, V, 3, 3) camera_from_world.
        t: (T, V, 3), in any unit of length.
        size: (T, V) of the athlete in the images.
        noise: standard deviation of a detection, in sizes.
    """
    world = triangulate_robustly(points, R, t, confidence, 3 * noise * size)
    shown = confidence > 0
    depth = project(world, R, t)[1]
    kept = (shown.sum(1) >= 2) & ((depth > 0) | ~shown).all(1)
    middle = _middle(world, kept)
    away = np.linalg.norm(world - middle[:, None], axis=-1)
    kept &= away < _reach(middle, np.any(shown, -1), R, t, size)[:, None]
    middle = _middle(world, kept)
    offset = _between(np.where(kept[..., None], world - middle[:, None], np.nan))
    return middle[:, None] + np.where(np.isfinite(offset), offset, 0)  # what is kept nowhere is put in the middle


def _middle(world: Array, kept: Mask) -> Array:
    """Medians (T, 3) of the joints that are kept, from other instants where none is."""
    middle = np.full((len(world), 3), np.nan)
    some = kept.any(1)
    middle[some] = np.nanmedian(np.where(kept[some][..., None], world[some], np.nan), 1)
    return _between(middle if some.any() else np.median(world, 1))


def _reach(middle: Array, shown: Mask, R: Array, t: Array, size: Array) -> Array:
    """How far (T) joints may be from the middle of the body: as far as it is large in the picture that shows most."""
    depth = project(middle[:, None], R, t)[1][..., 0]
    length = np.where(shown & (depth > 0), size * depth, np.nan)
    return _between(np.nanmax(np.where(np.isfinite(length).any(1, keepdims=True), length, np.inf), 1))


def _between(values: Array) -> Array:
    """Values (T, ...) with NaN filled in from the instants around, linearly; NaN where there are none at all."""
    columns = values.reshape(len(values), -1).T.copy()
    place = np.arange(len(values))
    for column in columns:
        known = np.isfinite(column)
        if known.any() and not known.all():
            column[~known] = np.interp(place[~known], place[known], column[known])
    return columns.T.reshape(values.shape)
