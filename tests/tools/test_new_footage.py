"""Rows of models on footage that is new to them: which there are, that they are run once, and what they say."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from footage import film
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17

from tools import new_footage
from tools.new_footage import jobs, main

SETTINGS = ("train.width=48", "train.min_steps=25", "train.batch_size=32", "train.learning_rate=0.01",
            "train.epochs=36", "fuse.enabled=false")  # fmt: skip
QUICK = [word for setting in SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of one scenario of three cameras."""
    folder = tmp_path_factory.mktemp("bench")
    for name, count, seed in (("train", 400, 0), ("test", 40, 1)):
        rig, pose = cameras(3, seed=seed), people(count, seed)
        seen = rig.see(pose)
        np.savez(
            folder / f"static4_{name}.npz",
            poses_2d=rig.project(pose).astype(np.float32),
            confidences=np.full((count, 3, 17), 0.9, np.float32),
            poses_3d_cam=(seen - seen[:, :, :1]).astype(np.float32),
            joint_names=np.array(H36M17.joints),
            image_size=np.full((3, 2), 1000),
            sequence_id=np.zeros(count, int),
            subject_id=np.zeros(count, int),
            frame_index=np.arange(count) * 2,
            time=np.arange(count) / 25,
            clip_name=np.array(["run"]),
        )
    return folder


def test_rows_of_a_benchmark_are_run_once_and_say_how_good_they_are(bench: Path, tmp_path: Path) -> None:
    words = [str(tmp_path), "--bench", str(bench), "--method", "canonpose", *QUICK]
    main([*words, "--rows", "static4-15s"])
    (row,) = json.loads((tmp_path / "new_footage.json").read_text())
    assert row["failure"] == "" and row["method"] == "canonpose" and row["learnt_from"] == "no 3D poses"
    assert 0 < row["measures"]["PMPJPE"] < row["measures"]["NMPJPE"] < 400
    assert sum(row["verdict"].values()) == pytest.approx(1)
    place = tmp_path / "rows" / "static4-15s" / "canonpose-default-0"
    with np.load(place / "footage.npz") as file:
        assert len(file["sequence_id"]) == 375
    assert "| static4-15s | canonpose | default | no 3D poses | 1 |" in (tmp_path / "new_footage.md").read_text()

    stamp = (place / "row.json").stat().st_mtime_ns
    main([*words, "--rows", "static4-15s,mine", "--models", f"mine={place / 'model.pt'}"])
    again, mine = json.loads((tmp_path / "new_footage.json").read_text())
    assert again == row and mine["name"] == "mine-static4"
    assert mine["measures"] == pytest.approx(again["measures"])
    assert (place / "row.json").stat().st_mtime_ns == stamp


def test_a_row_that_fails_says_why_and_the_others_go_on(bench: Path, tmp_path: Path) -> None:
    words = ["--method", "canonpose", "--rows", "static4-15s", "--set", "train.no_such_setting=1"]
    main([str(tmp_path), "--bench", str(bench), *words])
    assert "| static4-15s | failed: " in (tmp_path / "new_footage.md").read_text()
    with pytest.raises(SystemExit, match="no such row"):
        main([str(tmp_path), "--bench", str(bench), "--rows", "nothing"])


def test_rows_of_videos_leave_out_cameras_and_halves(tmp_path: Path) -> None:
    balance4, demo = tmp_path / "balance4", tmp_path / "demo"
    for camera in range(3):
        film(balance4 / f"cam0{camera}.mp4", camera, range(20))
        film(demo / "training" / f"cam{camera}.mp4", camera, range(20))
    film(demo / "heldout" / "cam5.mp4", 2, range(20))
    options = Namespace(balance4=balance4, demo=demo, drawn=None, bench=None, models=["mine=model.pt"])
    found = {job.name: job for job in jobs(options)}
    left_out = found["balance4-cam01"]
    assert left_out.leave_out == ("cam01",) and left_out.train == balance4
    assert [one.reference for one in left_out.tries] == [balance4 / "reference" / "cam01.npz"]
    half = found["balance4-second-half"]
    assert half.part[0] == pytest.approx(19 / 25 / 2, abs=0.02) and half.part[1] is None
    assert [one.part for one in half.tries] == [(None, half.part[0])] * 3
    assert found["demo-cam5"].leave_out == () and found["demo-cam1"].leave_out == ("cam1",)
    assert len(found["demo-on-balance4"].tries) == 3 and len(found["generic-demo"].tries) == 4
    assert found["mine-balance4"].model == Path("model.pt") and found["generic-balance4"].model is None
    assert found["mediapipe-balance4"].tries == ()


def test_what_was_recorded_stands_beside(tmp_path: Path) -> None:
    for camera in range(2):
        film(tmp_path / "balance4" / f"cam0{camera}.mp4", camera, range(10))
    main([str(tmp_path / "out"), "--balance4", str(tmp_path / "balance4"), "--rows", "mediapipe"])
    (row,) = json.loads((tmp_path / "out" / "new_footage.json").read_text())
    assert (row["measures"]["PMPJPE"], row["measures"]["NMPJPE"]) == new_footage.RECORDED["mediapipe-balance4"]
