"""Smoothers leave what is smooth, take what is noise, lag only if they say so, and heed confidence."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.models.body.smoothing import SMOOTHERS, Smoother, outliers

RATE = 50
TIME = np.arange(200) / RATE
WITHOUT_LAG = [name for name in SMOOTHERS if name != "one-euro"]
CUTOFF_HZ = 6.0


def wave(frequency_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * TIME)[:, None]


def smooth(
    smoother: Smoother, value: np.ndarray, weight: np.ndarray | None = None, time: np.ndarray = TIME
) -> np.ndarray:
    return smoother(time, value, np.ones_like(value) if weight is None else weight, CUTOFF_HZ)


@pytest.mark.parametrize("name", SMOOTHERS)
def test_constants_stay(name: str) -> None:
    value = np.full((200, 3), [0.0, 1.5, -20.0])
    np.testing.assert_allclose(smooth(SMOOTHERS[name], value), value, atol=1e-9)


@pytest.mark.parametrize("name", WITHOUT_LAG)
def test_slow_movement_stays_where_and_when_it_was(name: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (200, 1))
    found = smooth(SMOOTHERS[name], wave(1) + noise)[20:-20]
    assert np.sqrt(np.mean((found - wave(1)[20:-20]) ** 2)) < 0.05 * 0.75
    lags = [np.dot(found[:, 0], np.roll(wave(1), lag)[20:-20, 0]) for lag in range(-5, 6)]
    assert int(np.argmax(lags)) == 5


@pytest.mark.parametrize("name", SMOOTHERS)
def test_jitter_goes(name: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, (200, 6))
    before, after = (np.abs(np.diff(values, 2, axis=0)).mean() for values in (noise, smooth(SMOOTHERS[name], noise)))
    assert after < before / 3


@pytest.mark.parametrize("name", ["butterworth", "savitzky-golay"])
def test_the_cutoff_is_where_half_of_the_power_is_left(name: str) -> None:
    for frequency, low, high in ((CUTOFF_HZ / 3, 0.95, 1.02), (CUTOFF_HZ, 0.6, 0.8), (3 * CUTOFF_HZ, 0, 0.2)):
        gain = np.std(smooth(SMOOTHERS[name], wave(frequency))[40:-40]) / np.std(wave(frequency)[40:-40])
        assert low <= gain <= high, frequency


def test_the_1_euro_filter_is_causal() -> None:
    value = np.random.default_rng(0).normal(size=(200, 1))
    changed = value.copy()
    changed[100:] += 5
    found, other = (smooth(SMOOTHERS["one-euro"], values) for values in (value, changed))
    np.testing.assert_array_equal(found[:100], other[:100])


@pytest.mark.parametrize("name", SMOOTHERS)
def test_what_is_not_trusted_counts_less(name: str) -> None:
    value, weight = np.zeros((200, 1)), np.ones((200, 1))
    value[100], weight[100] = 1.0, 0.0
    trusted, doubted = (
        np.abs(smooth(SMOOTHERS[name], value, w)[100:110]).max() for w in (np.ones_like(weight), weight)
    )
    assert doubted < 0.4 * trusted


@pytest.mark.parametrize("name", SMOOTHERS)
def test_uneven_times_keep_their_timing(name: str) -> None:
    time = np.sort(np.random.default_rng(1).uniform(0, 4, 300))
    line = np.stack([time, -2 * time], -1)
    found = smooth(SMOOTHERS[name], line, time=time)
    tolerance = 0.15 if name == "one-euro" else 0.03
    np.testing.assert_allclose(found[30:-30], line[30:-30], atol=tolerance)


@pytest.mark.parametrize("name", SMOOTHERS)
@pytest.mark.parametrize("frames", [2, 3, 4, 5, 9, 16])
def test_short_runs_are_no_trouble(name: str, frames: int) -> None:
    value = np.random.default_rng(0).normal(size=(frames, 3))
    found = smooth(SMOOTHERS[name], value, time=np.arange(frames) / RATE)
    assert found.shape == value.shape
    assert np.isfinite(found).all()


def test_outliers_are_points_off_their_track() -> None:
    rng = np.random.default_rng(0)
    track = 0.3 * np.concatenate([wave(1), wave(2), wave(0.5)], -1)[:, None] + rng.normal(0, 0.005, (200, 2, 3))
    track[50, 0] += 0.5
    track[120, 1] += (0, -0.4, 0)
    found = outliers(track, 5, 6.0, 0.05)
    assert found[50, 0]
    assert found[120, 1]
    found[48:53, 0] = found[118:123, 1] = False  # its neighbours' median is moved by it
    assert not found.any()
