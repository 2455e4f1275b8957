"""Files hold heels and big toes, and say that they are missing, or leave them out, where a detector has none."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from known_clip import a_clip, the_pose
from posepipe.models.skeleton import FEET, H36M17, H36M17_FEET
from posepipe.pipeline.exporters import EXPORTERS, exporter, without_video
from posepipe.pipeline.exporters.clip import Clip, Person
from posepipe.pipeline.exporters.npz import read

MARKERS = ["LHeel", "LBigToe", "RHeel", "RBigToe"]


def with_feet(known: bool) -> Clip:
    """A clip of 10 frames on h36m17+feet, heels and toes below the ankles if they are known."""
    clip = a_clip()
    pose = the_pose(clip).on("h36m17+feet")
    if known:
        for array, down in ((pose.joint, 0.1), (pose.canonical, 0.1), (pose.keypoint, 8)):
            for number, foot in enumerate(FEET, 17):
                side, _, rest = foot.partition("_")
                array[:, number] = array[:, H36M17.index(f"{side}_ankle")]
                array[:, number, 1] += down
                array[:, number, -1] += 0.05 if rest == "heel" else -0.15
        pose.confidence[:, 17:] = 0.75
    return replace(clip, people=(Person("person0", pose),))


def written(name: str, known: bool, folder: Path) -> Path:
    path = folder / EXPORTERS[name].file
    exporter(name)(with_feet(known), path)
    return path


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", sorted({*without_video(EXPORTERS)} - {"rerun", "parquet"}))
def test_every_format_can_be_written(name: str, known: bool, tmp_path: Path) -> None:
    path = written(name, known, tmp_path)
    assert any(path.rglob("*")) if path.is_dir() else path.stat().st_size
    texts = [file.read_text(encoding="utf-8") for file in path.rglob("*.json")] if path.is_dir() else []
    if path.suffix in (".trc", ".bvh", ".mot", ".csv", ".json"):
        texts.append(path.read_text(encoding="utf-8"))
    assert not any(re.search(r"\bnan\b", text, re.IGNORECASE) for text in texts)


@pytest.mark.parametrize("known", [True, False])
def test_formats_without_missing_values_leave_missing_feet_out(known: bool, tmp_path: Path) -> None:
    trc = written("trc", known, tmp_path).read_text(encoding="utf-8").splitlines()
    assert trc[3].split()[2:] == [
        *(word for word in trc[3].split()[2:] if word not in MARKERS),
        *MARKERS[: 4 * known],
    ]
    assert len(trc[3].split()) - 2 == 17 + 4 * known
    bones = re.findall(r"(?:ROOT|JOINT) (\w+)", written("bvh", known, tmp_path).read_text(encoding="utf-8"))
    assert set(bones) == set((H36M17_FEET if known else H36M17).joints)
    names = written("mot", known, tmp_path).read_text(encoding="utf-8").split("endheader\n")[1].split("\n")[0].split()
    assert ("ankle_angle_l" in names) == known
    scene = written("gltf", known, tmp_path).read_bytes()
    assert (b'"left_big_toe"' in scene) == known


@pytest.mark.parametrize("known", [True, False])
def test_other_formats_always_have_all_joints(known: bool, tmp_path: Path) -> None:
    points = ezc3d.c3d(str(written("c3d", known, tmp_path)))
    assert points["parameters"]["POINT"]["LABELS"]["value"][17:] == MARKERS
    assert (points["data"]["meta_points"]["residuals"][0, 17:] == (0 if known else -1)).all()
    with written("csv", known, tmp_path).open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["joint"] == "left_heel"]
    assert len(rows) == 10
    assert all((row["x"] != "") == known and float(row["confidence"]) == 0.75 * known for row in rows)
    with written("angles", known, tmp_path).open(encoding="utf-8") as file:
        assert all((row["left_ankle_dorsiflexion_deg"] != "") == known for row in csv.DictReader(file))
    people = json.loads(written("mmpose", known, tmp_path).read_text(encoding="utf-8"))[0]["instances"]
    assert people[0]["keypoint_scores"][17:] == [0.75 * known] * 4
    frame = json.loads(next(written("openpose", known, tmp_path).iterdir()).read_text(encoding="utf-8"))
    toe = np.reshape(frame["people"][0]["pose_keypoints_3d"], (25, 4))[19]
    assert toe.any() == known
    again = read([written("npz", known, tmp_path)])
    assert again.skeleton is H36M17_FEET
    np.testing.assert_array_equal(the_pose(again).joint, the_pose(with_feet(known)).joint)


def test_a_page_draws_the_feet_that_are_known(tmp_path: Path) -> None:
    for known in (True, False):
        page = written("view", known, tmp_path).read_text(encoding="utf-8")
        assert ("Ankle dorsiflexion" in page) == known
        assert "75%" in page, "the mean confidence of what was looked for"
