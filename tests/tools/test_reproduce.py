"""The reproduction of a paper's row, on small keypoint files named like a data set's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.settings import load_settings, method_settings

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
    assert "| CanonPose + C (published) | 74.3 | 53.0 |  |  | 167.3 | AlphaPose 2D |" in text
    assert "| posepipe canonpose, as predicted |" in text and "mean over actions" in text
    assert (tmp_path / "runs/h36m_canonpose.md").read_text() in text
    assert (tmp_path / "runs/h36m/canonpose/seed0/evaluation.json").exists()


def test_a_row_that_learns_from_true_poses_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posepipe.models.refinement.WIDTH", 32)
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


@pytest.mark.parametrize("key", reproduce.TABLES, ids=" ".join)
def test_every_row_has_settings_that_exist(key: tuple[str, str]) -> None:
    method = key[1].split("+")[0]
    settings = load_settings(overrides=reproduce.TABLES[key].settings, options={"train.method": method})
    assert method_settings(settings).epochs >= 1


@pytest.mark.parametrize(("dataset", "method"), [("skipose", "li"), ("h36m", "iqbal")])
def test_a_row_that_is_not_there(dataset: str, method: str) -> None:
    with pytest.raises(SystemExit, match=r"no such row; there are: h36m --method canonpose.* pictures have none"):
        reproduce.main([dataset, "--method", method, "--data", "."])
