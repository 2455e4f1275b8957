"""Signals lie on an even grid whenever the pictures were taken, and a moving camera does not change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from footage import a_track, athlete, scene_cameras, some_frames
from posepipe.pipeline.footage.video import AUDIO_RATE
from posepipe.pipeline.stages.synchronize.signals import RATE, local_lines, loudness, pose_signals


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
