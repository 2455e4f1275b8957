"""poses.bvh is a skeleton that turns: a reader of its own finds the joints where they are."""

from __future__ import annotations

from pathlib import Path

import bvhsdk
import numpy as np
import pytest
from footage import athlete
from known_clip import a_clip, a_slowing_clip, awkward_clips, the_pose, two_people, without
from posepipe.models.skeleton import H36M17, SKELETONS, Skeleton
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.armature import animate, armature_of
from posepipe.pipeline.exporters.bvh import write
from posepipe.pipeline.exporters.gapless import gapless

UNDER_1_UM = 5e-6


def positions(path: Path) -> tuple[bvhsdk.Animation, dict[str, np.ndarray]]:
    """Joints by name (frame, 3) as bvhsdk finds them, from offsets, channels and rotations."""
    animation = bvhsdk.ReadFile(str(path))
    frames = range(animation.frames)
    return animation, {joint.name: np.array([joint.getPosition(frame) for frame in frames])
                       for joint in animation.getlistofjoints()}  # fmt: skip


@pytest.mark.parametrize("name", awkward_clips())
def test_an_independent_reader_finds_every_joint(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "poses.bvh")
    for person, path in clip.each(tmp_path / "poses.bvh"):
        animation, found = positions(path)
        expected = gapless(clip, person, "bvh").joint * (1, -1, -1)
        assert list(found) == list(armature_of(H36M17).names)
        assert animation.frametime == pytest.approx(1 / float(clip.life_rate), abs=1e-9)
        for joint, place in found.items():
            np.testing.assert_allclose(place, expected[:, H36M17.index(joint)], atol=UNDER_1_UM)


def test_the_rest_pose_is_a_t_that_faces_z(tmp_path: Path) -> None:
    """All channels at their offsets and without rotation: what Blender shows in edit mode."""
    write(awkward_clips()["60 fps"], tmp_path / "poses.bvh")
    animation = bvhsdk.ReadFile(str(tmp_path / "poses.bvh"))
    place: dict[str, np.ndarray] = {}
    for joint in animation.getlistofjoints():
        place[joint.name] = np.array(joint.offset) + (place[joint.parent.name] if joint.parent else 0)
    assert place["left_wrist"][0] > 0.5 > -0.5 > place["right_wrist"][0]
    assert place["left_wrist"][1] == pytest.approx(place["thorax"][1])
    assert place["head"][1] > place["thorax"][1] > 0.4 > -0.8 > place["left_ankle"][1]
    assert place["nose"][2] > 0.04
    assert place["left_hip"][0] == pytest.approx(0.13, abs=1e-3)


def test_angles_do_not_jump(tmp_path: Path) -> None:
    write(awkward_clips()["60 fps"], tmp_path / "poses.bvh")
    rows = np.loadtxt((tmp_path / "poses.bvh").read_text().split("Frame Time: ")[1].splitlines()[1:])
    angles = rows.reshape(len(rows), -1, 6)[..., 3:]
    assert np.abs(np.diff(angles, axis=0)).max() < 180
    assert np.ptp(angles, axis=0).max() > 20


def test_several_people_have_a_file_each(tmp_path: Path) -> None:
    write(two_people(), tmp_path / "poses.bvh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poses_ann.bvh", "poses_bob.bvh"]


def test_a_clip_without_poses_is_refused(tmp_path: Path) -> None:
    clip = a_clip(frames=2)
    without(the_pose(clip), 0, 1)
    with pytest.raises(PosepipeError, match="leave out the format bvh"):
        write(clip, tmp_path / "poses.bvh")


def test_a_long_bridge_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = a_clip(frames=30)
    without(the_pose(clip), *range(5, 25))
    write(clip, tmp_path / "poses.bvh")
    assert "cannot hold gaps; they are interpolated linearly, and the longest is 0.7 s" in caplog.text


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_every_skeleton_is_one_tree_that_gives_its_joints(skeleton: Skeleton) -> None:
    armature = armature_of(skeleton)
    assert set(skeleton.joints) <= set(armature.names)
    assert armature.parent[0] == -1
    assert all(parent < node for node, parent in enumerate(armature.parent))
    joint = np.random.default_rng(0).normal(size=(5, len(skeleton.joints), 3))
    moves = animate(armature, joint)
    place = np.zeros((5, len(armature.names), 3))
    turn = np.zeros((5, len(armature.names), 3, 3))
    for node, parent in enumerate(armature.parent):
        before = turn[:, parent] if node else np.tile(np.eye(3), (5, 1, 1))
        start = place[:, parent] if node else 0
        place[:, node] = start + np.einsum("fij,fj->fi", before, moves.translation[:, node])
        turn[:, node] = before @ matrix(moves.rotation[:, node])
    np.testing.assert_allclose(place, np.einsum("nj,fjc->fnc", armature.weights, joint), atol=1e-6)


def matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrices (frame, 3, 3) of quaternions (frame, 4) x, y, z, w, by the textbook."""
    x, y, z, w = q.T
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]  # fmt: skip
    return np.stack(rows, -1).reshape(-1, 3, 3)


def test_uneven_times_are_resampled_to_the_frame_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = a_slowing_clip()
    with caplog.at_level("WARNING", "posepipe"):
        write(clip, tmp_path / "poses.bvh")
    assert "bvh knows one rate only" in caplog.text
    animation, found = positions(tmp_path / "poses.bvh")
    time = np.arange(animation.frames) * animation.frametime
    assert time[-1] == pytest.approx(clip.time[-1], abs=0.03)
    right = athlete(time)[:, H36M17.index("right_wrist")] * (1, -1, 1)
    np.testing.assert_allclose(found["right_wrist"], right[:, [0, 2, 1]], atol=0.02)
