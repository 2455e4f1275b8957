"""Joint angles and segments of a take's clips for the report: small curves, ranges of motion, asymmetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...models.body.angles import HINTS, SEGMENTS, by_joint, joint_angles, measure_segments
from ...models.skeleton import SKELETONS
from ..arrays import Pose3D

WIDTH, HEIGHT = 160, 40
"""Size of a curve in px."""
POINTS = 80
"""Largest number of points of a curve; longer clips are subsampled evenly."""


def angle_table(poses: Mapping[str, Pose3D]) -> list[dict[str, Any]]:
    """A row per angle with a cell per clip, empty where that has no feet; all curves of a row have the same scale.

    Args:
        poses: by the clip's name.
    """
    found = [pose.without_missing_feet for pose in poses.values()]
    clips = [by_joint(joint_angles(pose.joint, SKELETONS[pose.skeleton])) for pose in found]
    names = dict.fromkeys(name for clip in clips for name in clip)
    return [_angle_row(name, [clip.get(name, {}) for clip in clips]) for name in names]


def _angle_row(name: str, clips: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    known = np.concatenate([angle[np.isfinite(angle)] for clip in clips for angle in clip.values()])
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    cells = [
        [{"side": side, "path": _curve(angle, low, high), "range": _range(angle)} for side, angle in sides.items()]
        for sides in clips
    ]
    return {"name": in_words(name), "hint": HINTS[name], "cells": cells}


def _curve(angle: np.ndarray, low: float, high: float) -> str:
    """SVG path data of an angle over time, with gaps where it is unknown."""
    stride = -(-len(angle) // POINTS)
    shown = angle[::stride]
    x = WIDTH * np.arange(len(shown)) / max(len(shown) - 1, 1)
    y = 2 + (HEIGHT - 4) * (high - shown) / max(high - low, 1e-6)
    parts, pen = [], "M"
    for across, down in zip(x, y, strict=True):
        if np.isfinite(down):
            parts.append(f"{pen}{across:.0f} {down:.0f}")
        pen = "L" if np.isfinite(down) else "M"
    return "".join(parts)


def _range(angle: np.ndarray) -> str:
    known = angle[np.isfinite(angle)]
    return f"{known.min() + 0.0:.0f}° to {known.max() + 0.0:.0f}°" if known.size else "not known"


def segment_rows(poses: Mapping[str, Pose3D]) -> list[dict[str, str]]:
    """A row per clip with a complete pose: median lengths, left / right, and the symmetry index in per cent."""
    rows = {name: _segments(pose) for name, pose in poses.items()}
    return [{"Clip": name, **cells} for name, cells in rows.items() if cells]


def _segments(pose: Pose3D) -> dict[str, str]:
    found = {segment.name: segment for segment in measure_segments(pose.as_lifted, SKELETONS[pose.skeleton])}
    cells = {}
    for name in SEGMENTS:
        left, right = (found.get(f"{side}_{name}") for side in ("left", "right"))
        if left and right:
            cells[in_words(name)] = f"{100 * left.median:.1f} / {100 * right.median:.1f} ({left.asymmetry:+.1f} %)"
    for name, segment in found.items():
        if segment.asymmetry is None:
            cells[in_words(name)] = f"{100 * segment.median:.1f}"
    return cells


def in_words(name: str) -> str:
    """``hip_flexion`` as a title."""
    return name.replace("_", " ").capitalize()
