"""Evaluation: what is matched with what, the tables, both means, curves, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from known_scene import people
from posepipe.models.body import metrics
from posepipe.models.skeleton import COCO17, H36M17
from posepipe.pipeline.cli import app
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.evaluate import CURVE_MM, evaluate, save_clusters
from posepipe.pipeline.runs.evaluation_files import as_text, write_evaluation
from typer.testing import CliRunner

SAMPLES, VIEWS = 12, 2
NAMES = np.array(H36M17.joints)


def true_poses(samples: int = SAMPLES, views: int = VIEWS) -> np.ndarray:
    """Poses (S, V, 17, 3) in m, relative to the pelvis."""
    pose = people(samples * views).reshape(samples, views, 17, 3)
    return pose - pose[:, :, :1]


def guess(true: np.ndarray) -> np.ndarray:
    return 0.4 * true + np.random.default_rng(0).normal(0, 0.02, true.shape)


def save(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def write_clip(folder: Path, joint: np.ndarray, **more: Any) -> Path:
    arrays = {"joint": joint, "time": np.arange(len(joint)) / 25, "joint_names": NAMES, "unit": np.array("m")}
    return save(folder / "poses.npz", **arrays | more)


@pytest.fixture
def arrays(tmp_path: Path) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Prediction and reference of a keypoint file, and their poses (S, V, 17, 3)."""
    true = true_poses()
    joint = guess(true)
    prediction = save(tmp_path / "data_posepipe/poses.npz", joint=joint, joint_names=NAMES, unit=np.array("m"))
    takes = {"sequence_id": np.arange(SAMPLES) // 6, "clip_name": np.array(["walk_3", "jump_1"])}
    return prediction, save(tmp_path / "data.npz", poses_3d_cam=true, joint_names=NAMES, **takes), joint, true


def test_a_keypoint_files_poses(arrays: tuple[Path, Path, np.ndarray, np.ndarray]) -> None:
    prediction, reference, joint, true = arrays
    found = evaluate(prediction, reference)
    flat = (pose.reshape(-1, 17, 3) * 1000 for pose in (joint, true))
    assert found.mean.measures == pytest.approx(metrics.evaluate(*flat))
    assert [score.name for score in found.actions] == ["walk", "jump"]
    assert [score.name for score in found.cameras] == ["view 0", "view 1"]
    assert [score.frames for score in found.cameras] == [12, 12]
    jump = metrics.evaluate(joint[6:].reshape(-1, 17, 3) * 1000, true[6:].reshape(-1, 17, 3) * 1000)
    assert found.actions[1].measures == pytest.approx(jump)
    right = metrics.evaluate(joint[:, 1] * 1000, true[:, 1] * 1000)
    assert found.cameras[1].measures == pytest.approx(right)


def test_both_means(tmp_path: Path) -> None:
    """Three samples of one action with no error, one of another with 100 mm: 25 over frames, 50 over actions."""
    true = true_poses(4, 1)
    joint = true.copy()
    joint[3, :, 1:] += [0, 0, 0.1]
    prediction = save(tmp_path / "poses.npz", joint=joint, unit=np.array("m"))
    action = np.array(["walk", "walk", "walk", "run"])
    found = evaluate(prediction, save(tmp_path / "true.npz", joint_3d_cam=true, action=action))
    assert found.mean.measures["MPJPE"] == pytest.approx(25 * 16 / 17)
    assert found.action_mean is not None
    assert found.action_mean.measures["MPJPE"] == pytest.approx(50 * 16 / 17)
    assert found.joints["pelvis"]["MPJPE"] == 0
    assert found.joints["head"]["MPJPE"] == pytest.approx(25)
    assert found.joints["head"]["PCK"] == 100


def test_joints_that_count(arrays: tuple[Path, Path, np.ndarray, np.ndarray]) -> None:
    prediction, reference, joint, true = arrays
    names = ["left_knee", "left_ankle", "left_wrist"]
    found = evaluate(prediction, reference, joints=names)
    at = [H36M17.index(name) for name in names]
    difference = (joint - joint[:, :, :1] - true)[:, :, at]
    assert found.mean.measures["MPJPE"] == pytest.approx(1000 * np.linalg.norm(difference, axis=-1).mean())
    assert list(found.joints) == names
    with pytest.raises(PosepipeError, match="no joint 'knee'"):
        evaluate(prediction, reference, joints=["knee"])


def test_missing_predictions_are_left_out_and_counted(arrays: tuple[Path, Path, np.ndarray, np.ndarray]) -> None:
    prediction, reference, joint, true = arrays
    joint[2, 1] = np.nan
    save(prediction, joint=joint, unit=np.array("m"))
    found = evaluate(prediction, reference)
    assert (found.mean.frames, found.mean.missing) == (23, 1)
    assert [score.missing for score in found.cameras] == [0, 1]
    true[2:4] = np.nan  # nobody knows what was there
    save(reference, poses_3d_cam=true)
    assert (evaluate(prediction, reference).mean.frames, evaluate(prediction, reference).mean.missing) == (20, 0)


def test_body_heights_have_no_metric_measures(arrays: tuple[Path, Path, np.ndarray, np.ndarray]) -> None:
    prediction, reference, joint, _ = arrays
    save(prediction, joint=joint, unit=np.array("body heights"))
    assert set(evaluate(prediction, reference).mean.measures) == {"NMPJPE", "PMPJPE", "N-PCK", "N-AUC", "CPS"}


def test_clips_are_matched_by_time_or_number(tmp_path: Path) -> None:
    true = true_poses(10, 1)[:, 0]
    joint = guess(true)
    write_clip(tmp_path / "made/cam1", joint)
    write_clip(tmp_path / "made/cam2", joint)
    late = np.arange(10) / 25
    save(tmp_path / "true/cam1.npz", joints_3d_cam=true[3:], time=late[3:] + 0.01)
    save(tmp_path / "true/cam2.npz", joints_3d_cam=true)
    found = evaluate(tmp_path / "made", tmp_path / "true")
    assert [(score.name, score.frames) for score in found.clips] == [("cam1", 7), ("cam2", 10)]
    expected = metrics.evaluate(joint[3:] * 1000, true[3:] * 1000)
    assert found.clips[0].measures == pytest.approx(expected)
    assert found.action_mean is None and found.actions == []
    save(tmp_path / "true/cam2.npz", joints_3d_cam=true[1:])
    with pytest.raises(PosepipeError, match=r"10 frames, but .* has 9 and no times to match them by"):
        evaluate(tmp_path / "made", tmp_path / "true")


def test_a_reference_in_world_axes_forgives_rotations(tmp_path: Path) -> None:
    true = true_poses(10, 1)[:, 0]
    prediction = write_clip(tmp_path / "cam1", true @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]))
    found = evaluate(prediction, save(tmp_path / "true.npz", joints_3d_m=true + 5))
    assert set(found.mean.measures) == {"PMPJPE", "CPS"}
    assert found.mean.measures["PMPJPE"] == pytest.approx(0, abs=1e-6)
    assert set(found.curves) == {"CPS"}


