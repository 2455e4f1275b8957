"""The reproduction of a paper's row, on small keypoint files named like a data set's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.settings import Settings, load_settings, method_needs, method_settings

from tools import reproduce


def write(path: Path, count: int, seed: int) -> None:
    rig, pose = cameras(3, seed=seed), people(count, seed)
    seen = rig.see(pose)
    np.savez(
        path,
        keypoint=rig.project(pose).astype(np.float32),
        K=np.broadcast_to(rig.K, (count, 3, 3, 3)),
        joint_names=np.array(H36M17.joints),
        joint_3d_cam=(seen - seen[:, :, :1]).astype(np.float32),
        action=np.array(["Walking", "Sitting"])[np.arange(count) % 2],
    )


def test_ours_beside_the_papers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "h36m_train.npz", 300, 0)
    write(tmp_path / "h36m_test.npz", 20, 1)
    quick = (
        "train.recipe=fast",
        "train.epochs=25",
        "train.batch_size=32",
        "train.width=48",
        "train.learning_rate=0.01",
    )
    arguments = ["h36m", "--method", "canonpose", "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    reproduce.main([*arguments, "--device", "cpu", *(word for setting in quick for word in ("--set", setting))])
    text = capsys.readouterr().out
    assert "| CanonPose + C (published) | 74.3 | 53.0 |  |  | 167.3 | AlphaPose 2D, with confidences; " in text
    assert "| posepipe canonpose, as predicted |" in text and "mean over actions" in text
    assert (tmp_path / "runs/h36m_canonpose.md").read_text() in text
    assert (tmp_path / "runs/h36m/canonpose/seed0/evaluation.json").exists()


def test_a_row_that_learns_from_true_poses_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posepipe.models.networks.refinement.WIDTH", 32)
    write(tmp_path / "h36m_train.npz", 60, 0)
    write(tmp_path / "h36m_test.npz", 20, 1)
    arguments = ["h36m", "--method", "epipolarpose+refinement", "--data", str(tmp_path), "--device", "cpu"]
    quick = ("label.triangulation=all", "train.epochs=4", "train.width=64", "refine.epochs=2")
    settings = (word for setting in quick for word in ("--set", setting))
    reproduce.main([*arguments, "--runs", str(tmp_path / "runs"), *settings])
    text = capsys.readouterr().out
    assert "measured, 1 seeds; learnt from 3D poses of h36m_train.npz |" in text
    assert "| EpipolarPose SS + RU (published) | 60.6 | 60.0 | 47.5 |" in text and "mPSS@100" in text
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    header, ours = ([cell.strip() for cell in row] for row in rows[:2])
    assert 0 <= float(dict(zip(header, ours, strict=True))["mPSS@100"]) <= 100
    assert (tmp_path / "runs/h36m/pose_clusters.npz").exists()


def test_a_row_of_a_method_of_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training on footage has its own test (``test_bench_accuracy``); here the truth is what is lifted."""
    arguments = ["h36m", "--method", "iqbal", "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    with pytest.raises(
        SystemExit, match=r"there is no .*h36m; make it with tools/import_dataset.py h36m \.\.\. --videos"
    ):
        reproduce.main(arguments)
    pose, reference = people(20), tmp_path / "h36m/reference"
    reference.mkdir(parents=True)
    for stem, action in (("S9_Walking_1", "Walking"), ("S9_Eating_1", "Eating")):
        np.savez(reference / f"{stem}.npz", joints_3d_cam=pose, time=np.arange(20) / 50, action=np.array(action))

    def lifted(train: Path, test: Path, settings: Settings, folder: Path) -> tuple[Path, Path]:
        assert (train, test) == (tmp_path / "h36m/train", tmp_path / "h36m/test")
        assert settings.train.method == "iqbal" and settings.samples.static_cameras
        for stem, off in (("S9_Walking_1", 0.0), ("S9_Eating_1", 0.1)):
            place = folder / "test" / stem
            place.mkdir(parents=True)
            moved = pose + off * (np.arange(17) == 16)[:, None]
            np.savez(place / "poses.npz", joint=moved, time=np.arange(20) / 50, unit=np.array("m"))
        return folder, folder / "test"

    monkeypatch.setattr(reproduce, "lifted_footage", lifted)
    reproduce.main(arguments)
    text = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:]] for line in text.splitlines() if line.startswith("| ")]
    ours = dict(zip(rows[0], rows[1], strict=True))
    assert ours["row"] == "posepipe iqbal, as predicted"
    assert float(ours["MPJPE"]) == pytest.approx(0.5 * 1000 * 0.1 * 3**0.5 / 17, abs=0.06), "mean over two actions"
    assert "| Iqbal H (published) | 69.1 | 66.3 | 55.9 |" in text and "starts from trained weights" in text


