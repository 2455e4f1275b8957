"""Joints as a tree with a rest pose, and the rotations and translations that give each pose.

For animation formats (BVH, glTF). Every joint is a node. A node's rotation takes the bones to its children from the
rest pose to the pose by the smallest angle; about the bones' own axes it follows its parent, because **twist is not
observed**: joints are points. Bones of estimated poses change in length, so nodes have translations as well;
rotations and translations together give every joint exactly.

Rest pose: a T-pose, facing +z, y up, left hand towards +x; each bone has its median length over the clip.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ...models.skeleton import Skeleton

_TRUNK = {"left_shoulder", "right_shoulder", "left_hip", "right_hip"}

_REST: dict[str, tuple[float, float, float]] = {
    "hip": (1, 0, 0), "shoulder": (1, 0, 0), "elbow": (1, 0, 0), "wrist": (1, 0, 0),
    "pinky": (1, 0, -0.3), "index": (1, 0, 0), "thumb": (0.7, 0, 0.7),
    "knee": (0, -1, 0), "ankle": (0, -1, 0), "heel": (0, -0.5, -1),
    "toe": (0, -0.3, 1), "foot": (0, -0.3, 1),
    "nose": (0, 1, 0.6), "eye": (0.4, 0.5, -0.3), "ear": (1, 0, -1), "mouth": (0.4, -1, 0),
}  # fmt: skip
"""Direction of the bone to a joint in the rest pose, by a word of its name; x is for the left. Others point up."""


@dataclass(frozen=True)
class Armature:
    """Nodes in an order with parents first; the first is the pelvis."""

    names: tuple[str, ...]
    parent: tuple[int, ...]
    """Index of each node's parent, -1 for the first."""
    weights: np.ndarray
    """(node, joint): ``weights @ joints`` gives the nodes."""

    def children(self, node: int) -> list[int]:
        """Indices of the children of a node."""
        return [child for child, parent in enumerate(self.parent) if parent == node]


def armature_of(skeleton: Skeleton) -> Armature:
    """The tree of a skeleton's joints, with a pelvis and a thorax where the skeleton has none."""
    names = [name for name in ("pelvis", "thorax") if len(skeleton.landmark(name)) > 1] + list(skeleton.joints)
    weights = [skeleton.landmark_weights(name)[0] if name not in skeleton.joints else
               np.eye(len(skeleton.joints), dtype=np.float32)[skeleton.index(name)] for name in names]  # fmt: skip
    parents = _parents(skeleton, names)
    order = list(parents)
    return Armature(
        names=tuple(order),
        parent=tuple(-1 if parent is None else order.index(parent) for parent in parents.values()),
        weights=np.array([weights[names.index(name)] for name in order]),
    )


def _parents(skeleton: Skeleton, names: list[str]) -> dict[str, str | None]:
    """Each node's parent, depth first from the pelvis."""

    def node(landmark: str) -> str:
        place = skeleton.landmark(landmark)
        return landmark if len(place) > 1 else skeleton.joints[place[0]]

    pelvis, thorax = node("pelvis"), node("thorax")
    edges = [(pelvis, "left_hip"), (pelvis, "right_hip"), (thorax, "left_shoulder"), (thorax, "right_shoulder")]
    edges += [bone for bone in skeleton.bones if not set(bone) <= _TRUNK]
    if "thorax" not in skeleton.joints:
        edges += [(pelvis, thorax), (thorax, "nose")]
    found = _spread(pelvis, edges)
    for name in names:  # the mouth of BlazePose has no bone to the rest
        if name not in found:
            found |= {new: old or "nose" for new, old in _spread(name, edges).items()}
    ordered: dict[str, str | None] = {}

    def visit(name: str) -> None:
        ordered[name] = found[name]
        for other in names:
            if found[other] == name:
                visit(other)

    visit(pelvis)
    return ordered


