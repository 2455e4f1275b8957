"""Starts that explain the evidence of all pairs best, and how clearly, of evidence made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from posepipe.pipeline.stages.synchronize.coarse import (
    Pair,
    best_shift,
    evidence_of_shifts,
    likeliest_starts,
    total_of,
    weakest_cut,
)
from posepipe.pipeline.stages.synchronize.matching import Cue

LAG = np.arange(-60, 61)


def a_cue(peaks: Mapping[int, float]) -> Cue:
    """Evidence at a few lags, and none elsewhere."""
    return Cue(LAG, np.array([peaks.get(int(lag), 0.0) for lag in LAG], float))


def cues_of(start: list[int], height: float = 10.0) -> dict[Pair, Cue]:
    """Evidence for the starts of all cameras."""
    pairs = combinations(range(len(start)), 2)
    return {(first, second): a_cue({start[first] - start[second]: height}) for first, second in pairs}


def test_evidence_of_moving_some_cameras_is_that_of_all_pairs_between_them_and_the_others() -> None:
    rng = np.random.default_rng(0)
    cues = {pair: Cue(LAG, rng.normal(size=len(LAG))) for pair in combinations(range(4), 2)}
    start, some, others = np.array([0, 7, -5, 12]), {1, 2}, {0, 3}
    shifts, total = evidence_of_shifts(cues, start, some, others)
    np.testing.assert_array_equal(shifts, np.arange(-77, 78))
    for shift, found in zip(shifts, total, strict=True):
        moved = start + np.array([0, shift, shift, 0])
        lags = [(pair, moved[pair[0]] - moved[pair[1]]) for pair in ((0, 1), (0, 2), (1, 3), (2, 3))]
        assert found == pytest.approx(sum(cues[pair].evidence[lag + 60] for pair, lag in lags if abs(lag) <= 60))


def test_the_best_shift_is_told_from_peaks_that_are_far_enough() -> None:
    start = np.zeros(2, int)

    def choice(peaks: dict[int, float]) -> tuple[int, float, float]:
        found = best_shift({(0, 1): a_cue(peaks)}, start, {1}, {0})
        return found.shift, found.evidence, found.ratio

    assert choice({5: 8.0}) == (-5, 8.0, np.inf)
    assert choice({5: 8.0, 19: 6.0, -9: 6.0}) == (-5, 8.0, np.inf)  # within 0.3 s it is the same peak
    assert choice({5: 8.0, 20: 2.0}) == (-5, 8.0, 4.0)
    assert choice({5: 8.0, -10: 2.0}) == (-5, 8.0, 4.0)
    assert choice({5: 0.5, 30: 0.25}) == (-5, 0.5, 2.0)
    assert choice({}) == (0, 0.0, 0.0)


def test_starts_are_those_that_all_pairs_want() -> None:
    true = [0, 14, -9, 30]
    cues = cues_of(true)
    cues[0, 1], cues[0, 2] = a_cue({-14: 12.0}), a_cue({9: 11.0})
    cues[0, 3] = a_cue({-3: 15.0, -30: 10.0})  # the surest pair, from which cameras are joined, is wrong
    assert likeliest_starts(cues, 4, {}).tolist() == true
    assert likeliest_starts(cues, 4, {0: 5}).tolist() == [5, 19, -4, 35]
    assert likeliest_starts(cues, 4, {2: 1}).tolist() == [10, 24, 1, 40]
    assert likeliest_starts(cues, 4, {1: 14, 2: -9}).tolist() == true


def test_stated_starts_stay_whatever_the_evidence() -> None:
    assert likeliest_starts(cues_of([0, 14, -9]), 3, {0: 3, 1: 4})[:2].tolist() == [3, 4]


def test_cameras_are_joined_along_their_surest_pairs() -> None:
    cues = {(0, 1): a_cue({0: 16.0}), (0, 2): a_cue({-30: 15.0}), (1, 2): a_cue({0: 20.0})}
    assert likeliest_starts(cues, 3, {}).tolist() == [0, 0, 0]


def chain(start: np.ndarray, peaks: list[dict[int, float]]) -> dict[Pair, Cue]:
    """Evidence of neighbouring cameras only: at their lag and so far from it."""
    cues = {pair: a_cue({}) for pair in combinations(range(len(start)), 2)}
    for first, each in enumerate(peaks):
        lag = start[first] - start[first + 1]
        cues[first, first + 1] = a_cue({int(lag) + far: height for far, height in each.items()})
    return cues


def test_the_weakest_cut_is_that_between_groups_which_hang_together_loosely() -> None:
    start, sure, loose = np.array([0, 8, -4, 10, 2]), {0: 50.0}, {0: 10.0, 30: 8.0}
    inf = np.inf
    cues = chain(start, [sure, loose, sure, sure])
    assert weakest_cut(cues, start, {0}) == {0: inf, 1: 7.5, 2: 1.25, 3: 1.25, 4: 1.25}
    assert weakest_cut(cues, start, {4}) == {0: 1.25, 1: 1.25, 2: 7.5, 3: inf, 4: inf}
    assert weakest_cut(cues, start, {0, 4}) == {0: inf, 1: 7.5, 2: 7.5, 3: inf, 4: inf}
    cues = chain(start, [loose, sure, sure, sure])
    assert weakest_cut(cues, start, {0}) == {0: inf, 1: 1.25, 2: 1.25, 3: 1.25, 4: 1.25}


def test_cameras_that_should_rather_be_elsewhere_have_no_ratio_at_all() -> None:
    cues = cues_of([0, 20])
    assert weakest_cut(cues, np.array([0, 20]), {0}) == {0: np.inf, 1: np.inf}
    assert weakest_cut(cues, np.array([0, 5]), {0}) == {0: np.inf, 1: np.inf}  # 0.3 s are near enough
    assert weakest_cut(cues, np.array([0, 35]), {0}) == {0: np.inf, 1: np.inf}
    assert weakest_cut(cues, np.array([0, 4]), {0}) == {0: np.inf, 1: 0}
    assert weakest_cut(cues, np.array([0, 36]), {0}) == {0: np.inf, 1: 0}


def test_evidence_of_all_cues_is_summed_by_pair() -> None:
    total = total_of([cues_of([0, 3, 4]), {(0, 2): a_cue({-4: 1.0, 7: 2.0})}])
    assert set(total) == {(0, 1), (0, 2), (1, 2)}
    np.testing.assert_array_equal(total[0, 2].evidence, a_cue({-4: 11.0, 7: 2.0}).evidence)
    np.testing.assert_array_equal(total[0, 1].evidence, a_cue({-3: 10.0}).evidence)
    np.testing.assert_array_equal(total[0, 2].lag, LAG)
