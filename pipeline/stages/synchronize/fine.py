"""Lags of a pair of cameras to a fraction of a frame, block by block, so that drifting clocks are seen."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .clocks import Clocks, Link
from .matching import INDEPENDENT_PER_S, canonical_correlation, log_likelihood
from .signals import RATE, Signal

BLOCK_S = 10.0
MAX_BLOCKS = 24
REACH = 14
"""Steps on either side of the expected lag at which blocks are compared."""
PARABOLA = 1
"""Steps on either side of the expected lag through which a parabola is laid."""


class PairOfSignals:
    """Two cameras' signals of one cue, whose evidence near the expected lag has been worked out for every block."""

    def __init__(
        self, kind: str, first: list[Signal], second: list[Signal], expected: tuple[int, int, Clocks]
    ) -> None:
        self.first, self.second, clocks = expected
        lengths = [each[0].known.shape[1] for each in (first, second)]
        lag = clocks.lag(self.first, self.second, np.arange(lengths[0]) / RATE) * RATE
        seen = np.flatnonzero(
            (np.arange(lengths[0]) + lag >= REACH) & (np.arange(lengths[0]) + lag < lengths[1] - REACH)
        )
        self.evidence = np.zeros((0, 2 * REACH + 1))
        self.centre = self.time = np.zeros(0)
        if len(seen) < RATE / 2:
            return
        count = min(MAX_BLOCKS, max(1, round(len(seen) / RATE / BLOCK_S)))
        size = min(int(BLOCK_S * RATE * 1.5), len(seen) // count)
        starts = seen[0] + np.linspace(0, len(seen) - size, count).astype(int)
        middles = starts + size // 2
        centre = np.rint(lag[middles]).astype(int)
        starts = np.clip(starts, np.maximum(0, REACH - centre), None)
        self.time, self.centre = middles / RATE, centre
        self.evidence = np.stack([
            sum(
                _near(a, b, start, min(start + size, lengths[0], lengths[1] - REACH - lag_now), lag_now, per_s)
                for a, b, per_s in zip(first, second, INDEPENDENT_PER_S[kind], strict=True)
            )
            for start, lag_now in zip(starts, centre, strict=True)
        ])  # fmt: skip

    def link(self, clocks: Clocks, common: float, least: float) -> Link:
        """Measured lags where the clocks expect them: the tops of parabolas through the evidence around there.

        Args:
            common: deviation in s that all blocks share.
            least: deviation in s that even the clearest block has.
        """
        expected = clocks.lag(self.first, self.second, self.time) * RATE
        place = np.clip(np.rint(expected - self.centre).astype(int), PARABOLA - REACH, REACH - PARABOLA)
        steps = np.arange(-PARABOLA, PARABOLA + 1)
        rows = np.arange(len(place))[:, None]
        values = self.evidence[rows, place[:, None] + REACH + steps]
        curved, slope = np.polyfit(steps, values.T, 2)[:2] if len(place) else np.zeros((2, 0))
        good = curved < -1e-3
        bend = -2 * curved[good]
        lag = self.centre[good] + place[good] + np.clip(slope[good] / bend, -2 * PARABOLA, 2 * PARABOLA)
        deviation = np.sqrt(1 / bend + (least * RATE) ** 2)
        return Link(self.first, self.second, self.time[good], lag / RATE, deviation / RATE, common)


def _near(a: Signal, b: Signal, start: int, stop: int, lag: int, per_s: float) -> np.ndarray:
    """Evidence (2 REACH + 1) of one block at lags around one."""
    if stop - start < RATE / 2:
        return np.zeros(2 * REACH + 1)
    low, high = start + lag - REACH, stop + lag + REACH
    x, m = a.value[..., start:stop], a.known[:, start:stop].astype(float)
    y, n = (sliding_window_view(part[..., low:high], stop - start, -1) for part in (b.value, b.known.astype(float)))
    S_ab = np.einsum("jit,jklt->lik", x, y, optimize=True)
    S_aa = np.einsum("jit,jkt,jlt->lik", x, x, n, optimize=True)
    squares = np.einsum("jit,jkt->jikt", b.value[..., low:high], b.value[..., low:high])
    S_bb = np.einsum("jiklt,jt->lik", sliding_window_view(squares, stop - start, -1), m, optimize=True)
    overlap = np.einsum("jt,jlt->l", m, n, optimize=True) / len(m)
    return log_likelihood(canonical_correlation(S_aa, S_bb, S_ab), overlap * per_s / RATE)
