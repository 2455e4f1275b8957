"""Mappings between skeletons: how the joints of the results are built from those that a detector has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .known import H36M17
from .names import SYNONYMS, plain_name, recognise
from .skeleton import Skeleton


@dataclass(frozen=True)
class Mapping:
    """A linear map between skeletons: each target joint is a weighted sum of source joints.

    Its confidence is the smallest among the source joints it uses, times ``trust``: a derived joint
    is never surer than the worst of its parents, and an extrapolated one less.
    """

    source: Skeleton
    target: Skeleton
    weights: np.ndarray  # (target joint, source joint) float32; rows sum to 1, or to 0 where nothing is the joint
    trust: np.ndarray  # (target joint) float32

    def apply(self, keypoint: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (..., source joint, C) and confidences (..., source joint) on the target skeleton.

        A target joint without parents, or any of whose parents is missing (NaN), is NaN with confidence 0.
        """
        used = self.weights != 0
        missing = np.isnan(keypoint).any(-1)
        mapped = np.einsum("ts,...sc->...tc", self.weights, np.where(missing[..., None], 0, keypoint))
        weakest = np.where(used, np.where(missing, 0, confidence)[..., None, :], np.inf).min(-1)
        lost = (used & missing[..., None, :]).any(-1) | ~used.any(-1)
        mapped = np.where(lost[..., None], np.nan, mapped).astype(np.float32)
        return mapped, np.where(lost, 0, weakest * self.trust).astype(np.float32)


_PELVIS = {"left_hip": 0.5, "right_hip": 0.5}
_THORAX = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_SPINE = {joint: 0.25 for joint in (*_PELVIS, *_THORAX)}
# The ears lie about two thirds of the way from the shoulder line to the top of the head.
_HEAD = {"left_ear": 0.75, "right_ear": 0.75, "left_shoulder": -0.25, "right_shoulder": -0.25}
_FROM_EARS = {"pelvis": _PELVIS, "thorax": _THORAX, "spine": _SPINE, "head": _HEAD}

_COMBINATIONS: dict[str, dict[str, dict[str, float]]] = {
    "coco17": _FROM_EARS,
    "coco23": _FROM_EARS,
    "blazepose33": _FROM_EARS | {f"{side}_big_toe": {f"{side}_foot_index": 1} for side in ("left", "right")},
    "body25": _FROM_EARS | {"pelvis": {"mid_hip": 1}, "thorax": {"neck": 1}, "spine": {"mid_hip": 0.5, "neck": 0.5}},
    "body25b": {"pelvis": _PELVIS, "thorax": _THORAX, "spine": _SPINE},
    "openpose18": _FROM_EARS | {"thorax": {"neck": 1}},
    "halpe26": {"pelvis": {"hip": 1}, "thorax": {"neck": 1}, "spine": {"hip": 0.5, "neck": 0.5}},
    "mpii16": {"spine": {"pelvis": 0.5, "thorax": 0.5}, "nose": {"neck": 1}},
}
"""How the joints of the results that a detector's skeleton lacks are built from the joints it has."""

_EXTRAPOLATED = 0.5


def mapping_to_h36m17(source: Skeleton, target: Skeleton = H36M17) -> Mapping:
    """Mapping of a detector's skeleton to H36M-17, with heels and big toes if the target has them.

    Raises:
        ValueError: no mapping is defined for this skeleton.
    """
    if source.body != H36M17 and source.name not in _COMBINATIONS:
        raise ValueError(f"no mapping from skeleton {source.name!r} to h36m17; known: {', '.join(_COMBINATIONS)}")
    combinations = _COMBINATIONS.get(source.name, {})
    weights = np.zeros((len(target.joints), len(source.joints)), np.float32)
    for row, joint in zip(weights, target.joints, strict=True):
        of_its_name = {joint: 1.0} if joint in source.joints else {}  # of feet, a detector may have nothing
        for parent, weight in combinations.get(joint, of_its_name).items():
            row[source.index(parent)] = weight
    trust = np.where((weights < 0).any(1), _EXTRAPOLATED, 1.0).astype(np.float32)
    return Mapping(source, target, weights, trust)


def h36m17_of_names(names: Sequence[str]) -> np.ndarray:
    """Weights (17, name) float64: ``weights @ points`` gives the joints of H36M-17 of points with these names.

    Where a file has joints of no whole skeleton of ours, pelvis, thorax and spine may come from hips and shoulders.

    Raises:
        ValueError: a joint that nothing stands for.
    """
    try:
        skeleton, order = recognise(names)
    except ValueError as error:
        plain = [plain_name(name) for name in names]
        renamed = [SYNONYMS[name] if SYNONYMS.get(name, name) not in plain else name for name in plain]
        weights = np.zeros((len(H36M17.joints), len(names)))
        for row, joint in zip(weights, H36M17.joints, strict=True):
            parts = {joint: 1.0} if joint in renamed else _FROM_EARS.get(joint, {})
            if not parts or not parts.keys() <= set(renamed):
                raise ValueError(f"none of its markers is, or makes, the joint {joint!r}") from error
            for part, weight in parts.items():
                row[renamed.index(part)] = weight
        return weights
    weights = np.zeros((len(H36M17.joints), len(names)))
    weights[:, order] = mapping_to_h36m17(skeleton).weights
    return weights
