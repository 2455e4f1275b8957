"""poses.csv is a plain tidy table."""

from pathlib import Path

import numpy as np
import pandas
import pytest
from known_clip import JOINTS, a_clip, awkward_clips, the_pose, without
from posepipe.pipeline.exporters import csv as poses_csv


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    poses_csv.write(clip, tmp_path / "poses.csv")
    table = pandas.read_csv(tmp_path / "poses.csv")
    assert table.columns.tolist() == ["frame", "time", "person", "joint", "x", "y", "z", "confidence", "x_px", "y_px"]
    for person in clip.people:
        rows, pose = table[table.person == person.name], person.pose
        assert rows.joint.tolist() == list(clip.skeleton.joints) * len(clip.time)
        np.testing.assert_array_equal(rows.frame, np.repeat(np.arange(len(clip.time)), len(clip.skeleton.joints)))
        np.testing.assert_allclose(rows.time, np.repeat(clip.time, len(clip.skeleton.joints)), atol=1e-9)
        np.testing.assert_allclose(rows[["x", "y", "z"]], pose.joint.reshape(-1, 3), atol=6e-7)
        np.testing.assert_allclose(rows[["x_px", "y_px"]], pose.keypoint.reshape(-1, 2), atol=6e-4)
        np.testing.assert_allclose(rows.confidence, pose.confidence.ravel(), atol=6e-5)


def test_missing_poses_are_empty_cells(tmp_path: Path) -> None:
    clip = a_clip(frames=2)
    without(the_pose(clip), 1)
    poses_csv.write(clip, tmp_path / "poses.csv")
    lines = (tmp_path / "poses.csv").read_text().splitlines()
    assert lines[1] == "0,0.0,person0,pelvis,0.0,0.0,0.0,0.75,100.0,100.0"
    assert lines[1 + JOINTS] == "1,0.033333333,person0,pelvis,,,,0.0,,"


def test_chunks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses_csv.write(a_clip(), tmp_path / "whole")
    monkeypatch.setattr(poses_csv, "CHUNK_FRAMES", 3)
    poses_csv.write(a_clip(), tmp_path / "chunks")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "chunks").read_bytes()