def test_rows_of_pictures_of_3dhp(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only frames and joints that the papers count are scored; PCK is that of poses in metres."""
    pose, reference = people(20), tmp_path / "3dhp/reference"
    write(tmp_path / "3dhp_train.npz", 120, 0)
    reference.mkdir(parents=True)
    valid = np.array([3, 9])
    np.savez(
        reference / "TS1.npz", joints_3d_cam=pose[valid], time=valid / 25, action=np.array(["sports", "exercise"])
    )

    def lifted(train: Path, test: Path, settings: Settings, folder: Path) -> tuple[Path, Path]:
        assert (train, test) == (tmp_path / "3dhp/train", tmp_path / "3dhp/test")
        assert settings.train.method == "epipolarpose" and method_needs(settings) >= {"crops", "labels"}
        (folder / "test/TS1").mkdir(parents=True)
        off = np.zeros((20, 17, 1))
        off[:, H36M17.index("spine")] = 9.0  # is not scored
        off[3, H36M17.index("left_wrist")] = 0.2
        off[4:9] = 5.0  # frames that are not valid
        np.savez(folder / "test/TS1/poses.npz", joint=pose + off, time=np.arange(20) / 25, unit=np.array("m"))
        return folder, folder / "test"

    monkeypatch.setattr(reproduce, "lifted_footage", lifted)
    row = ["3dhp", "--method", "epipolarpose+volumetric", "--data", str(tmp_path)]
    reproduce.main([*row, "--runs", str(tmp_path / "runs")])
    text = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:]] for line in text.splitlines() if line.startswith("| ")]
    ours = dict(zip(rows[0], rows[1], strict=True))
    assert float(ours["MPJPE"]) == pytest.approx(1000 * 0.2 * 3**0.5 / 28, abs=0.06)
    assert float(ours["PCK"]) == pytest.approx(100 * 27 / 28, abs=0.06)
    assert "| EpipolarPose SS (published) | 126.8 | 125.7 | " in text and "| 64.7 | 71.9 |" in text


@pytest.mark.parametrize("key", reproduce.TABLES, ids=" ".join)
def test_every_row_has_settings_that_exist(key: tuple[str, str]) -> None:
    method = key[1].split("+")[0]
    settings = load_settings(overrides=reproduce.TABLES[key].settings, options={"train.method": method})
    assert method_settings(settings).epochs >= 1


@pytest.mark.parametrize(("dataset", "method"), [("skipose", "li"), ("skipose", "iqbal")])
def test_a_row_that_is_not_there(dataset: str, method: str) -> None:
    with pytest.raises(SystemExit, match=r"no such row; there are: h36m --method canonpose.*3dhp --method iqbal"):
        reproduce.main([dataset, "--method", method, "--data", "."])


def test_the_first_cameras_alone(tmp_path: Path) -> None:
    write(tmp_path / "h36m_train.npz", 20, 0)
    cut = reproduce.first_cameras(tmp_path / "h36m_train.npz", 2, tmp_path / "cut")
    with np.load(cut) as fewer, np.load(tmp_path / "h36m_train.npz") as whole:
        for name in ("keypoint", "K", "joint_3d_cam"):
            np.testing.assert_array_equal(fewer[name], whole[name][:, :2])
        np.testing.assert_array_equal(fewer["action"], whole["action"])
