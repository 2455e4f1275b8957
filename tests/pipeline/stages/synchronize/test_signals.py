"""Signals lie on an even grid whenever the pictures were taken, and a moving camera does not change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras, some_frames
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Track
from posepipe.pipeline.footage.video import AUDIO_RATE
from posepipe.pipeline.stages.synchronize.signals import (
    RATE,
    Signal,
    local_lines,
    loudness,
    pose_signals,
    with_middles,
)
from scipy.ndimage import gaussian_filter1d


def test_positions_and_velocities_of_even_motion_are_exact_between_uneven_frames() -> None:
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.01, 0.05, 80))
    velocity = rng.normal(size=(3, 2))
    keypoint = 5 + time[:, None, None] * velocity
    steps = np.arange(time[0], time[-1], 1 / RATE)
    position, found, known = local_lines(time, keypoint, rng.uniform(0.2, 1, (80, 3)), steps)
    assert known.all()
    np.testing.assert_allclose(position, 5 + steps[:, None, None] * velocity, atol=1e-9)
    np.testing.assert_allclose(found, np.broadcast_to(velocity, found.shape), atol=1e-7)


def test_nothing_is_known_in_a_gap_or_of_a_single_frame() -> None:
    time = np.concatenate([np.arange(10) / 25, 2 + np.arange(10) / 25])
    keypoint = np.zeros((20, 1, 2))
    _, _, known = local_lines(time, keypoint, np.ones((20, 1)), np.array([0.2, 1.0, 2.2]))
    assert known[:, 0].tolist() == [True, False, True]
    assert not local_lines(time[:1], keypoint[:1], np.ones((1, 1)), np.array([0.0]))[2].any()


def test_a_pan_and_a_zoom_hardly_change_the_signals() -> None:
    time = np.arange(200) / 25
    still = scene_cameras().project(athlete(time))[:, 0]
    zoom = np.exp(0.2 * np.sin(0.8 * time))[:, None, None]
    moved = zoom * still + np.stack([90 * np.sin(3 * time), 40 * np.cos(2 * time)], -1)[:, None]
    (first, speed), (second, moved_speed) = (pose_signals(a_track(each, time)) for each in (still, moved))
    for a, b in [*zip(first, second, strict=True), (speed, moved_speed)]:
        assert np.corrcoef(a.value[a.known[:, None].repeat(a.value.shape[1], 1)],
                           b.value[a.known[:, None].repeat(a.value.shape[1], 1)])[0, 1] > 0.97  # fmt: skip


def test_loudness_keeps_its_rhythm_at_any_gain() -> None:
    rng = np.random.default_rng(0)
    sound = rng.gamma(1, 1, 5 * AUDIO_RATE).astype(np.float32)
    quiet, loud = (
        loudness(replace(some_frames(np.arange(125) / 25), audio_envelope=gain * sound), 1.0) for gain in (0.1, 0.7)
    )
    assert quiet is not None
    assert loud is not None
    assert np.corrcoef(quiet.value.ravel(), loud.value.ravel())[0, 1] > 0.95
    assert loudness(some_frames(np.arange(125) / 25), 1.0) is None
    silence = replace(some_frames(np.arange(125) / 25), audio_envelope=0 * sound)
    assert loudness(silence, 1.0) is None


def test_lines_are_weighted_least_squares() -> None:
    rng = np.random.default_rng(1)
    time = np.cumsum(rng.uniform(0.01, 0.06, 60))
    time[30:] += 0.3
    keypoint, confidence = rng.normal(size=(60, 2, 2)), rng.uniform(0.1, 1, (60, 2))
    keypoint[rng.uniform(size=(60, 2)) < 0.2, 1] = np.nan
    confidence[rng.uniform(size=(60, 2)) < 0.2] = 0
    steps = np.arange(0, time[-1], 1 / RATE)
    position, velocity, known = local_lines(time, keypoint, confidence, steps)
    some = 0
    for place, step in enumerate(steps):
        for joint in range(2):
            weight = confidence[:, joint] * np.exp(-0.5 * ((time - step) / 0.04) ** 2)
            weight[(np.abs(time - step) > 0.12) | np.isnan(keypoint[:, joint]).any(-1)] = 0
            used = weight > 0
            spread = np.sqrt(np.cov(time[used], aweights=weight[used], ddof=0)) if used.sum() > 1 else 0.0
            assert known[place, joint] == (spread > 0.3 * 0.04)
            if known[place, joint]:
                line = np.polyfit(time[used] - step, keypoint[used, joint], 1, w=np.sqrt(weight[used]))
                np.testing.assert_allclose(velocity[place, joint], line[0], rtol=1e-6, atol=1e-6)
                np.testing.assert_allclose(position[place, joint], line[1], rtol=1e-6, atol=1e-6)
                some += 1
    assert 0.5 < some / known.size < 0.95


def literal_tamed(value: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values (J, D, T) of which none is longer than three times the median."""
    length = np.linalg.norm(value, axis=1)
    longest = 3 * np.median(length[known])
    tamed = np.zeros_like(value)
    for joint, step in np.argwhere(known):
        tamed[joint, :, step] = value[joint, :, step] * min(1, longest / length[joint, step])
    return tamed


