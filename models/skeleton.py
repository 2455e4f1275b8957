"""Skeletons as data: joint names, bones, the landmarks that geometry needs, and the mappings between skeletons.

Nothing in posepipe refers to a joint by number. A skeleton that lacks a joint which geometry needs
(COCO has no pelvis) says in ``landmarks`` which of its joints to average instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LANDMARKS = (
    "pelvis", "thorax", "nose", "head",
    "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle",
    "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
"""What every skeleton must be able to locate. ``pelvis`` is the root of all root-relative poses."""


@dataclass(frozen=True)
class Skeleton:
    """Joint names in array order, bones between them, and the joints that stand for each landmark."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    stand_ins: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f"skeleton {self.name!r} names a joint twice")
        named = [joint for bone in self.bones for joint in bone]
        named += [joint for _, joints in self.stand_ins for joint in joints]
        unknown = sorted(set(named) - set(self.joints))
        if unknown:
            raise ValueError(f"skeleton {self.name!r} has no joint {unknown[0]!r}")
        for landmark in LANDMARKS:
            self.landmark(landmark)

    def index(self, joint: str) -> int:
        """Position of a joint by name."""
        return self.joints.index(joint)

    def landmark(self, name: str) -> tuple[int, ...]:
        """Indices of the joints whose mean is the landmark: the joint of that name, or its stand-ins.

        Raises:
            ValueError: the skeleton has neither.
        """
        stand_ins = dict(self.stand_ins)
        if name in stand_ins:
            return tuple(self.index(joint) for joint in stand_ins[name])
        if name in self.joints:
            return (self.index(name),)
        raise ValueError(f"skeleton {self.name!r} does not say where the landmark {name!r} is")

    def landmark_weights(self, *names: str) -> np.ndarray:
        """Weights (landmark, joint) float32: ``weights @ joints`` gives the landmarks.

        Raises:
            ValueError: the skeleton does not say where one of the landmarks is.
        """
        weights = np.zeros((len(names), len(self.joints)), np.float32)
        for row, name in zip(weights, names, strict=True):
            joints = self.landmark(name)
            row[list(joints)] = 1.0 / len(joints)
        return weights

    @property
    def bone_indices(self) -> np.ndarray:
        """Bones as joint indices (bone, 2) int64."""
        return np.array([[self.index(a), self.index(b)] for a, b in self.bones], np.int64)

    @property
    def mirror(self) -> np.ndarray:
        """For each joint the index of its left/right partner, or its own index (joint) int64."""
        swap = {"left": "right", "right": "left"}

        def partner(joint: str) -> str:
            return "_".join(swap.get(word, word) for word in joint.split("_"))

        return np.array([self.index(partner(joint)) for joint in self.joints], np.int64)

    @property
    def mirror_bones(self) -> np.ndarray:
        """For each bone the index of its left/right partner, or its own index (bone) int64."""
        ends = [frozenset(bone) for bone in self.bone_indices.tolist()]
        return np.array([ends.index(frozenset(self.mirror[list(end)].tolist())) for end in ends], np.int64)


