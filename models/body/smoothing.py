"""Smoothing of trajectories.

Each smoother takes ``time`` (T) in s, ``value`` (T, C) without NaN and ``weight`` (T, C) in 0..1, the confidence in
each value, and returns values (T, C). They differ in their model of noise; ``tools/smoothing.py`` compares them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.ndimage import median_filter
from scipy.signal import butter, savgol_coeffs, savgol_filter, sosfiltfilt

STIFFNESS = 10.0 ** np.arange(-2, 8, 0.25)
"""Smoothing parameters from which cross-validation chooses."""
Array = NDArray[np.float64]

MIN_WEIGHT = 0.1
"""Lower bound of weights, so that a stretch of bad values still has values."""
UNEVEN = 0.02
"""Largest relative difference of time steps that count as equal."""
ORDER = 2
SAVGOL_DEGREE = 3
ONE_EURO_BETA = 1.0
"""Slope of the cutoff over speed: Hz per unit of length per second."""


def butterworth(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """Values (T, C) after a second-order Butterworth low-pass, forwards and backwards: fourth order, without lag.

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
    """Values (T, C) of cubic polynomials fitted in a sliding window (Savitzky and Golay, 1964), without lag.

    The window is the one of odd length that comes closest to half of the power at ``cutoff_hz``.
    """
    turn = 2 * np.pi * cutoff_hz * _step(time)  # per sample
    longest = len(value) - 1 + len(value) % 2
    windows = range(SAVGOL_DEGREE + 2, min(longest, round(4 * np.pi / turn)) + 1, 2)
    if not windows or turn >= np.pi:
        return value
    window = min(windows, key=lambda window: abs(_savgol_gain(window, turn) - 0.5**0.5))
    return _normalised(lambda x: savgol_filter(x, window, SAVGOL_DEGREE, axis=0), time, value, weight)


def _savgol_gain(window: int, turn: float) -> float:
    """Gain of a window at an angular frequency in rad per sample."""
    return float(savgol_coeffs(window, SAVGOL_DEGREE) @ np.cos(turn * (np.arange(window) - window // 2)))


def one_euro(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """Values (T, C) after the 1 euro filter (Casiez, Roussel and Vogel, 2012), whose cutoff rises with speed.

    A causal low-pass, so it suits live use, and it lags.
    """
    smooth, speed = value.copy(), np.zeros_like(value[0])
    for now in range(1, len(value)):
        step = time[now] - time[now - 1]
        speed += _alpha(1.0, step) * ((value[now] - value[now - 1]) / step - speed)
        share = _alpha(cutoff_hz + ONE_EURO_BETA * np.abs(speed), step) * weight[now].clip(MIN_WEIGHT)
        smooth[now] = smooth[now - 1] + share * (value[now] - smooth[now - 1])
    return smooth


def gcv_spline(time: Array, value: Array, weight: Array, cutoff_hz: float) -> Array:
    """Values (T, C) of smoothing splines chosen by generalised cross-validation (Woltring, 1986), without lag.

    In the discrete form of Garcia (Robust smoothing of gridded data, 2010), where splines are low-passes of cosine
    transforms. Each coordinate gets its own cutoff; ``cutoff_hz`` has no effect.
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
    """Mask (T, J) of points (T, J, 3) far from their neighbours: a Hampel filter (Pearson, 2002) on distances.

    Args:
        window: odd number of points with whose median each point is compared.
        deviations: limit in robust standard deviations of the track's distances.
        floor: smallest limit, in the unit of the points.
    """
    distance = np.linalg.norm(value - median_filter(value, size=(window, 1, 1), mode="nearest"), axis=-1)
    spread = 1.4826 * np.median(distance, axis=0)
    return distance > np.maximum(deviations * spread, floor)


def _normalised(filtered: Callable[[Array], Array], time: Array, value: Array, weight: Array) -> Array:
    """Normalised convolution (T, C) on an even time grid: the filtered weighted values over the filtered weights."""
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
