"""A motion is the same poses without outliers, short gaps and jitter, with the raw ones beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_clip import a_moving_clip, the_pose, without
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Pose3D, array_fields
from posepipe.pipeline.exporters.clip import Clip, Person
from posepipe.pipeline.exporters.npz import read, write
from posepipe.pipeline.runs.evaluate import evaluate
from posepipe.pipeline.settings import MotionSettings
from posepipe.pipeline.stages.smooth import make_motion

FILTERS = ("butterworth", "savitzky-golay", "one-euro", "gcv-spline")
HAND = H36M17.index("left_wrist")


def noisy(frames: int = 120, noise: float = 0.01) -> tuple[Pose3D, np.ndarray]:
    """A pose with noise, and what it truly is."""
    pose = the_pose(a_moving_clip(frames))
    true = pose.joint.copy()
    pose.joint[:, 1:] += np.random.default_rng(0).normal(0, noise, true[:, 1:].shape)
    pose.canonical[...] = pose.joint
    return pose, true


def error(joint: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(joint - true, axis=-1)[5:-5].mean())


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "one-euro"])
def test_it_is_nearer_to_the_truth_and_smoother(name: str) -> None:
    pose, true = noisy()
    made = make_motion(pose, MotionSettings(filter=name))
    assert error(made.joint, true) < 0.75 * error(pose.joint, true)
    before, after = (np.abs(np.diff(joint, 2, axis=0)).mean() for joint in (pose.joint, made.joint))
    assert after < before / 3
    np.testing.assert_array_equal(made.joint_raw, pose.joint)
    np.testing.assert_array_equal(made.joint[:, 0], 0)
    np.testing.assert_allclose(made.canonical, made.joint, atol=1e-6)
    assert not made.filled.any()
    assert name in made.steps[-1]


@pytest.mark.parametrize(("name", "cutoff_hz"), [("butterworth", 30.0), ("savitzky-golay", 30.0)])
def test_no_step_claims_a_filter_that_did_nothing(name: str, cutoff_hz: float) -> None:
    """A cutoff above half the frame rate leaves nothing to remove."""
    pose, _ = noisy(30)
    rate = 1 / np.diff(pose.time).mean()
    made = make_motion(pose, MotionSettings(filter=name, cutoff_hz=cutoff_hz))
    np.testing.assert_array_equal(made.joint, pose.joint)
    assert (
        made.steps[-1]
        == f"nothing was smoothed: {name} cannot be applied to 30 poses at {rate:.4g} frames per second"
    )


def test_stretches_that_are_too_short_are_named() -> None:
    pose, _ = noisy(60)
    for name in ("joint", "canonical"):
        getattr(pose, name)[3:20] = np.nan
    made = make_motion(pose, MotionSettings(filter="butterworth"))
    assert made.steps[-1].endswith("weighted by confidence; 3 frames are in stretches too short for it")


def test_short_gaps_are_filled_and_long_ones_are_left() -> None:
    pose, true = noisy(noise=0.001)
    without(pose, 0, 40, 41, *range(70, 90))
    made = make_motion(pose, MotionSettings(max_gap_s=0.2))
    missing = np.isnan(made.joint).any((1, 2))
    assert np.flatnonzero(missing).tolist() == [0, *range(70, 90)]
    assert np.flatnonzero(made.filled.all(1)).tolist() == [40, 41]
    assert error(made.joint[30:50], true[30:50]) < 0.02
    assert made.steps[1] == "gaps up to 0.2 s filled: 2 frames; left missing: 21 frames"
    assert np.isnan(made.joint_raw[40]).all()


def test_joints_that_are_expected_to_be_far_off_count_less() -> None:
    pose, true = noisy(noise=0.002)
    bad = np.random.default_rng(1).random(len(true)) < 0.3
    pose.joint[bad, HAND] += np.random.default_rng(2).normal(0, 0.1, (bad.sum(), 3))
    blind = make_motion(pose, MotionSettings(outlier_deviations=100))
    expected = np.full(true.shape[:2], 0.003, np.float32)
    expected[bad, HAND] = 0.05
    expected[:, 0] = 0
    told = make_motion(replace(pose, expected_error=expected), MotionSettings(outlier_deviations=100))
    assert error(told.joint[:, HAND], true[:, HAND]) < 0.8 * error(blind.joint[:, HAND], true[:, HAND])
    assert blind.steps[-1].endswith("weighted by confidence")
    assert told.steps[-1].endswith("weighted by expected error")
    unknown = np.full(true.shape[:2], np.nan, np.float32)
    missing = replace(pose, expected_error=unknown, joint=np.full_like(pose.joint, np.nan))
    assert np.isnan(make_motion(missing, MotionSettings()).joint).all()


def test_outliers_are_replaced_and_fast_movement_is_not() -> None:
    pose, true = noisy(noise=0.002)
    pose.joint[60, HAND] += (0.4, 0, 0)
    made = make_motion(pose, MotionSettings())
    assert np.argwhere(made.filled).tolist() == [[60, HAND]]
    assert np.linalg.norm(made.joint[60, HAND] - true[60, HAND]) < 0.03
    assert made.steps[0] == "outliers beyond 6 deviations replaced: 1"


def test_a_jump_keeps_its_height() -> None:
    """The hands go up by 40 cm within 0.4 s, once in a clip in which nothing else moves."""
    pose, _ = noisy()
    still = np.repeat(pose.joint[:1], 120, 0)
    still[60:85, HAND, 1] -= 0.4 * np.sin(np.linspace(0, np.pi, 25))
    pose.joint[...] = still + np.random.default_rng(1).normal(0, 0.01, still.shape)
    made = make_motion(pose, MotionSettings())
    assert made.joint[65:80, HAND, 1].min() < still[0, HAND, 1] - 0.37


def test_none_leaves_everything() -> None:
    pose, _ = noisy()
    made = make_motion(pose, MotionSettings(filter="none"))
    for array in (made.joint, made.joint_raw):
        np.testing.assert_array_equal(array, pose.joint)
    assert made.filled is not None and not made.filled.any() and made.filled.shape == pose.confidence.shape
    assert made.steps == []
    for array in (made.root_trajectory, made.root_trajectory_raw):
        np.testing.assert_array_equal(array, pose.root_trajectory)
    unplaced = make_motion(replace(pose, root_trajectory=None), MotionSettings(filter="none"))
    assert unplaced.root_trajectory is unplaced.root_trajectory_raw is None


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("seen", [(), (3,), (3, 4), (1, 2, 3, 7, 8)])
def test_few_poses_are_no_trouble(name: str, seen: tuple[int, ...]) -> None:
    pose, _ = noisy(10)
    without(pose, *(frame for frame in range(10) if frame not in seen))
    made = make_motion(pose, MotionSettings(filter=name, max_gap_s=0))
    np.testing.assert_array_equal(np.isfinite(made.joint), np.isfinite(pose.joint))


def test_the_npz_holds_both_and_evaluate_scores_the_raw_unless_told(tmp_path: Path) -> None:
    pose, true = noisy(noise=0.03)
    made = make_motion(pose, MotionSettings())
    clip = a_moving_clip(120)
    (tmp_path / "cam").mkdir()
    clip = Clip((Person("person0", made),), clip.video, clip.rate, clip.image_size, clip.video_time, {})
    write(clip, tmp_path / "cam" / "poses.npz")
    back = read([tmp_path / "cam" / "poses.npz"]).people[0].pose
    assert back.steps == made.steps
    for field in array_fields(Pose3D):
        np.testing.assert_array_equal(getattr(back, field), getattr(made, field))
    np.savez(tmp_path / "reference.npz", joints_3d_cam=true)
    raw, filtered = (
        evaluate(tmp_path / "cam", tmp_path / "reference.npz", filtered=choice) for choice in (False, True)
    )
    expected = 1000 * np.linalg.norm(pose.joint - true, axis=-1).mean()
    assert raw.mean.measures["MPJPE"] == pytest.approx(expected, rel=1e-3)
    assert filtered.mean.measures["MPJPE"] < 0.8 * expected