H36M17 = Skeleton(
    "h36m17",
    (
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
        "spine", "thorax", "nose", "head",
        "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    ),
    (
        ("pelvis", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("pelvis", "spine"), ("spine", "thorax"), ("thorax", "nose"), ("nose", "head"),
        ("thorax", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("thorax", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ),
)  # fmt: skip

_ARMS_AND_LEGS = (
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
)  # fmt: skip
_TRUNK = (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
          ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))  # fmt: skip
_MIDPOINTS = (("pelvis", ("left_hip", "right_hip")), ("thorax", ("left_shoulder", "right_shoulder")))
_COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_COCO_FACE = (("nose", "left_eye"), ("left_eye", "left_ear"), ("nose", "right_eye"), ("right_eye", "right_ear"))

COCO17 = Skeleton(
    "coco17", _COCO_JOINTS, _ARMS_AND_LEGS + _TRUNK + _COCO_FACE, (*_MIDPOINTS, ("head", ("left_ear", "right_ear")))
)

HALPE26 = Skeleton(
    "halpe26",
    (
        *_COCO_JOINTS, "head", "neck", "hip", "left_big_toe", "right_big_toe",
        "left_small_toe", "right_small_toe", "left_heel", "right_heel",
    ),
    (
        *_ARMS_AND_LEGS, *_COCO_FACE, ("hip", "neck"), ("neck", "head"), ("neck", "left_shoulder"),
        ("neck", "right_shoulder"), ("hip", "left_hip"), ("hip", "right_hip"),
        ("left_ankle", "left_heel"), ("left_ankle", "left_big_toe"), ("left_ankle", "left_small_toe"),
        ("right_ankle", "right_heel"), ("right_ankle", "right_big_toe"), ("right_ankle", "right_small_toe"),
    ),
    (("pelvis", ("hip",)), ("thorax", ("neck",))),
)  # fmt: skip

BLAZEPOSE33 = Skeleton(
    "blazepose33",
    (
        "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
        "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky",
        "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
        "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel",
        "left_foot_index", "right_foot_index",
    ),
    (
        *_ARMS_AND_LEGS, *_TRUNK, *_COCO_FACE, ("left_mouth", "right_mouth"),
        ("left_wrist", "left_pinky"), ("left_wrist", "left_index"), ("left_wrist", "left_thumb"),
        ("right_wrist", "right_pinky"), ("right_wrist", "right_index"), ("right_wrist", "right_thumb"),
        ("left_ankle", "left_heel"), ("left_heel", "left_foot_index"), ("left_ankle", "left_foot_index"),
        ("right_ankle", "right_heel"), ("right_heel", "right_foot_index"), ("right_ankle", "right_foot_index"),
    ),
    (*_MIDPOINTS, ("head", ("left_ear", "right_ear"))),
)  # fmt: skip

MPII16 = Skeleton(
    "mpii16",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "neck", "head", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ),
    (
        *_ARMS_AND_LEGS, ("pelvis", "left_hip"), ("pelvis", "right_hip"), ("pelvis", "thorax"), ("thorax", "neck"),
        ("neck", "head"), ("thorax", "left_shoulder"), ("thorax", "right_shoulder"),
    ),
    (("nose", ("neck",)),),
)  # fmt: skip

_OPENPOSE_ARMS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_OPENPOSE_LEGS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_OPENPOSE_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_OPENPOSE_BONES = (
    *_ARMS_AND_LEGS, *_COCO_FACE, ("neck", "nose"), ("neck", "left_shoulder"), ("neck", "right_shoulder"),
)  # fmt: skip
_FEET = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (("ankle", "heel"), ("ankle", "big_toe"), ("big_toe", "small_toe"))
)

BODY25 = Skeleton(
    "body25",
    (
        *_OPENPOSE_ARMS, "mid_hip", *_OPENPOSE_LEGS, *_OPENPOSE_FACE,
        "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    ),
    (*_OPENPOSE_BONES, ("neck", "mid_hip"), ("mid_hip", "left_hip"), ("mid_hip", "right_hip"), *_FEET),
    (("pelvis", ("mid_hip",)), ("thorax", ("neck",)), ("head", ("left_ear", "right_ear"))),
)  # fmt: skip

BODY25B = Skeleton(
    "body25b",
    (
        *_COCO_JOINTS, "neck", "head", "left_big_toe", "left_small_toe", "left_heel",
        "right_big_toe", "right_small_toe", "right_heel",
    ),
    (
        *_ARMS_AND_LEGS, *_TRUNK, *_COCO_FACE, ("neck", "left_shoulder"), ("neck", "right_shoulder"),
        ("neck", "head"), *_FEET,
    ),
    _MIDPOINTS,
)  # fmt: skip
"""OpenPose's, whose neck is the upper end of the neck, and whose head is the top of the head."""

OPENPOSE18 = Skeleton(
    "openpose18",
    (*_OPENPOSE_ARMS, *_OPENPOSE_LEGS, *_OPENPOSE_FACE),
    (*_OPENPOSE_BONES, ("neck", "left_hip"), ("neck", "right_hip")),
    (("pelvis", ("left_hip", "right_hip")), ("thorax", ("neck",)), ("head", ("left_ear", "right_ear"))),
)

SKELETONS: dict[str, Skeleton] = {
    s.name: s for s in (H36M17, COCO17, HALPE26, BLAZEPOSE33, MPII16, BODY25, BODY25B, OPENPOSE18)
}

_SYNONYMS = {
    "root": "pelvis", "hip": "pelvis", "mid_hip": "pelvis", "chip": "pelvis", "neck": "thorax", "head_top": "head",
}  # fmt: skip
"""What H36M-17 joints are called elsewhere; a name counts as itself where both are there."""


def recognise(names: Sequence[str]) -> tuple[Skeleton, np.ndarray]:
    """The skeleton that joint names spell, and where each of its joints stands among them (joint) int64.

    Names may be in any order and abbreviate sides (``r_hip``, ``RHip``); of the known skeletons the one that most
    of them belong to counts, other joints are left out.

    Raises:
        ValueError: no known skeleton; the sentence says what is missing for H36M-17.
    """
    plain = [_plain(name) for name in names]
    renamed = [_SYNONYMS[name] if _SYNONYMS.get(name, name) not in plain else name for name in plain]
    for spelled in (plain, renamed):
        fitting = [skeleton for skeleton in SKELETONS.values() if set(skeleton.joints) <= set(spelled)]
        if fitting:
            skeleton = max(fitting, key=lambda skeleton: len(skeleton.joints))
            return skeleton, np.array([spelled.index(joint) for joint in skeleton.joints], np.int64)
    missing = sorted(set(H36M17.joints) - set(renamed))
    raise ValueError(
        f"the {len(names)} joint names are those of no known skeleton ({', '.join(SKELETONS)}); "
        f"for h36m17 these are missing: {', '.join(missing)}"
    )


def _plain(name: str) -> str:
    """A joint name in words of ours: RHip, r_hip and right-hip are all right_hip."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^[LR])(?=[A-Z])|[\s-]+", "_", name.strip()).lower().split("_")
    return "_".join({"r": "right", "l": "left"}.get(word, word) for word in words)


@dataclass(frozen=True)
class Mapping:
    """A linear map between skeletons: each target joint is a weighted sum of source joints.

    Its confidence is the smallest among the source joints it uses, times ``trust``: a derived joint
    is never surer than the worst of its parents, and an extrapolated one less.
    """

    source: Skeleton
    target: Skeleton
    weights: np.ndarray  # (target joint, source joint) float32, rows sum to 1
    trust: np.ndarray  # (target joint) float32

    def apply(self, keypoint: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (..., source joint, C) and confidences (..., source joint) on the target skeleton.

        A target joint any of whose parents is missing (NaN) is NaN with confidence 0.
        """
        used = self.weights != 0
        missing = np.isnan(keypoint).any(-1)
        mapped = np.einsum("ts,...sc->...tc", self.weights, np.where(missing[..., None], 0, keypoint))
        weakest = np.where(used, np.where(missing, 0, confidence)[..., None, :], np.inf).min(-1)
        lost = (used & missing[..., None, :]).any(-1)
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
    "blazepose33": _FROM_EARS,
    "body25": _FROM_EARS | {"pelvis": {"mid_hip": 1}, "thorax": {"neck": 1}, "spine": {"mid_hip": 0.5, "neck": 0.5}},
    "body25b": {"pelvis": _PELVIS, "thorax": _THORAX, "spine": _SPINE},
    "openpose18": _FROM_EARS | {"thorax": {"neck": 1}},
    "halpe26": {"pelvis": {"hip": 1}, "thorax": {"neck": 1}, "spine": {"hip": 0.5, "neck": 0.5}},
    "mpii16": {"spine": {"pelvis": 0.5, "thorax": 0.5}, "nose": {"neck": 1}},
}
"""How the H36M-17 joints that a detector's skeleton lacks are built from the joints it has."""

_EXTRAPOLATED = 0.5


def mapping_to_h36m17(source: Skeleton) -> Mapping:
    """Mapping of a detector's skeleton to H36M-17.

    Raises:
        ValueError: no mapping is defined for this skeleton.
    """
    if source.name != H36M17.name and source.name not in _COMBINATIONS:
        raise ValueError(f"no mapping from skeleton {source.name!r} to h36m17; known: {', '.join(_COMBINATIONS)}")
    combinations = _COMBINATIONS.get(source.name, {})
    weights = np.zeros((len(H36M17.joints), len(source.joints)), np.float32)
    for row, joint in zip(weights, H36M17.joints, strict=True):
        for parent, weight in combinations.get(joint, {joint: 1.0}).items():
            row[source.index(parent)] = weight
    trust = np.where((weights < 0).any(1), _EXTRAPOLATED, 1.0).astype(np.float32)
    return Mapping(source, H36M17, weights, trust)


def h36m17_of_names(names: Sequence[str]) -> np.ndarray:
    """Weights (17, name) float64: ``weights @ points`` gives the joints of H36M-17 of points with these names.

    Where a file has joints of no whole skeleton of ours, pelvis, thorax and spine may come from hips and shoulders.

    Raises:
        ValueError: a joint that nothing stands for.
    """
    try:
        skeleton, order = recognise(names)
    except ValueError as error:
        plain = [_plain(name) for name in names]
        renamed = [_SYNONYMS[name] if _SYNONYMS.get(name, name) not in plain else name for name in plain]
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
