"""Chart of a take's signals on its timeline: if cameras are synchronised, their peaks line up."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..arrays import Frames, Timeline, Track
from ..stages.synchronize.signals import RATE, loudness, pose_signals

SHOWN_S = 20.0
"""Length of the shown part of a long take: the middle of the time that all cameras cover."""
SMOOTH_S = 0.06
WIDTH, ROW, LEFT, BOTTOM = 960, 46, 110, 24
POINTS = 500


def draw_signals(names: Sequence[str], frames: Sequence[Frames], tracks: Sequence[Track], timeline: Timeline) -> str:
    """Inline SVG: for each camera the speed of joints relative to the trunk and, if there is sound, its volume."""
    start, end = _window(tracks, timeline)
    instants = np.linspace(start, end, POINTS)
    rows = []
    for number, name in enumerate(names):
        own = (instants - timeline.offset[number]) / timeline.rate[number]
        _, speed = pose_signals(tracks[number])
        known = speed.known.any(0)
        motion = gaussian_filter1d(speed.value[:, 0].sum(0) / np.maximum(speed.known.sum(0), 1), SMOOTH_S * RATE)
        lines = [("motion", _at(own, np.where(known, motion, np.nan)))]
        seconds = tracks[number].time[-1]
        sound = loudness(frames[number], frames[number].time[-1] / seconds if seconds > 0 else 1.0)
        if sound is not None:
            lines.append(("sound", _at(own, sound.value[0, 0])))
        rows.append(_row(number, name, lines))
    height = ROW * len(names) + BOTTOM
    return (
        f'<svg class="signals" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Signals of the cameras">'
        f"{''.join(rows)}{_axis(start, end, height)}</svg>"
    )


def _window(tracks: Sequence[Track], timeline: Timeline) -> tuple[float, float]:
    """The part of the take's time that is shown, s."""
    ends = timeline.offset[:, None] + timeline.rate[:, None] * np.array([[t.time[0], t.time[-1]] for t in tracks])
    start, end = ends[:, 0].max(), ends[:, 1].min()
    if end - start < 1:  # no instant that all cameras cover
        start, end = ends[:, 0].min(), ends[:, 1].max()
    middle, half = (start + end) / 2, min(SHOWN_S, end - start) / 2
    return float(middle - half), float(middle + max(half, 0.5))


def _at(own: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of a signal at the camera's own times, NaN outside."""
    return np.interp(own, np.arange(len(values)) / RATE, values, np.nan, np.nan)


def _row(number: int, name: str, lines: Sequence[tuple[str, np.ndarray]]) -> str:
    base = ROW * (number + 1) - 6
    drawn = "".join(f'<path class="{kind}" d="{_path(values, base)}"/>' for kind, values in lines)
    return f'<text x="0" y="{base - ROW / 3:.0f}">{escape(name)}</text>{drawn}'


def _path(values: np.ndarray, base: float) -> str:
    """A polyline with gaps where the signal is unknown."""
    known = np.isfinite(values)
    if not known.any():
        return ""
    low, high = np.percentile(values[known], [1, 99])
    y = base - (ROW - 12) * np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    x = np.linspace(LEFT, WIDTH, len(values))
    return "".join(
        f"{'L' if index and known[index - 1] else 'M'}{x[index]:.1f} {y[index]:.1f}"
        for index in np.flatnonzero(known)
    )


def _axis(start: float, end: float, height: int) -> str:
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2) if (end - start) / step <= 12), 5)
    ticks = np.arange(np.ceil(start / step), np.floor(end / step) + 1) * step
    marks = [(LEFT + (WIDTH - LEFT) * (tick - start) / (end - start), tick) for tick in ticks]
    return "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - BOTTOM}"/><text x="{x:.1f}" y="{height - 6}" '
        f'text-anchor="middle">{round(tick, 1) + 0.0:g} s</text>'
        for x, tick in marks
    )
