"""A skeleton as data: joint names, bones, and the landmarks that geometry needs.

Nothing in posepipe refers to a joint by number. A skeleton that lacks a joint which geometry needs
(COCO has no pelvis) says in ``stand_ins`` which of its joints to average instead.
"""

from __future__ import annotations

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
    without_feet: Skeleton | None = None
    """Of a skeleton that adds feet to another one: that other one, whose joints come first in both."""

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

    @property
    def body(self) -> Skeleton:
        """What every pose has: the skeleton without feet that were added to it, which a detector may lack."""
        return self.without_feet or self

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

    def shown_by(self, confidence: np.ndarray) -> Skeleton:
        """This skeleton if confidences (..., joint) show any of its added feet, else that of the body."""
        feet = confidence[..., len(self.body.joints) :]
        return self if (feet > 0).any() else self.body

    def pick(self, values: np.ndarray, source: Skeleton, axis: int, missing: float = np.nan) -> np.ndarray:
        """Values (..., joint, ...) of this skeleton's joints, by name, from those of another's joints along an axis.

        Args:
            values: (..., joint, ...) of ``source``.
            source: the skeleton of the values.
            axis: that of the joints, counted from the last, which is -1.
            missing: the value of joints that ``source`` does not have.
        """
        if source.joints == self.joints:
            return values
        known = [joint in source.joints for joint in self.joints]
        places = [source.index(joint) if there else 0 for joint, there in zip(self.joints, known, strict=True)]
        shape = np.expand_dims(known, tuple(range(1, -axis)))  # against the axes behind that of the joints
        return np.where(shape, np.take(values, places, axis), np.asarray(missing, values.dtype))

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
