"""A split for choosing settings shares neither people nor clips nor samples."""

from pathlib import Path

import numpy as np

from tools.hold_out import main


def test_neither_person_nor_clip_is_shared(tmp_path: Path) -> None:
    clips = [f"{action}_{k}" for action in ("run", "ski_jump") for k in range(4)] + ["wash_1"]
    sequence = np.arange(27).repeat(2)
    arrays = {
        "poses_2d": np.arange(54.0)[:, None] * np.ones(3),
        "subject_id": sequence // 9,
        "sequence_id": sequence,
        "clip_name": np.array(clips * 3),
        "joint_names": np.array(["pelvis"]),
    }
    np.savez(tmp_path / "static4_train.npz", **arrays)
    main([str(tmp_path), "--out", str(tmp_path / "choice")])
    train, test = (dict(np.load(tmp_path / "choice" / f"static4_{part}.npz")) for part in ("train", "test"))
    assert not set(train["subject_id"]) & set(test["subject_id"])
    used = [set(part["clip_name"][part["sequence_id"]].tolist()) for part in (train, test)]
    assert used[1] == {"run_0", "run_3", "ski_jump_0", "ski_jump_3"}
    assert used[0] == set(clips) - used[1]
    assert not set(train["poses_2d"][:, 0]) & set(test["poses_2d"][:, 0])
    assert train["joint_names"].tolist() == ["pelvis"]
