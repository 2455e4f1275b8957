"""poses.csv is a plain tidy table."""

import csv
from pathlib import Path

import numpy as np
import pytest
from known_clip import JOINTS, a_clip, the_pose, without
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.exporters import csv as poses_csv


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_round_trip(tmp_path: Path) -> None:
    clip = a_clip(rate="60000/1001")
    without(the_pose(clip), 3)
    poses_csv.write(clip, tmp_path / "poses.csv")
    rows = read(tmp_path / "poses.csv")
    assert tuple(rows[0]) == ("frame", "time", "person", "joint", "x", "y", "z", "confidence", "x_px", "y_px")
    assert [row["joint"] for row in rows] == list(H36M17.joints) * 10
    assert [int(row["frame"]) for row in rows[::JOINTS]] == list(range(10))
    np.testing.assert_allclose([float(row["time"]) for row in rows[::JOINTS]], the_pose(clip).time, atol=1e-9)

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name] or "nan") for row in rows]).reshape(10, JOINTS)

    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(column(name), the_pose(clip).joint[..., axis], atol=1e-6)
    for axis, name in enumerate(("x_px", "y_px")):
        np.testing.assert_allclose(column(name), the_pose(clip).keypoint[..., axis], atol=1e-3)
    np.testing.assert_allclose(column("confidence"), the_pose(clip).confidence, atol=1e-4)


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
