"""Lags of two cameras that stand still, by the epipolar geometry of all joints: exact where perspective is strong.

A wrong lag moves joints off their epipolar lines. The fundamental matrix and the lags are found together, by
Gauss-Newton steps on all joints' Sampson distances (Hartley and Zisserman 2004, chapter 11) from a robust start.

What detectors get wrong stays wrong for tenths of a second, and they see a joint elsewhere from another side, so that
slow distances are large whatever the lag. Distances are therefore split into bands of time, and each band counts as
much as its own errors let it: of an athlete on the spot it is what is quick that tells the lag.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...arrays import Track
from .clocks import Clocks, Link
from .fine import BLOCK_S, MAX_BLOCKS
from .signals import BANDS_S, local_lines, with_middles

WIDTHS_S = (*BANDS_S, 2 * BANDS_S[-1])
"""Of bands of time, the last of which is all that is slower."""
INSTANTS_PER_S = 25.0
MAX_INSTANTS = 3000
MIN_MATCHES = 200
MAX_START = 5000
"""Matches from which the robust start is found."""
REACH_S = 0.1
"""How far lags may be from the expected ones."""
STEP_S = 0.04
"""How far lags may move in a round: about so long joints go straight."""
SETTLED = 0.1
"""Standard deviations by which lags that have come to rest still move."""
ROUNDS = 12
OUTLYING = 6.0
"""Times the median: from such distances on joints count less than half before bands are told apart."""
SIZE = 1.5
"""Times the median: from such distances on joints count less than half in a band (Cauchy)."""
INDEPENDENT = 0.1
"""Values of a band that are independent of each other, per joint and the time that the band is wide; found on drawn
athletes."""


class PairOfTracks:
    """Two static cameras, and the lags at which their joints agree best, block by block of time."""

    def __init__(self, tracks: tuple[Track, Track], first: int, second: int, clocks: Clocks) -> None:
        self.first, self.second = first, second
        self._time = _stretches(*tracks, clocks.lag(first, second, np.zeros(1))[0])
        self._expected = clocks.lag(first, second, self._time)
        self._late = np.zeros(len(self._time))  # s, beyond what is expected
        self._deviation = np.full(len(self._time), np.inf)
        self.usable = self._settle(*tracks)
        """Whether there were enough joints to tell, and the lags are within reach."""

    def link(self) -> Link:
        """Measured lags."""
        lag = self._expected.mean(1) + self._late
        told = self._deviation < 0.5 * REACH_S
        return Link(self.first, self.second, self._time.mean(1)[told], lag[told], self._deviation[told], 0.0)

    def _settle(self, a: Track, b: Track) -> bool:
        """Find the lags; whether they came to rest within reach."""
        x, x_pace, known = _rays(a, self._time)
        F = None
        for _ in range(ROUNDS):
            y, y_pace, seen = _rays(b, self._time + self._expected + self._late[:, None])
            matches = Matches(x, y, x_pace, y_pace, known & seen)
            F = matches.start() if F is None else F
            if F is None:
                return False
            F, change, self._deviation = matches.step(F, self._late)
            change = np.clip(change, -STEP_S, STEP_S)
            self._late += change
            if (np.abs(change) < SETTLED * self._deviation).all():
                return bool(np.abs(self._late).max() < REACH_S)
        return False


@dataclass
class _Normal:
    """Second and first derivatives of half the sum of squares by the fundamental matrix and the blocks' lags."""

    matrix_twice: np.ndarray  # (9, 9)
    mixed: np.ndarray  # (B, 9)
    lag_twice: np.ndarray  # (B), a diagonal
    matrix: np.ndarray  # (9)
    lag: np.ndarray  # (B)

    @staticmethod
    def zero(blocks: int) -> _Normal:
        return _Normal(np.zeros((9, 9)), np.zeros((blocks, 9)), np.zeros(blocks), np.zeros(9), np.zeros(blocks))


