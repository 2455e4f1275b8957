"""Left and right are put right where they are swapped, and nowhere else."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from known_scene import cameras, people, weak_perspective
from posepipe.models.body.side_labels import LABELS, SideLabels, permutations
from posepipe.models.geometry.weak_perspective import rank_residual
from posepipe.models.skeleton import BLAZEPOSE33, H36M17
from posepipe.pipeline.arrays import Swaps, Timeline, Track
from posepipe.pipeline.settings import SideSettings
from posepipe.pipeline.stages.sides import SWAP_COST_PER_S, describe_swaps, find_swaps, mend_sides

RATE, SECONDS = 25, 8
TIME = np.arange(RATE * SECONDS) / RATE
ORDER = permutations(H36M17)


def filmed(views: int, seed: int, noise: float) -> np.ndarray:
    """The athlete (F, V, 17, 2) px with noise of so many body sizes that lasts 0.1 s, as detectors' errors do."""
    joints = scene_cameras(views).project(athlete(TIME, seed))
    size = np.sqrt(np.square(joints - joints[:, :, :1]).sum((-1, -2)).mean() / joints.shape[2])
    error, stay = np.random.default_rng(seed).normal(size=joints.shape), np.exp(-10 / RATE)
    for frame in range(1, len(error)):
        error[frame] = stay * error[frame - 1] + np.sqrt(1 - stay**2) * error[frame]
    return joints + noise * size * error


