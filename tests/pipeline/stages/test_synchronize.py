"""Cameras lie on one timeline, and an offset that is wrong is seen from the motion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras, some_frames
from posepipe.pipeline.arrays import Timeline, Track
from posepipe.pipeline.settings import SynchronizeSettings
from posepipe.pipeline.stages.synchronize.stage import (
    CHECK_RATE,
    best_lag,
    common_instants,
    fractional_frames,
    synchronize,
)

CAMERAS = scene_cameras()


def filmed(camera: int, time: np.ndarray, offset: float = 0.0) -> Track:
    """The athlete as a camera shows it whose clock is ``offset`` behind the take's."""
    joints = CAMERAS.project(athlete(np.asarray(time) + offset))[:, camera]
    return a_track(joints, time)


def align(tracks: list[Track], offsets: list[float] | None = None, **settings: Any) -> Timeline:
    """The timeline of cameras with stated offsets."""
    return find(tracks, offsets or [0.0] * len(tracks), **settings)


def find(tracks: list[Track], offsets: list[float | None] | None = None, **settings: Any) -> Timeline:
    """The timeline of cameras whose offsets are to be found where they are None."""
    names = [f"cam{index}" for index in range(len(tracks))]
    frames = [some_frames(track.time) for track in tracks]
    return synchronize(frames, tracks, names, offsets or [None] * len(tracks), SynchronizeSettings(**settings))


def instants_seen(timeline: Timeline, camera: int) -> np.ndarray:
    return timeline.time[np.isfinite(timeline.frame[:, camera])]


def test_cameras_that_start_together_share_their_frames() -> None:
    time = np.arange(50) / 25
    timeline = align([filmed(0, time), filmed(1, time)])
    np.testing.assert_allclose(timeline.time, time)
    np.testing.assert_allclose(timeline.frame, np.arange(50)[:, None].repeat(2, 1))
    np.testing.assert_array_equal(timeline.rate, [1, 1])


def test_a_stated_offset_moves_a_camera() -> None:
    time = np.arange(50) / 25
    timeline = align([filmed(0, time), filmed(1, time, 0.4)], [0.0, 0.4])
    np.testing.assert_array_equal(timeline.offset, [0, 0.4])
    np.testing.assert_allclose(timeline.time, np.arange(60) / 25, atol=1e-9)
    both = np.isfinite(timeline.frame).all(1)
    np.testing.assert_allclose(timeline.frame[both, 0] - timeline.frame[both, 1], 10, atol=1e-6)
    np.testing.assert_allclose(instants_seen(timeline, 1), time + 0.4, atol=1e-9)
    assert np.isnan(timeline.frame[:10, 1]).all()
    assert np.isnan(timeline.frame[50:, 0]).all()
    assert timeline.warnings == []


def test_the_slowest_camera_gives_the_instants_and_the_others_are_interpolated() -> None:
    slow, fast = np.arange(30) * 1001 / 30000, np.arange(100) / 100
    timeline = align([filmed(0, fast), filmed(1, slow)])
    np.testing.assert_allclose(timeline.time, slow)
    np.testing.assert_allclose(timeline.frame[:, 1], np.arange(30), atol=1e-9)
    np.testing.assert_allclose(timeline.frame[:, 0], slow * 100, atol=1e-6)


def test_a_camera_that_stops_early_shows_nothing_afterwards() -> None:
    long, short = np.arange(50) / 25, np.arange(20) / 25
    timeline = align([filmed(0, long), filmed(1, short)])
    assert len(timeline.time) == 50
    np.testing.assert_allclose(instants_seen(timeline, 1), short)


def test_instants_that_no_camera_shows_are_left_out() -> None:
    early, late = np.arange(25) / 25, 5 + np.arange(25) / 25
    timeline = align([filmed(0, early), filmed(1, late)])
    assert len(timeline.time) == 50
    assert np.isfinite(timeline.frame).any(1).all()


def test_a_gap_in_a_camera_shows_nothing_and_its_ends_stay() -> None:
    time = np.arange(50) / 25
    gappy = np.delete(time, np.arange(20, 30))
    timeline = align([filmed(0, time), filmed(1, gappy)])
    np.testing.assert_allclose(instants_seen(timeline, 1), gappy)
    single = np.delete(time, 20)  # one lost frame is bridged: 80 ms are less than the largest gap
    bridged = align([filmed(0, time), filmed(1, single)])
    assert bridged.frame[20, 1] == pytest.approx(19.5)
    assert np.isnan(align([filmed(0, time), filmed(1, single)], max_gap_s=0.05).frame[20, 1])


