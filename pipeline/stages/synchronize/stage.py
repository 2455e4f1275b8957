"""Synchronisation: the cameras of a take on one timeline, to a fraction of a frame.

Offsets that ``posepipe.toml`` states are taken as they are. Others, and the rates of the clocks, are found from
sound, from how the joints move and from the epipolar geometry of all pairs of views, or not at all: if these
are weak or contradict each other, the stage stops. The timeline follows the true timestamps of the slowest camera;
every other camera gets, for each instant, the fractional index of the frame that shows it.

In the end the cameras are checked: how the joints move up and down about the pelvis looks nearly the same from every
side, and a panning camera does not change it.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ....models.skeleton import SKELETONS
from ...arrays import Frames, Timeline, Track
from ...errors import PosepipeError
from ...runtime.cache import stage
from ...settings import SynchronizeSettings
from .clocks import Clocks
from .find import Found, find_clocks

CHECK_RATE = 50.0
"""Samples per second of the motion signals."""
CLEAR_SCORE = 0.5
"""Smallest correlation at which a lag is accepted."""
CLEAR_GAIN = 0.1
"""How far the correlation at a lag must exceed that without one."""
SMOOTH_S = 0.04


@stage(version=4)
def synchronize(
    frames: list[Frames],
    tracks: list[Track],
    names: list[str],
    offsets: list[float | None],
    settings: SynchronizeSettings,
) -> Timeline:
    """Timeline of a take from its cameras' videos, tracks, names and stated offsets (s).

    A camera that starts late, stops early or skips frames shows nothing at those instants.

    Raises:
        PosepipeError: offsets that are not stated cannot be found.
    """
    tracks = [track.body for track in tracks]  # feet are seen less well
    found = _clocks(frames, tracks, names, offsets, settings)
    clocks = found.clocks
    times = [
        offset + rate * track.time for track, offset, rate in zip(tracks, clocks.offset, clocks.rate, strict=True)
    ]
    instants = common_instants(times)
    frame = np.stack([fractional_frames(time, instants, settings.max_gap_s) for time in times], 1)
    keep = np.isfinite(frame).any(1)
    lag, score = check_lags(tracks, times, settings.max_lag_s)
    warnings = found.warnings + lag_warnings(names, times, lag, score)
    return Timeline(
        time=instants[keep],
        offset=clocks.offset,
        rate=clocks.rate,
        frame=frame[keep],
        lag=lag,
        score=score,
        warnings=warnings,
        verdict="stated" if not found.findings else "unsure" if warnings else "ok",
        cues=[asdict(finding) for finding in found.findings],
    )


def _clocks(
    frames: list[Frames],
    tracks: list[Track],
    names: list[str],
    offsets: list[float | None],
    settings: SynchronizeSettings,
) -> Found:
    """Clocks as stated, or found."""
    given = {camera: offset for camera, offset in enumerate(offsets) if offset is not None}
    if settings.offsets == "stated" or len(given) == len(tracks):
        stated = np.array([given.get(camera, 0.0) for camera in range(len(tracks))], np.float64)
        return Found(Clocks(stated, np.ones(len(tracks)), np.zeros(len(tracks))), [], [], np.inf)
    try:
        return find_clocks(frames, tracks, names, given, settings)
    except PosepipeError:
        mirrored = _with_a_mirrored_camera(frames, tracks, names, given, settings)
        if mirrored is None:
            raise
        return mirrored


def _with_a_mirrored_camera(
    frames: list[Frames],
    tracks: list[Track],
    names: list[str],
    given: dict[int, float],
    settings: SynchronizeSettings,
) -> Found | None:
    """Clocks at which the cameras fit together if one of them shows mirrored pictures, the clearest; None without.

    The mirror image of a person has the left arm where the detector sees the right one. With their names exchanged,
    its joints are those of the person, in an image that is turned over, as affine geometry permits.
    """
    best = None
    for camera, name in enumerate(names):
        exchanged = [track.exchanged if index == camera else track for index, track in enumerate(tracks)]
        try:
            found = find_clocks(frames, exchanged, names, given, settings)
        except PosepipeError:
            continue
        if best is None or found.ratio > best.ratio:
            said = (
                f"the cameras fit together only if left and right are exchanged in one of {len(names)}, "
                f"most likely in {name}: is its picture mirrored (mirrored = true in posepipe.toml)?"
            )
            best = replace(found, warnings=[said, *found.warnings])
    return best


def common_instants(times: list[np.ndarray]) -> np.ndarray:
    """Instants (I) in s: those of the slowest camera's frames, extended at its rate to the ends of all videos.

    Args:
        times: (F) s on the take's clock of each camera's frames.
    """
    periods = [_period(time) for time in times]
    slowest = int(np.argmax(periods))
    time, period = times[slowest], periods[slowest]
    before = np.arange(1, 1 + int((time[0] - min(t[0] for t in times)) / period + 0.5))
    after = np.arange(1, 1 + int((max(t[-1] for t in times) - time[-1]) / period + 0.5))
    return np.concatenate([time[0] - before[::-1] * period, time, time[-1] + after * period])


def fractional_frames(time: np.ndarray, instants: np.ndarray, max_gap_s: float) -> np.ndarray:
    """Fractional index (I) of the frame that shows each instant; NaN where none does.

    Args:
        time: (F) s of a camera's frames.
        instants: (I) s.
        max_gap_s: longest time between two frames in which an instant may lie.
    """
    index = np.interp(instants, time, np.arange(len(time)))
    nearest = np.rint(index).astype(int)
    close = np.abs(instants - time[nearest]) <= 0.5 * _period(time)
    low = np.floor(index).astype(int)
    gap = time[np.minimum(low + 1, len(time) - 1)] - time[low]
    outside = (instants < time[0]) | (instants > time[-1])
    in_gap = gap > max_gap_s
    index = np.where(in_gap & close, nearest, index)
    return np.where((outside | in_gap) & ~close, np.nan, index)


def _period(time: np.ndarray) -> float:
    return float(np.median(np.diff(time))) if len(time) > 1 else 1.0


def check_lags(tracks: list[Track], times: list[np.ndarray], max_lag_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Lag (s) at which each camera's motion fits that of the others best, and the correlation there."""
    start, end = min(t[0] for t in times), max(t[-1] for t in times)
    grid = np.arange(start, end + 1 / CHECK_RATE, 1 / CHECK_RATE)
    signals = [motion_signal(track, time, grid) for track, time in zip(tracks, times, strict=True)]
    lags, scores = np.full(len(tracks), np.nan), np.zeros(len(tracks), np.float32)
    for camera, signal in enumerate(signals):
        others = np.stack([other for index, other in enumerate(signals) if index != camera])
        seen = np.isfinite(others).any(0)
        rest = np.where(seen, np.nansum(others, 0) / np.maximum(np.isfinite(others).sum(0), 1), np.nan)
        lags[camera], scores[camera] = best_lag(signal, rest, round(max_lag_s * CHECK_RATE))
    return lags, scores


