"""Body proportions: how large a pose is, when only its shape is known."""

from __future__ import annotations

import numpy as np

from ..skeleton import Skeleton

ANKLE_HEIGHT = 0.039
EAR_HEIGHT = 0.936
"""Heights of landmarks above the ground as shares of stature (Winter, Biomechanics and Motor Control, 2009)."""

MEAN_BONE_M = 0.25
"""Mean length of a bone where the scale is unknown: the 16 bones of H36M-17 are 4.0 m together."""

UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Units of length in which people are measured, in m."""
SHORTEST_M, TALLEST_M = 0.5, 2.5
"""Statures that people have."""

STANDING: dict[str, tuple[float, float, float]] = {
    "pelvis": (0, 0, 0.530), "spine": (0, 0, 0.674), "thorax": (0, 0, 0.818),
    "nose": (0.05, 0, 0.905), "head": (0, 0, 1.0),
    "left_hip": (0, 0.06, 0.530), "left_knee": (0, 0.06, 0.285), "left_ankle": (0, 0.06, ANKLE_HEIGHT),
    "left_shoulder": (0, 0.10, 0.818), "left_elbow": (0, 0.10, 0.632), "left_wrist": (0, 0.10, 0.486),
}  # fmt: skip
"""Positions of joints of a standing body (ahead, left, up), in statures.

Heights and lengths of limbs after Drillis and Contini (Winter, 2009, Fig. 4.1). The widths there are those of the
body's outline; these are those of joint centres, as detectors place them.
"""

_CHAIN = ("head", "thorax", "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle")


def body_size(pose: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Statures (N) of the bodies in poses (N, J, 3), in the poses' unit, whatever their posture; NaN gives NaN.

    A body keeps its bone lengths, so the sum of a pose's bones gives its size relative to the other poses;
    the chain from head to ankles, in the median pose, gives the stature. Feet that were added to a body do not count.
    """
    skeleton, pose = skeleton.body, pose[:, : len(skeleton.body.joints)]
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
    known = (chain / total)[np.isfinite(chain / total)]
    return total * (np.median(known) if len(known) else np.nan) / (top - ANKLE_HEIGHT)


def unit_of_stature(stature: float) -> str | None:
    """The unit of length (``UNITS_M``) in which a stature is one that people have, if it is in any."""
    return next((unit for unit, metres in UNITS_M.items() if SHORTEST_M <= stature * metres <= TALLEST_M), None)


def limb_lengths(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Bones (bone, 2) int64 of a skeleton whose lengths are known, and their lengths (bone) float32 in torsos.

    A torso is the distance from pelvis to thorax. Bones to eyes, ears, hands and feet are left out.
    """
    mirrored = {name.replace("left", "right"): (x, -y, z) for name, (x, y, z) in STANDING.items()}
    at = {name: np.array(place) for name, place in (mirrored | STANDING).items()}
    bones = [bone for bone in skeleton.bones if bone[0] in at and bone[1] in at]
    torso = np.linalg.norm(at["thorax"] - at["pelvis"])
    lengths = [np.linalg.norm(at[start] - at[end]) / torso for start, end in bones]
    indices = np.array([[skeleton.index(start), skeleton.index(end)] for start, end in bones], np.int64)
    return indices, np.array(lengths, np.float32)
