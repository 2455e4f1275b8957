"""A clip's frames fitted together: nearer to the truth, with bones of one length, and what it leaves over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_clip import a_moving_clip, the_pose, without
from posepipe.models.body.body import body_size
from posepipe.models.geometry.lens import distort
from posepipe.models.multiview.near_camera import rotation_by
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Pose3D, Samples, ViewPoses
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.stages.adjust import adjust_clip, adjust_views, describe_fit, left_over
from posepipe.pipeline.stages.place_root import place_root, place_views

K = np.array([[900.0, 0, 960], [0, 900, 540], [0, 0, 1]])
KNOWN = Camera(K, source="known")
BONES = H36M17.bone_indices
NOBODY = [0, 40, 41, *range(60, 70)]


def pitched(frames: int = 90, noise: float = 0.03, unit: str = "m") -> tuple[Pose3D, np.ndarray, np.ndarray]:
    """A person who walks past a camera, lifted with a pitch of 10 degrees and noise; the true joints and roots."""
    pose, rng = the_pose(a_moving_clip(frames, unit=unit)), np.random.default_rng(0)
    true = np.asarray(pose.joint - pose.joint[:, :1], np.float64)
    if unit != "m":
        true /= np.median(body_size(true, H36M17))
    share = np.linspace(0, 1, frames)[:, None]
    root = (1 - share) * [-1, 0.2, 4] + share * [1.5, 0.3, 6]
    seen = (true + root[:, None]) @ K.T
    keypoint = seen[..., :2] / seen[..., 2:] + rng.normal(0, 2, (*true.shape[:2], 2))
    lifted = true @ rotation_by(np.radians([10.0, 0, 0])).T + rng.normal(0, noise, true.shape)
    lifted = (lifted - lifted[:, :1]).astype(np.float32)
    made = replace(pose, joint=lifted, keypoint=keypoint.astype(np.float32), root_trajectory=root.astype(np.float32),
                   confidence=np.full(true.shape[:2], 0.9, np.float32))  # fmt: skip
    made.canonical[...] = lifted @ made.camera_from_canonical
    return made, true, root


def adjusted(pose: Pose3D, camera: Camera = KNOWN) -> Pose3D:
    return adjust_clip(place_root(pose, camera), camera)


def off(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.nanmean(np.linalg.norm(found - true, axis=-1)))


@pytest.mark.parametrize("unit", ["m", "body heights"])
def test_a_pitched_and_noisy_clip_is_put_right(unit: str) -> None:
    pose, true, root = pitched(unit=unit)
    without(pose, *NOBODY)
    placed = place_root(pose, KNOWN)
    made = adjust_clip(placed, KNOWN)
    assert off(made.joint, true) < 0.35 * off(pose.joint, true)
    assert off(made.root_trajectory, root) < 0.7 * off(placed.root_trajectory, root)
    assert np.flatnonzero(np.isnan(made.joint).any((1, 2))).tolist() == NOBODY
    assert np.flatnonzero(np.isnan(made.root_trajectory).any(1)).tolist() == NOBODY
    length = [
        np.linalg.norm(joint[:, BONES[:, 0]] - joint[:, BONES[:, 1]], axis=-1) for joint in (pose.joint, made.joint)
    ]
    before, after = (np.nanstd(one, 0).mean() for one in length)
    assert after < 0.1 * before
    there = np.isfinite(made.joint).all((1, 2))
    np.testing.assert_allclose(made.canonical[there], (made.joint @ made.camera_from_canonical)[there], atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(made.camera_from_canonical[there]), 1, atol=1e-5)


def test_what_it_leaves_over_is_told() -> None:
    pose, *_ = pitched()
    without(pose, *NOBODY)
    made = adjusted(pose)
    left = left_over(made)
    assert left is not None
    assert left.turn_deg == pytest.approx(10, abs=2.5)
    assert 0.2 < left.fitted < 1.5 < left.lifted <= left.worst_second
    assert left.bones > 3
    assert np.flatnonzero(np.isnan(made.reprojection)).tolist() == NOBODY
    assert describe_fit(made)[0].startswith(
        f"all frames fitted together: poses turned by {left.turn_deg:.1f} degrees"
    )
    assert left_over(pose) is None and describe_fit(pose) == []


def test_clips_that_tell_nothing_stay_as_lifted() -> None:
    pose, *_ = pitched(20)
    nobody = replace(pose, joint=np.full_like(pose.joint, np.nan))
    unseen = replace(pose, keypoint=np.full_like(pose.keypoint, np.nan), confidence=np.zeros_like(pose.confidence))
    for one in (nobody, unseen):
        np.testing.assert_array_equal(adjusted(one).joint, one.joint)
    alone, *_ = pitched(20)
    without(alone, *range(1, 20))
    assert np.isfinite(adjusted(alone).joint[0]).all()


def test_a_joint_that_is_missing_stays_missing() -> None:
    pose, true, _ = pitched(40)
    foot = H36M17.index("left_ankle")
    pose.joint[10:20, foot] = np.nan
    made = adjusted(pose)
    assert np.array_equal(np.isnan(made.joint).any(-1), np.isnan(pose.joint).any(-1))
    assert off(made.joint, true) < 0.4 * off(pose.joint, true)


def test_joints_move_further_where_larger_errors_are_expected() -> None:
    pose, *_ = pitched(60, noise=0.02)
    hand = H36M17.index("left_wrist")
    expected = np.full(pose.confidence.shape, 0.01, np.float32)

    def moved() -> float:
        made = adjusted(replace(pose, expected_error=expected.copy()))
        turned = np.einsum("fab,fb->fa", rotation_by(made.turn.astype(float)), pose.joint[:, hand])
        return off(made.joint[:, hand], turned)

    trusted = moved()
    expected[:, hand] = 0.1
    assert moved() > 1.2 * trusted


def test_a_lens_is_undone() -> None:
    pose, *_ = pitched()
    lens = np.array([-0.2, 0.05, 0.001, -0.001, 0.0])
    bent = K[0, 0] * distort((pose.keypoint - K[:2, 2]) / K[0, 0], lens) + K[:2, 2]
    made = adjusted(replace(pose, keypoint=bent.astype(np.float32)), Camera(K, distortion=lens))
    np.testing.assert_allclose(made.joint, adjusted(pose).joint, atol=0.01)


def test_views_of_a_keypoint_file_are_those_of_clips() -> None:
    poses = [pitched(30, noise)[0] for noise in (0.01, 0.03)]
    order = np.random.default_rng(1).permutation(60)
    take = np.repeat([0, 1], 30)[order]

    def rows(name: str) -> np.ndarray:
        """One view, which shows the first take and nobody of the second, and one that shows both."""
        both = np.concatenate([getattr(pose, name) for pose in poses])
        fill = 0 if name == "confidence" else np.nan
        return np.stack([np.where(np.arange(60).reshape(-1, *(1,) * (both.ndim - 1)) < 30, both, fill), both], 1)[
            order
        ]

    names = ("joint", "canonical", "camera_from_canonical", "confidence")
    arrays = {name: rows(name).astype(np.float32) for name in names}
    time = np.concatenate([pose.time for pose in poses])[order]
    views = ViewPoses(**arrays, take=take, instant=np.tile(np.arange(30), 2)[order], skeleton="h36m17", unit="m",
                      takes=["one", "two"], time=time)  # fmt: skip
    samples = Samples(
        keypoint=rows("keypoint").astype(np.float32), confidence=arrays["confidence"], take=take,
        instant=views.instant, rig=np.zeros(60, np.int64), skeleton="h36m17", takes=["one", "two"], time=time,
        K=np.tile(K.astype(np.float32), (60, 2, 1, 1)), R=None, t=None,
    )  # fmt: skip
    made = adjust_views(place_views(views, samples, "known"), samples)
    for number, view in ((0, 0), (0, 1), (1, 1)):
        here = np.flatnonzero(take == number)
        here = here[np.argsort(time[here])]
        alone = adjusted(poses[number])
        for name in ("joint", "canonical", "root_trajectory", "turn", "reprojection"):
            np.testing.assert_allclose(getattr(made, name)[here, view], getattr(alone, name), atol=1e-4)
    assert np.isnan(made.joint[take == 1, 0]).all() and np.isnan(made.turn[take == 1, 0]).all()


def test_missing_feet_change_nothing() -> None:
    pose, *_ = pitched(40)
    made, body = adjusted(pose.on("h36m17+feet")), adjusted(pose)
    np.testing.assert_allclose(made.joint[:, :17], body.joint, atol=1e-6)
    assert np.isnan(made.joint[:, 17:]).all()
