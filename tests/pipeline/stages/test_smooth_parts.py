"""What smoothing does with gaps, outliers and weights, one part at a time and at the limits of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from known_clip import a_moving_clip, a_pose, the_pose, without
from posepipe.models.body.body import body_size
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Pose3D, ViewPoses
from posepipe.pipeline.settings import MotionSettings
from posepipe.pipeline.stages import smooth
from posepipe.pipeline.stages.smooth import make_motion, make_motion_of_views

HAND = H36M17.index("left_wrist")
Seen = list[tuple[Any, ...]]


@pytest.fixture
def smoothed(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What the smoother was given: time, values, weights and cutoff; it doubles all values."""
    seen: Seen = []

    def double(time: np.ndarray, value: np.ndarray, weight: np.ndarray, cutoff_hz: float) -> np.ndarray:
        seen.append((time, value.copy(), weight, cutoff_hz))
        return 2 * value

    monkeypatch.setitem(smooth.SMOOTHERS, "butterworth", double)
    return seen


def settings(**chosen: Any) -> MotionSettings:
    return MotionSettings(**{"filter": "butterworth", "cutoff_hz": 5.0, "max_gap_s": 0.25, **chosen})


def still(frames: int, rate: float = 8.0) -> Pose3D:
    """Somebody who does not move, at times that are exact in binary."""
    pose = a_pose(np.arange(frames) / rate)
    pose.joint[...] = pose.joint[:1]
    return pose


def test_runs_of_a_tenth_of_a_second_are_smoothed_and_shorter_ones_are_not(smoothed: Seen) -> None:
    pose = without(still(30), 1, 2, 3, 5, 6, 7, 10, 11, 12)
    made = make_motion(pose, settings(max_gap_s=0.0))
    assert [time.tolist() for time, *_ in smoothed if time[0] == 1.0] == [[1, 1.125]] * 2  # the root as well
    assert sorted({len(time) for time, *_ in smoothed}) == [2, 17]
    np.testing.assert_array_equal(made.joint[[0, 4]], pose.joint[[0, 4]])
    np.testing.assert_array_equal(made.joint[[8, 9, 13, 29]], 2 * pose.joint[[8, 9, 13, 29]])
    np.testing.assert_array_equal(made.canonical, made.joint)
    np.testing.assert_array_equal(made.root_trajectory[8:10], 2 * pose.root_trajectory[8:10])
    np.testing.assert_array_equal(made.root_trajectory_raw, pose.root_trajectory)
    fine = replace(pose, time=pose.time * 0.099 / 0.125)
    smoothed.clear()
    make_motion(fine, settings(max_gap_s=0.0))
    assert sorted({len(time) for time, *_ in smoothed}) == [17]


def test_what_is_filled_counts_as_far_as_it_is_known(smoothed: Seen) -> None:
    pose = without(still(12), 4)
    pose.confidence[:, HAND] = 0.25
    made = make_motion(pose, settings(cutoff_hz=3.0))
    time, value, weight, cutoff_hz = smoothed[0]
    assert cutoff_hz == 3.0
    np.testing.assert_array_equal(time, pose.time)
    np.testing.assert_allclose(value.reshape(12, 17, 3)[4], pose.joint[3], atol=1e-6)
    weight = weight.reshape(12, 17, 3)
    assert (weight[4] == 0).all()
    assert (weight[5] == np.where(np.arange(17) == HAND, 0.25, 0.75)[:, None]).all()
    np.testing.assert_allclose(smoothed[1][2][5], (16 * 0.75 + 0.25) / 17)
    assert np.flatnonzero(made.filled.all(1)).tolist() == [4]


def test_weights_are_by_the_square_of_the_expected_error(smoothed: Seen) -> None:
    pose = still(12)
    expected = np.full((12, 17), 0.02, np.float32)
    expected[3, HAND], expected[4, HAND], expected[5, HAND] = 0.04, 0.01, 0.001
    expected[6] = np.nan
    make_motion(replace(pose, expected_error=expected), settings())
    weight = smoothed[0][2].reshape(12, 17, 3)[..., 0]
    np.testing.assert_allclose(weight[2:7, HAND], [0.25, 0.0625, 1, 1, 0])
    make_motion(replace(pose, expected_error=np.zeros((12, 17), np.float32)), settings())
    assert (smoothed[2][2] == 1).all()


@pytest.mark.parametrize(("gap_s", "filled"), [(0.25, [2]), (0.375, [2, 5, 6]), (0.374, [2]), (0.2, [])])
def test_gaps_are_filled_up_to_their_length(gap_s: float, filled: list[int]) -> None:
    pose = without(still(16), 2, 5, 6, 10, 11, 12, 15)
    made = make_motion(pose, settings(max_gap_s=gap_s))
    assert np.flatnonzero(made.filled.any(1)).tolist() == filled
    missing = [frame for frame in (2, 5, 6, 10, 11, 12, 15) if frame not in filled]
    assert np.flatnonzero(np.isnan(made.joint).any((1, 2))).tolist() == missing
    assert made.steps[1] == (
        f"gaps up to {gap_s:g} s filled: {len(filled)} frames; left missing: {len(missing)} frames"
    )


