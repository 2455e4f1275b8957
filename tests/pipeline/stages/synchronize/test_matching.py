"""Agreement at all lags by Fourier transforms is what literal sums give, and is 1 for two views of one motion."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.pipeline.stages.synchronize.matching import canonical_correlation, compare, correlate
from posepipe.pipeline.stages.synchronize.signals import RATE, Signal


def a_signal(length: int, dims: int, seed: int, holes: float = 0.0) -> Signal:
    rng = np.random.default_rng(seed)
    known = rng.uniform(size=(3, length)) >= holes
    return Signal(np.where(known[:, None], rng.normal(size=(3, dims, length)), 0), known)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("start", "stop"), [(0, 90), (20, 70)])
def test_it_is_what_literal_sums_give(dims: int, start: int, stop: int) -> None:
    a, b = a_signal(90, dims, 0, 0.2), a_signal(110, dims, 1, 0.3)
    correlation, overlap = correlate(a, b, start, stop, 40)
    for place, lag in enumerate(range(-40, 41)):
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
