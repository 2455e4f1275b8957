"""poses.c3d: marker trajectories for Vicon Nexus, Visual3D, Mokka and the biomechanics toolboxes.

Points are stored as 32-bit floats, so that any volume fits; a missing point is NaN with residual -1. Lengths
are in mm where metres are known, else in body heights. Axes are the world's, with z up as in laboratories, where it
is known where up is, else those of ``poses.trc``. C3D counts frames in 16 bits: a longer clip continues in
``poses_2.c3d`` and so on, and ``POSEPIPE:FIRST_FRAME`` says where each begins.
C3D has one rate: frame n is n / rate after the first, and poses are resampled where times are uneven.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np

from .clip import Y_UP, Y_UP_AXES, Clip, marker_name
from .gapless import QUIET_GAP_S
from .one_rate import at_times, even_times

MAX_FRAMES = 65535
LINE = 127
"""Longest text that all C3D readers accept."""


def write(clip: Clip, path: Path) -> None:
    """Write the joints as points; several people share the file, as ``person0:LHip`` and so on."""
    points = np.concatenate([clip.positions(person).astype(np.float64) for person in clip.people], 1)
    if not clip.in_world:
        points *= Y_UP
    if clip.unit == "m":
        points *= 1000
    time = even_times(clip, clip.time, "c3d")
    points = at_times(points, clip.time, time, QUIET_GAP_S)
    for number, start in enumerate(range(0, len(points), MAX_FRAMES), start=1):
        part = path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
        _write_part(clip, points[start : start + MAX_FRAMES], (start, float(time[start])), part)


def _write_part(clip: Clip, points: np.ndarray, start: tuple[int, float], path: Path) -> None:
    """Write frames (frame, point, 3), given the number and the time of the first."""
    file = ezc3d.c3d()
    missing = np.isnan(points).any(-1).T
    file["data"]["points"] = np.concatenate([points.transpose(2, 1, 0), np.ones((1, *missing.shape))])
    file["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, 0.0)[None]
    point = file["parameters"]["POINT"]
    point["RATE"]["value"] = [float(clip.life_rate)]
    point["UNITS"]["value"] = ["mm" if clip.unit == "m" else clip.unit]
    point["LABELS"]["value"] = _labels(clip)
    screen = ("+X", "+Z") if clip.in_world else ("+Z", "+Y")
    for name, value in zip(("X_SCREEN", "Y_SCREEN"), screen, strict=True):
        file.add_parameter("POINT", name, [value])
    file.add_parameter("POSEPIPE", "FIRST_FRAME", [float(start[0])])
    file.add_parameter("POSEPIPE", "FIRST_TIME", [start[1]])
    for name, text in clip.facts(clip.axes if clip.in_world else Y_UP_AXES).items():
        file.add_parameter("POSEPIPE", name.upper(), _lines(text))
    file.write(str(path))


def _labels(clip: Clip) -> list[str]:
    names = [marker_name(joint) for joint in clip.skeleton.joints]
    if len(clip.people) == 1:
        return names
    return [f"{person.name}:{name}" for person in clip.people for name in names]


def _lines(text: str) -> list[Any]:
    """A text in pieces that fit. None ends in a space, which readers treat as padding."""
    return re.findall(rf".{{0,{LINE - 1}}}\S", text, re.DOTALL) or [""]
