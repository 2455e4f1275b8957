"""Clocks are recovered from lags between pairs of cameras."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from posepipe.pipeline.stages.synchronize.clocks import Clocks, Link, solve_clocks

TRUE = Clocks(np.array([0.0, -3.2, 7.5]), 1 + np.array([0.0, 80e-6, -60e-6]), np.zeros(3))
TIME = np.linspace(5, 600, 12)


def links(noise_s: float = 0.0, common_s: float = 0.0, seed: int = 0) -> list[Link]:
    rng = np.random.default_rng(seed)
    return [
        Link(a, b, TIME, TRUE.lag(a, b, TIME) + rng.normal(0, noise_s, 12), np.full(12, noise_s or 1e-4), common_s)
        for a, b in combinations(range(3), 2)
    ]


def test_a_lag_takes_a_camera_s_time_to_another_s() -> None:
    take = TRUE.offset[1] + TRUE.rate[1] * 50.0
    assert TRUE.offset[2] + TRUE.rate[2] * (50.0 + TRUE.lag(1, 2, np.array(50.0))) == pytest.approx(take)


def test_exact_lags_give_the_clocks() -> None:
    clocks = solve_clocks(links(), 3, {})
    np.testing.assert_allclose(clocks.offset, TRUE.offset, atol=1e-4)
    np.testing.assert_allclose(clocks.rate, TRUE.rate, atol=1e-6)


def test_noise_is_averaged_and_its_effect_foretold() -> None:
    errors = np.array([solve_clocks(links(0.01, seed=seed), 3, {}).offset - TRUE.offset for seed in range(40)])
    foretold = solve_clocks(links(0.01), 3, {}).deviation
    np.testing.assert_allclose(errors[:, 1:].std(0), foretold[1:], rtol=0.4)


def test_an_error_that_all_share_is_not_averaged_away() -> None:
    alone, shared = (solve_clocks(links(0.01, common), 3, {}).deviation for common in (0.0, 0.03))
    assert (shared[1:] > 2 * alone[1:]).all()
    assert shared[1:].min() > 0.015


def test_a_block_that_is_far_off_does_not_count() -> None:
    measured = links(0.001)
    measured[0].lag[3] += 0.2
    np.testing.assert_allclose(solve_clocks(measured, 3, {}).offset, TRUE.offset, atol=0.003)


def test_given_offsets_stay_and_the_others_follow_them() -> None:
    clocks = solve_clocks(links(), 3, {1: 10.0 + TRUE.offset[1]})
    assert clocks.offset[1] == 10.0 + TRUE.offset[1]
    assert clocks.rate[1] == 1.0
    np.testing.assert_allclose(clocks.offset[2] - clocks.offset[0], TRUE.offset[2], atol=0.01)
    everything = solve_clocks(links(), 3, {0: 1.0, 1: 2.0, 2: 3.0})
    np.testing.assert_array_equal(everything.offset, [1, 2, 3])