def literal_pose_signals(track: Track) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Bands (J, 2, T), speeds (J, T) and what is known (J, T), joint by joint."""
    steps = np.arange(int(track.time[-1] * 50) + 1) / 50
    position, velocity, known = local_lines(track.time, *with_middles(track), steps)
    trunk = [H36M17.index(name) for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder")]
    known = (known & known[:, trunk].all(1)[:, None]).T
    place, pace = (np.moveaxis(each - each[:, trunk].mean(1)[:, None], 0, -1) for each in (position, velocity))
    reach = (np.linalg.norm(place, axis=1) * known).sum(0)
    count = known.sum(0).astype(float)
    near = gaussian_filter1d(count, 50.0)
    size = np.where(near > 0.5, gaussian_filter1d(reach, 50.0) / np.maximum(near, 1e-9), reach.sum() / count.sum())
    levels = []
    for width in (0.08, 0.16, 0.32, 0.64):
        level = np.zeros_like(place)
        for joint in range(len(known)):
            sigma = 50 * np.sqrt(width**2 - 0.04**2)
            weight = np.maximum(gaussian_filter1d(known[joint].astype(float), sigma), 1e-3)
            for axis in range(2):
                values = np.where(known[joint], place[joint, axis] / size, 0)
                level[joint, axis] = gaussian_filter1d(values, sigma) / weight
        levels.append(level)
    bands = [literal_tamed(levels[k] - levels[k + 1], known) for k in range(3)]
    speed = np.linalg.norm(literal_tamed(np.where(known[:, None], pace / size, 0), known), axis=1)
    for joint, there in enumerate(known):
        speed[joint, there] -= speed[joint, there].mean()
    return bands, speed, known


def awkward_track() -> Track:
    """The athlete with joints and frames missing, one joint far off, and a few frames alone at the end."""
    rng = np.random.default_rng(2)
    time = np.concatenate([np.arange(60) / 25, 3 + np.arange(40) / 30, 12 + np.arange(2) / 25])
    keypoint = scene_cameras().project(athlete(time))[:, 0]
    keypoint[rng.uniform(size=keypoint.shape[:2]) < 0.03] = np.nan
    keypoint[20:24, H36M17.index("left_wrist")] += 200
    return a_track(keypoint, time)


def test_signals_of_poses_are_those_of_a_literal_twin() -> None:
    track = awkward_track()
    bands, speed = pose_signals(track)
    expected, expected_speed, known = literal_pose_signals(track)
    assert 0.1 < known.mean() < 0.5
    for band, values in zip(bands, expected, strict=True):
        np.testing.assert_array_equal(band.known, known)
        np.testing.assert_allclose(band.value, values, atol=1e-6)
    np.testing.assert_array_equal(speed.known, known)
    np.testing.assert_allclose(speed.value[:, 0], expected_speed, atol=1e-6)


def test_middles_are_between_left_and_right_and_as_sure_as_the_less_sure() -> None:
    track = awkward_track()
    track.confidence[:, H36M17.index("left_knee")] = 0.3
    keypoint, confidence = with_middles(track)
    pairs = [(name, name.replace("left", "right")) for name in H36M17.joints if name.startswith("left")]
    assert keypoint.shape[1] == confidence.shape[1] == 17 + len(pairs)
    for place, sides in enumerate(pairs, start=17):
        left, right = (H36M17.index(name) for name in sides)
        np.testing.assert_allclose(keypoint[:, place], (track.keypoint[:, left] + track.keypoint[:, right]) / 2)
        np.testing.assert_array_equal(confidence[:, place], track.confidence[:, [left, right]].min(1))


def test_who_stands_still_or_is_not_there_has_no_signal() -> None:
    time = np.arange(50) / 25
    for keypoint in (
        np.repeat(scene_cameras().project(athlete(time[:1]))[:, 0], 50, 0),
        np.full((50, 17, 2), np.nan),
    ):
        bands, speed = pose_signals(a_track(keypoint, time))
        assert len(bands) == 3
        for signal in (*bands, speed):
            assert signal.value.shape[-1] == signal.known.shape[-1] == 99
            assert not signal.value.any()


@pytest.mark.parametrize("slow_motion", [1.0, 4.0])
def test_loudness_is_a_difference_of_gaussians_of_the_logarithm_on_the_steps_grid(slow_motion: float) -> None:
    sound = np.random.default_rng(0).gamma(1, 1, 2 * AUDIO_RATE + 7).astype(np.float32)
    sound[100:200] = 0
    frames = replace(some_frames(np.arange(50) / 25), audio_envelope=sound)
    signal = loudness(frames, slow_motion)
    assert isinstance(signal, Signal)
    level = np.log(sound.astype(float) + 1e-3)
    fast, slow = (gaussian_filter1d(level, width * AUDIO_RATE) for width in (0.02, 0.08))
    time = (np.arange(len(sound)) + 0.5) / AUDIO_RATE / slow_motion
    steps = np.arange(signal.value.shape[-1]) / 50
    assert steps[-1] <= time[-1] < steps[-1] + 1 / 50
    np.testing.assert_allclose(signal.value[0, 0], np.interp(steps, time, fast - slow), atol=1e-9)
    assert signal.value.shape[:2] == (*signal.known.shape[:1], 1)
    assert signal.known.all()
    second = replace(frames, audio_envelope=sound[:AUDIO_RATE])
    assert loudness(second, 1.0) is not None
    assert loudness(replace(frames, audio_envelope=sound[: AUDIO_RATE - 1]), 1.0) is None
