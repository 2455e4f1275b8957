"""poses.glb is glTF 2.0: pygltflib reads it, and its nodes are where the joints are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
import pytest
from known_clip import a_clip, awkward_clips, the_pose, without
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.gltf import write
from scipy.spatial.transform import Rotation

WIDTH = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def values(file: pygltflib.GLTF2, number: int) -> np.ndarray:
    """An accessor's numbers, checked against its bounds."""
    accessor = file.accessors[number]
    view = file.bufferViews[accessor.bufferView]
    width = WIDTH[accessor.type]
    found = np.frombuffer(file.binary_blob(), "<f4", accessor.count * width, view.byteOffset).reshape(-1, width)
    np.testing.assert_array_equal(found.min(0), np.float32(accessor.min))
    np.testing.assert_array_equal(found.max(0), np.float32(accessor.max))
    return found


def joints_at_keys(file: pygltflib.GLTF2, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Times (key) of an animation, and its joints by name (key, 3)."""
    animation, skin = file.animations[number], file.skins[number]
    moves = {(channel.target.node, channel.target.path): values(file, animation.samplers[channel.sampler].output)
             for channel in animation.channels}  # fmt: skip
    found: dict[str, np.ndarray] = {}

    def visit(node: int, place: np.ndarray, turn: Rotation) -> None:
        place = place + turn.apply(moves[node, "translation"])
        turn = turn * Rotation.from_quat(moves[node, "rotation"])
        found[file.nodes[node].name] = place
        for child in file.nodes[node].children:
            if child in skin.joints:
                visit(child, place, turn)

    keys = len(moves[skin.skeleton, "rotation"])
    visit(skin.skeleton, np.zeros((keys, 3)), Rotation.identity(keys))
    return values(file, animation.samplers[0].input)[:, 0], found


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "poses.glb")
    file = pygltflib.GLTF2().load(str(tmp_path / "poses.glb"))
    assert [animation.name for animation in file.animations] == [person.name for person in clip.people]
    for number, person in enumerate(clip.people):
        there = np.isfinite(person.pose.joint).all((1, 2))
        time, found = joints_at_keys(file, number)
        np.testing.assert_allclose(time, clip.time[there], atol=1e-6)
        assert set(found) == set(H36M17.joints)
        for joint, place in found.items():
            expected = person.pose.joint[there, H36M17.index(joint)] * (1, -1, -1)
            np.testing.assert_allclose(place, expected, atol=2e-5)
    assert file.asset.version == "2.0"
    assert file.asset.extras["rate"] == str(clip.life_rate)
    assert file.asset.extras["unit"] == clip.unit


def test_every_bone_is_drawn(tmp_path: Path) -> None:
    write(a_clip(), tmp_path / "poses.glb")
    file = pygltflib.GLTF2().load(str(tmp_path / "poses.glb"))
    drawn = [node for node in file.nodes if node.mesh is not None]
    assert len(drawn) == len(H36M17.bones)
    assert {file.materials[file.meshes[node.mesh].primitives[0].material].name for node in drawn} == {
        "left", "right", "middle",
    }  # fmt: skip
    normal = values(file, file.meshes[0].primitives[0].attributes.NORMAL)
    corner = values(file, file.meshes[0].primitives[0].attributes.POSITION)
    outwards = corner - (0, 0.3, 0)
    assert ((normal * outwards).sum(-1) > 0).all()


def test_a_clip_without_poses_is_refused(tmp_path: Path) -> None:
    clip = a_clip(frames=2)
    without(the_pose(clip), 0, 1)
    with pytest.raises(PosepipeError, match="leave out the format gltf"):
        write(clip, tmp_path / "poses.glb")
