"""Where a root-relative pose stands in front of a pinhole camera, by what its joints look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POINT = 1e-6
"""At depth 1: what is smaller is no more than a point, which looks the same at any distance."""


def locate_root(joint: Array, point: Array, weight: Array) -> Array:
    """Roots T (frame, 3) in camera coordinates, in the unit of ``joint``; NaN where the joints do not tell.

    A joint (X, Y, Z) from the root is seen at n = ((X, Y) + T_xy) / (Z + T_z), so that T_xy - n T_z = b with
    b = n Z - (X, Y). These equations are linear in T (the direct linear transform: Hartley and Zisserman, 2004,
    4.1); with weighted means over the joints, n' and b', their least squares have the closed form

        T_z = - sum w (n - n') (b - b') / sum w |n - n'|^2,    T_xy = b' + n' T_z.

    Args:
        joint: (frame, joint, 3) root-relative, camera axes.
        point: (frame, joint, 2) on the image plane at depth 1.
        weight: (frame, joint), 0 where a joint is not seen.
    """
    known = (weight > 0) & np.isfinite(joint).all(-1) & np.isfinite(point).all(-1)
    share = np.where(known, weight, 0)
    share = (share / np.maximum(share.sum(-1, keepdims=True), 1e-12))[..., None]  # (frame, joint, 1)
    joint, point = (np.where(known[..., None], values, 0) for values in (joint, point))
    offset = point * joint[..., 2:] - joint[..., :2]
    middle, mean = (share * point).sum(1), (share * offset).sum(1)
    spread = (share * (point - middle[:, None]) ** 2).sum((1, 2))
    common = (share * (point - middle[:, None]) * (offset - mean[:, None])).sum((1, 2))
    told = (known.sum(-1) >= 2) & (spread > POINT**2) & (common < 0)
    depth = np.where(told, -common / np.where(told, spread, 1), np.nan)
    return np.concatenate([mean + middle * depth[:, None], depth[:, None]], -1)
