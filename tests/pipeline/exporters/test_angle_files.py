"""angles.csv, angles.mot and segments.csv hold the angles of models.body.angles."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas
import pytest
from known_clip import a_moving_clip, awkward_clips, the_pose, without
from posepipe.models.body.angles import joint_angles, segment_lengths
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.exporters.angles import opensim_name, write, write_mot, write_segments
from posepipe.pipeline.exporters.gapless import gapless


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", awkward_clips())
def test_angles_csv(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "angles.csv")
    rows = table(tmp_path / "angles.csv")
    assert len(rows) == len(clip.people) * len(clip.time)
    for number, person in enumerate(clip.people):
        mine = rows[number * len(clip.time) : (number + 1) * len(clip.time)]
        assert {row["person"] for row in mine} == {person.name}
        np.testing.assert_allclose([float(row["time"]) for row in mine], clip.time, atol=1e-8)
        for angle, expected in joint_angles(person.pose.joint, H36M17).items():
            found = [float(row[f"{angle}_deg"] or "nan") for row in mine]
            np.testing.assert_allclose(found, expected, atol=1e-3)


def test_angles_mot_as_opensim_reads_it(tmp_path: Path) -> None:
    clip = a_moving_clip(rate="60000/1001")
    expected = joint_angles(the_pose(clip).joint, H36M17)["left_knee_flexion"][2:39]
    without(the_pose(clip), 0, 1, 10, 39)
    write_mot(clip, tmp_path / "angles.mot")
    lines = (tmp_path / "angles.mot").read_text().splitlines()
    end = lines.index("endheader")
    assert lines[:2] == ["Coordinates", "version=1"]
    header = dict(line.split("=") for line in lines[1:end] if "=" in line)
    names, values = lines[end + 1].split("\t"), np.array([line.split("\t") for line in lines[end + 2 :]], float)
    assert (int(header["nRows"]), int(header["nColumns"]), header["inDegrees"]) == (*values.shape, "yes")
    assert values.shape == (37, len(names))
    np.testing.assert_allclose(values[:, 0], clip.time[2:39], atol=1e-6)
    knee = values[:, names.index("knee_angle_l")]
    np.testing.assert_allclose(np.delete(knee, 8), np.delete(expected, 8), atol=1e-3)
    assert knee[8] == pytest.approx(expected[8], abs=2)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", awkward_clips())
def test_angles_mot(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write_mot(clip, tmp_path / "angles.mot")
    for person, path in clip.each(tmp_path / "angles.mot"):
        start = path.read_text().splitlines().index("endheader") + 1
        table = pandas.read_csv(path, sep="\t", skiprows=start)
        poses = gapless(clip, person, "mot")
        np.testing.assert_allclose(table["time"], poses.time, atol=6e-7)
        for angle, expected in joint_angles(poses.joint, clip.skeleton).items():
            defined = np.isfinite(expected)
            np.testing.assert_allclose(table[opensim_name(angle)][defined], expected[defined], atol=6e-7)


def test_names_of_opensim() -> None:
    assert opensim_name("right_hip_flexion") == "hip_flexion_r"
    assert opensim_name("left_shoulder_flexion") == "arm_flex_l"
    assert opensim_name("trunk_lean_forward") == "trunk_lean_forward"


def test_segments_csv(tmp_path: Path) -> None:
    clip = a_moving_clip()
    without(the_pose(clip), 3)
    write_segments(clip, tmp_path / "segments.csv")
    rows = {row["segment"]: row for row in table(tmp_path / "segments.csv")}
    lengths = segment_lengths(the_pose(clip).joint, H36M17)
    assert set(rows) == set(lengths)
    for name, length in lengths.items():
        assert float(rows[name]["median"]) == pytest.approx(np.nanmedian(length), abs=1e-5)
        assert rows[name]["unit"] == "m"
    left, right = (float(np.nanmedian(lengths[f"{side}_thigh"])) for side in ("left", "right"))
    for side in ("left", "right"):
        assert float(rows[f"{side}_thigh"]["asymmetry_percent"]) == pytest.approx(
            200 * (left - right) / (left + right), abs=0.01
        )
    assert rows["trunk"]["asymmetry_percent"] == ""
