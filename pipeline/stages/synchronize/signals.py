"""What cameras have in common, as signals on an even grid of each camera's own time: poses, motion and sound."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from ....models.skeleton import SKELETONS
from ...arrays import Frames, Track
from ...footage.video import AUDIO_RATE

RATE = 50.0
"""Steps per second of all signals."""
KERNEL_S = 0.04
"""Standard deviation of the Gaussian that joins the samples of a signal around each step."""
BANDS_S = (0.08, 0.16, 0.32, 0.64)
"""Standard deviations of Gaussians; the differences of neighbours pass the bands in which poses are compared.

Faster motion drowns in detectors' noise; in slower motion perspective matters too much.
"""
SIZE_S = 1.0
"""Over how long the size of the person in the picture is averaged."""
JUMP = 3.0
"""A joint counts as going at most this many times as far as its camera's joints do in the median."""
STILL = 1e-3
"""Signals that vary less than this are rounding errors: it is a fifth of a pixel of a person 200 px tall."""
LOUDNESS_BAND_S = (0.02, 0.08)
"""Standard deviations of the two Gaussians whose difference passes the rhythm of the sound."""
QUIET = 1e-3
"""Loudness that is added to all, so that the logarithm of silence is no event."""


@dataclass(frozen=True)
class Signal:
    """One camera's signal on a grid of steps of 1 / RATE from its time 0 on."""

    value: np.ndarray  # (channel, dimension, step) float64; 0 where unknown
    known: np.ndarray  # (channel, step) bool


def pose_signals(track: Track) -> tuple[list[Signal], Signal]:
    """Joints about the trunk in sizes of the person, one signal (joint, xy, step) per band; and how fast they go.

    Neither a pan nor a zoom of the camera changes them much. Speeds (joint, 1, step) have no direction, so that
    they are roughly the same from all sides and in a mirror; their means are taken away.
    """
    steps = np.arange(max(1, int(np.floor(track.time[-1] * RATE)) + 1)) / RATE
    position, velocity, known = local_lines(track.time, *with_middles(track), steps)
    skeleton = SKELETONS[track.skeleton]
    corners = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    trunk = sorted({joint for name in corners for joint in skeleton.landmark(name)})
    known &= known[:, trunk].all(1, keepdims=True)
    position, velocity = (each - each[:, trunk].mean(1, keepdims=True) for each in (position, velocity))
    size = _size(position, known)[:, None, None]
    known = known.T
    place, pace = (np.where(known[:, None], (each / size).transpose(1, 2, 0), 0) for each in (position, velocity))
    levels = [_smooth(place, known, np.sqrt(width**2 - KERNEL_S**2)) for width in BANDS_S]
    bands = [_tamed(fine - coarse, known) for fine, coarse in pairwise(levels)]
    speed = np.linalg.norm(_tamed(pace, known).value, axis=1)
    mean = speed.sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    return bands, Signal(np.where(known, speed - mean, 0)[:, None], known)


def with_middles(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (F, J + M, 2) and confidences (F, J + M) of a track, middles between left and right joints included.

    The middles are where they are even if a detector took left for right.
    """
    mirror = SKELETONS[track.skeleton].mirror
    left = np.flatnonzero(mirror > np.arange(len(mirror)))
    middle = (track.keypoint[:, left] + track.keypoint[:, mirror[left]]) / 2
    surety = np.minimum(track.confidence[:, left], track.confidence[:, mirror[left]])
    return np.concatenate([track.keypoint, middle], 1), np.concatenate([track.confidence, surety], 1)


def loudness(frames: Frames, slow_motion: float) -> Signal | None:
    """Rhythm of the sound: its loudness on a logarithmic scale, band-limited; None without sound."""
    if frames.audio_envelope is None or len(frames.audio_envelope) < AUDIO_RATE:
        return None
    level = np.log(np.asarray(frames.audio_envelope, float) + QUIET)
    fast, slow = (gaussian_filter1d(level, width * AUDIO_RATE) for width in LOUDNESS_BAND_S)
    time = (np.arange(len(level)) + 0.5) / AUDIO_RATE / slow_motion
    steps = np.arange(int(time[-1] * RATE) + 1) / RATE
    value = np.interp(steps, time, fast - slow)
    return Signal(value[None, None], np.ones((1, len(steps)), bool)) if np.ptp(value) > STILL else None


def local_lines(
    time: np.ndarray, keypoint: np.ndarray, confidence: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions and velocities (T, J, 2) at steps (T) of lines fitted to samples (F, J, 2), and where there are any.

    Local linear regression: samples weigh as much as they are confident and near in time, whenever they were taken.
    """
    near, distance = _kernel(time, steps)
    weight = np.where(np.isnan(keypoint).any(-1), 0, confidence).astype(float)
    value = np.where(weight[..., None] > 0, keypoint, 0).reshape(len(time), -1)
    doubled = np.repeat(weight, 2, axis=1)
    first, second = (csr_array((near.data * distance**k, near.indices, near.indptr), near.shape) for k in (1, 2))
    s0, s1, s2 = near @ doubled, first @ doubled, second @ doubled
    y0, y1 = near @ (doubled * value), first @ (doubled * value)
    spread = s0 * s2 - s1**2
    enough = spread > (0.3 * KERNEL_S * np.maximum(s0, 1e-9)) ** 2  # a single sample has no slope
    spread = np.where(enough, spread, 1)
    shape = (len(steps), *keypoint.shape[1:])
    position, velocity = ((s2 * y0 - s1 * y1) / spread).reshape(shape), ((s0 * y1 - s1 * y0) / spread).reshape(shape)
    return position, velocity, enough.reshape(shape)[..., 0]


def _kernel(time: np.ndarray, steps: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """Weights (steps, frames) of the samples around each step, and their distances in time from it."""
    low, high = (np.searchsorted(time, steps + reach * KERNEL_S) for reach in (-3, 3))
    count = high - low
    start = np.concatenate([[0], np.cumsum(count)])
    frame = np.arange(start[-1]) - np.repeat(start[:-1], count) + np.repeat(low, count)
    distance = time[frame] - np.repeat(steps, count)
    weight = np.exp(-0.5 * (distance / KERNEL_S) ** 2)
    return csr_array((weight, frame, start), (len(steps), len(time))), distance


def _size(position: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Size (T) of a person whose joints (T, J, 2) lie about the origin: their mean distance from it, smoothed."""
    reach = np.where(known, np.linalg.norm(position, axis=-1), 0).sum(1)
    count = known.sum(1).astype(float)
    smooth, weight = (gaussian_filter1d(each, SIZE_S * RATE) for each in (reach, count))
    usual = reach.sum() / max(count.sum(), 1)
    return np.where(weight > 0.5, smooth / np.maximum(weight, 0.5), usual) + 1e-9


def _smooth(value: np.ndarray, known: np.ndarray, width_s: float) -> np.ndarray:
    """Gaussian means of what is known."""
    weight = gaussian_filter1d(known.astype(float), width_s * RATE, axis=-1)[:, None]
    return gaussian_filter1d(value, width_s * RATE, axis=-1) / np.maximum(weight, 1e-3)


def _tamed(value: np.ndarray, known: np.ndarray) -> Signal:
    """A signal whose outliers are brought nearer to the rest."""
    length = np.linalg.norm(value, axis=1, keepdims=True)
    usual = np.median(length[:, 0][known]) if known.any() else 0.0
    if usual < STILL:
        return Signal(np.zeros_like(value), known)
    return Signal(np.where(known[:, None], value * np.minimum(1, JUMP * usual / np.maximum(length, 1e-9)), 0), known)