def _spread(start: str, edges: list[tuple[str, str]]) -> dict[str, str | None]:
    """Parents of all joints that can be reached, over the fewest bones."""
    found: dict[str, str | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for edge in edges:
            if here in edge:
                there = edge[1] if edge[0] == here else edge[0]
                if there not in found:
                    found[there] = here
                    waiting.append(there)
    return found


@dataclass(frozen=True)
class Animation:
    """Motion of an armature: a node is at ``parent + parent's rotation (in the world) x translation``."""

    armature: Armature
    rest: np.ndarray
    """(node, 3) from each node's parent, in the rest pose."""
    rotation: np.ndarray
    """(frame, node, 4) unit quaternions x, y, z, w relative to the parent, without jumps of sign."""
    translation: np.ndarray
    """(frame, node, 3) in the parent's axes; the first node's is its position."""


def animate(armature: Armature, joint: np.ndarray) -> Animation:
    """The animation that gives poses (frame, joint, 3), with y up and without NaN."""
    position = np.einsum("nj,fjc->fnc", armature.weights, joint)
    rest = _rest_pose(armature, position)
    world: list[Rotation] = []
    rotation, translation = np.zeros((*position.shape[:2], 4)), position.copy()
    for node, parent in enumerate(armature.parent):
        before = world[parent] if parent >= 0 else Rotation.identity(len(position))
        children = armature.children(node)
        bones = [position[:, child] - position[:, node] for child in children]
        here = _turn(before, rest[children], np.stack(bones, 1)) if children else before
        world.append(here)
        rotation[:, node] = _continuous((before.inv() * here).as_quat())
        if parent >= 0:
            translation[:, node] = before.inv().apply(position[:, node] - position[:, parent])
    return Animation(armature, rest, rotation, translation)


def _rest_pose(armature: Armature, position: np.ndarray) -> np.ndarray:
    rest = np.zeros((len(armature.names), 3))
    for node, parent in enumerate(armature.parent):
        if parent >= 0:
            name = armature.names[node]
            known = [_REST[word] for word in reversed(name.split("_")) if word in _REST]
            direction = np.array(known[0] if known else (0.0, 1.0, 0.0))
            direction[0] *= -1 if "right" in name.split("_") else 1
            length = np.median(np.linalg.norm(position[:, node] - position[:, parent], axis=-1))
            rest[node] = direction / np.linalg.norm(direction) * length
    return rest


def _turn(before: Rotation, rest: np.ndarray, bones: np.ndarray) -> Rotation:
    """World rotations of a node whose bones (child, 3) at rest are bones (frame, child, 3) in the poses.

    One bone is swung there from where the parent's rotation puts it; several are fitted by least squares (Kabsch).
    """
    if len(rest) == 1:
        return _swing(before.apply(rest[0]), bones[:, 0]) * before
    U, _, Vt = np.linalg.svd(np.einsum("fci,cj->fij", bones, rest))
    sign = np.sign(np.linalg.det(U @ Vt))
    U[:, :, 2] *= sign[:, None]
    return Rotation.from_matrix(U @ Vt)


def _swing(start: np.ndarray, end: np.ndarray) -> Rotation:
    """The rotations of least angle that turn directions (frame, 3) onto others."""
    start = start / np.linalg.norm(start, axis=-1, keepdims=True).clip(1e-12)
    end = end / np.linalg.norm(end, axis=-1, keepdims=True).clip(1e-12)
    axis, cosine = np.cross(start, end), (start * end).sum(-1)
    opposite = cosine < -1 + 1e-9
    if opposite.any():  # any axis across will do
        axis[opposite] = np.cross(start[opposite], np.eye(3)[np.abs(start[opposite]).argmin(-1)])
    return Rotation.from_quat(np.column_stack([axis, np.where(opposite, 0.0, 1 + cosine)]))


def _continuous(quaternion: np.ndarray) -> np.ndarray:
    """The same rotations (frame, 4), with signs that do not jump: q and -q are one rotation."""
    flips = np.sign((quaternion[1:] * quaternion[:-1]).sum(-1))
    sign = np.concatenate([[1.0], np.cumprod(np.where(flips < 0, -1.0, 1.0))])
    return quaternion * sign[:, None]
