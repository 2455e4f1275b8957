"""How well two cameras' signals agree at every lag: canonical correlation, piece by piece, by Fourier transforms.

What two affine cameras see of a person's joints about the trunk obeys one linear equation (the four rows of both
stacked measurements have rank three; Tomasi and Kanade 1992, Shapiro, Zisserman and Brady 1995). So at the right lag
the first canonical correlation of the two is 1, wherever the cameras stand, rolled or mirrored, and elsewhere it is
lower. Of signals with one dimension (sound, speed) it is the correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d

from .signals import BANDS_S, RATE, Signal

PIECE_S = 120.0
MAX_PIECES = 10
"""A long signal is compared in this many pieces of this length, spread evenly."""
MIN_OVERLAP_S = 0.5
MAX_DRIFT = 150e-6
"""How much faster one camera's clock may run than another's."""
INDEPENDENT_PER_S = {"geometry": [0.128 / width**2 for width in BANDS_S[:-1]], "motion": [10.0], "sound": [15.0]}
"""How many independent values each signal of a cue has in a second, all joints together; found on drawn footage."""


@dataclass(frozen=True)
class Cue:
    """What speaks for each lag of a pair: the second camera shows at its step t + lag what the first does at t."""

    lag: np.ndarray  # (L) steps, rising by 1, the same for all pairs and cues
    evidence: np.ndarray  # (L) logarithm of the likelihood ratio of "related" to "unrelated"


def compare(kind: str, first: list[Signal], second: list[Signal], max_lag: int, dilate: bool = True) -> Cue:
    """Evidence of one cue's signals (one per band) at lags up to ``max_lag`` steps.

    Pieces far from the middle of a long take may be best at lags that a drifting clock has shifted; ``dilate``
    lets each count by its best lag within reach.
    """
    lag = np.arange(-max_lag, max_lag + 1)
    evidence = np.zeros(len(lag))
    pieces = _pieces(first[0].known.shape[1])
    middle = sum(start + stop for start, stop in pieces) / 2 / len(pieces)
    for start, stop in pieces:
        piece = np.zeros(len(lag))
        for per_s, a, b in zip(INDEPENDENT_PER_S[kind], first, second, strict=True):
            correlation, overlap = correlate(a, b, start, stop, max_lag)
            piece += log_likelihood(correlation, overlap * per_s / RATE)
        reach = int(np.ceil(MAX_DRIFT * abs((start + stop) / 2 - middle))) if dilate else 0
        evidence += maximum_filter1d(piece, 2 * reach + 1)
    return Cue(lag, evidence)


def log_likelihood(correlation: np.ndarray, independent: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio (L) of correlations (L): related signals against unrelated ones.

    Args:
        correlation: (L) 0..1.
        independent: (L) numbers of independent values that were compared.
    """
    return -0.5 * independent * np.log(1 - np.minimum(correlation, 0.9999) ** 2)


def _pieces(length: int) -> list[tuple[int, int]]:
    """Starts and ends of the pieces in which a signal is compared."""
    size = int(PIECE_S * RATE)
    count = min(MAX_PIECES, -(-length // size))
    starts = np.linspace(0, max(0, length - size), count).astype(int)
    return [(int(start), int(min(length, start + size))) for start in starts]


def correlate(a: Signal, b: Signal, start: int, stop: int, max_lag: int) -> tuple[np.ndarray, np.ndarray]:
    """First canonical correlations (L) of the steps ``start`` to ``stop`` of one signal with another, at all lags.

    Also how many steps they have in common (L), averaged over channels. Only steps at which a channel is known in
    both count.
    """
    low, high = max(0, start - max_lag), min(b.known.shape[1], stop + max_lag)
    dims, size = a.value.shape[1], next_fast_len(stop - start + max(high - low, 1) + 1, real=True)
    pairs = [(i, k) for i in range(dims) for k in range(i, dims)]
    cross = np.zeros((dims, dims, size // 2 + 1), complex)
    ours, theirs = np.zeros((2, len(pairs), size // 2 + 1), complex)
    both = np.zeros(size // 2 + 1, complex)
    for x, m, y, n in zip(
        a.value[..., start:stop], a.known[:, start:stop], b.value[..., low:high], b.known[:, low:high], strict=True
    ):
        x_f, m_f = rfft(x, size).conj(), rfft(m.astype(float), size).conj()
        y_f, n_f = rfft(y, size), rfft(n.astype(float), size)
        cross += x_f[:, None] * y_f[None]
        ours += rfft(np.stack([x[i] * x[k] for i, k in pairs]), size).conj() * n_f
        theirs += rfft(np.stack([y[i] * y[k] for i, k in pairs]), size) * m_f
        both += m_f * n_f
    lag = np.arange(-max_lag, max_lag + 1)
    shift = lag + start - low  # of the piece in the part of the other signal
    possible = (shift > start - stop) & (shift < high - low)
    at = np.where(possible, shift, 0) % size
    S_ab, S_aa, S_bb = (irfft(part, size)[..., at] for part in (cross, ours, theirs))
    overlap = np.where(possible, np.maximum(irfft(both, size)[at], 0), 0) / len(a.known)
    enough = overlap >= MIN_OVERLAP_S * RATE
    S_aa, S_bb = (_matrices(part, pairs, dims) for part in (S_aa, S_bb))
    correlation = canonical_correlation(S_aa, S_bb, np.moveaxis(S_ab, -1, 0))
    return np.where(enough, correlation, 0), np.where(enough, overlap, 0)


def _matrices(S: np.ndarray, pairs: list[tuple[int, int]], dims: int) -> np.ndarray:
    full = np.empty((S.shape[-1], dims, dims))
    for (i, k), values in zip(pairs, S, strict=True):
        full[:, i, k] = full[:, k, i] = values
    return full


def canonical_correlation(S_aa: np.ndarray, S_bb: np.ndarray, S_ab: np.ndarray) -> np.ndarray:
    """First canonical correlations (L) 0..1 from second moments (L, D, D), D = 1 or 2; D = 1 keeps its sign."""
    if S_ab.shape[-1] == 1:
        return np.clip(S_ab / np.sqrt(np.maximum(S_aa * S_bb, 1e-12)), 0, 1)[:, 0, 0]
    ridge = 1e-6 * np.eye(2)
    S_aa, S_bb = (S + ridge * (np.trace(S, axis1=1, axis2=2)[:, None, None] + 1e-6) for S in (S_aa, S_bb))
    M = np.linalg.solve(S_aa, S_ab) @ np.linalg.solve(S_bb, S_ab.transpose(0, 2, 1))
    half = np.trace(M, axis1=1, axis2=2) / 2
    return np.sqrt(np.clip(half + np.sqrt(np.maximum(half**2 - np.linalg.det(M), 0)), 0, 1))
