"""Samples hold what the cameras saw at each instant, and nothing where they saw nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from footage import a_track, seen
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Samples, Timeline, Track
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.settings import SampleSettings
from posepipe.pipeline.stages.samples import (
    TakeOfAthlete,
    at_frames,
    build_samples,
    select_samples,
    two_view_warning,
)

FRAMES = 20
TIME = np.arange(FRAMES) / 25
PELVIS, WRIST = H36M17.index("pelvis"), H36M17.index("left_wrist")


def tracks(count: int = 3) -> list[Track]:
    return [a_track(seen(camera, range(FRAMES)), TIME) for camera in range(count)]


def timeline(frame: np.ndarray | None = None, views: int = 3) -> Timeline:
    frame = np.arange(FRAMES, dtype=float)[:, None].repeat(views, 1) if frame is None else frame
    views = frame.shape[1]
    return Timeline(
        time=np.arange(len(frame)) / 25,
        offset=np.zeros(views),
        rate=np.ones(views),
        frame=frame,
        lag=np.zeros(views),
        score=np.zeros(views, np.float32),
        warnings=[],
    )


def samples_of(takes: list[list[Track]], settings: SampleSettings | None = None, **given: list[Any]) -> Samples:
    """Samples of takes whose cameras run in step, unless something else is given, of each take."""
    made = [
        TakeOfAthlete(f"take{index}", tracks, timeline(views=len(tracks)), [None] * len(tracks), False)
        for index, tracks in enumerate(takes)
    ]
    made = [
        take._replace(**{name: values[index] for name, values in given.items()}) for index, take in enumerate(made)
    ]
    return build_samples(made, settings or SampleSettings())


def without(track: Track, frames: Any, joints: Any = slice(None)) -> Track:
    keypoint = track.keypoint.copy()
    keypoint[frames, joints] = np.nan
    return a_track(keypoint, track.time)


def test_a_sample_is_what_all_cameras_saw() -> None:
    made = samples_of([tracks()])
    for camera in range(3):
        np.testing.assert_array_equal(made.keypoint[:, camera], seen(camera, range(FRAMES)))
    np.testing.assert_allclose(made.confidence, 0.9)
    np.testing.assert_array_equal(made.instant, np.arange(FRAMES))
    np.testing.assert_array_equal(made.take, 0)
    assert (made.skeleton, made.takes) == ("h36m17", ["take0"])
    assert made.K is made.R is made.t is None


def test_between_two_frames_poses_are_interpolated() -> None:
    track = tracks(1)[0]
    keypoint, confidence = at_frames(track, np.array([3.0, 3.25, 3.5, np.nan, 19.0, 4 - 1e-9]))
    three, four = track.keypoint[3], track.keypoint[4]
    np.testing.assert_array_equal(keypoint[0], three)
    np.testing.assert_allclose(keypoint[1], 0.75 * three + 0.25 * four, rtol=1e-5)
    np.testing.assert_allclose(keypoint[2], (three + four) / 2, rtol=1e-5)
    assert np.isnan(keypoint[3]).all()
    np.testing.assert_array_equal(keypoint[4], track.keypoint[19])
    np.testing.assert_allclose(keypoint[5], four, rtol=1e-5)
    np.testing.assert_allclose(confidence[:, 0], [0.9, 0.9, 0.9, 0, 0.9, 0.9])


def test_the_frame_before_an_instant_counts_until_the_next_one() -> None:
    """Just before a frame its neighbour has next to no share left, and the last frame has none behind it."""
    track = tracks(1)[0]
    keypoint, _ = at_frames(track, np.array([3.51, 3.75, 3.999, 18.6]))
    for found, frame in zip(keypoint, (3.51, 3.75, 3.999, 18.6), strict=True):
        low, share = int(frame), frame % 1
        expected = (1 - share) * track.keypoint[low] + share * track.keypoint[low + 1]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_frame_that_shows_an_instant_best_is_the_nearest() -> None:
    frame = np.array([[0.4, 3.0], [1.6, np.nan], [2.51, 4.49]])
    np.testing.assert_array_equal(timeline(frame).nearest_frame(), [[0, 3], [2, -1], [3, 4]])
    made = samples_of([tracks(2), tracks(3)], timeline=[timeline(frame), timeline()])
    assert made.frame is not None and made.time is not None
    np.testing.assert_array_equal(made.frame[:2], [[0, 3, -1], [3, 4, -1]])  # two cameras must see an instant
    np.testing.assert_allclose(made.time[:3], [0, 2 / 25, 0])


def test_what_one_of_two_frames_lacks_is_missing_between_them() -> None:
    track = without(tracks(1)[0], 4, WRIST)
    lower = track.confidence.copy()
    lower[3, PELVIS] = 0.4
    keypoint, confidence = at_frames(replace(track, confidence=lower), np.array([3.0, 3.5, 4.0, 5.0]))
    assert np.isnan(keypoint[:, WRIST, 0]).tolist() == [False, True, True, False]
    np.testing.assert_allclose(confidence[:, WRIST], [0.9, 0, 0, 0.9])
    np.testing.assert_allclose(confidence[:, PELVIS], [0.4, 0.4, 0.9, 0.9])


def test_missing_joints_are_0_and_never_nan() -> None:
    made = samples_of([[without(tracks()[0], 3, WRIST), *tracks()[1:]]])
    assert np.isfinite(made.keypoint).all()
    assert (made.keypoint[3, 0, WRIST] == 0).all()
    assert made.confidence[3, 0, WRIST] == 0
    assert made.confidence[3, 0, PELVIS] > 0
    assert made.confidence[3, 1, WRIST] > 0


@pytest.mark.parametrize(
    ("joints", "usable"),
    [
        ([WRIST], True),
        ([PELVIS], False),  # the root of all poses
        (range(6, 14), True),  # 9 of 17 remain
        (range(5, 15), False),
        (range(17), False),
    ],
)
def test_a_view_counts_if_it_shows_the_root_and_half_of_the_joints(joints: Any, usable: bool) -> None:
    made = samples_of([[without(tracks()[0], 3, list(joints)), *tracks()[1:]]])
    assert (made.confidence[3, 0] > 0).any() == usable
    assert (made.keypoint[3, 0] != 0).any() == usable
    assert len(made.instant) == FRAMES  # the other two cameras are enough


def test_instants_need_enough_views() -> None:
    first, second, third = tracks()
    made = samples_of([[without(first, [3, 5]), without(second, [5, 7]), third]])
    np.testing.assert_array_equal(made.instant, np.delete(np.arange(FRAMES), 5))
    strict = samples_of(
        [[without(first, [3, 5]), without(second, [5, 7]), third]], settings=SampleSettings(min_views=3)
    )
    np.testing.assert_array_equal(strict.instant, np.delete(np.arange(FRAMES), [3, 5, 7]))


def test_cameras_out_of_step_are_taken_at_the_same_instants() -> None:
    frame = np.arange(FRAMES, dtype=float)[:, None].repeat(3, 1)
    frame[:, 1] = np.where(frame[:, 1] >= 4, frame[:, 1] - 4, np.nan)
    made = samples_of([tracks()], timeline=[timeline(frame)])
    np.testing.assert_array_equal(made.keypoint[6, 1], seen(1, 2))
    assert (made.confidence[:4, 1] == 0).all()


def test_takes_with_fewer_cameras_have_missing_views() -> None:
    made = samples_of([tracks(3), tracks(2)])
    assert made.keypoint.shape == (2 * FRAMES, 3, 17, 2)
    np.testing.assert_array_equal(made.take, np.repeat([0, 1], FRAMES))
    np.testing.assert_array_equal(made.instant, np.tile(np.arange(FRAMES), 2))
    assert (made.confidence[FRAMES:, 2] == 0).all()
    assert (made.confidence[FRAMES:, :2] > 0).all()


def test_two_views_alone_are_warned_of() -> None:
    two, three = samples_of([tracks(2)]), samples_of([tracks(2), tracks(3)])
    assert "film with three cameras or more" in two_view_warning(two, set(), placed=False)
    assert two_view_warning(three, set(), placed=False) == two_view_warning(two, {"labels"}, placed=False) == ""
    assert two_view_warning(two, set(), placed=True) == ""


@pytest.mark.parametrize(
    ("moving", "rigs", "expected"),
    [
        ([False, False, False], ["", "", ""], [0, 1, 2]),  # each take is a rig of its own
        ([False, False, False], ["hall", "", "hall"], [0, 1, 0]),
        ([True, False, True], ["hall", "hall", "hall"], [-1, 0, -1]),
        ([False, False, False], ["take1", "", "take1"], [0, 1, 0]),  # a rig that is named like a take
    ],
)
def test_takes_of_one_unmoved_rig_share_its_number(moving: list[bool], rigs: list[str], expected: list[int]) -> None:
    made = samples_of([tracks(2)] * 3, moving=moving, rig=rigs)
    assert [int(made.rig[made.take == take][0]) for take in range(3)] == expected


def test_calibrations_go_with_their_takes() -> None:
    def camera(number: float) -> Camera:
        return Camera(number * np.eye(3), R=np.eye(3), t=np.array([number, 0, 0.0]))

    made = samples_of([tracks(2), tracks(2)], cameras=[[camera(1), camera(2)], [camera(3), camera(4)]])
    assert made.K is not None and made.t is not None and made.R is not None
    np.testing.assert_array_equal(made.K[0, :, 0, 0], [1, 2])
    np.testing.assert_array_equal(made.K[FRAMES, :, 0, 0], [3, 4])
    np.testing.assert_array_equal(made.t[FRAMES, :, 0], [3, 4])
    assert made.R.shape == (2 * FRAMES, 2, 3, 3)
    assert samples_of([tracks(2)], cameras=[[camera(1), None]]).K is None


def test_two_instants_are_enough() -> None:
    few = [without(track, slice(2, None)) for track in tracks(2)]
    made = samples_of([few])
    np.testing.assert_array_equal(made.instant, [0, 1])
    np.testing.assert_array_equal(select_samples(made, SampleSettings()).instant, [0, 1])
    with pytest.raises(PosepipeError, match="only 0 of 2 samples show the athlete in 3 or more views"):
        select_samples(made, SampleSettings(min_views=3))


def test_takes_that_do_not_fit_are_refused() -> None:
    other = a_track(np.ones((FRAMES, 16, 2)), TIME, skeleton="mpii16")
    with pytest.raises(PosepipeError, match=r"different skeletons \(h36m17, mpii16\)"):
        samples_of([tracks(2), [other, other]])
    apart = [without(tracks()[0], slice(10, None)), without(tracks()[1], slice(0, 9))]
    with pytest.raises(PosepipeError, match=r"only 1 instants .* do the videos show the same moments"):
        samples_of([apart])