def motion_signal(track: Track, time: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Vertical velocity of each joint about the pelvis in body sizes per second (joint, grid); NaN where unknown."""
    skeleton = SKELETONS[track.skeleton]
    pelvis, thorax = (track.keypoint[:, list(skeleton.landmark(name))].mean(1) for name in ("pelvis", "thorax"))
    trunk = np.linalg.norm(thorax - pelvis, axis=-1)
    size = float(np.median(trunk[np.isfinite(trunk)])) + 1e-6 if np.isfinite(trunk).any() else 1.0
    height = (track.keypoint[..., 1] - pelvis[:, None, 1]) / size
    signal = np.full((height.shape[1], len(grid)), np.nan)
    for joint, values in enumerate(height.T):
        known = np.isfinite(values)
        if known.sum() > 2:
            position = np.interp(grid, time[known], values[known], np.nan, np.nan)
            inside = np.isfinite(position)
            smooth = gaussian_filter1d(position[inside], SMOOTH_S * CHECK_RATE)
            signal[joint, inside] = np.gradient(smooth) * CHECK_RATE
    return signal


def best_lag(signal: np.ndarray, rest: np.ndarray, max_lag: int) -> tuple[float, float]:
    """Lag (s) at which two signals (joint, grid) correlate best, to a fraction of a step, and that correlation.

    A lag is positive if ``signal`` shows everything later. It is NaN where there is too little motion
    in common, or where the correlation is best at the end of the range.
    """
    known = np.isfinite(signal) & np.isfinite(rest)
    max_lag = min(max_lag, int(known.any(0).sum() // 4))
    scores = np.array([_correlation(signal, rest, lag) for lag in range(-max_lag, max_lag + 1)])
    if max_lag < 2 or not np.isfinite(scores).any():
        return float("nan"), 0.0
    peak = int(np.nanargmax(scores))
    score = float(np.clip(scores[peak], 0, 1))
    if peak in (0, 2 * max_lag) or not np.isfinite(scores[peak - 1 : peak + 2]).all():
        return float("nan"), score
    if scores[peak] - scores[max_lag] < CLEAR_GAIN:  # as good as no lag
        peak = max_lag
    left, middle, right = scores[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    shift = float(np.clip(0.5 * (left - right) / bend, -1, 1)) if bend < 0 else 0.0
    return (peak - max_lag + shift) / CHECK_RATE, score


def _correlation(signal: np.ndarray, rest: np.ndarray, lag: int) -> float:
    """Correlation of ``signal`` moved ``lag`` steps back with ``rest``, over all joints where both are known."""
    length = signal.shape[1] - abs(lag)
    moved = signal[:, max(lag, 0) : max(lag, 0) + length]
    fixed = rest[:, max(-lag, 0) : max(-lag, 0) + length]
    both = np.isfinite(moved) & np.isfinite(fixed)
    if both.any(0).sum() < 0.3 * CHECK_RATE:
        return float("nan")
    moved, fixed = np.where(both, moved, 0), np.where(both, fixed, 0)
    return float((moved * fixed).sum() / (np.linalg.norm(moved) * np.linalg.norm(fixed) + 1e-9))


def lag_warnings(names: list[str], times: list[np.ndarray], lag: np.ndarray, score: np.ndarray) -> list[str]:
    """One sentence for each camera whose motion clearly disagrees with the offsets.

    Args:
        names: of the C cameras.
        times: (F) s on the take's clock of each camera's frames.
        lag: (C) s, and ``score`` (C) the correlations there (``check_lags``).
    """
    tolerance = 1.5 * max(_period(time) for time in times)
    return [
        f"camera {name} seems to run {abs(late):.2f} s {'behind' if late > 0 else 'ahead of'} the others "
        f"(correlation {sure:.2f}): check its offset_s in posepipe.toml"
        for name, late, sure in zip(names, lag, score, strict=True)
        if np.isfinite(late) and abs(late) > tolerance and sure >= CLEAR_SCORE
    ]
