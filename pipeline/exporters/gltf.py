"""poses.glb: an animated skeleton as glTF 2.0, for web viewers, Blender, Unity and Unreal.

Lengths are metres where they are known, else body heights; people travel where the world is known. y is up and the
rest pose (``armature``) faces +z, as glTF prescribes. Every joint is a named node, rotated and translated in real
time; bones are drawn as slender octahedra. Frames without a complete pose have no key: players interpolate between
the poses before and after.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import PosepipeError
from ..pages.drawing import side
from .armature import Animation, animate, armature_of
from .clip import Clip

FLOAT, ARRAY_BUFFER = 5126, 34962
"""Constants of the specification."""
COLORS = {"left": (0.85, 0.45, 0.13, 1), "right": (0.16, 0.39, 0.85, 1), "middle": (0.72, 0.74, 0.78, 1)}
_BONE = np.array(
    [[0, 0, 0], [0.06, 0.15, 0], [0, 0.15, 0.06], [-0.06, 0.15, 0], [0, 0.15, -0.06], [0, 1, 0]], np.float32
)
_FACES = np.array([[0, a, b] for a, b in ((1, 2), (2, 3), (3, 4), (4, 1))]
                  + [[5, b, a] for a, b in ((1, 2), (2, 3), (3, 4), (4, 1))], np.uint16)  # fmt: skip
"""Faces of a bone from the origin to (0, 1, 0)."""


class _Buffer:
    """The binary part of the file, and the views and accessors that describe it."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: np.ndarray, kind: str, target: int | None = None) -> int:
        """Append an array of float32 and return the number of its accessor."""
        data = values.tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.bytes), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.bytes += data + b"\0" * (-len(data) % 4)
        flat = values.reshape(len(values), -1)
        self.accessors.append({
            "bufferView": len(self.views) - 1, "componentType": FLOAT, "count": len(flat), "type": kind,
            "min": flat.min(0).tolist(), "max": flat.max(0).tolist(),
        })  # fmt: skip
        return len(self.accessors) - 1


def write(clip: Clip, path: Path) -> None:
    """Write one scene with an armature and an animation for each person with a complete pose.

    Raises:
        PosepipeError: no frame has a complete pose.
    """
    buffer = _Buffer()
    nodes: list[dict[str, Any]] = []
    roots: list[int] = []
    skins, animations = [], []
    meshes = _meshes(buffer)
    for person in clip.people:
        joint, skeleton = clip.whole(person)
        whole = np.all(np.isfinite(joint[:, : len(skeleton.body.joints)]), (1, 2))
        if whole.any():
            armature = armature_of(skeleton)
            moves = animate(armature, clip.y_up(joint[whole].astype(np.float64)))
            first, joints = len(nodes) + 1, len(armature.names)
            roots.append(len(nodes))
            nodes += _nodes(moves, first, person.name)
            skins.append({"name": person.name, "skeleton": first, "joints": list(range(first, first + joints))})
            animations.append(_animation(buffer, moves, clip.time[whole], first, person.name))
    if not roots:
        raise PosepipeError(f"{clip.video.name} has no frame with a 3D pose; leave out the format gltf for it")
    content = {
        "asset": {"version": "2.0", "generator": "posepipe", "extras": clip.facts(clip.y_up_axes)},
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "nodes": nodes,
        "meshes": meshes,
        "materials": [{"name": side, "pbrMetallicRoughness": {"baseColorFactor": color, "metallicFactor": 0}}
                      for side, color in COLORS.items()],
        "skins": skins,
        "animations": animations,
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.bytes)}],
    }  # fmt: skip
    path.write_bytes(_binary(content, bytes(buffer.bytes)))


def _nodes(moves: Animation, first: int, person: str) -> list[dict[str, Any]]:
    """A node for the person, those of the armature, whose numbers begin with ``first``, and those of the bones."""
    armature = moves.armature
    nodes: list[dict[str, Any]] = [{"name": person, "children": [first]}]
    bones: list[dict[str, Any]] = []
    for node, name in enumerate(armature.names):
        children = armature.children(node)
        below = [first + child for child in children]
        for child in children:
            below.append(first + len(armature.names) + len(bones))
            bones.append(_bone(moves.rest[child], list(COLORS).index(side(name, armature.names[child]))))
        nodes.append({"name": name, "translation": moves.rest[node].tolist(), "children": below})
    return [{key: value for key, value in node.items() if value != []} for node in nodes] + bones


def _bone(rest: np.ndarray, mesh: int) -> dict[str, Any]:
    """A drawn bone from a joint to ``rest``."""
    length = float(np.linalg.norm(rest))
    turn, _ = Rotation.align_vectors(rest[None], [[0.0, 1.0, 0.0]]) if length > 0 else (Rotation.identity(), 0)
    return {"mesh": mesh, "rotation": turn.as_quat().tolist(), "scale": [max(length, 1e-6)] * 3}


def _animation(buffer: _Buffer, moves: Animation, time: np.ndarray, first: int, person: str) -> dict[str, Any]:
    """The animation of the nodes from ``first`` on, with keys at times (key)."""
    keys = buffer.add(time.astype(np.float32), "SCALAR")
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for node in range(len(moves.armature.names)):
        for name, values, kind in (("translation", moves.translation, "VEC3"), ("rotation", moves.rotation, "VEC4")):
            output = buffer.add(values[:, node].astype(np.float32), kind)
            channels.append({"sampler": len(samplers), "target": {"node": first + node, "path": name}})
            samplers.append({"input": keys, "output": output, "interpolation": "LINEAR"})
    return {"name": person, "channels": channels, "samplers": samplers}


def _meshes(buffer: _Buffer) -> list[dict[str, Any]]:
    """A bone in each colour."""
    corners = _BONE[_FACES]  # (face, 3, xyz): each face has its own corners, so that it is shaded flat
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.repeat(normal / np.linalg.norm(normal, axis=-1, keepdims=True), 3, 0)
    attributes = {
        "POSITION": buffer.add(corners.reshape(-1, 3), "VEC3", target=ARRAY_BUFFER),
        "NORMAL": buffer.add(normal.astype(np.float32), "VEC3", target=ARRAY_BUFFER),
    }
    return [{"primitives": [{"attributes": attributes, "material": material}]} for material in range(len(COLORS))]


def _binary(content: dict[str, Any], data: bytes) -> bytes:
    """A .glb: header, JSON padded with spaces, binary data."""
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
