"""Lags of two cameras that stand still, by the epipolar geometry of all joints: exact where perspective is strong.

A wrong lag moves joints off their epipolar lines. At each lag a fundamental matrix is fitted to all joints of all
instants, robustly (RANSAC, then weighted eight-point; Hartley and Zisserman 2004, chapter 11), and the Sampson
distances that remain are its cost.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..arrays import Track
from .clocks import Clocks, Link
from .fine import BLOCK_S, MAX_BLOCKS
from .signals import local_lines, with_middles

STEP_S = 0.01
STEPS = 10
"""Lags on either side of the expected one at which the cost is worked out."""
NEAR = 3
"""Steps on either side of the least cost through which a parabola is laid."""
INSTANTS_PER_S = 25.0
MAX_INSTANTS = 1500
MIN_MATCHES = 200
INDEPENDENT = 0.15
"""Share of the matches that count as independent: errors of detectors last, and neighbouring joints share them."""
ROUNDS = 4


class PairOfTracks:
    """Two static cameras' joints, whose epipolar cost near the expected lag has been worked out for every block."""

    def __init__(self, tracks: tuple[Track, Track], first: int, second: int, clocks: Clocks) -> None:
        self.first, self.second = first, second
        a, b = tracks
        rate = min(INSTANTS_PER_S, MAX_INSTANTS / max(a.time[-1], 1e-9))
        time = np.arange(a.time[0], a.time[-1], 1 / rate)
        lag = clocks.lag(first, second, time)
        margin = STEPS * STEP_S
        inside = (time + lag >= b.time[0] + margin) & (time + lag <= b.time[-1] - margin)
        self._time, self._lag = time[inside], lag[inside]
        count = int(np.clip(np.ptp(self._time) / BLOCK_S, 1, MAX_BLOCKS)) if inside.any() else 0
        self._block = np.minimum((np.arange(inside.sum()) * count) // max(inside.sum(), 1), max(count - 1, 0))
        self.cost = np.zeros((count, 2 * STEPS + 1))
        if count:
            self._weigh(a, b)

    @property
    def usable(self) -> bool:
        """Whether there were enough joints to tell, and the cost is least within reach."""
        return bool(self.cost.any()) and NEAR <= self.cost.sum(0).argmin() <= 2 * STEPS - NEAR

    def _weigh(self, a: Track, b: Track) -> None:
        """Cost (block, lag) from the joints' distances to their epipolar lines."""
        ours, _, known = local_lines(a.time, *with_middles(a), self._time)
        later = [
            local_lines(b.time, *with_middles(b), self._time + self._lag + step * STEP_S)
            for step in range(-STEPS, STEPS + 1)
        ]
        known = known & np.all([seen for *_, seen in later], 0)
        if known.sum() < MIN_MATCHES:
            return
        block = np.broadcast_to(self._block[:, None], known.shape)[known]
        x = _homogeneous(ours[known], ours[known])
        ys = [_homogeneous(theirs[known], later[STEPS][0][known]) for theirs, *_ in later]
        F, _ = cv2.findFundamentalMat(x[:, :2], ys[STEPS][:, :2], cv2.FM_LMEDS)
        if F is None:
            return
        scale = 1.5 * np.median(np.abs(_sampson(F[:3], x, ys[STEPS]))) + 1e-9
        for step, y in enumerate(ys):
            distance = _sampson(_fit(x, y, F[:3], scale), x, y)
            terms = 0.5 * INDEPENDENT * np.log1p((distance / scale) ** 2)
            self.cost[:, step] = np.bincount(block, terms, len(self.cost))

    def link(self) -> Link:
        """Measured lags: bottoms of parabolas through each block's cost, around where the cost of all is least."""
        middle = np.array([np.median(self._time[self._block == block]) for block in range(len(self.cost))])
        place = self.cost.sum(0).argmin()
        steps = np.arange(-NEAR, NEAR + 1)
        curved, slope = np.polyfit(steps, self.cost[:, place + steps].T, 2)[:2]
        good = curved > 1e-3
        shift = place - STEPS + np.clip(-slope[good] / (2 * curved[good]), -2 * NEAR, 2 * NEAR)
        lag = np.interp(middle, self._time, self._lag)[good] + STEP_S * shift
        return Link(self.first, self.second, middle[good], lag, STEP_S / np.sqrt(2 * curved[good]), 0.0)


def _homogeneous(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Points (N, 3) moved and scaled as brings the reference to the origin and to a spread of 1."""
    return np.column_stack([(points - reference.mean(0)) / reference.std(), np.ones(len(points))])


def _fit(x: np.ndarray, y: np.ndarray, F: np.ndarray, scale: float) -> np.ndarray:
    """Fundamental matrix that brings the Sampson distances of most matches to a minimum, from a start."""
    design = (y[:, :, None] * x[:, None]).reshape(len(x), 9)
    for _ in range(ROUNDS):
        weight = 1 / (1 + (_sampson(F, x, y) / scale) ** 2) / _gradient(F, x, y)
        F = np.linalg.eigh((design * weight[:, None]).T @ design)[1][:, 0].reshape(3, 3)
        u, s, v = np.linalg.svd(F)
        F = u @ np.diag([s[0], s[1], 0]) @ v
    return F


def _gradient(F: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared length of the derivative of the epipolar equation by both points."""
    return ((x @ F.T)[:, :2] ** 2).sum(1) + ((y @ F)[:, :2] ** 2).sum(1) + 1e-18


def _sampson(F: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distances (N) of matches from fulfilling y' F x = 0."""
    return np.einsum("ni,ij,nj->n", y, F, x) / np.sqrt(_gradient(F, x, y))
