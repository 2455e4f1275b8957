"""The check of stated offsets: signals of motion, the lag at which they fit, and when that is worth a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Track
from posepipe.pipeline.stages.synchronize.stage import (
    best_lag,
    check_lags,
    common_instants,
    fractional_frames,
    lag_warnings,
    motion_signal,
)
from scipy.ndimage import gaussian_filter1d


def filmed(camera: int, time: np.ndarray, missing: float = 0.0) -> Track:
    keypoint = scene_cameras().project(athlete(time + 1))[:, camera]
    keypoint[np.random.default_rng(camera).uniform(size=keypoint.shape[:2]) < missing] = np.nan
    return a_track(keypoint, time)


def literal_motion(track: Track, time: np.ndarray, grid: np.ndarray, size: float) -> np.ndarray:
    signal = np.full((17, len(grid)), np.nan)
    for joint in range(17):
        height = (track.keypoint[:, joint, 1] - track.keypoint[:, H36M17.index("pelvis"), 1]).astype(float) / size
        known = np.isfinite(height)
        if known.sum() >= 3:
            inside = (grid >= time[known][0]) & (grid <= time[known][-1])
            smooth = gaussian_filter1d(np.interp(grid[inside], time[known], height[known]), 2.0)
            signal[joint, inside] = np.gradient(smooth) * 50
    return signal


def test_motion_is_the_pace_of_heights_above_the_pelvis_in_lengths_of_the_trunk() -> None:
    time = np.arange(40) / 25
    track = filmed(0, time, missing=0.1)
    track.keypoint[3:, H36M17.index("head")] = np.nan
    track.keypoint[2:, H36M17.index("nose")] = np.nan
    pelvis, thorax = (track.keypoint[:, H36M17.index(name)] for name in ("pelvis", "thorax"))
    size = float(np.nanmedian(np.linalg.norm(thorax - pelvis, axis=-1)))
    grid = np.arange(-0.1, 1.8, 1 / 50)
    found = motion_signal(track, time + 0.05, grid)
    np.testing.assert_allclose(found, literal_motion(track, time + 0.05, grid, size), rtol=1e-4, atol=1e-5)
    assert np.isnan(found).any()
    track.keypoint[:, H36M17.index("thorax")] = np.nan
    np.testing.assert_allclose(motion_signal(track, time, grid), literal_motion(track, time, grid, 1.0), rtol=1e-5)


def literal_best_lag(signal: np.ndarray, rest: np.ndarray, max_lag: int) -> tuple[float, float]:
    joints, steps = signal.shape
    common = sum(bool((np.isfinite(signal[:, t]) & np.isfinite(rest[:, t])).any()) for t in range(steps))
    max_lag = min(max_lag, common // 4)
    scores = {}
    for lag in range(-max_lag, max_lag + 1):
        pairs = [(j, t) for j in range(joints) for t in range(steps)
                 if 0 <= t + lag < steps and np.isfinite(signal[j, t + lag]) and np.isfinite(rest[j, t])]  # fmt: skip
        a, b = (np.array([signal[j, t + lag] for j, t in pairs]), np.array([rest[j, t] for j, t in pairs]))
        enough = len({t for _, t in pairs}) >= 15
        scores[lag] = a @ b / np.sqrt((a @ a) * (b @ b)) if enough else np.nan
    if max_lag < 2 or np.isnan(list(scores.values())).all():
        return np.nan, 0.0
    best = max(scores, key=lambda lag: -np.inf if np.isnan(scores[lag]) else scores[lag])
    score = min(max(scores[best], 0.0), 1.0)
    if abs(best) == max_lag or np.isnan([scores[best - 1], scores[best + 1]]).any():
        return np.nan, score
    best = 0 if scores[best] - scores[0] < 0.1 else best
    left, middle, right = (scores[best + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    return (best + (min(max((left - right) / 2 / bend, -1), 1) if bend < 0 else 0)) / 50, score


@pytest.mark.parametrize("seed", range(12))
def test_the_best_lag_is_that_of_literal_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    late, holes, reach = rng.uniform(-12, 12), [0.0, 0.3][seed % 2], [10, 14, 40][seed % 3]
    whole = gaussian_filter1d(rng.normal(size=(3, 200)), [1, 3, 8][seed // 4], axis=1)
    steps = np.arange([60, 45, 24][seed % 3]) + 60
    rest = np.stack([np.interp(steps, np.arange(200), values) for values in whole])
    signal = np.stack([np.interp(steps - late, np.arange(200), values) for values in whole])
    signal += 0.1 * rng.normal(size=signal.shape)
    signal[rng.uniform(size=signal.shape) < holes] = np.nan
    rest[:, : seed % 5] = np.nan
    found, expected = best_lag(signal, rest, reach), literal_best_lag(signal, rest, reach)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_lags_need_two_steps_to_either_side() -> None:
    wave = np.sin(np.arange(20) / 2)[None]
    assert np.isfinite(best_lag(wave, wave, 2)[0])
    assert best_lag(wave, wave, 1)[1] == 0
    short = wave.copy()
    short[:, :13] = np.nan  # 7 steps in common are one to either side
    assert best_lag(short, wave, 2) == (pytest.approx(np.nan, nan_ok=True), 0.0)


def test_a_lag_next_to_one_at_which_too_little_overlaps_is_not_believed() -> None:
    whole = gaussian_filter1d(np.random.default_rng(0).normal(size=(3, 60)), 1.5, axis=1)
    for steps, known in ((18, False), (19, True)):  # four steps apart 15 are in common, or 14
        for late in (3, -3):
            lag, score = best_lag(whole[:, 20 - late : 20 - late + steps], whole[:, 20 : 20 + steps], 10)
            assert score > 0.99
            assert lag == pytest.approx(late / 50 if known else np.nan, abs=0.01, nan_ok=True)


def test_lags_are_told_against_the_mean_of_the_other_cameras() -> None:
    time = np.arange(60) / 25
    tracks = [filmed(camera, time, missing=0.05 * camera) for camera in range(3)]
    times = [time, time + 0.02, time[:-5] - 0.1]
    tracks[2] = a_track(tracks[2].keypoint[:-5], time[:-5])
    lags, scores = check_lags(tracks, times, 0.5)
    grid = np.arange(-0.1, 2.38 + 0.02, 0.02)
    signals = [motion_signal(track, own, grid) for track, own in zip(tracks, times, strict=True)]
    for camera in range(3):
        one, other = (signals[index] for index in range(3) if index != camera)
        rest = np.where(np.isnan(one), other, np.where(np.isnan(other), one, (one + other) / 2))
        lag, score = best_lag(signals[camera], rest, 25)
        assert lags[camera] == pytest.approx(lag, abs=1e-6, nan_ok=True)
        assert scores[camera] == pytest.approx(score, abs=1e-6)


def test_a_lag_is_worth_a_sentence_from_one_and_a_half_frames_on_and_if_it_is_clear() -> None:
    times = [np.arange(8) / 16, np.arange(8) / 32]

    def said(lag: float, score: float) -> list[str]:
        return lag_warnings(["a", "b"], times, np.array([0.0, lag]), np.array([1.0, score]))

    assert said(1.5 / 16, 0.9) == said(-1.5 / 16, 0.9) == said(0.5, 0.49) == said(np.nan, 0.9) == []
    (late,) = said(0.1, 0.5)
    assert late.startswith("camera b seems to run 0.10 s behind the others (correlation 0.50)")
    assert "0.10 s ahead of" in said(-0.1, 0.5)[0]


def test_at_the_very_edges_a_frame_still_shows_an_instant() -> None:
    time = np.array([1.0, 1.25, 1.5, 2.0])
    instants = np.array([0.875, 0.75, 1.125, 1.625, 1.75, 1.875, 2.125, 2.25])
    np.testing.assert_array_equal(fractional_frames(time, instants, 0.25), [0, np.nan, 0.5, 2, np.nan, 3, 3, np.nan])
    np.testing.assert_array_equal(
        fractional_frames(time, instants, 0.5), [0, np.nan, 0.5, 2.25, 2.5, 2.75, 3, np.nan]
    )


def test_a_single_picture_lasts_a_second() -> None:
    np.testing.assert_array_equal(common_instants([np.zeros(1), np.arange(30) / 25]), [0, 1])
    np.testing.assert_array_equal(common_instants([np.array([0, 0.5]), np.arange(30) / 25]), [0, 0.5, 1])
    np.testing.assert_array_equal(fractional_frames(np.zeros(1), np.array([-0.5, 0.5, 0.6]), 0.1), [0, 0, np.nan])
