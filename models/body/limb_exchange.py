"""View augmentation with other movements, composed of those that were seen: an arm or a leg from another moment.

A network trained on seconds of one athlete otherwise recognises a moment by any of its limbs, and fails on new
combinations of arms and legs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..skeleton import Skeleton

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_NEXT = {"hip": "knee", "shoulder": "elbow"}


def exchange_a_limb(joint: Array, skeleton: Skeleton, chance: np.random.Generator) -> tuple[Array, Indices]:
    """Poses (T, J, 3) of the same body with new movements, and the moment (T, J) from which each joint was taken.

    One arm or leg runs through the take, forwards or backwards, from another moment, rotated with the shoulders or
    hips.
    """
    moments = np.arange(len(joint))
    side, start = chance.choice(("left", "right")), chance.choice(tuple(_NEXT))
    limb, first = limb_joints(skeleton, side, start), skeleton.index(f"{side}_{start}")
    when = np.roll(moments, chance.integers(len(moments)))[:: chance.choice((-1, 1))]
    axes = _axes(joint, skeleton, start)
    turn = axes @ np.swapaxes(axes[when], 1, 2)
    made, source = joint.copy(), np.tile(moments[:, None], joint.shape[1])
    hanging = joint[when][:, limb] - joint[when, first, None]
    made[:, limb] = joint[:, first, None] + hanging @ np.swapaxes(turn, 1, 2)
    source[:, limb] = when[:, None]
    return made, source


def limb_joints(skeleton: Skeleton, side: str, start: str) -> Indices:
    """Joints (K) of a side beyond the ``start``, hip or shoulder."""
    before, first = (skeleton.index(f"{side}_{name}") for name in (start, _NEXT[start]))
    found = [first]
    for joint in found:  # which grows
        found += [other for other in _neighbours(skeleton, joint) if other not in (*found, before)]
    return np.array(found)


def _neighbours(skeleton: Skeleton, joint: int) -> list[int]:
    """Joints that share a bone with this one."""
    return [int(bone[bone != joint][0]) for bone in skeleton.bone_indices if joint in bone]


def _axes(joint: Array, skeleton: Skeleton, line: str) -> Array:
    """Columns (T, 3, 3): up the trunk, to the left along hips or shoulders, and across both."""
    names = ("pelvis", "thorax", f"right_{line}", f"left_{line}")
    pelvis, thorax, right, left = np.moveaxis(skeleton.landmark_weights(*names) @ joint, 1, 0)
    up, across = _unit(thorax - pelvis), left - right
    across = _unit(across - (across * up).sum(-1, keepdims=True) * up)
    return np.stack([up, across, np.cross(up, across)], -1)


def _unit(vector: Array) -> Array:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
