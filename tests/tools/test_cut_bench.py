"""Cuts of the benchmark: a split shares neither people nor clips, fewer cameras are the cameras asked for."""

from pathlib import Path

import numpy as np
import pytest

from tools.cut_bench import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    clips = [f"{action}_{k}" for action in ("run", "ski_jump") for k in range(4)] + ["wash_1"]
    sequence = np.arange(27).repeat(2)
    arrays = {
        "poses_2d": np.arange(54.0)[:, None, None, None] + 100 * np.arange(3)[:, None, None] + np.zeros((17, 2)),
        "confidences": np.ones((54, 3, 17)),
        "subject_id": sequence // 9,
        "sequence_id": sequence,
        "clip_name": np.array(clips * 3),
        "image_size": np.array([[10, 1], [20, 2], [30, 3]]),
    }
    np.savez(tmp_path / "static4_train.npz", **arrays)
    np.savez(tmp_path / "static4_test.npz", **arrays)
    return tmp_path


def read(data: Path, name: str) -> dict[str, np.ndarray]:
    return dict(np.load(data / "cut" / f"{name}.npz"))


def test_neither_person_nor_clip_is_shared(data: Path) -> None:
    main([str(data), "--out", str(data / "cut"), "--hold-out"])
    train, test = read(data, "static4_train"), read(data, "static4_test")
    assert not set(train["subject_id"]) & set(test["subject_id"])
    used = [set(part["clip_name"][part["sequence_id"]].tolist()) for part in (train, test)]
    assert used[1] == {"run_0", "run_3", "ski_jump_0", "ski_jump_3"}
    assert used[0] == set(train["clip_name"].tolist()) - used[1]
    assert not set(train["poses_2d"][:, 0, 0, 0]) & set(test["poses_2d"][:, 0, 0, 0])
    assert len(train["image_size"]) == 3


def test_cameras_and_samples_are_cut_from_the_training_data(data: Path) -> None:
    main([str(data), "--out", str(data / "cut"), "--cameras", "1,3"])
    train = read(data, "static4-cameras13_train")
    assert train["poses_2d"][5, :, 0, 0].tolist() == [5, 205]
    assert train["image_size"].tolist() == [[10, 1], [30, 3]]
    assert read(data, "static4-cameras13_test")["poses_2d"].shape == (54, 3, 17, 2)
    main([str(data), "--out", str(data / "cut"), "--samples", "20"])
    train = read(data, "static4-samples20_train")
    assert train["poses_2d"].shape == (20, 3, 17, 2) and train["clip_name"].shape == (27,)
