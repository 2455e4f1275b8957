"""The benchmark runner on a small scene: rows, resumption by content, the page, and the supervised bound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import PosepipeError

from tools import bench_accuracy
from tools.accuracy_page import Row, write_page

SETTINGS = ("train.width=48", "train.min_steps=25", "train.batch_size=32", "train.learning_rate=0.01")
QUICK = [*(word for setting in SETTINGS for word in ("--set", setting)), "--threads", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one scenario of three cameras."""
    folder = tmp_path_factory.mktemp("bench")
    for name, count, seed in (("train", 400, 0), ("test", 40, 1)):
        rig, pose = cameras(3, seed=seed), people(count, seed)
        seen = rig.see(pose)
        np.savez(
            folder / f"room_{name}.npz",
            keypoint=rig.project(pose).astype(np.float32),
            confidence=np.full((count, 3, 17), 0.9, np.float32),
            joint_names=np.array(H36M17.joints),
            joint_3d_cam=(seen - seen[:, :, :1]).astype(np.float32),
        )
    return folder


@pytest.fixture(scope="module")
def page(data: Path) -> Path:
    """The page of a finished benchmark."""
    docs = data / "docs"
    arguments = ["--methods", "canonpose,supervised", "--seeds", "1", "--set", "train.epochs=15", *QUICK]
    bench_accuracy.main([str(data), "--docs", str(docs), *arguments])
    return docs


def test_every_method_gets_its_row(page: Path) -> None:
    rows = {row["method"]: row for row in json.loads((page / "accuracy.json").read_text())["rows"]}
    assert set(rows) == {"canonpose", "supervised"}
    for row in rows.values():
        assert row["failure"] == "" and row["epochs"] == 15 and row["minutes"] > 0
        assert {"NMPJPE", "PMPJPE", "N-PCK", "CPS"} <= set(row["measures"])
    assert rows["supervised"]["measures"]["PMPJPE"] < 80
    text = (page / "accuracy.md").read_text()
    assert "| canonpose | 2D poses |" in text and "true 3D poses" in text
    assert (page / "accuracy_room_pck.svg").exists() and (page / "accuracy_room_cps.svg").exists()
    assert "tools/bench_accuracy.py" in text and "cores" in text


def test_what_is_finished_is_not_done_again(page: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **more: object) -> None:
        raise PosepipeError("trained again")

    monkeypatch.setattr(bench_accuracy, "fit", never)
    monkeypatch.setattr(bench_accuracy, "upper_bound", never)
    arguments = ["--methods", "canonpose,supervised", "--seeds", "1", *QUICK]
    docs = data / "other"
    bench_accuracy.main([str(data), "--docs", str(docs), *arguments, "--set", "train.epochs=15"])
    before, after = (json.loads((folder / "accuracy.json").read_text())["rows"] for folder in (page, docs))
    assert before == after
    bench_accuracy.main([str(data), "--docs", str(docs), *arguments, "--set", "train.epochs=16"])
    assert "trained again" in (docs / "accuracy.md").read_text(), "other settings are other content"


def test_a_method_with_settings_is_a_row_of_its_own(data: Path) -> None:
    options = bench_accuracy.parse([str(data), "--methods", "canonpose+handedness=none+samples.min_views=3"])
    jobs = bench_accuracy.jobs(options)
    assert [job.seed for job in jobs] == [0, 1, 2]
    assert jobs[0].options["handedness"] == "none"
    assert jobs[0].settings.samples.min_views == 3
    assert len({job.content() for job in jobs}) == 3


def test_the_page_shows_mean_and_spread(tmp_path: Path) -> None:
    curves = {"N-PCK": [0.0] * 61, "CPS": [0.0] * 61}

    def row(seed: int, error: float) -> Row:
        measures = {"NMPJPE": error, "PMPJPE": 50.0, "N-PCK": 90.0, "CPS": 150.0}
        return Row("static4", "canonpose", seed, measures, curves, minutes=2, epochs=24, handedness="clear (95%)")

    failed = Row("static4", "canonpose", 2, failure="left and right were not told apart")
    write_page(tmp_path, [row(0, 80), row(1, 84), failed], "command", "machine")
    text = (tmp_path / "accuracy.md").read_text()
    assert "82.0 ± 2.8" in text and "2 of 3" in text
    assert "* canonpose, seed 2: left and right were not told apart" in text
