"""Least squares: one Levenberg-Marquardt loop, with one set of limits, for all that is adjusted (Marquardt, 1963)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import numpy as np

S = TypeVar("S")

MOST_STEPS = 100
MOST_TRIES = 10
"""Of a step, each with ten times the damping of the last, until the cost falls."""
FIRST_DAMPING, LEAST_DAMPING = 1e-3, 1e-7
"""Less damping would change no step that matters, and costs tries where the equations are nearly singular."""


def levenberg_marquardt(
    start: S,
    cost: Callable[[S], float],
    linearise: Callable[[S], Callable[[float], S]],
    tolerance: float,
    steps: int = MOST_STEPS,
) -> tuple[S, float]:
    """A solution of least cost near the start, and its cost.

    Args:
        cost: of a solution, at least 0.
        linearise: sets up the system of normal equations at a solution, and gives a function from damping to the
            solution after the step; that may raise ``numpy.linalg.LinAlgError`` where damping is too small.
        tolerance: relative decrease of the cost below which a step was the last; how small it must be depends on
            how flat the valley of the cost is, and so on what is adjusted.
        steps: at most so many.
    """
    found, least, damping = start, cost(start), FIRST_DAMPING
    for _ in range(steps):
        step = linearise(found)
        for _ in range(MOST_TRIES):
            with suppress(np.linalg.LinAlgError):  # then more damping as well
                tried = step(damping)
                tried_cost = cost(tried)
                if tried_cost < least:
                    break
            damping *= 10
        else:
            break
        done = least - tried_cost < tolerance * least
        found, least, damping = tried, tried_cost, max(damping / 10, LEAST_DAMPING)
        if done:
            break
    return found, least
