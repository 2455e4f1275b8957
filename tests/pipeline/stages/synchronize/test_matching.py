"""Agreement at all lags by Fourier transforms is what literal sums give, and is 1 for two views of one motion."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.pipeline.stages.synchronize.matching import (
    _pieces,
    canonical_correlation,
    compare,
    correlate,
    log_likelihood,
)
from posepipe.pipeline.stages.synchronize.signals import RATE, Signal


def a_signal(length: int, dims: int, seed: int, holes: float = 0.0) -> Signal:
    rng = np.random.default_rng(seed)
    known = rng.uniform(size=(3, length)) >= holes
    return Signal(np.where(known[:, None], rng.normal(size=(3, dims, length)), 0), known)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("start", "stop", "reach"), [(0, 90, 40), (20, 70, 40), (30, 70, 12)])
def test_it_is_what_literal_sums_give(dims: int, start: int, stop: int, reach: int) -> None:
    a, b = a_signal(90, dims, 0, 0.2), a_signal(110, dims, 1, 0.3)
    correlation, overlap = correlate(a, b, start, stop, reach)
    for place, lag in enumerate(range(-reach, reach + 1)):
        S, count = np.zeros((2 * dims, 2 * dims)), 0
        for step in range(start, stop):
            for channel in range(3):
                if 0 <= step + lag < 110 and a.known[channel, step] and b.known[channel, step + lag]:
                    z = np.concatenate([a.value[channel, :, step], b.value[channel, :, step + lag]])
                    S, count = S + np.outer(z, z), count + 1
        if count / 3 < 0.5 * RATE:
            assert correlation[place] == overlap[place] == 0
            continue
        assert overlap[place] == pytest.approx(count / 3)
        expected = canonical_correlation(S[None, :dims, :dims], S[None, dims:, dims:], S[None, :dims, dims:])
        assert correlation[place] == pytest.approx(expected[0], abs=1e-6)


def test_two_affine_views_of_one_motion_correlate_fully_mirrored_or_not() -> None:
    rng = np.random.default_rng(0)
    motion = rng.normal(size=(5, 3, 400))
    views = [np.einsum("ik,jkt->jit", rng.normal(size=(2, 3)), motion) for _ in range(2)]
    known = np.ones((5, 400), bool)
    late = Signal(views[1][..., :380] * np.array([-1, 1])[:, None], known[:, :380])
    correlation, _ = correlate(Signal(views[0][..., 20:], known[:, 20:]), late, 0, 380, 60)
    assert correlation.argmax() - 60 == 20
    assert correlation.max() == pytest.approx(1, abs=1e-4)
    assert np.delete(correlation, 80).max() < 0.5


def test_evidence_of_a_long_take_forgives_drift() -> None:
    rng = np.random.default_rng(0)
    length = 30 * 60 * int(RATE)
    sound = rng.normal(size=length)
    drifted = np.interp(np.arange(length) * (1 + 90e-6), np.arange(length), sound)
    a, b = (Signal(each[None, None], np.ones((1, length), bool)) for each in (sound, drifted))
    cue = compare("sound", [a], [b], 200)
    assert abs(cue.lag[cue.evidence.argmax()] + 90e-6 * length / 2) <= 6
    assert cue.evidence.max() > 5 * np.median(cue.evidence)


def test_lags_at_which_nothing_overlaps_have_no_correlation() -> None:
    a, b = a_signal(90, 1, 0), a_signal(110, 1, 1)
    correlation, overlap = correlate(a, b, 30, 90, 200)
    lag = np.arange(-200, 201)
    common = np.maximum(np.minimum(90 + lag, 110) - np.maximum(30 + lag, 0), 0)
    np.testing.assert_allclose(overlap, np.where(common >= RATE / 2, common, 0), atol=1e-9)
    assert (correlation[common < RATE / 2] == 0).all()
    assert (correlation[common >= RATE / 2] > 0).mean() > 0.3


def test_the_canonical_correlation_is_the_largest_cosine_between_the_spaces() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 4, 50, 2))
    Y[1:] += X[1:] * np.array([0.3, 2, 30])[:, None, None]
    S_aa, S_bb, S_ab = (np.einsum("lti,ltj->lij", one, other) for one, other in ((X, X), (Y, Y), (X, Y)))
    cosines = [np.linalg.svd(np.linalg.qr(x)[0].T @ np.linalg.qr(y)[0])[1][0] for x, y in zip(X, Y, strict=True)]
    np.testing.assert_allclose(canonical_correlation(S_aa, S_bb, S_ab), cosines, atol=1e-4)
    np.testing.assert_allclose(canonical_correlation(1e-6 * S_aa, S_bb, 1e-3 * S_ab), cosines, atol=1e-3)
    nothing = np.zeros((1, 2, 2))
    np.testing.assert_array_equal(canonical_correlation(nothing, nothing, nothing), 0)


def test_the_correlation_of_signals_with_one_dimension_keeps_its_sign_and_is_at_most_one() -> None:
    S_aa, S_bb, S_ab = np.array([0.04, 4, 4, 0]), np.array([0.09, 9, 9, 0]), np.array([0.03, -3, 7, 0])
    found = canonical_correlation(*(S[:, None, None] for S in (S_aa, S_bb, S_ab)))
    np.testing.assert_allclose(found, [0.5, 0, 1, 0])


def test_evidence_is_the_logarithm_of_a_likelihood_ratio() -> None:
    correlation, independent = np.array([0, 0.6, 0.6, 1]), np.array([10.0, 10, 30, 4])
    expected = [0, -5 * np.log(0.64), -15 * np.log(0.64), -2 * np.log(1 - 0.9999**2)]
    np.testing.assert_allclose(log_likelihood(correlation, independent), expected)


def test_long_signals_are_compared_in_ten_pieces_of_two_minutes() -> None:
    assert _pieces(100) == [(0, 100)]
    assert _pieces(6000) == [(0, 6000)]
    assert _pieces(6001) == [(0, 6000), (1, 6001)]
    assert _pieces(54_001)[::9] == [(0, 6000), (48_001, 54_001)]
    hours = _pieces(600_000)
    assert hours == [(66_000 * piece, 66_000 * piece + 6000) for piece in range(10)]


@pytest.mark.parametrize(
    ("kind", "per_s"),
    [("motion", [10]), ("sound", [15]), ("geometry", [0.128 / 0.08**2, 0.128 / 0.16**2, 0.128 / 0.32**2])],
)
def test_evidence_is_summed_over_bands(kind: str, per_s: list[float]) -> None:
    dims = 2 if kind == "geometry" else 1
    first, second = ([a_signal(length, dims, seed + band, 0.2) for band in range(len(per_s))]
                     for length, seed in ((120, 0), (140, 10)))  # fmt: skip
    cue = compare(kind, first, second, 60)
    np.testing.assert_array_equal(cue.lag, np.arange(-60, 61))
    expected = np.zeros(121)
    for independent, a, b in zip(per_s, first, second, strict=True):
        correlation, overlap = correlate(a, b, 0, 120, 60)
        expected += log_likelihood(correlation, overlap / 50 * independent)
    np.testing.assert_allclose(cue.evidence, expected)
    assert cue.evidence.max() > 0


@pytest.mark.parametrize("dilate", [False, True])
def test_pieces_count_by_their_best_lag_within_what_clocks_drift(dilate: bool) -> None:
    rng = np.random.default_rng(0)
    known = np.ones((1, 15_000), bool)
    a, b = (Signal(rng.normal(size=(1, 1, 15_000)), known) for _ in range(2))
    cue = compare("sound", [a], [b], 30, dilate)
    expected = np.zeros(61)
    for start, reach in ((0, 1), (4500, 0), (9000, 1)):  # 4500 steps from the middle are up to 0.7 steps of drift
        correlation, overlap = correlate(a, b, start, start + 6000, 30)
        piece = log_likelihood(correlation, overlap / 50 * 15)
        reach = reach if dilate else 0
        expected += [piece[max(0, place - reach) : place + reach + 1].max() for place in range(61)]
    np.testing.assert_allclose(cue.evidence, expected)
    if not dilate:
        with_drift = compare("sound", [a], [b], 30).evidence
        assert (with_drift >= cue.evidence).all() and (with_drift > cue.evidence).any()
