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


def literal_clocks(links: list[Link], cameras: int, given: dict[int, float]) -> tuple[np.ndarray, ...]:
    """Offsets, rates and deviations, one measurement after the other and with whole covariance matrices."""
    free = [camera for camera in range(cameras) if camera not in given]
    weights = [np.ones(len(link.time)) for link in links]
    for _ in range(5):
        H, y = np.zeros((2 * len(free), 2 * len(free))), np.zeros(2 * len(free))
        for place in range(len(free)):
            H[2 * place, 2 * place] = 1e-9
            H[2 * place + 1, 2 * place + 1] = 1 / 50e-6**2 + 1e-9
        equations = []
        for link, weight in zip(links, weights, strict=True):
            A, b = np.zeros((len(link.time), 2 * len(free))), np.zeros(len(link.time))
            for row, (time, lag) in enumerate(zip(link.time, link.lag, strict=True)):
                b[row] = lag
                for camera, sign, own_time in ((link.first, 1, time), (link.second, -1, time + lag)):
                    if camera in given:
                        b[row] -= sign * given[camera]
                    else:
                        A[row, 2 * free.index(camera)] = sign
                        A[row, 2 * free.index(camera) + 1] = sign * own_time
            W = np.linalg.inv(np.diag(link.deviation**2 / weight) + link.common**2)
            H, y = H + A.T @ W @ A, y + A.T @ W @ b
            equations.append((A, b))
        x = np.linalg.inv(H) @ y
        weights = []
        for link, (A, b) in zip(links, equations, strict=True):
            error = A @ x - b
            shared = min(max(float(np.median(error)), -3 * link.common), 3 * link.common)
            weights.append(1 / (1 + ((error - shared) / (3 * link.deviation)) ** 2))
    offset, rate, deviation = np.zeros(cameras), np.ones(cameras), np.zeros(cameras)
    for camera in range(cameras):
        if camera in given:
            offset[camera] = given[camera]
        else:
            place = 2 * free.index(camera)
            offset[camera], rate[camera] = x[place], 1 + x[place + 1]
            deviation[camera] = np.linalg.inv(H)[place, place] ** 0.5
    return offset, rate, deviation


@pytest.mark.parametrize("common_s", [0.0, 0.02])
@pytest.mark.parametrize("given", [{0: 0.0}, {2: 7.6}, {0: 0.5, 1: -2.6}])
def test_clocks_are_those_of_a_literal_twin(common_s: float, given: dict[int, float]) -> None:
    measured = links(0.01, common_s)
    measured[1].lag[:] += 0.09  # more than the error in common may explain
    measured[2].lag[4] -= 0.08
    clocks = solve_clocks(measured, 3, given)
    offset, rate, deviation = literal_clocks(measured, 3, given)
    np.testing.assert_allclose(clocks.offset, offset, rtol=0, atol=1e-8)
    np.testing.assert_allclose(clocks.rate, rate, rtol=0, atol=1e-10)
    np.testing.assert_allclose(clocks.deviation, deviation, rtol=1e-6)


def test_a_single_measurement_says_nothing_of_how_fast_a_clock_runs() -> None:
    clocks = solve_clocks([Link(0, 1, np.array([100.0]), np.array([2.0]), np.array([0.001]), 0.0)], 2, {})
    assert clocks.rate[1] == pytest.approx(1, abs=1e-6)
    assert clocks.deviation == pytest.approx([0, np.hypot(0.001, 102 * 50e-6)], rel=1e-3)
