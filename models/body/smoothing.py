"""Smoothing of trajectories: measured points in, motion out.

Each smoother takes ``time`` (T) in s, ``value`` (T, C) without NaN and ``weight`` (T, C) in 0..1, how far to trust
each value, and gives values (T, C). What differs is what they take for noise; ``tools/smoothing.py`` measures it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.ndimage import median_filter
from scipy.signal import butter, savgol_coeffs, savgol_filter, sosfiltfilt

STIFFNESS = 10.0 ** np.arange(-2, 8, 0.25)
"""Smoothing parameters that cross-validation chooses from."""
Array = NDArray[np.float64]

MIN_WEIGHT = 0.1
"""Weights count at least this much, so that a stretch of bad values is still a stretch of values."""
UNEVEN = 0.02
"""Largest share by which time steps may differ and still count as equal."""
ORDER = 2
SAVGOL_DEGREE = 3
ONE_EURO_BETA = 1.0
"""How much the cutoff rises with speed: Hz per unit of length per second."""


def butterworth(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """Butterworth low-pass of second order, forwards and backwards: fourth order, without lag.

    The cutoff of each pass is raised so that both together have ``cutoff_hz`` (Winter, Biomechanics and Motor Control
    of Human Movement, 2009, section 2.2.4.4). Weighted by normalised convolution (Knutsson and Westin, 1993).
    """
    step = _step(time)
    cutoff = cutoff_hz / (2**0.5 - 1) ** (1 / (2 * ORDER)) * 2 * step  # in half sample rates
    if cutoff >= 1 or len(value) < 4:
        return value
    sections = butter(ORDER, cutoff, output="sos")
    padding = min(len(value) - 1, 3 * (2 * len(sections) + 1))
    return _normalised(lambda x: sosfiltfilt(sections, x, axis=0, padlen=padding), time, value, weight)


def savitzky_golay(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """Cubic polynomials fitted in a sliding window (Savitzky and Golay, 1964), without lag.

    The window is the one that leaves half of the power at ``cutoff_hz``, as nearly as windows of odd length can.
    """
    turn = 2 * np.pi * cutoff_hz * _step(time)  # per sample
    longest = len(value) - 1 + len(value) % 2
    windows = range(SAVGOL_DEGREE + 2, min(longest, round(4 * np.pi / turn)) + 1, 2)
    if not windows or turn >= np.pi:
        return value
    window = min(windows, key=lambda window: abs(_savgol_gain(window, turn) - 0.5**0.5))
    return _normalised(lambda x: savgol_filter(x, window, SAVGOL_DEGREE, axis=0), time, value, weight)


def _savgol_gain(window: int, turn: float) -> float:
    """What a window leaves of an oscillation that turns by so many radians per sample."""
    return float(savgol_coeffs(window, SAVGOL_DEGREE) @ np.cos(turn * (np.arange(window) - window // 2)))


def one_euro(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """The 1 euro filter (Casiez, Roussel and Vogel, 2012): a causal low-pass whose cutoff rises with speed.

    Needs nothing of the future, as live use does, and therefore lags.
    """
    smooth, speed = value.copy(), np.zeros_like(value[0])
    for now in range(1, len(value)):
        step = time[now] - time[now - 1]
        speed += _alpha(1.0, step) * ((value[now] - value[now - 1]) / step - speed)
        share = _alpha(cutoff_hz + ONE_EURO_BETA * np.abs(speed), step) * weight[now].clip(MIN_WEIGHT)
        smooth[now] = smooth[now - 1] + share * (value[now] - smooth[now - 1])
    return smooth


def gcv_spline(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """Smoothing splines, each as smooth as generalised cross-validation says (Woltring, 1986); no lag.

    In the discrete form of Garcia (Robust smoothing of gridded data, 2010), whose splines are low-passes of cosine
    transforms. Finds the cutoff of each coordinate itself; ``cutoff_hz`` has no effect.
    """
    if len(value) < 4:
        return value

    def filtered(x: Array) -> Array:
        return idct(gain * dct(x, axis=0, norm="ortho"), axis=0, norm="ortho")

    frequency = 2 - 2 * np.cos(np.pi * np.arange(len(value)) / len(value))
    gains = 1 / (1 + STIFFNESS[:, None] * frequency**2)  # (stiffness, T)
    power = dct(value, axis=0, norm="ortho") ** 2
    score = ((1 - gains) ** 2 @ power) / ((1 - gains).sum(1) ** 2)[:, None]  # (stiffness, C)
    gain = gains[score.argmin(0)].T
    return _normalised(filtered, time, value, weight)


Smoother = Callable[[Array, Array, Array, float], Array]

SMOOTHERS: dict[str, Smoother] = {
    "butterworth": butterworth,
    "savitzky-golay": savitzky_golay,
    "one-euro": one_euro,
    "gcv-spline": gcv_spline,
}


def outliers(value: Array, window: int, deviations: float, floor: float) -> NDArray[np.bool_]:
    """Which points (T, J) of tracks (T, J, 3) lie off their neighbours: a Hampel filter (Pearson, 2002) on distances.

    Args:
        window: points whose median a point is compared with, odd.
        deviations: how many robust standard deviations of the track's distances are too far.
        floor: a distance that is never too far.
    """
    distance = np.linalg.norm(value - median_filter(value, size=(window, 1, 1), mode="nearest"), axis=-1)
    spread = 1.4826 * np.median(distance, axis=0)
    return distance > np.maximum(deviations * spread, floor)


def _normalised(filtered: Callable[[Array], Array], time: Array, value: Array, weight: Array) -> Array:
    """A linear filter of weighted values over that of the weights, on an even time grid."""
    weight = weight.clip(MIN_WEIGHT, 1)
    if not _is_even(time):
        even = np.linspace(time[0], time[-1], len(time))
        on_grid = _normalised(filtered, even, _resampled(even, time, value), _resampled(even, time, weight))
        return _resampled(time, even, on_grid)
    below = filtered(weight)
    return np.where(below > MIN_WEIGHT / 2, filtered(weight * value) / below.clip(MIN_WEIGHT / 2), value)


def _is_even(time: Array) -> bool:
    steps = np.diff(time)
    return float(np.ptp(steps)) <= UNEVEN * float(steps.mean())


def _resampled(wanted: Array, time: Array, value: Array) -> Array:
    return np.stack([np.interp(wanted, time, channel) for channel in value.T], -1)


def _step(time: Array) -> float:
    return float(time[-1] - time[0]) / max(len(time) - 1, 1)


def _alpha(cutoff_hz: Array | float, step: float) -> Array | float:
    """Share of the new value in a first-order low-pass."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * step))
