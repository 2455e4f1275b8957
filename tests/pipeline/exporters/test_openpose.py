"""openpose/ holds what OpenPose would have written for each frame with BODY_25."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_clip import a_clip, awkward_clips, the_pose, two_people
from posepipe.models.skeleton import BLAZEPOSE33, H36M17, HALPE26
from posepipe.pipeline.exporters.openpose import BODY_25, _body25, write

NAMES = dict(enumerate((
    "nose", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
)))  # fmt: skip


def people(path: Path, frame: int, clip: str = "ski run") -> list[dict[str, Any]]:
    name = f"{clip}_{frame:012d}_keypoints.json"
    return json.loads((path / name).read_text())["people"]


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "openpose")
    assert len(list((tmp_path / "openpose").iterdir())) == len(clip.time)
    for frame in range(0, len(clip.time), 7):
        seen = {person["person_id"][0]: person for person in people(tmp_path / "openpose", frame, clip.video.stem)}
        for number, person in enumerate(clip.people):
            pose = person.pose
            if np.isnan(pose.joint[frame]).any() or not pose.confidence[frame].any():
                assert number not in seen
                continue
            flat = np.array(seen[number]["pose_keypoints_2d"]).reshape(25, 3)
            solid = np.array(seen[number]["pose_keypoints_3d"]).reshape(25, 4)
            for place, joint in NAMES.items():
                index = H36M17.index(joint)
                sure = pose.confidence[frame, index]
                assert solid[place, 3] == pytest.approx(sure, abs=1e-6)
                if sure:
                    np.testing.assert_allclose(solid[place, :3], pose.joint[frame, index], atol=1e-5)
                expected = [*pose.keypoint[frame, index], sure]
                np.testing.assert_allclose(
                    flat[place], expected if sure and not np.isnan(expected[0]) else 0, atol=1e-3
                )
            assert not flat[15:].any(), "eyes, ears and feet are not among the joints"
            assert not solid[15:].any()


def test_a_lost_joint_is_zero(tmp_path: Path) -> None:
    clip = a_clip(frames=1)
    the_pose(clip).keypoint[0, H36M17.index("left_knee")] = np.nan
    the_pose(clip).confidence[0, H36M17.index("left_knee")] = 0
    write(clip, tmp_path / "openpose")
    flat = np.array(people(tmp_path / "openpose", 0)[0]["pose_keypoints_2d"]).reshape(25, 3)
    assert flat[13].tolist() == [0, 0, 0]
    assert flat[12].all()


def test_the_keys_are_those_of_openpose_and_it_says_what_it_is(tmp_path: Path) -> None:
    write(two_people(), tmp_path / "openpose")
    content = json.loads((tmp_path / "openpose" / "ski run_000000000003_keypoints.json").read_text())
    assert content["version"] == 1.3
    parts = ("pose", "face", "hand_left", "hand_right")
    expected = {f"{part}_keypoints_{d}d" for part in parts for d in (2, 3)} | {"person_id"}
    assert all(set(person) == expected for person in content["people"])
    assert content["posepipe"]["time"] == pytest.approx(0.1)
    assert content["posepipe"]["rate"] == "30"
    assert json.loads(content["posepipe"]["provenance"])["model"] == "abc"


def test_feet_go_where_openpose_has_them() -> None:
    for skeleton, toe in ((HALPE26, "left_big_toe"), (BLAZEPOSE33, "left_foot_index")):
        weights, known = _body25(skeleton)
        assert weights[BODY_25.index("left_big_toe"), skeleton.index(toe)] == 1
        assert weights[BODY_25.index("pelvis")].sum() == pytest.approx(1)
        assert known[: BODY_25.index("left_small_toe")].all()
