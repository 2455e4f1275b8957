"""Levenberg-Marquardt finds a minimum it can know, bears systems it cannot solve, and stops where it is told to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from posepipe.models.geometry import least_squares
from posepipe.models.geometry.least_squares import MOST_TRIES, levenberg_marquardt

Array = NDArray[np.float64]
START = np.array([-1.2, 1.0])


def residual(x: Array) -> Array:
    """Of Rosenbrock's function, whose minimum is at (1, 1)."""
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def cost(x: Array) -> float:
    return float(residual(x) @ residual(x)) / 2


def linearise(x: Array) -> Callable[[float], Array]:
    J = np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])
    A = J.T @ J
    return lambda damping: x - np.linalg.solve(A + damping * np.diag(np.diag(A)), J.T @ residual(x))


def test_it_follows_a_curved_valley_to_its_lowest_point() -> None:
    found, least = levenberg_marquardt(START, cost, linearise, 1e-7)
    np.testing.assert_allclose(found, 1, atol=1e-9)
    assert least == cost(found) < 1e-18


def test_a_system_that_cannot_be_solved_is_damped_more() -> None:
    tried: list[float] = []

    def delicate(x: Array) -> Callable[[float], Array]:
        step = linearise(x)

        def damped(damping: float) -> Array:
            tried.append(damping)
            if damping < 0.01:
                raise np.linalg.LinAlgError
            return step(damping)

        return damped

    found, _ = levenberg_marquardt(START, cost, delicate, 1e-7)
    assert tried[:2] == pytest.approx([1e-3, 1e-2])
    np.testing.assert_allclose(found, 1, atol=1e-4)


def test_where_no_step_is_better_the_start_stays() -> None:
    tries = []

    def uphill(x: Array) -> Callable[[float], Array]:
        return lambda damping: tries.append(damping) or x + 1

    found, least = levenberg_marquardt(np.ones(2), cost, uphill, 1e-7)
    assert (found == 1).all() and least == 0
    assert len(tries) == MOST_TRIES


@pytest.mark.parametrize("steps", [1, 3])
def test_it_takes_no_more_steps_than_it_may(steps: int) -> None:
    taken = []

    def counted(x: Array) -> Callable[[float], Array]:
        taken.append(x)
        return linearise(x)

    levenberg_marquardt(START, cost, counted, 0.0, steps)
    assert len(taken) == steps


def test_it_stops_where_the_cost_hardly_falls() -> None:
    costs: list[float] = []

    def noted(x: Array) -> Callable[[float], Array]:
        costs.append(cost(x))
        return linearise(x)

    _, least = levenberg_marquardt(START, cost, noted, 0.5)
    falls = [1 - after / before for before, after in zip(costs, [*costs[1:], least], strict=True)]
    assert min(falls[:-1]) >= 0.5 > falls[-1]


def test_damping_has_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "LEAST_DAMPING", 1e-2)
    dampings: list[float] = []

    def noted(x: Array) -> Callable[[float], Array]:
        step = linearise(x)
        return lambda damping: dampings.append(damping) or step(damping)

    levenberg_marquardt(START, cost, noted, 1e-7)
    assert min(dampings[1:]) >= 1e-2