def test_a_gap_is_filled_along_the_way_of_each_joint() -> None:
    pose = still(12)
    pose.joint[:, HAND, 0] = np.arange(12) ** 2 / 100
    pose.joint[:, HAND, 1] = np.arange(12) / 10
    whole = pose.joint.copy()
    made = make_motion(without(pose, 5), settings(cutoff_hz=100.0))  # beyond the sample rate nothing is smoothed
    np.testing.assert_allclose(made.joint[5, HAND, 1], 0.5, atol=1e-6)
    assert 0.16 < made.joint[5, HAND, 0] < 0.36
    others = np.arange(17) != HAND
    np.testing.assert_allclose(made.joint[5, others], whole[5, others], atol=1e-6)
    np.testing.assert_allclose(np.delete(made.joint, 5, 0), np.delete(whole, 5, 0), atol=1e-6)


@pytest.mark.parametrize(("rate", "window"), [(8, None), (12, 3), (25, 3), (60, 7), (100, 11)])
def test_outliers_are_those_of_a_tenth_of_a_second(
    rate: float, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def none(value: np.ndarray, *limits: float) -> np.ndarray:
        asked.append((len(value), *limits))
        return np.zeros(value.shape[:2], bool)

    monkeypatch.setattr(smooth, "outliers", none)
    pose = still(40, rate)
    make_motion(without(pose, 20), settings(outlier_deviations=4.0, max_gap_s=0))
    stature = float(np.median(body_size(pose.joint[:20], H36M17)))
    runs = [(frames, window, 4.0, pytest.approx(0.04 * stature)) for frames in (20, 19)] if window else []
    assert asked == 2 * runs  # the root as well


def test_runs_no_longer_than_the_window_have_no_outliers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        smooth, "outliers", lambda value, *_: asked.append(len(value)) or np.zeros(value.shape[:2], bool)
    )
    make_motion(without(still(40, 60), 7, 16, 17), settings(max_gap_s=0))
    assert asked == 2 * [8, 22]


def test_off_by_a_twenty_fifth_of_the_stature_is_no_outlier() -> None:
    for share, outlying in ((0.039, False), (0.042, True)):
        pose = still(60, 60)
        pose.joint[30, HAND, 2] += share * float(np.median(body_size(pose.joint, H36M17)))
        made = make_motion(pose, settings())
        assert made.filled[30, HAND] == outlying
        assert made.filled.sum() == outlying
        assert made.steps[0].endswith(f"replaced: {int(outlying)}")


def test_what_is_far_from_anybody_takes_no_part_and_changes_nothing() -> None:
    pose = the_pose(a_moving_clip(200))
    pose.joint[:, 1:] += np.random.default_rng(0).normal(0, 0.01, (200, 16, 3)).astype(np.float32)
    gone = [*range(20), *range(40, 43), *range(70, 110), *range(130, 200)]
    pose = without(pose, *gone)
    made = make_motion(pose, settings(max_gap_s=0.1))
    missing = np.flatnonzero(np.isnan(made.joint).any((1, 2)))
    assert missing.tolist() == [frame for frame in gone if frame not in (40, 41, 42)]
    for begin, end in ((20, 70), (110, 130)):
        frames = np.arange(begin, end)
        alone = replace(pose, **{
            name: getattr(pose, name)[frames]
            for name in ("time", "joint", "canonical", "camera_from_canonical", "confidence", "keypoint",
                         "root_trajectory")
        })  # fmt: skip
        np.testing.assert_allclose(made.joint[frames], make_motion(alone, settings(max_gap_s=0.1)).joint, atol=1e-6)


def view_poses(roots: bool) -> ViewPoses:
    """Two takes of two views whose samples are mixed up."""
    rng = np.random.default_rng(0)
    order = rng.permutation(60)
    take, time = np.repeat([0, 3], 30)[order], np.tile(np.arange(30) / 30, 2)[order]
    joint = rng.normal(0, 0.1, (60, 2, 17, 3)).astype(np.float32)
    joint += np.sin(3 * time)[:, None, None, None] + np.arange(17)[:, None] / 10
    joint[4, 1] = np.nan
    return ViewPoses(
        time=time, take=take, instant=np.tile(np.arange(30), 2)[order], takes=["a", "b"],
        joint=joint, canonical=joint,
        camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (60, 2, 1, 1)),
        confidence=rng.uniform(0.1, 1, (60, 2, 17)).astype(np.float32), skeleton="h36m17", unit="m",
        root_trajectory=joint[:, :, 3] + 5 if roots else None,
    )  # fmt: skip


@pytest.mark.parametrize("roots", [False, True])
def test_views_of_keypoint_files_are_smoothed_like_clips_each_in_the_order_of_its_times(roots: bool) -> None:
    poses = view_poses(roots)
    made = make_motion_of_views(poses, settings(cutoff_hz=3.0))
    for take in (0, 3):
        members = np.flatnonzero(poses.take == take)
        members = members[np.argsort(poses.time[members])]
        for view in range(2):
            clip = poses.of_view(members, view, np.full((30, 17, 2), np.nan, np.float32))
            motion = make_motion(clip, settings(cutoff_hz=3.0))
            for name in ("joint", "canonical", "joint_raw", "filled", "root_trajectory", "root_trajectory_raw"):
                if roots or not name.startswith("root"):
                    np.testing.assert_array_equal(getattr(made, name)[members, view], getattr(motion, name))
    assert made.filled.any()
    assert np.nanmax(np.abs(made.joint - poses.joint)) > 0.01
    np.testing.assert_array_equal(made.joint_raw, poses.joint)
    assert (made.root_trajectory is None) == (made.root_trajectory_raw is None) == (not roots)
    np.testing.assert_array_equal(make_motion_of_views(poses, settings(filter="none")).joint, poses.joint)
    with pytest.raises(ValueError, match="takes the times"):
        make_motion_of_views(replace(poses, time=None), settings())