@dataclass(frozen=True)
class Matches:
    """Joints of two cameras at the same moments: by block (B), instant (L) and joint (J)."""

    x: np.ndarray  # (B, L, J, 3) homogeneous, of a spread of 1 about the origin; 0 where unknown
    y: np.ndarray  # (B, L, J, 3) of the other camera
    x_pace: np.ndarray  # (B, L, J, 3) per s
    y_pace: np.ndarray  # (B, L, J, 3) per s
    known: np.ndarray  # (B, L, J) bool

    def start(self) -> np.ndarray | None:
        """Fundamental matrix (3, 3) that fits most matches; None if there are too few or they allow none."""
        every = max(1, self.known.sum() // MAX_START)
        x, y = (points[self.known][::every, :2] for points in (self.x, self.y))
        F, _ = cv2.findFundamentalMat(x, y, cv2.FM_LMEDS) if self.known.sum() >= MIN_MATCHES else (None, None)
        return None if F is None else F[:3] / np.linalg.norm(F[:3])

    def step(self, F: np.ndarray, late: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A better fundamental matrix, by how much (B) the lags should grow, and the lags' standard deviations (B).

        Args:
            F: (3, 3) of norm 1 and rank 2.
            late: (B) s, how far lags are from what was expected, to ``REACH_S``.
        """
        normal = self._normal_equations(F)
        # F may neither grow nor leave rank 2: its changes are orthogonal to itself and to the derivative of det F
        cofactor = np.cross(F[[1, 2, 0]], F[[2, 0, 1]])
        N = np.linalg.svd(np.stack([F.ravel(), cofactor.ravel()]))[2][2:].T
        inverse = N @ np.linalg.inv(N.T @ normal.matrix_twice @ N + 1e-9 * np.eye(7)) @ N.T
        values, vectors = np.linalg.eigh(np.diag(normal.lag_twice) - normal.mixed @ inverse @ normal.mixed.T)
        covariance = vectors / (np.maximum(values, 0) + REACH_S**-2) @ vectors.T
        change = -covariance @ (normal.lag + late / REACH_S**2 - normal.mixed @ inverse @ normal.matrix)
        u, s, v = np.linalg.svd(F - (inverse @ (normal.matrix + normal.mixed.T @ change)).reshape(3, 3))
        better = u @ np.diag([s[0], s[1], 0]) @ v
        return better / np.linalg.norm(better), change, np.sqrt(np.diag(covariance))

    def _normal_equations(self, F: np.ndarray) -> _Normal:
        """Those of the Sampson distances' robust likelihood, in all bands."""
        gradient = np.concatenate([(self.x @ F.T)[..., :2], (self.y @ F)[..., :2]], -1)
        scale = np.where(self.known, 1 / np.maximum(np.linalg.norm(gradient, axis=-1), 1e-9), 0)[..., None]
        by_F = scale * (self.y[..., :, None] * self.x[..., None, :]).reshape(*self.x.shape[:3], 9)
        by_time = [  # how the distances change as the joints of the one camera, or of the other, move on
            scale * np.einsum("...i,ij,...j->...", y, F, x)[..., None]
            for y, x in ((self.y_pace, self.x), (self.y, self.x_pace))
        ]
        bands = _bands(np.concatenate([by_F, *by_time], -1), self._trust(by_F @ F.ravel()))
        normal = _Normal.zero(len(self.x))
        for width, band in zip(WIDTHS_S, bands, strict=True):
            A, v, own = band[..., :9], band[..., 9], band[..., 10]
            distance = A @ F.ravel()
            size = SIZE * np.median(np.abs(distance[self.known])) + 1e-9
            share = INDEPENDENT / (width * INSTANTS_PER_S)
            weight = np.where(self.known, share / (size**2 + distance**2), 0)
            normal.matrix_twice += np.einsum("blj,bljc,bljd->cd", weight, A, A, optimize=True)
            normal.mixed += np.einsum("blj,blj,bljd->bd", weight, v, A, optimize=True)
            # At the right lag own is -v, but for noise; that of v alone, squared, would pass for knowledge.
            normal.lag_twice -= (weight * v * own).sum((1, 2))
            normal.matrix += np.einsum("blj,blj,bljd->d", weight, distance, A, optimize=True)
            normal.lag += (weight * distance * v).sum((1, 2))
        return normal

    def _trust(self, distance: np.ndarray) -> np.ndarray:
        """Weights (B, L, J) of whole distances, lest joints that are far off leak into their neighbours in time."""
        far = OUTLYING * np.median(np.abs(distance[self.known])) + 1e-9
        return self.known / (1 + (distance / far) ** 2)


def _stretches(a: Track, b: Track, lag: float) -> np.ndarray:
    """Instants (B, L) of the first camera's time that both show: all, or as many in each block of long takes."""
    begin, end = max(a.time[0], b.time[0] + REACH_S - lag), min(a.time[-1], b.time[-1] - REACH_S - lag)
    time = np.arange(begin, end, 1 / INSTANTS_PER_S)
    if len(time) == 0:
        return np.zeros((0, 1))
    blocks = int(np.clip((end - begin) / BLOCK_S, 1, MAX_BLOCKS))
    length = min(len(time), MAX_INSTANTS) // blocks
    first = ((np.arange(blocks) + 0.5) * len(time) / blocks - 0.5 * length).astype(int)
    return time[first[:, None] + np.arange(length)]


def _rays(track: Track, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (B, L, J, 3) at times (B, L), homogeneous and of a spread of 1; their velocities; which are known."""
    keypoint, confidence = with_middles(track)
    position, velocity, known = (
        each.reshape(*time.shape, *each.shape[1:])
        for each in local_lines(track.time, keypoint, confidence, time.ravel())
    )
    there = keypoint[np.isfinite(keypoint).all(-1)]
    middle, spread = (there.mean(0), there.std() + 1e-9) if len(there) else (0.0, 1.0)
    ones = known[..., None].astype(float)
    place = np.concatenate([ones * (position - middle) / spread, ones], -1)
    return place, np.concatenate([ones * velocity / spread, 0 * ones], -1), known


def _bands(value: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Values (B, L, J, N) split along L into bands of time (``WIDTHS_S``) that add up to them."""
    levels = [value]
    for width in BANDS_S:
        total, sum_of_weights = (
            gaussian_filter1d(each, width * INSTANTS_PER_S, axis=1, mode="constant")
            for each in (weight[..., None] * value, weight[..., None])
        )
        levels.append(total / np.maximum(sum_of_weights, 1e-3))
    return [fine - coarse for fine, coarse in pairwise(levels)] + levels[-1:]