def test_pose_structure_score(arrays: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    prediction, reference, *_ = arrays
    training = save(tmp_path / "train.npz", joint_3d_cam=true_poses(80, 2), joint_names=NAMES)
    found = evaluate(prediction, reference, clusters=training)
    assert {"mPSS@50", "mPSS@100"} <= set(found.mean.measures)
    saved = save_clusters(tmp_path / "out/clusters.npz", training)
    assert evaluate(prediction, reference, clusters=saved).mean.measures == found.mean.measures
    with pytest.raises(PosepipeError, match="24 poses are too few for 50 clusters"):
        evaluate(prediction, reference, clusters=reference)


def test_files_and_pictures(arrays: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    found = evaluate(*arrays[:2])
    write_evaluation(found, tmp_path / "out")
    content = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert content["mean"]["measures"] == found.mean.measures
    assert len(content["curves"]["CPS"]) == len(content["curve_thresholds_mm"]) == len(CURVE_MM)
    assert content["curves"]["PCK"][30] == pytest.approx(found.mean.measures["PCK"], abs=1e-3)  # at 150 mm
    curve = np.array(content["curves"]["CPS"])
    area = (curve[1:] + curve[:-1]).sum() / 2 * np.diff(CURVE_MM)[0]
    assert area / 100 == pytest.approx(found.mean.measures["CPS"], abs=5)
    for name, lines in (("pck.svg", 2), ("cps.svg", 1)):
        picture = ElementTree.parse(tmp_path / "out" / name)
        assert len(picture.findall(".//{http://www.w3.org/2000/svg}polyline")) == lines
    text = as_text(found)
    assert text == (tmp_path / "out/evaluation.txt").read_text().rstrip("\n")
    assert all(word in text for word in ("all frames", "mean of actions", "view 1", "jump", "right_wrist"))


def test_the_command(arrays: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    prediction, reference, *_ = arrays
    command = ["evaluate", str(prediction), str(reference), "--out", str(tmp_path / "o"), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert json.loads(done.output)["mean"]["frames"] == 24
    assert (tmp_path / "o/pck.svg").exists()
    done = CliRunner().invoke(app, ["evaluate", str(prediction), str(tmp_path / "none.npz")])
    assert done.exit_code == 2


def test_what_does_not_belong_together(arrays: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    prediction, reference, joint, true = arrays
    other = save(tmp_path / "other.npz", joint_3d_cam=true[1:])
    with pytest.raises(PosepipeError, match=r"12 samples of 2 views, but .* has 11 of 2"):
        evaluate(prediction, other)
    coco = save(tmp_path / "coco.npz", joint=joint, joint_names=np.array(COCO17.joints), unit=np.array("m"))
    with pytest.raises(PosepipeError, match=r"has the joints of coco17.*--skeleton h36m17"):
        evaluate(coco, reference)
    with pytest.raises(PosepipeError, match=r"holds no poses\.npz"):
        evaluate(tmp_path / "nothing", reference)
    save(prediction, joint=np.full_like(joint, np.nan), unit=np.array("m"))
    with pytest.raises(PosepipeError, match="no frame of data has both"):
        evaluate(prediction, reference)


def test_expected_and_actual_errors(tmp_path: Path) -> None:
    """Half as large a prediction, whose expected errors are exact, of half the frames, or drawn by chance."""
    true, rng = true_poses(30, 2), np.random.default_rng(0)
    size = rng.gamma(2, 0.02, true.shape[:-1])
    size[..., 0] = 0
    off = randomly_directed(size, rng)
    reference = save(tmp_path / "true.npz", joint_3d_cam=true)
    prediction = tmp_path / "poses.npz"
    save(prediction, joint=(true + off) / 2, unit=np.array("m"), expected_error=size / 2)
    found = evaluate(prediction, reference)
    assert found.expected_error is not None
    assert found.expected_error.rank_correlation > 0.95
    assert found.expected_error.expected_mm == pytest.approx(found.expected_error.actual_mm, rel=0.05)
    assert found.expected_error.actual_mm == pytest.approx(found.mean.measures["NMPJPE"] * 17 / 16)
    assert "Rank correlation of the two: " in as_text(found)
    save(prediction, joint=(true + off) / 2, unit=np.array("m"), expected_error=rng.permutation(size.ravel()))
    blind = evaluate(prediction, reference).expected_error
    assert blind is not None and abs(blind.rank_correlation) < 0.1
    save(prediction, joint=(true + off) / 2, unit=np.array("m"))
    assert evaluate(prediction, reference).expected_error is None


def test_errors_as_large_as_expected_lie_within_their_quantiles(tmp_path: Path) -> None:
    true, rng = true_poses(300, 2), np.random.default_rng(0)
    expected = rng.uniform(0.01, 0.05, true.shape[:-1])
    expected[..., 0] = 0
    off = randomly_directed(expected * rng.gamma(3, 1 / 3, expected.shape), rng)
    reference = save(tmp_path / "true.npz", joint_3d_cam=true)
    prediction = save(tmp_path / "poses.npz", joint=true + off, unit=np.array("m"), expected_error=expected)
    found = evaluate(prediction, reference)
    assert found.expected_error is not None
    assert found.expected_error.within == pytest.approx({"25": 25, "50": 50, "75": 75, "90": 90}, abs=2)
    assert "of the joints are where 25 %, 50 %, 75 %, 90 % were expected to be" in as_text(found)
    save(prediction, joint=true + off, unit=np.array("m"), expected_error=expected / 3)
    overconfident = evaluate(prediction, reference).expected_error
    assert overconfident is not None and overconfident.within["90"] < 40


def randomly_directed(size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vectors (..., 3) of these sizes (...)."""
    direction = rng.normal(size=(*size.shape, 3))
    return direction * size[..., None] / np.linalg.norm(direction, axis=-1, keepdims=True)
