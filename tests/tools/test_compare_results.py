"""The comparison of results folders: what is equal, what is not and by how much, and what does not count."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tools.compare_results import compare, main

JOINT = np.arange(12, dtype=np.float32).reshape(4, 3)


def make(folder: Path) -> Path:
    """Results of one camera."""
    camera = folder / "takes" / "run" / "cam0"
    camera.mkdir(parents=True)
    write_poses(camera / "poses.npz", JOINT, "aa")
    (camera / "poses.csv").write_text("frame,time,x\n0,0.00,1.5\n1,0.04,2.5\n")
    (camera / "poses.trc").write_text("PathFileType 4\n1\t0.00\t1.5\n2\t0.04\t2.5\n")
    write_result(camera / "result.json", "aa", "m")
    torch.save({"state": {"w": torch.ones(3)}, "posepipe": "1", "recipe": {"samples": "aa"}}, folder / "model.pt")
    (folder / "losses.jsonl").write_text('{"total": 1.5}\n{"total": 1.25}\n')
    (folder / "run.json").write_text("a")
    (folder / "cache").mkdir()
    (folder / "cache" / "digests.json").write_text("{}")
    return folder


def write_poses(path: Path, joint: np.ndarray, digest: str) -> None:
    origin = json.dumps({"model_sha256": digest, "method": "canonpose"})
    np.savez(path, joint=joint, unit=np.array("m"), provenance=np.array(origin))


def write_result(path: Path, digest: str, unit: str) -> None:
    path.write_text(json.dumps({"from": {"clip_sha256": digest, "K": [[1.0, 2.0]]}, "about": {"unit": unit}}))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with the same results."""
    one = make(tmp_path / "a")
    shutil.copytree(one, tmp_path / "b")
    return one, tmp_path / "b"


def camera_of(folder: Path) -> Path:
    return folder / "takes" / "run" / "cam0"


def different(pair: tuple[Path, Path], *ignore: str) -> dict[str, list[str]]:
    return {Path(place).name: said for place, said in compare(*pair, list(ignore)) if said}


def test_equal_results_are_equal_whatever_their_digests(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_poses(camera_of(pair[1]) / "poses.npz", JOINT, "bb")
    write_result(camera_of(pair[1]) / "result.json", "bb", "m")
    torch.save({"state": {"w": torch.ones(3)}, "posepipe": "2", "recipe": {"samples": "bb"}}, pair[1] / "model.pt")
    (pair[1] / "run.json").write_text("b")
    (pair[1] / "cache" / "digests.json").write_text("{1: 2}")
    assert main([*map(str, pair)]) == 0
    said = capsys.readouterr().out
    assert "poses.npz" in said and "equal bit by bit" in said
    assert "6 files: 6 equal, 0 different" in said


def test_the_least_difference_is_found_and_measured(pair: tuple[Path, Path]) -> None:
    moved, camera = JOINT.copy(), camera_of(pair[1])
    moved[2, 1] = np.nextafter(moved[2, 1], np.float32(9e9))
    moved[0, 0] = np.nan
    write_poses(camera / "poses.npz", moved, "aa")
    (camera / "poses.csv").write_text("frame,time,x\n0,0.00,1.5\n1,0.04,2.75\n")
    (camera / "poses.trc").write_text("PathFileType 3\n1\t0.00\t1.5\n2\t0.04\t2.5\n")
    write_result(camera / "result.json", "aa", "body heights")
    torch.save({"state": {"w": torch.tensor([1, 1, 1.5])}}, pair[1] / "model.pt")
    (pair[1] / "losses.jsonl").write_text('{"total": 1.5}\n{"total": 1.5}\n')
    assert different(pair) == {
        "poses.npz": ["joint: largest difference 4.77e-07, 1 numbers on one side only"],
        "poses.csv": ["numbers: largest difference 0.25"],
        "poses.trc": ["numbers: largest difference 1"],
        "result.json": ["/about/unit: 'm' and 'body heights'"],
        "model.pt": ["/state/w: largest difference 0.5"],
        "losses.jsonl": ["/1/total: largest difference 0.25"],
    }
    assert main([*map(str, pair)]) == 1


def test_what_is_missing_is_said(pair: tuple[Path, Path]) -> None:
    (camera_of(pair[1]) / "poses.csv").unlink()
    np.savez(camera_of(pair[1]) / "poses.npz", joint=JOINT[:3], unit=np.array("m"), more=JOINT)
    (pair[1] / "more.txt").write_text("")
    said = different(pair)
    assert said["poses.csv"] == ["missing in B"] and said["more.txt"] == ["missing in A"]
    assert said["poses.npz"] == [
        "joint: shapes (4, 3) and (3, 3)", "more: missing in A", "provenance/method: missing in B",
    ]  # fmt: skip


def test_what_is_expected_can_be_left_out(pair: tuple[Path, Path]) -> None:
    write_poses(camera_of(pair[1]) / "poses.npz", JOINT + 1, "aa")
    write_result(camera_of(pair[1]) / "result.json", "aa", "ft")
    assert set(different(pair)) == {"poses.npz", "result.json"}
    assert different(pair, "*.npz:joint", "*/result.json") == {}
    assert set(different(pair, "*.npz:unit", "*/result.json")) == {"poses.npz"}


def test_nothing_to_compare_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "there is no folder" in capsys.readouterr().out
    assert main([str(tmp_path / "a"), str(tmp_path / "a")]) == 2
    assert "there are no results" in capsys.readouterr().out
