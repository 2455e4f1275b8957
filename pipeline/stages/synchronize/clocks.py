"""Clocks of all cameras that explain the lags measured between pairs of them at various times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

USUAL_DRIFT = 50e-6
"""Standard deviation of how much faster or slower than the others a camera's clock runs: a quartz crystal's."""
TOLERATED = 3.0
"""A measurement this many standard deviations off counts half (Cauchy)."""
ROUNDS = 5


@dataclass(frozen=True)
class Clocks:
    """A camera's own time t is offset + rate * t on the take's time, that of the first camera."""

    offset: np.ndarray  # (C) s
    rate: np.ndarray  # (C)
    deviation: np.ndarray  # (C) s, standard deviation of the offsets; 0 where given

    def lag(self, first: int, second: int, time: np.ndarray) -> np.ndarray:
        """Lags (K) in s: what to add to times (K) of the first camera to get the second's at the same moments."""
        take = self.offset[first] + self.rate[first] * time
        return (take - self.offset[second]) / self.rate[second] - time


@dataclass(frozen=True)
class Link:
    """Lags of one pair of cameras: the second shows at its time + lag what the first shows at its time."""

    first: int
    second: int
    time: np.ndarray  # (K) s of the first camera
    lag: np.ndarray  # (K) s
    deviation: np.ndarray  # (K) s, of each by itself
    common: float  # s, of an error that all share


def solve_clocks(links: Sequence[Link], cameras: int, given: Mapping[int, float]) -> Clocks:
    """The likeliest clocks: weighted least squares over all links, outliers weighing less.

    Args:
        links: measurements; together they must join all cameras.
        given: offsets (s) that are known, of clocks that run right; without any, the first camera is at 0.
    """
    given = dict(given) or {0: 0.0}
    free = [camera for camera in range(cameras) if camera not in given]
    column = {camera: 2 * index for index, camera in enumerate(free)}
    x: np.ndarray = np.zeros(2 * len(free))  # offset in s and drift of each free camera
    prior = np.diag(np.tile([0.0, USUAL_DRIFT**-2], len(free)))
    weights = [np.ones(len(link.time)) for link in links]
    H = prior + 1e-9 * np.eye(len(x))
    for _ in range(ROUNDS if free else 0):
        H, y = prior + 1e-9 * np.eye(len(x)), np.zeros(len(x))
        systems = [_equations(link, column, given) for link in links]
        for link, (A, b), weight in zip(links, systems, weights, strict=True):
            W = _precision(link, weight)
            H += A.T @ W @ A
            y += A.T @ W @ b
        x = np.linalg.solve(H, y)
        weights = [1 / (1 + _residual(A @ x - b, link) ** 2) for link, (A, b) in zip(links, systems, strict=True)]
    spread = np.sqrt(np.diag(np.linalg.inv(H))) if free else np.zeros(0)
    offset, rate, deviation = np.zeros(cameras), np.ones(cameras), np.zeros(cameras)
    for camera, value in given.items():
        offset[camera] = value
    for camera, place in column.items():
        offset[camera], rate[camera], deviation[camera] = x[place], 1 + x[place + 1], spread[place]
    return Clocks(offset, rate, deviation)


def _equations(link: Link, column: Mapping[int, int], given: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """A (K, unknowns) and b (K) of offset_1 + rate_1 t = offset_2 + rate_2 (t + lag)."""
    A, b = np.zeros((len(link.time), 2 * len(column))), link.lag.copy()
    for camera, sign, time in ((link.first, 1, link.time), (link.second, -1, link.time + link.lag)):
        if camera in column:
            A[:, column[camera]] += sign
            A[:, column[camera] + 1] += sign * time
        else:
            b -= sign * given[camera]
    return A, b


def _precision(link: Link, weight: np.ndarray) -> np.ndarray:
    """Inverse covariance (K, K) of a link's lags: independent errors, and one in common."""
    own = weight / link.deviation**2
    return np.diag(own) - np.outer(own, own) / (own.sum() + link.common**-2) if link.common else np.diag(own)


def _residual(error: np.ndarray, link: Link) -> np.ndarray:
    """Errors in units of what is tolerated, without that which all may share."""
    shared = np.median(error) if link.common else 0.0
    limit = 3 * link.common
    return (error - np.clip(shared, -limit, limit)) / (TOLERATED * link.deviation)