def test_variable_rates_are_followed() -> None:
    rng = np.random.default_rng(0)
    uneven = np.cumsum(rng.uniform(0.02, 0.05, 60))
    even = np.arange(60) / 30
    timeline = align([filmed(0, uneven), filmed(1, even)])
    for camera, time in enumerate((uneven, even)):
        known = np.isfinite(timeline.frame[:, camera])
        shown = np.interp(timeline.frame[known, camera], np.arange(60), time)
        inside = (timeline.time[known] >= time[0]) & (timeline.time[known] <= time[-1])
        np.testing.assert_allclose(shown[inside], timeline.time[known][inside], atol=1e-9)


@pytest.mark.parametrize("frames", [1, 2])
def test_clips_of_a_frame_or_two_do_not_break_it(frames: int) -> None:
    time = np.arange(frames) / 25
    timeline = align([filmed(0, time), filmed(1, time)])
    np.testing.assert_allclose(timeline.frame, np.arange(frames)[:, None].repeat(2, 1))
    assert timeline.warnings == []
    assert np.isnan(timeline.lag).all()


LATE = [-0.3, -0.12, 0.16, 0.25, 0.52]


@pytest.mark.parametrize("late", LATE)
def test_an_offset_that_nobody_stated_is_found_to_less_than_a_frame(late: float) -> None:
    time = np.arange(150) / 25
    tracks = [filmed(0, time, 1.0), filmed(1, time, 1.0 - late), filmed(2, time, 1.0), filmed(3, time, 1.0)]
    timeline = align(tracks)
    assert timeline.lag[1] == pytest.approx(late, abs=0.5 / 25)
    assert timeline.score[1] > 0.8
    assert len(timeline.warnings) == 1
    assert f"cam1 seems to run {abs(late):.1f}"[:-1] in timeline.warnings[0]
    assert ("behind" if late > 0 else "ahead of") in timeline.warnings[0]
    assert "offset_s" in timeline.warnings[0]


@pytest.mark.parametrize("late", [0.0, *LATE])
def test_offsets_that_are_right_are_not_complained_about(late: float) -> None:
    time = np.arange(150) / 25
    timeline = align(
        [filmed(0, time, 1.0), filmed(1, time, 1.0 - late), filmed(2, time, 1.0)], [1.0, 1.0 - late, 1.0]
    )
    assert timeline.warnings == []
    np.testing.assert_allclose(timeline.lag, 0, atol=0.5 / 25)


def test_a_lag_that_explains_the_motion_hardly_better_than_none_is_not_accepted() -> None:
    time = np.arange(150) / 25
    timeline = align([filmed(0, time, 1.0), filmed(1, time, 0.97), filmed(2, time, 1.0)])
    assert np.abs(timeline.lag).max() < 0.03
    assert timeline.warnings == []


def test_with_two_cameras_both_are_named() -> None:
    time = np.arange(150) / 25
    timeline = align([filmed(0, time, 1.0), filmed(1, time, 0.75)])
    assert timeline.lag == pytest.approx([-0.25, 0.25], abs=0.02)
    assert len(timeline.warnings) == 2


def test_a_panning_camera_and_missing_joints_do_not_disturb_the_check() -> None:
    time = np.arange(150) / 25
    rng = np.random.default_rng(0)
    panning = filmed(1, time, 0.8)
    joints = panning.keypoint + np.float32(60) * np.sin(3 * time)[:, None, None].astype(np.float32)
    joints[rng.uniform(size=joints.shape[:2]) < 0.1] = np.nan
    timeline = align([filmed(0, time, 1.0), a_track(joints, time), filmed(2, time, 1.0)])
    assert timeline.lag[1] == pytest.approx(0.2, abs=0.02)


def test_without_motion_nothing_is_said() -> None:
    time = np.arange(100) / 25
    still = [a_track(np.repeat(filmed(camera, time).keypoint[:1], 100, 0), time) for camera in range(2)]
    timeline = align(still)
    assert timeline.warnings == []
    nobody = a_track(np.full((100, 17, 2), np.nan), time)
    assert align([filmed(0, time), nobody]).warnings == []


def test_a_lag_is_positive_if_a_signal_is_late() -> None:
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.normal(size=(3, 400)), 1)
    signal -= signal.mean(1, keepdims=True)
    late = np.roll(signal, 17, 1)
    late[:, :17] = np.nan
    lag, score = best_lag(late, signal, 60)
    assert lag == pytest.approx(17 / CHECK_RATE, abs=0.5 / CHECK_RATE)
    assert score > 0.99


def test_instants_carry_on_to_where_any_camera_begins_and_ends() -> None:
    instants = common_instants([np.arange(5) * 0.1, -0.3 + np.arange(90) * 0.01, 0.2 + np.arange(60) * 0.01])
    np.testing.assert_allclose(instants, np.arange(-3, 9) * 0.1, atol=1e-9)


