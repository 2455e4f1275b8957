"""The benchmark runner on a small scene: rows, resumption by content, the page, and the supervised bound."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import PosepipeError
from posepipe.pipeline.settings import Settings
from posepipe.pipeline.training.model_file import Model

from tools import bench_accuracy, bench_footage
from tools.accuracy_page import Row, write_page
from tools.learning_curves import learning_curves

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
            image_size=np.full((3, 2), 1000),
        )
    return folder


@pytest.fixture(scope="module")
def page(data: Path) -> Path:
    """The page of a finished benchmark."""
    docs = data / "docs"
    methods = "canonpose,supervised,multiview"
    arguments = ["--methods", methods, "--seeds", "1", "--set", "train.epochs=36", *QUICK]
    bench_accuracy.main([str(data), "--docs", str(docs), *arguments])
    return docs


def test_a_row_says_that_true_poses_were_learnt_from(data: Path, page: Path) -> None:
    reference = data / "room_train.npz"
    chosen = ["--methods", "canonpose", "--seeds", "1", "--set", "train.epochs=36", *QUICK]
    options = bench_accuracy.parse(
        [str(data), *chosen, "--set", f"refine.reference={reference}", "--set", "refine.epochs=1"]
    )
    (job,) = bench_accuracy.jobs(options)
    assert bench_accuracy._uses(job.settings) == "2D poses, true 3D poses"
    (plain,) = bench_accuracy.jobs(bench_accuracy.parse([str(data), *chosen]))
    assert bench_accuracy._uses(plain.settings) == "2D poses"
    assert bench_accuracy.finished(plain) and not bench_accuracy.finished(job)


def test_every_method_gets_its_row(page: Path) -> None:
    rows = {row["method"]: row for row in json.loads((page / "accuracy.json").read_text())["rows"]}
    assert set(rows) == {"canonpose", "supervised", "multiview"}
    for row in rows.values():
        assert row["failure"] == "" and row["epochs"] == 36 and row["minutes"] > 0
        assert {"NMPJPE", "PMPJPE", "N-PCK", "CPS"} <= set(row["measures"])
    assert rows["supervised"]["measures"]["PMPJPE"] < 80
    assert rows["multiview"]["measures"]["PMPJPE"] < 30, "2D poses of three views, nothing calibrated"
    text = (page / "accuracy.md").read_text()
    assert "| canonpose | 2D poses |" in text and "true 3D poses" in text and "| 2D poses of all views |" in text
    assert (page / "accuracy_room_pck.svg").exists() and (page / "accuracy_room_cps.svg").exists()
    assert "tools/bench_accuracy.py" in text and "cores" in text


def test_what_is_finished_is_not_done_again(page: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **more: object) -> None:
        raise PosepipeError("trained again")

    monkeypatch.setattr(bench_accuracy, "fit", never)
    monkeypatch.setattr(bench_accuracy, "upper_bound", never)
    arguments = ["--methods", "canonpose,supervised,multiview", "--seeds", "1", *QUICK]
    docs = data / "other"
    bench_accuracy.main([str(data), "--docs", str(docs), *arguments, "--set", "train.epochs=36"])
    before, after = (json.loads((folder / "accuracy.json").read_text())["rows"] for folder in (page, docs))
    assert before == after
    bench_accuracy.main([str(data), "--docs", str(docs), *arguments, "--set", "train.epochs=37"])
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
        told = {"minutes": 2, "epochs": 24, "handedness": "clear (95%)", "expected_error_correlation": error / 160}
        told |= {"within": {"50": 48, "90": 91}}
        return Row("static4", "canonpose", seed, measures, curves=curves, **told)

    failed = Row("static4", "canonpose", 2, failure="left and right were not told apart")
    write_page(tmp_path, [row(0, 80), row(1, 84), failed])
    text = (tmp_path / "accuracy.md").read_text()
    assert "82.0 ± 2.8" in text and "2 of 3" in text and "0.51 ± 0.02; 48 %, 91 %" in text
    assert "* canonpose, seed 2: left and right were not told apart" in text
    write_page(tmp_path, [replace(row(0, 70), scenario="drawn", command="python run", machine="two cores")])
    text = (tmp_path / "accuracy.md").read_text()
    assert "82.0 ± 2.8" in text and "70.0" in text, "other scenarios stay"
    assert "```\npython run\n```" in text and "on two cores" in text
    write_page(tmp_path, [row(0, 90), replace(row(0, 60), scenario="static4-samples750")])
    text = (tmp_path / "accuracy.md").read_text()
    assert "90.0" in text and "70.0" in text and "82.0" not in text, "all seeds of a method are replaced"
    whole, cut = text.split("## Less footage")
    assert "| static4-samples750 | canonpose |" in cut and "samples750" not in whole
    assert "(accuracy_static4_samples.svg)" in cut and (tmp_path / "accuracy_static4_samples.svg").exists()


def test_curves_over_footage_and_cameras() -> None:
    def row(scenario: str, method: str, error: float) -> Row:
        return Row(scenario, method, 0, {"NMPJPE": error, "PMPJPE": error / 2})

    rows = [row("ski6", "one", 60), row("ski6-samples750", "one", 90), row("ski6-cameras135", "one", 70)]
    rows += [row("ski6", "whole", 61), row("static4-samples750", "other", 99), row("drawn", "one", 50)]
    rows += [replace(row("ski6-samples188", "failed", 0), failure="it did")]
    made = learning_curves(rows)
    assert set(made) == {"accuracy_ski6_samples.svg", "accuracy_ski6_cameras.svg"}
    for picture in made.values():
        assert "one NMPJPE" in picture and "one PMPJPE" in picture
        assert "whole" not in picture and "failed" not in picture, "only whole curves"
    across = 330 / 10 * np.array([0.75, 9.6])
    high = 240 / 140 * np.array([90.0, 60])
    points = " ".join(f"{52 + x:.1f},{34 + 240 - y:.1f}" for x, y in zip(across, high, strict=True))
    assert f'<polyline points="{points}"' in made["accuracy_ski6_samples.svg"]
    assert re.findall(r'"middle" font-size="12" fill="#222">(\d+)<', made["accuracy_ski6_cameras.svg"]) == [
        str(count) for count in range(7)
    ]


class _Found:
    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, [folder / "poses.npz"]


def test_a_scenario_of_footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods share what is detected; poses of test clips are scored against the reference of their names."""
    for folder in ("train/take", "test", "reference"):
        (tmp_path / "drawn" / folder).mkdir(parents=True)
    (tmp_path / "drawn" / "test" / "calib.toml").write_text(
        "[one]\nmatrix = [[900.0, 0, 1], [0, 900.0, 1], [0, 0, 1]]"
    )
    (tmp_path / "drawn" / "test" / "one.mp4").touch()
    pose = people(5)
    np.savez(tmp_path / "drawn" / "reference" / "one.npz", joints_3d_cam=pose, joint_names=np.array(H36M17.joints))
    folders, focals = [], []

    def fit(takes: Path, out: Path, settings: Settings, until: str) -> _Found:
        out.mkdir(parents=True, exist_ok=True)
        plain = {"method": settings.train.method, "skeleton": "h36m17", "state": {}, "losses": [{}] * 7}
        judged = {"handedness": {"verdict": "clear", "evident": 0.9}, "instants": 5, "options": {}, "recipe": {}}
        Model(**plain, **judged).write(out / "model.pt")
        folders.append(out)
        return _Found(out)

    def infer(clip: Path, model: Path, out: Path, focal_px: float | None, **more: object) -> _Found:
        out.mkdir(parents=True, exist_ok=True)
        focals.append(focal_px)
        np.savez(out / "poses.npz", joint=pose, time=np.arange(5.0), joint_names=np.array(H36M17.joints), unit="any")
        return _Found(out)

    monkeypatch.setattr(bench_footage, "fit", fit)
    monkeypatch.setattr(bench_footage, "infer", infer)
    monkeypatch.setattr(bench_accuracy, "status", lambda folder: [])
    bench_accuracy.main([str(tmp_path), "--seeds", "1", "--docs", str(tmp_path / "docs"), "--device", "cpu"])
    rows = {row["method"]: row for row in json.loads((tmp_path / "docs" / "accuracy.json").read_text())["rows"]}
    assert {"canonpose", "cvsf", "epipolarpose", "li", "iqbal", bench_accuracy.VOLUMETRIC} <= set(rows)
    assert bench_accuracy.BOUND not in rows
    assert all(row["measures"]["NMPJPE"] < 1e-3 and row["epochs"] == 7 for row in rows.values())
    assert rows["iqbal"]["uses"] == "pictures, 2D poses, intrinsics"
    assert len(set(folders)) == 1 and set(focals) == {None, 900.0}
    assert (tmp_path / "runs" / "drawn" / "iqbal" / "seed0" / "test" / "one" / "poses.npz").exists()

    chosen = ["--methods", "iqbal", "--seeds", "1", "--set", "train.epochs=3"]
    (job,) = bench_accuracy.jobs(bench_accuracy.parse([str(tmp_path), *chosen]))
    assert job.options["epochs"] == 3 and job.options["backbone"] == "resnet18", "what is said wins"


def test_footage_counts_by_content(tmp_path: Path) -> None:
    (tmp_path / "take").mkdir()
    (tmp_path / "take" / "a.mp4").write_bytes(b"one")
    first = bench_footage.digest(tmp_path)
    (tmp_path / "take" / "a.mp4").write_bytes(b"two")
    assert bench_footage.digest(tmp_path) != first
