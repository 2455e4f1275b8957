"""poses.c3d holds every point as it is, for a reader that is not the writer's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import c3d
import ezc3d
import numpy as np
import pytest
from footage import athlete
from known_clip import a_clip, a_slowing_clip, awkward_clips, the_pose, two_people, without
from posepipe.pipeline.exporters.c3d import MAX_FRAMES, write
from posepipe.pipeline.exporters.clip import Clip

pytestmark = pytest.mark.filterwarnings("ignore:No analog data")


def read(path: Path) -> tuple[c3d.Reader, np.ndarray, np.ndarray]:
    """A file by py-c3d: points (frame, point, 3) in mm with NaN where missing, and their residuals."""
    with path.open("rb") as file:
        reader = c3d.Reader(file)
        points = np.stack([points for _, points, _ in reader.read_frames(copy=True)])
    return reader, points[..., :3], points[..., 3]


def text(reader: c3d.Reader, name: str) -> str:
    return "".join(line.rstrip() for line in reader.get(f"POSEPIPE:{name}").string_array)


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "poses.c3d")
    reader, points, residual = read(tmp_path / "poses.c3d")
    scale = 1000 if clip.unit == "m" else 1
    expected = np.concatenate([person.pose.joint for person in clip.people], 1) * (1, -1, -1) * scale
    missing = np.isnan(expected).any(-1)
    np.testing.assert_allclose(points[~missing], expected[~missing], rtol=1e-6, atol=1e-3)  # 1 um, or float32
    assert (residual[missing] == -1).all()
    assert (residual[~missing] == 0).all()
    assert reader.point_rate == pytest.approx(float(clip.life_rate), abs=1e-4)
    assert reader.get("POINT:UNITS").string_value.strip() == ("mm" if clip.unit == "m" else "body heights")
    assert text(reader, "RATE") == str(clip.life_rate)
    assert json.loads(text(reader, "PROVENANCE")) == clip.provenance
    assert "y up" in text(reader, "AXES")


def test_missing_points_are_nan_and_not_zero(tmp_path: Path) -> None:
    clip = a_clip(frames=3)
    without(the_pose(clip), 1)
    write(clip, tmp_path / "poses.c3d")
    points = ezc3d.c3d(str(tmp_path / "poses.c3d"))["data"]["points"]
    assert np.isnan(points[:3, :, 1]).all()
    assert np.isfinite(points[:3, :, [0, 2]]).all()


def test_points_are_named_by_joint_and_by_person_if_there_are_several(tmp_path: Path) -> None:
    write(a_clip(), tmp_path / "one.c3d")
    write(two_people(), tmp_path / "two.c3d")
    one, two = ([label.strip() for label in read(tmp_path / file)[0].point_labels] for file in ("one.c3d", "two.c3d"))
    assert one[:3] == ["Pelvis", "RHip", "RKnee"]
    assert (two[0], two[18], len(two)) == ("ann:Pelvis", "bob:RHip", 34)


def test_a_long_clip_goes_on_in_further_files(tmp_path: Path) -> None:
    long = lengthened(a_clip(frames=100), MAX_FRAMES + 10)
    write(long, tmp_path / "poses.c3d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poses.c3d", "poses_2.c3d"]
    first, second = (ezc3d.c3d(str(tmp_path / file)) for file in ("poses.c3d", "poses_2.c3d"))
    assert [file["data"]["points"].shape[2] for file in (first, second)] == [MAX_FRAMES, 10]
    about = second["parameters"]["POSEPIPE"]
    assert about["FIRST_FRAME"]["value"] == [MAX_FRAMES]
    assert about["FIRST_TIME"]["value"][0] == pytest.approx(MAX_FRAMES / 30, rel=1e-6)
    expected = the_pose(long).joint[MAX_FRAMES:].transpose(2, 1, 0) * np.array([1, -1, -1])[:, None, None] * 1000
    np.testing.assert_allclose(second["data"]["points"][:3], expected, atol=1e-3)


def lengthened(clip: Clip, frames: int) -> Clip:
    """The same movement again and again."""
    (person,) = clip.people
    turns = -(-frames // len(clip.time))

    def again(values: np.ndarray) -> np.ndarray:
        return np.tile(values, (turns, *[1] * (values.ndim - 1)))[:frames]

    fields = ("joint", "canonical", "camera_from_canonical", "confidence", "keypoint", "root_trajectory")
    time = np.arange(frames) / 30
    pose = replace(person.pose, time=time, **{field: again(getattr(person.pose, field)) for field in fields})
    return replace(clip, people=(replace(person, pose=pose),), video_time=time)


def test_uneven_times_are_resampled_to_the_rate_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = a_slowing_clip()
    with caplog.at_level("WARNING", "posepipe"):
        write(clip, tmp_path / "poses.c3d")
    assert "the poses are resampled at 33.33 Hz" in caplog.text
    reader, points, _ = read(tmp_path / "poses.c3d")
    time = np.arange(len(points)) / reader.point_rate
    assert time[-1] == pytest.approx(clip.time[-1], abs=0.03)
    x, y, z = np.moveaxis(athlete(time), -1, 0)
    np.testing.assert_allclose(points / 1000, np.stack([x, z, -y], -1), atol=0.02)  # a straight line of 0.05 s


def test_nothing_is_said_of_times_that_a_container_rounds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = a_clip(frames=30)
    rounded = np.round(clip.time, 3)
    pose = replace(the_pose(clip), time=rounded)
    write(replace(clip, people=(replace(clip.people[0], pose=pose),), video_time=rounded), tmp_path / "poses.c3d")
    assert not caplog.records
    assert len(read(tmp_path / "poses.c3d")[1]) == 30


def test_no_pose_is_made_up_where_pictures_are_missing(tmp_path: Path) -> None:
    clip = a_slowing_clip()
    kept = np.r_[0:30, 45:51]  # nothing for 0.75 s
    pose = replace(the_pose(clip), **{
        name: getattr(the_pose(clip), name)[kept]
        for name in ("time", "joint", "canonical", "camera_from_canonical", "confidence", "keypoint",
                     "root_trajectory")
    })  # fmt: skip
    gap = replace(clip, people=(replace(clip.people[0], pose=pose),), video_time=pose.time, rate="60")
    write(gap, tmp_path / "poses.c3d")
    _, points, residual = read(tmp_path / "poses.c3d")
    there = (residual == 0).all(1)
    time = np.arange(len(points)) / 60
    assert not there[(time > 0.49) & (time < 1.24)].any()
    assert there[(time < 0.48) | (time > 1.26)].all()
