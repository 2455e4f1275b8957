"""What the page on extensions says works: its very files, in a folder of their own, on footage of a suit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import RATE, athlete
from known_scene import Cameras, cameras
from posepipe.models.body.metrics import evaluate
from posepipe.models.skeleton import H36M17, H36M17_FEET
from posepipe.pipeline.cli import app
from posepipe.pipeline.footage.video import write_video
from typer.testing import CliRunner

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SIZE = 480
FRAMES = 60


def suit(rig: Cameras) -> np.ndarray:
    """The person (frame, view, joint, 2) px, in pictures of ``SIZE``."""
    return rig.project(athlete(np.arange(FRAMES) / RATE)) * SIZE / 1000


def film(path: Path, keypoint: np.ndarray) -> Path:
    """A video of a person with a patch of a hue on every joint, 0 to 360 degrees in their order."""
    hues = np.arange(len(H36M17.joints)) * 180 / len(H36M17.joints)
    hsv = np.stack([hues.round(), np.full(len(hues), 255), np.full(len(hues), 255)], -1).astype(np.uint8)[None]
    colours = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0].tolist()

    def picture(points: np.ndarray) -> np.ndarray:
        drawn = np.full((SIZE, SIZE, 3), 90, np.uint8)
        for point, colour in zip(points, colours, strict=True):
            cv2.circle(drawn, tuple(map(round, point)), 5, colour, -1)
        return drawn

    path.parent.mkdir(exist_ok=True)
    write_video(path, Fraction(RATE), map(picture, keypoint))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples beside footage of four cameras."""
    folder = tmp_path_factory.mktemp("extensions")
    for file in EXAMPLES.glob("*.py"):
        shutil.copy(file, folder)
    for view, keypoint in enumerate(suit(cameras(4, seed=3)).swapaxes(0, 1)):
        film(folder / "hall" / f"cam{view}.mp4", keypoint)
    return folder


def run(folder: Path, *words: str) -> str:
    """The example's command line, in a process of its own."""
    command = [sys.executable, "my_posepipe.py", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_method_a_detector_and_a_format_of_ones_own(folder: Path) -> None:
    said = run(
        folder, "fit", "hall", "--method", "agreeing_views", "--detector", "patches", "--export", "npz,jsonl",
        "--set", "train.width=128", "--set", "fuse.enabled=false", "--set", "motion.filter=none",
    )  # fmt: skip
    assert "coloured patches" in said
    rig = cameras(4, seed=3)
    true = rig.see(athlete(np.arange(FRAMES) / RATE))
    for view in range(4):
        results = folder / "hall_posepipe" / "takes" / "hall" / f"cam{view}"
        with np.load(results / "poses.npz") as poses:
            found, joint = poses["keypoint"][:, :17], poses["joint"][:, :17]
        assert np.nanmedian(np.linalg.norm(found - suit(rig)[:, view], axis=-1)) < 1
        there = np.isfinite(joint).all((1, 2))
        assert there.mean() > 0.8
        assert evaluate(joint[there].astype(float), true[there, view] * 1000)["PMPJPE"] < 45
        about, *rows = map(json.loads, (results / "poses.jsonl").read_text(encoding="utf-8").splitlines())
        assert about["joints"] == list(H36M17_FEET.joints)
        assert about["axes"].startswith("camera axes")
        assert len(rows) == FRAMES
        for row in rows:
            pose = row["joint"]["person0"]
            assert (pose is not None) == there[row["frame"]]
            assert pose is None or pose[17:] == [None] * 4
            assert pose is None or np.allclose(pose[:17], joint[row["frame"]], atol=1e-5)


@pytest.mark.parametrize(("option", "name"), [("--method", "agreeing_views"), ("--detector", "patches")])
def test_what_nobody_registered_is_refused(folder: Path, option: str, name: str) -> None:
    refused = CliRunner().invoke(app, ["fit", str(folder / "hall"), option, name])
    assert refused.exit_code == 2
    assert f"unknown {option.lstrip('-')} {name!r}" in refused.output
