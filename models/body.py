"""Body proportions: how large a pose is, when only its shape is known."""

from __future__ import annotations

import numpy as np

from .skeleton import Skeleton

ANKLE_HEIGHT = 0.039
EAR_HEIGHT = 0.936
"""Heights of landmarks above the ground as shares of stature (Winter, Biomechanics and Motor Control, 2009)."""

MEAN_BONE_M = 0.25
"""Mean length of a bone where nothing tells the scale: the 16 bones of H36M-17 then measure 4.0 m together."""

_CHAIN = ("head", "thorax", "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle")


def body_size(pose: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Stature that each pose (N, J, 3) stands for, in its own unit (N), however the body is bent.

    A body keeps its bone lengths, so the sum of a pose's bones gives its size relative to the other poses;
    the chain from head to ankles, in the median pose, gives the stature.
    """
    bones = skeleton.bone_indices
    total = np.linalg.norm(pose[:, bones[:, 0]] - pose[:, bones[:, 1]], axis=-1).sum(-1)
    at = dict(zip(_CHAIN, np.einsum("lj,njc->lnc", skeleton.landmark_weights(*_CHAIN), pose), strict=True))

    def length(start: str, end: str) -> np.ndarray:
        return np.linalg.norm(at[start] - at[end], axis=-1)

    legs = [
        length(f"{side}_hip", f"{side}_knee") + length(f"{side}_knee", f"{side}_ankle") for side in ("left", "right")
    ]
    chain = length("head", "thorax") + length("thorax", "pelvis") + (legs[0] + legs[1]) / 2
    top = 1.0 if "head" in skeleton.joints else EAR_HEIGHT
    return total * np.median(chain / total) / (top - ANKLE_HEIGHT)