def test_a_frame_stands_for_half_a_period_around_it() -> None:
    frame = fractional_frames(np.array([1.0, 1.1, 1.2]), np.array([0.9, 0.96, 1.0, 1.05, 1.24, 1.3]), 0.15)
    np.testing.assert_allclose(frame, [np.nan, 0, 0, 0.5, 2, np.nan])


def test_offsets_that_nobody_stated_are_found_and_used() -> None:
    tracks = [
        filmed(0, np.arange(180) / 30, 2.0),
        filmed(1, np.arange(150) / 25, 2.61),
        filmed(2, np.arange(90) / 30, 1.3),
    ]
    timeline = find(tracks)
    assert timeline.offset == pytest.approx([0, 0.61, -0.7], abs=0.008)
    assert (timeline.verdict, timeline.warnings) == ("ok", [])
    assert {cue["cue"] for cue in timeline.cues} == {"motion", "geometry"}
    assert np.isnan(timeline.frame[timeline.time > 2.5, 2]).all()  # it stopped early
    shown = timeline.frame[:, 0]
    assert np.abs(shown[np.isfinite(shown)] % 1 - 0.5).min() < 0.4  # between two frames


def test_stated_offsets_are_taken_as_they_are_and_missing_ones_are_zero_if_so_wished() -> None:
    time = np.arange(150) / 25
    tracks = [filmed(0, time, 1.0), filmed(1, time, 1.4)]
    np.testing.assert_array_equal(
        synchronize(
            [some_frames(time)] * 2, tracks, ["a", "b"], [None, None], SynchronizeSettings(offsets="stated")
        ).offset,
        [0, 0],
    )


def test_clips_of_equal_length_that_start_together_but_for_noise_start_together() -> None:
    time = np.arange(100) / 25
    rng = np.random.default_rng(0)
    tracks = [filmed(camera, time, 1.0) for camera in range(3)]
    noisy = [a_track(track.keypoint + rng.normal(0, 0.4, track.keypoint.shape), time) for track in tracks]
    assert find(noisy).offset.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(find(noisy).frame, np.arange(100)[:, None].repeat(3, 1))
    unknown = [a_track(np.full_like(track.keypoint, np.nan), time) for track in tracks]
    assert find(unknown).verdict == "unsure"
    assert find([*noisy[:2], filmed(2, time, 1.2)]).offset[2] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("clocks", "says"),
    [
        ((0.0, 0.0, 0.0), [0.0, 0.0]),
        ((46798.0, 46798.6, 46797.3), [0.6, -0.7]),
        ((86399.8, 0.4, 86399.1), [0.6, -0.7]),
        ((0.2, 86399.5, None), [-0.7]),
        ((36000.0, 50000.0, 36000.0), [14000.0, 0.0]),
        ((None, 46798.0, 46799.0), []),
    ],
    ids=["never set", "one clock", "over midnight", "midnight and one without", "two clocks", "not the first"],
)
def test_timecodes_are_heard_and_never_mistaken_for_offsets(
    clocks: tuple[float | None, ...], says: list[float]
) -> None:
    starts = (2.0, 2.6, 1.3)
    tracks = [filmed(camera, np.arange(150) / 25, start) for camera, start in enumerate(starts)]
    frames = [replace(some_frames(track.time), timecode_s=clock) for track, clock in zip(tracks, clocks, strict=True)]
    timeline = synchronize(frames, tracks, ["a", "b", "c"], [None] * 3, SynchronizeSettings())
    assert timeline.offset == pytest.approx([0, 0.6, -0.7], abs=0.008)
    assert timeline.verdict == "ok"
    heard = [cue for cue in timeline.cues if cue["cue"] == "timecode"]
    assert [cue["offset_s"] for cue in heard] == pytest.approx(says)
    off = [abs(timeline.offset[cue["camera"]] - cue["offset_s"]) for cue in heard]
    assert [cue["agrees"] for cue in heard] == [each < 0.1 for each in off]


def test_a_mirrored_camera_does_not_prevent_it_and_is_named() -> None:
    tracks = [filmed(camera, np.arange(150 + camera) / 30, late) for camera, late in enumerate((0, 0.4, -0.3, 0.2))]
    keypoint = tracks[2].exchanged.keypoint * np.array([-1, 1], np.float32)
    mirrored = replace(tracks[2], keypoint=keypoint)
    timeline = find([*tracks[:2], mirrored, tracks[3]])
    np.testing.assert_allclose(timeline.offset, [0, 0.4, -0.3, 0.2], atol=0.02)
    assert timeline.verdict == "unsure"
    assert "most likely in cam2: is its picture mirrored" in timeline.warnings[0]
    assert not find(tracks).warnings
