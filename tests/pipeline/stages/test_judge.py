"""Clips are judged without a reference: what is wrong with poses shows in their evidence, second by second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_clip import without
from posepipe.models.body.familiar import comparable
from posepipe.models.multiview.near_camera import rotation_by
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import KnownPoses, Pose3D, Samples, Swaps, ViewPoses
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.settings import MotionSettings
from posepipe.pipeline.stages.adjust import adjust_clip
from posepipe.pipeline.stages.judge import (
    DOUBTFUL,
    GREEN,
    NONE,
    RED,
    RULE,
    Evidence,
    causes,
    evidence_of,
    in_seconds,
    judge_clip,
    judge_views,
    likely_mm,
    seconds_of,
)
from posepipe.pipeline.stages.judge import levels as levels_of
from posepipe.pipeline.stages.place_root import place_root
from posepipe.pipeline.stages.smooth import make_motion
from test_adjust import K, pitched

FRAMES = 150


def swaps(*rows: tuple[int, int, int, int, bool], mirrored: tuple[int, ...] = ()) -> Swaps:
    columns = np.array(rows, int).reshape(-1, 5).T
    names = ("camera", "start", "end", "part")
    arrays = {name: column.astype(np.int32) for name, column in zip(names, columns, strict=False)}
    return Swaps(**arrays, doubtful=columns[4].astype(bool), mirrored=list(mirrored))


def known(pose: Pose3D) -> KnownPoses:
    """A model that has learnt from these very poses."""
    return KnownPoses(comparable(np.asarray(pose.keypoint), np.asarray(pose.confidence), H36M17), "h36m17")


def judged(
    lifted: Pose3D, learnt_from: KnownPoses | None = None, found: Swaps | None = None, K: np.ndarray = K
) -> Pose3D:
    """Lifted poses after all that follows for a clip."""
    camera = Camera(K, source="known")
    motion = make_motion(adjust_clip(place_root(lifted, camera), camera), MotionSettings())
    return judge_clip(motion, lifted, learnt_from, found or swaps(), 0)


def good(frames: int = FRAMES) -> Pose3D:
    """Three seconds that are lifted well."""
    pose, true, _ = pitched(frames, noise=0.01)
    lifted = true @ rotation_by(np.radians([3.0, 0, 0])).T + np.random.default_rng(1).normal(0, 0.01, true.shape)
    return replace(pose, joint=(lifted - lifted[:, :1]).astype(np.float32))


def wrong_from(pose: Pose3D, first: int) -> Pose3D:
    """The same, but lifted as if the person faced another way from some frame on, with limbs as they come."""
    joint = np.array(pose.joint)
    turn = rotation_by(np.array([0.0, np.radians(70), 0]))
    noise = np.random.default_rng(2).normal(0, 0.12, joint[first:].shape)
    joint[first:] = joint[first:] @ turn.T + noise - noise[:, :1]
    return replace(pose, joint=joint)


def levels(pose: Pose3D) -> set[int]:
    return set(np.unique(pose.trust).tolist())


def test_a_clean_clip_is_green_and_one_lifted_wrongly_red() -> None:
    clean = judged(good(), known(good()))
    assert levels(clean) == {GREEN}
    wrong = judged(wrong_from(good(), 0), known(good()))
    assert levels(wrong) == {RED}
    assert np.nanmin(wrong.likely_mm) > RULE.red_mm > RULE.green_mm > np.nanmax(clean.likely_mm)
    there = np.isfinite(clean.joint_lifted)
    np.testing.assert_array_equal(clean.joint_lifted[there], good().joint[there])


def test_only_the_seconds_that_are_wrong_are_red() -> None:
    made = judged(wrong_from(good(), 100), known(good()))
    assert (made.trust[100:] == RED).all()
    assert (made.trust[:60] == GREEN).all()


def test_frames_without_anybody_have_no_level_and_change_no_other() -> None:
    missing = [0, 1, *range(60, 100)]
    made = judged(without(good(), *missing), known(good()))
    gaps = np.isnan(made.joint).any((1, 2))
    assert gaps[65:95].all() and (np.asarray(made.trust)[gaps] == NONE).all()
    assert set(np.asarray(made.trust)[~gaps].tolist()) == {GREEN}
    nobody = judge_clip(replace(good(), joint=np.full((FRAMES, 17, 3), np.nan, np.float32)), good(), None, swaps(), 0)
    assert levels(nobody) == {NONE}


def test_poses_that_nobody_learnt_are_never_green() -> None:
    usual = judged(good(), known(good()))
    turned = replace(good(), keypoint=-np.asarray(good().keypoint) + np.float32(2000))
    strange = judged(good(), known(turned))
    assert np.nanmedian(usual.unfamiliar) < 0.01 < 0.3 < np.nanmedian(strange.unfamiliar)
    assert levels(usual) == {GREEN} and levels(strange) == {DOUBTFUL}
    untold = judged(good(), None)
    assert np.isnan(untold.unfamiliar).all() and np.isfinite(untold.likely_mm).all()


def test_a_wrong_focal_length_makes_no_clip_better() -> None:
    right = judged(good())
    wrong = judged(
        good(), K=K * np.array([[0.35], [0.35], [1.0]]) + np.array([[0, 0, 624.0], [0, 0, 351.0], [0, 0, 0]])
    )
    assert np.nanmedian(wrong.likely_mm) > np.nanmedian(right.likely_mm)


def test_sides_in_doubt_and_pictures_in_a_mirror_are_never_green() -> None:
    made = judged(good(), known(good()), swaps((0, 10, 40, 1, True), (0, 60, 90, 3, False), (1, 100, 120, 3, True)))
    assert np.flatnonzero(made.sides_in_doubt).tolist() == list(range(10, 40))
    assert (made.trust[10:40] == DOUBTFUL).all() and (made.trust[40:] == GREEN).all()
    assert levels(judged(good(), known(good()), swaps(mirrored=(0,)))) == {DOUBTFUL}


def test_poses_that_were_not_fitted_together_are_doubtful() -> None:
    alone = judge_clip(make_motion(good(), MotionSettings()), good(), known(good()), swaps(), 0)
    assert levels(alone) == {DOUBTFUL}
    assert np.isnan(alone.likely_mm).all()


def test_poses_that_fit_nowhere_before_the_camera_are_red() -> None:
    placed = place_root(good(), Camera(K, source="known"))
    lost = replace(placed, root_trajectory=np.full_like(placed.root_trajectory, np.nan))
    made = judge_clip(
        make_motion(adjust_clip(lost, Camera(K, source="known")), MotionSettings()), good(), None, swaps(), 0
    )
    assert levels(made) == {RED}


def test_expected_errors_count_in_any_unit() -> None:
    told = np.full((FRAMES, 17), 0.3, np.float32)
    made = judged(replace(good(), expected_error=told))
    of = evidence_of(made)
    stature = 100 * 0.3 / np.nanmedian(of.expected)
    assert 1.4 < stature < 2.1, "the unit of the clip is m"
    np.testing.assert_allclose(of.turn, np.degrees(np.linalg.norm(made.turn, axis=-1)))
    np.testing.assert_allclose(of.lifted, 100 * made.reprojection_lifted)


def test_the_error_that_is_likely_is_usual_times_powers_and_what_is_not_told_counts_as_usual() -> None:
    usual = Evidence(*(np.full(3, RULE.usual.get(name, 0.0)) for name in Evidence._fields))
    assert set(levels_of(usual).tolist()) == {GREEN}
    for name, limit in RULE.limit.items():
        assert set(levels_of(usual._replace(**{name: np.full(3, limit + 1)})).tolist()) == {DOUBTFUL}
    np.testing.assert_allclose(likely_mm(usual), RULE.usual_mm)
    double = usual._replace(lifted=2 * usual.lifted)
    np.testing.assert_allclose(likely_mm(double), RULE.usual_mm * 2 ** RULE.power["lifted"])
    untold = double._replace(bones=np.full(3, np.nan))
    np.testing.assert_allclose(likely_mm(untold), likely_mm(double))
    assert np.isnan(likely_mm(usual._replace(lifted=np.full(3, np.nan)))).all()
    np.testing.assert_allclose(causes(double)["lifted"], RULE.power["lifted"] * np.log(2))


@pytest.mark.parametrize(("length", "count"), [(0.4, 1), (1.0, 1), (1.4, 1), (1.6, 2), (10.2, 10)])
def test_seconds_hold_all_frames_once(length: float, count: int) -> None:
    time = 5 + np.arange(0, length, 0.02)
    seconds = seconds_of(time)
    assert len(seconds) == count
    assert np.concatenate([np.arange(len(time))[one] for one in seconds]).tolist() == list(range(len(time)))
    values = np.arange(len(time), dtype=float)
    values[seconds[-1]] = np.nan
    made = in_seconds(values, time)
    assert np.isnan(made[seconds[-1]]).all()
    if count > 1:
        assert set(made[seconds[0]]) == {np.median(values[seconds[0]])}


def test_seconds_without_frames_are_no_matter() -> None:
    time = np.array([0.0, 0.1, 5.0, 5.1])
    assert in_seconds(np.array([1.0, 1.0, 3.0, 3.0]), time).tolist() == [1, 1, 3, 3]
    assert len(seconds_of(np.zeros(1))) == 1


def test_views_of_a_keypoint_file_are_judged_as_clips_are() -> None:
    clips = [good(90), wrong_from(good(90), 0)]
    moved = [make_motion(adjust_clip(place_root(one, Camera(K, source="")), Camera(K, source="")), MotionSettings())
             for one in clips]  # fmt: skip
    order = np.random.default_rng(0).permutation(90)

    def together(poses: list[Pose3D], *names: str) -> ViewPoses:
        arrays = {name: np.stack([getattr(pose, name) for pose in poses], 1)[order] for name in names}
        return ViewPoses(take=np.zeros(90, np.int64), instant=order.astype(np.int64), time=poses[0].time[order],
                         skeleton="h36m17", unit="m", takes=["run"], **arrays)  # fmt: skip

    basic = ("joint", "canonical", "camera_from_canonical", "confidence")
    more = ("joint_raw", "turn", "reprojection", "reprojection_lifted", "bone_departure")
    samples = Samples(
        keypoint=np.stack([one.keypoint for one in clips], 1)[order],
        confidence=np.stack([one.confidence for one in clips], 1)[order],
        instant=order.astype(np.int64), take=np.zeros(90, np.int64), rig=np.zeros(90, np.int64), K=None, R=None,
        t=None, skeleton="h36m17", takes=["run"], time=clips[0].time[order],
    )  # fmt: skip
    doubts = swaps((1, 5, 9, 1, True))
    learnt_from = known(clips[0])
    made = judge_views(together(moved, *basic, *more), together(clips, *basic), samples, learnt_from, doubts)
    for view, (motion, lifted) in enumerate(zip(moved, clips, strict=True)):
        alone = judge_clip(motion, lifted, learnt_from, doubts, view)
        for name in ("trust", "likely_mm", "unfamiliar", "sides_in_doubt"):
            np.testing.assert_allclose(
                getattr(made, name)[:, view], np.asarray(getattr(alone, name))[order], atol=1e-4
            )
    with pytest.raises(ValueError, match="times"):
        judge_views(replace(together(moved, *basic), time=None), together(clips, *basic), samples, None, doubts)
