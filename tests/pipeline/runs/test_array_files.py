"""Files of all views' poses say what they hold, and appear whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import ViewPoses
from posepipe.pipeline.runs.array_files import write_poses


def some_poses() -> ViewPoses:
    joint = np.random.default_rng(0).normal(size=(4, 2, 17, 3)).astype(np.float32)
    return ViewPoses(
        joint=joint, canonical=2 * joint, camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (4, 2, 1, 1)),
        confidence=np.full((4, 2, 17), 0.5, np.float32), take=np.array([0, 0, 1, 1]), instant=np.array([3, 4, 0, 1]),
        skeleton="h36m17", unit="m", takes=["one", "two"], root_trajectory=joint[:, :, 0] + 5,
        root_camera="focal length of 1000 px, given",
    )  # fmt: skip


def test_arrays_stand_beside_what_they_mean(tmp_path: Path) -> None:
    pose = some_poses()
    write_poses(tmp_path / "poses.npz", pose, {"method": "canonpose", "model_sha256": "abc"})
    with np.load(tmp_path / "poses.npz") as file:
        for name in (
            "joint",
            "canonical",
            "camera_from_canonical",
            "confidence",
            "take",
            "instant",
            "root_trajectory",
        ):
            np.testing.assert_array_equal(file[name], getattr(pose, name))
        assert not {"time", "joint_raw", "filled", "expected_error"} & set(file)
        assert file["joint_names"].tolist() == list(H36M17.joints)
        np.testing.assert_array_equal(file["bones"], H36M17.bone_indices)
        assert file["take_names"].tolist() == ["one", "two"]
        assert (str(file["skeleton"]), str(file["unit"])) == ("h36m17", "m")
        assert str(file["root_camera"]) == "focal length of 1000 px, given"
        assert "pelvis" in str(file["root"]) and "x right" in str(file["axes"])
        said = json.loads(str(file["provenance"]))
        assert (said["method"], said["model_sha256"]) == ("canonpose", "abc")
        assert list(said) == sorted(said) and "posepipe" in said
    assert [path.name for path in tmp_path.iterdir()] == ["poses.npz"]


def test_a_file_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(file: object, **arrays: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(KeyError):
        write_poses(tmp_path / "poses.npz", some_poses(), {})
    assert list(tmp_path.iterdir()) == []
