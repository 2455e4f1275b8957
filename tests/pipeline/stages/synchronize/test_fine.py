"""Lags of a pair by blocks are what the evidence of literal blocks gives, and lie at the tops of its parabolas."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.pipeline.stages.synchronize.clocks import Clocks
from posepipe.pipeline.stages.synchronize.fine import PairOfSignals, _near
from posepipe.pipeline.stages.synchronize.matching import INDEPENDENT_PER_S, correlate, log_likelihood
from posepipe.pipeline.stages.synchronize.signals import Signal

REACH = 14


def a_signal(length: int, dims: int, seed: int) -> Signal:
    rng = np.random.default_rng(seed)
    known = rng.uniform(size=(2, length)) > 0.1
    return Signal(np.where(known[:, None], rng.normal(size=(2, dims, length)), 0), known)


def clocks(offset_s: float, rate: float = 1.0) -> Clocks:
    return Clocks(np.array([0.0, offset_s]), np.array([1.0, rate]), np.zeros(2))


def literal_evidence(
    kind: str, first: list[Signal], second: list[Signal], lags: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Middles in steps, lags there, and evidence around them."""
    lengths = [each[0].known.shape[1] for each in (first, second)]
    shown = [step for step in range(lengths[0]) if REACH <= step + lags[step] < lengths[1] - REACH]
    count = min(24, max(1, round(len(shown) / 500)))
    size = min(750, len(shown) // count)
    begins = [int(shown[0] + (len(shown) - size) * block / max(count - 1, 1)) for block in range(count)]
    middles = [begin + size // 2 for begin in begins]
    centres = [int(np.rint(lags[middle])) for middle in middles]
    evidence = []
    for begin, centre in zip(begins, centres, strict=True):
        start = max(begin, 0, REACH - centre)
        stop = min(start + size, lengths[0], lengths[1] - REACH - centre)
        total, reach = np.zeros(2 * REACH + 1), abs(centre) + REACH
        for a, b, per_s in zip(first, second, INDEPENDENT_PER_S[kind], strict=True):
            correlation, overlap = correlate(a, b, start, stop, reach)
            around = slice(reach + centre - REACH, reach + centre + REACH + 1)
            total += log_likelihood(correlation, overlap * per_s / 50)[around]
        evidence.append(total)
    return np.array(middles), np.array(centres), evidence


@pytest.mark.parametrize(("kind", "bands", "dims"), [("geometry", 3, 2), ("motion", 1, 1)])
@pytest.mark.parametrize(
    ("lengths", "offset_s", "rate"), [((300, 200), 0.6, 1.0), ((1900, 1700), -1.2, 1.004), ((120, 260), -0.9, 0.99)]
)
def test_evidence_is_that_of_literal_blocks(
    kind: str, bands: int, dims: int, lengths: tuple[int, int], offset_s: float, rate: float
) -> None:
    first, second = ([a_signal(length, dims, 10 * place + band) for band in range(bands)]
                     for place, length in enumerate(lengths))  # fmt: skip
    pair = PairOfSignals(kind, first, second, (0, 1, clocks(offset_s, rate)))
    steps = np.arange(lengths[0])
    lags = ((steps / 50 - offset_s) / rate - steps / 50) * 50
    middles, centres, evidence = literal_evidence(kind, first, second, lags)
    np.testing.assert_allclose(pair.time, middles / 50)
    np.testing.assert_array_equal(pair.centre, centres)
    np.testing.assert_allclose(pair.evidence, evidence, rtol=1e-4, atol=1e-4)


def test_signals_that_hardly_overlap_have_no_blocks() -> None:
    signals = [a_signal(100, 1, 0)], [a_signal(100, 1, 1)]
    for offset_s, blocks in ((1.22, 1), (1.24, 0), (-1.22, 1), (-1.24, 0)):
        pair = PairOfSignals("motion", *signals, (0, 1, clocks(offset_s)))
        assert pair.evidence.shape == (blocks, 2 * REACH + 1)
        link = pair.link(clocks(offset_s), 0.0, 0.0)
        assert (link.first, link.second) == (0, 1)
        assert len(link.time) <= blocks


def a_pair(tops: list[float], bends: list[float]) -> PairOfSignals:
    """Blocks, one a minute, whose evidence is a parabola about a lag (steps, from 5 steps on)."""
    pair = PairOfSignals("motion", [a_signal(100, 1, 0)], [a_signal(100, 1, 1)], (0, 1, clocks(9.0)))
    pair.time, pair.centre = 60.0 * np.arange(len(tops)), np.full(len(tops), 5)
    steps = np.arange(-REACH, REACH + 1)
    pair.evidence = np.stack([-bend / 2 * (steps - top) ** 2 for top, bend in zip(tops, bends, strict=True)])
    return pair


def test_a_lag_is_the_top_of_the_parabola_where_the_clocks_expect_it() -> None:
    pair = a_pair([0.3, 1.2, -1.9, 4.0, 0.0], [4.0, 0.25, 1.0, 1.0, 0.001])
    link = pair.link(clocks(-0.1), 0.02, 0.003)
    np.testing.assert_allclose(link.time, [0, 60, 120, 180])  # the last bends too little
    np.testing.assert_allclose(link.lag * 50, [5.3, 6.2, 3.1, 7.0])  # at most two steps from where it is expected
    np.testing.assert_allclose(link.deviation, np.sqrt(1 / np.array([4.0, 0.25, 1, 1]) / 50**2 + 0.003**2))
    assert link.common == 0.02
    np.testing.assert_allclose(pair.link(clocks(-0.14), 0.0, 0.0).lag[3] * 50, 9.0)
    for far, edge in ((-1.0, 13 - 2), (1.0, -13 + 2)):  # not beyond what has been worked out
        away = a_pair([0.0], [1.0]).link(clocks(far), 0.0, 0.0)
        np.testing.assert_allclose(away.lag * 50, 5 + edge)


def test_a_block_of_less_than_half_a_second_says_nothing() -> None:
    a, b = a_signal(300, 1, 0), a_signal(300, 1, 1)
    for steps, told in ((24, False), (25, True)):
        assert _near(a, b, 200, 200 + steps, 3, 10.0).any() == told