def swapped(joints: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Joints (F, V, 17, 2) with the sides of labels (F, V) exchanged."""
    return np.take_along_axis(joints, ORDER[label][..., None], 2)


def some_swaps(views: int, seed: int) -> np.ndarray:
    """Labels (F, V): four stretches of 0.04 to 1.2 s."""
    rng = np.random.default_rng(seed)
    label = np.zeros((len(TIME), views), int)
    for _ in range(4):
        start, length = rng.integers(len(TIME)), round(np.exp(rng.uniform(0, np.log(1.2 * RATE))))
        label[start : start + length, rng.integers(views)] = rng.choice([1, 2, 3, 3])
    return label


def together(views: int, frames: int = len(TIME)) -> Timeline:
    return Timeline(
        time=np.arange(frames) / RATE,
        offset=np.zeros(views),
        rate=np.ones(views),
        frame=np.tile(np.arange(frames, dtype=float)[:, None], (1, views)),
        lag=np.zeros(views),
        score=np.ones(views, np.float32),
        warnings=[],
    )


def tracks_of(joints: np.ndarray) -> list[Track]:
    return [a_track(view, np.arange(len(joints)) / RATE) for view in joints.transpose(1, 0, 2, 3)]


def found_in(joints: np.ndarray) -> Swaps:
    views = joints.shape[1]
    return find_swaps(tracks_of(joints), together(views, len(joints)) if views > 1 else None, SideSettings())


def labels_of(swaps: Swaps, shape: tuple[int, ...], doubtful: bool = False) -> np.ndarray:
    label = np.zeros(shape, int)
    for row in np.flatnonzero(swaps.doubtful == doubtful):
        label[swaps.start[row] : swaps.end[row], swaps.camera[row]] |= swaps.part[row]
    return label


@pytest.mark.parametrize("views", [1, 3, 4])
def test_injected_swaps_are_found_and_nothing_else(views: int) -> None:
    right = wrong = missed = 0
    for seed in range(5):
        truth = some_swaps(views, seed)
        label = labels_of(found_in(swapped(filmed(views, seed, 0.03), truth)), truth.shape)
        for part in (1, 2):
            found, there = label & part > 0, truth & part > 0
            right, wrong, missed = right + (found & there).sum(), wrong + (found & ~there).sum(), missed + (
                there & ~found).sum()  # fmt: skip
    assert right / (right + wrong) > 0.98
    assert right / (right + missed) > 0.97


@pytest.mark.parametrize("views", [1, 2, 4])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_right_sides_are_left_alone(views: int, noise: float) -> None:
    for seed in range(2):
        assert len(found_in(filmed(views, seed, noise)).camera) == 0


def test_mended_tracks_are_the_unswapped_ones() -> None:
    joints, truth = filmed(3, 0, 0.01), np.zeros((len(TIME), 3), int)
    truth[40:70, 1], truth[100, 2] = 3, 1
    tracks = tracks_of(swapped(joints, truth))
    swaps = find_swaps(tracks, together(3), SideSettings())
    for camera, track in enumerate(tracks):
        mended = mend_sides(track, swaps, camera, SideSettings())
        np.testing.assert_array_equal(mended.keypoint, joints[:, camera].astype(np.float32))
        left = mend_sides(track, swaps, camera, SideSettings(repair=False))
        np.testing.assert_array_equal(left.keypoint, track.keypoint)
    assert describe_swaps(swaps, 1, SideSettings()) == (
        "left and right of 2D poses exchanged in 30 frames, in doubt in 0"
    )
    assert "swapped, and left so, in 1 frames" in describe_swaps(swaps, 2, SideSettings(repair=False))


def test_confidences_go_with_their_joints() -> None:
    joints, truth = filmed(3, 0, 0.01), np.zeros((len(TIME), 3), int)
    truth[40:70, 1] = 3
    track = tracks_of(swapped(joints, truth))[1]
    track.confidence[50, H36M17.index("left_ankle")] = 0.3
    swaps = find_swaps([tracks_of(joints)[0], track, tracks_of(joints)[2]], together(3), SideSettings())
    mended = mend_sides(track, swaps, 1, SideSettings())
    assert mended.confidence[50, H36M17.index("right_ankle")] == np.float32(0.3)
    assert mended.confidence[50, H36M17.index("left_ankle")] == np.float32(0.9)


@pytest.mark.parametrize("seed", range(3))
def test_one_view_shows_swaps_whose_first_and_last_frames_lie_between_the_sides(seed: int) -> None:
    truth = np.zeros((len(TIME), 1), int)
    truth[60:110] = 3
    right = filmed(1, seed, 0.03)
    seen, between = swapped(right, truth), [59, 110]
    seen[between] = (right[between] + swapped(right[between], truth[60:62])) / 2
    found = labels_of(found_in(seen), truth.shape)
    np.testing.assert_array_equal(np.delete(found, between, 0), np.delete(truth, between, 0))


@pytest.mark.parametrize("steps_hz", [0.8, 1.0, 1.3])
def test_legs_and_arms_that_pass_each_other_in_profile_are_no_swaps(steps_hz: float) -> None:
    """Twice in each stride left and right lie on each other, for a frame or two as when a detector exchanges them."""
    reach = {"hip": 0.02, "knee": 0.2, "ankle": 0.35, "shoulder": -0.04, "elbow": -0.15, "wrist": -0.3}
    height = {"hip": 0.0, "knee": 0.4, "ankle": 0.8, "shoulder": -0.45, "elbow": -0.2, "wrist": 0.0}
    swing, pose = np.sin(2 * np.pi * steps_hz * TIME), np.zeros((len(TIME), 17, 2))
    pose[:, [H36M17.index(joint) for joint in ("spine", "thorax", "nose", "head")], 1] = -0.2, -0.45, -0.6, -0.7
    for side, sign in (("left", 1), ("right", -1)):
        for joint in reach:
            place = H36M17.index(f"{side}_{joint}")
            pose[:, place, 0], pose[:, place, 1] = sign * reach[joint] * swing, height[joint]
    noise = np.random.default_rng(0).normal(0, 0.005, pose.shape)
    assert not len(found_in(500 + 200 * (pose + noise)[:, None]).start)


@pytest.mark.parametrize("views", [3, 4])
def test_a_mirror_image_is_named_and_not_mended(views: int) -> None:
    """A detector that looks at the mirror image of a person takes their left for their right, in every frame."""
    joints = filmed(views, 1, 0.02)
    joints[:, 1, :, 0] *= -1
    label = np.zeros((len(TIME), views), int)
    label[:, 1] = 3
    label[40:52] ^= 3 * np.eye(views, dtype=int)[1]  # where the detector errs once more
    shown = swapped(joints, label)
    swaps = found_in(shown)
    assert swaps.mirrored == [1]
    here = (swaps.camera == 1) & ~swaps.doubtful
    assert (swaps.end - swaps.start)[here].sum() <= 20
    mended = mend_sides(tracks_of(shown)[1], swaps, 1, SideSettings())
    np.testing.assert_array_equal(mended.keypoint[80:], shown[80:, 1].astype(np.float32))
    assert found_in(swapped(filmed(views, 1, 0.02), some_swaps(views, 1))).mirrored == []


def test_of_two_cameras_that_differ_throughout_neither_is_blamed() -> None:
    joints = filmed(2, 0, 0.02)
    truth = np.zeros((len(TIME), 2), int)
    truth[:, 1] = 3
    shown = swapped(joints, truth)
    swaps = found_in(shown)
    assert not labels_of(swaps, truth.shape).any()
    assert swaps.mirrored == [0, 1]
    assert (labels_of(swaps, truth.shape, doubtful=True) == 3).mean() > 0.9
    mended = mend_sides(tracks_of(shown)[0], swaps, 0, SideSettings())
    assert mended.confidence[50, H36M17.index("left_knee")] == np.float32(0.45)
    assert mended.confidence[50, H36M17.index("pelvis")] == np.float32(0.9)


def test_cameras_of_other_rates_and_absent_frames_are_compared_at_the_same_moments() -> None:
    joints, truth = filmed(3, 1, 0.01), np.zeros((len(TIME), 3), int)
    truth[60:120, 2] = 3
    shown = swapped(joints, truth)
    slow = shown[::2, 2]
    shown[80:90, 0] = np.nan
    tracks = [a_track(shown[:, 0], TIME), a_track(shown[:, 1], TIME), a_track(slow, TIME[::2])]
    frame = np.stack([np.arange(len(TIME))] * 2 + [np.arange(len(TIME)) / 2], 1)
    frame[frame[:, 2] > len(slow) - 1, 2] = np.nan
    timeline = together(3)
    timeline.frame[:] = frame
    label = labels_of(find_swaps(tracks, timeline, SideSettings()), (len(TIME), 3))
    assert not label[:, :2].any()
    np.testing.assert_array_equal(np.flatnonzero(label[:, 2] == 3), np.arange(30, 60))


def test_the_best_path_is_that_of_all_paths() -> None:
    rng = np.random.default_rng(0)
    frames = 5
    track = a_track(rng.normal(0, 20, (frames, 17, 2)), np.arange(frames) / RATE)
    view = SideLabels.of(track.keypoint, track.time, H36M17, SWAP_COST_PER_S)
    for seed in range(3):
        emission = np.random.default_rng(seed).uniform(0, 15, (frames, LABELS))
        paths = [np.array(path) for path in product(range(LABELS), repeat=frames)]
        costs = [view._costs(emission, path).sum() for path in paths]
        np.testing.assert_array_equal(view.best_path(emission), paths[int(np.argmin(costs))])


def test_a_body_has_rank_three_and_a_swap_has_not() -> None:
    pose = weak_perspective(people(20), cameras(4))
    pose -= pose[:, :, :1]
    seen = np.ones(pose.shape[:3], bool)
    assert rank_residual(pose, seen).max() < 1e-4
    pose[:, 2] = pose[:, 2][:, ORDER[3]]
    assert np.median(rank_residual(pose, seen).max(1)) > 10
    seen[:, 2] = False  # a view that shows nobody says nothing
    assert rank_residual(pose, seen).max() < 1e-4
    lone = np.zeros_like(seen)
    lone[:, 1] = True
    assert rank_residual(pose, lone).max() < 1e-4


def test_parts_of_the_body() -> None:
    legs, upper = permutations(BLAZEPOSE33)[1:3]
    names = np.array(BLAZEPOSE33.joints)
    assert names[legs[BLAZEPOSE33.index("left_foot_index")]] == "right_foot_index"
    assert names[legs[BLAZEPOSE33.index("left_eye")]] == "left_eye"
    assert names[upper[BLAZEPOSE33.index("left_eye")]] == "right_eye"
    np.testing.assert_array_equal(permutations(BLAZEPOSE33)[3], BLAZEPOSE33.mirror)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips_do_not_break_it(frames: int) -> None:
    assert len(found_in(filmed(2, 0, 0.0)[:frames]).camera) == 0
    assert len(found_in(filmed(1, 0, 0.0)[:frames]).camera) == 0


def test_nobody_anywhere_is_no_swap() -> None:
    assert len(found_in(np.full((10, 2, 17, 2), np.nan)).camera) == 0
