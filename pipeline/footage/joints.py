"""Which joints those of a file are: declared by the user, or told by their number and the body that they make."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from ...models.skeleton import FEET, H36M17, H36M17_FEET, SKELETONS, Mapping, Skeleton
from ..errors import PosepipeError
from ..settings import check_name

log = logging.getLogger("posepipe")

BY_COUNT = {
    16: ("mpii16",), 17: ("coco17", "h36m17"), 18: ("openpose18",), 23: ("coco23",), 25: ("body25", "body25b"),
    26: ("halpe26",), 33: ("blazepose33",), 133: ("coco23",), 135: ("body25b",), 136: ("halpe26",),
}  # fmt: skip
"""What so many joints without names may be, the usual skeleton first: COCO-WholeBody begins with body and feet,
OpenPose's BODY_135 with those of BODY_25B, AlphaPose's 136 with those of HALPE-26."""
CLEARLY = 0.8
"""Bones of the right skeleton are shorter than this times those of a wrong one, which join any two joints."""
ENOUGH_POSES = 1000


def declared_mapping(names: Sequence[str], parts: dict[str, list[str]], section: str) -> Mapping:
    """The map to H36M-17 from joints of these names: each joint is the middle of ``parts``, else of its own name.

    It has heels and big toes as well where all of them are named or declared.

    Raises:
        PosepipeError: a joint of H36M-17 that nothing stands for, or a name that is none of the joints'.
    """
    for joint in parts:
        check_name("joint of h36m17", joint, H36M17_FEET.joints)
    target = H36M17_FEET if set(FEET) & set(parts) or set(FEET) <= set(names) else H36M17
    weights = np.zeros((len(target.joints), len(names)), np.float32)
    for row, joint in zip(weights, target.joints, strict=True):
        sources = parts.get(joint, [joint])
        for source in sources:
            if source not in names:
                raise PosepipeError(
                    f"h36m17's {joint} is made of {source!r}, but the joints are {', '.join(names)}; "
                    f'say under [{section}.h36m17]: {joint} = ["..."]'
                )
            row[list(names).index(source)] += 1 / len(sources)
    return Mapping(target, target, weights, np.ones(len(weights), np.float32))


def skeleton_of(keypoint: np.ndarray, confidence: np.ndarray, stated: str) -> Skeleton:
    """The skeleton of joints without names: as stated, else the one of so many joints that makes a body of the poses.

    Args:
        keypoint: (P, J, 2) px; a skeleton of fewer joints stands for the first of them.
        confidence: (P, J).

    Raises:
        PosepipeError: an unknown skeleton, or one of another number of joints.
    """
    count = keypoint.shape[1]
    if stated:
        check_name("skeleton", stated, SKELETONS)
        joints = SKELETONS[stated].joints
        begins = any(SKELETONS[name].joints[: len(joints)] == joints for name in BY_COUNT.get(count, ()))
        if len(joints) != count and not begins:
            raise PosepipeError(f"it has {count} joints, but {stated} has {len(joints)}")
        return SKELETONS[stated]
    names = BY_COUNT.get(count, ())
    if not names:
        raise PosepipeError(
            f"it has {count} joints and does not say which: say keypoints.skeleton or keypoints.joints"
        )
    lengths = {name: _bone_length(keypoint, confidence, SKELETONS[name]) for name in names}
    name = min(names, key=lengths.__getitem__)
    others = " or ".join(other for other in names if lengths[name] > CLEARLY * lengths[other])
    if others != name:
        raise PosepipeError(
            f"its {count} joints without names may be those of {others}: say which with keypoints.skeleton"
        )
    log.info("%d joints without names are taken to be those of %s (keypoints.skeleton)", count, name)
    return SKELETONS[name]


def _bone_length(keypoint: np.ndarray, confidence: np.ndarray, skeleton: Skeleton) -> float:
    """Mean length of the bones of limbs and face in poses, in sizes of their boxes."""
    some = slice(None, None, -(-len(keypoint) // ENOUGH_POSES))
    shown = (confidence[some] > 0) & np.isfinite(keypoint[some]).all(-1)
    points = np.where(shown[..., None], keypoint[some], np.nan).astype(np.float64)[shown.sum(1) > 1]
    if not len(points):
        return 1.0
    size = np.linalg.norm(np.nanmax(points, 1) - np.nanmin(points, 1), axis=-1)
    start, end = points[:, skeleton.bone_indices.T].transpose(1, 0, 2, 3)
    length = np.linalg.norm(start - end, axis=-1)[size > 0] / size[size > 0, None]
    return float(length[np.isfinite(length)].mean()) if np.isfinite(length).any() else 1.0
