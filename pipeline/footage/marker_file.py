"""Reference poses of other systems: markers in C3D or TRC, joint angles in MOT.

Markers are called like joints, in any of the usual spellings (LHip, left_hip, Neck), in an own rate and own axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ezc3d
import numpy as np

from ...models.body.body import UNITS_M
from ...models.skeleton import h36m17_of_names
from ..errors import PosepipeError

MARKER_SUFFIXES = (".trc", ".c3d")
ANGLE_SUFFIX = ".mot"


@dataclass(frozen=True)
class Markers:
    """Trajectories of the joints of H36M-17."""

    time: np.ndarray
    """(F) float64 s."""
    joint: np.ndarray
    """(F, 17, 3) float64 in m if the file says its unit, else in that of the file; NaN where missing."""

    def at(self, time: np.ndarray) -> np.ndarray:
        """Joints (T, 17, 3) at times (T) in s, interpolated; NaN beyond the ends and across what is missing."""
        if len(self.time) < 2:
            return np.where(np.isclose(time, self.time[0])[:, None, None], self.joint[:1], np.nan)
        after = np.searchsorted(self.time, time).clip(1, len(self.time) - 1)
        begin, end = self.time[after - 1], self.time[after]
        share = (time - begin) / (end - begin)
        slack = 0.5  # of a step: the first and last pose stand for as much
        inside = (share >= -slack) & (share <= 1 + slack)
        share = share.clip(0, 1)[:, None, None]
        between = np.where(share > 0, self.joint[after] * share, 0) + np.where(
            share < 1, self.joint[after - 1] * (1 - share), 0
        )
        return np.where(inside[:, None, None], between, np.nan)


def read_markers(path: Path) -> Markers:
    """The joints of a C3D or TRC file.

    Raises:
        PosepipeError: missing or damaged, without a rate, or with markers that make no body.
    """
    if not path.is_file():
        raise PosepipeError(f"there is no file {path}")
    try:
        time, points, names, unit = _trc(path) if path.suffix.lower() == ".trc" else _c3d(path)
        weights = h36m17_of_names([name.rpartition(":")[2] for name in names])
    except (ValueError, KeyError, IndexError, OSError, RuntimeError) as error:
        raise PosepipeError(f"{path} cannot be read as a reference: {error}") from error
    if not len(time) or not (np.diff(time) > 0).all():
        raise PosepipeError(f"{path} cannot be read as a reference: its times do not rise")
    used = weights != 0
    joint = np.einsum("jm,fmc->fjc", weights, np.nan_to_num(points))
    lost = (used & ~np.all(np.isfinite(points), -1)[:, None]).any(-1)
    return Markers(time, np.where(lost[..., None], np.nan, joint) * UNITS_M.get(unit, 1.0))


_Read = tuple[np.ndarray, np.ndarray, Sequence[str], str]
"""Times (F) s, points (F, M, 3), names of the M markers, unit."""


def _trc(path: Path) -> _Read:
    lines = [line.rstrip("\r\n").split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines()]
    head = next((number for number, cells in enumerate(lines) if cells[0].strip() == "Frame#"), None)
    if head is None or head < 2:
        raise ValueError("it has no row of markers (Frame#)")
    said = dict(zip(lines[head - 2], lines[head - 1], strict=False))
    names = [cell.strip() for cell in lines[head][2:] if cell.strip()]
    width = 2 + 3 * len(names)
    rows = [[*cells[:width], *[""] * (width - len(cells))] for cells in lines[head + 2 :] if cells[0].strip()]
    values = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows]).reshape(-1, width)
    return values[:, 1], values[:, 2:].reshape(len(values), -1, 3), names, said.get("Units", "").strip().lower()


def _c3d(path: Path) -> _Read:
    file = ezc3d.c3d(str(path))
    point, own = file["parameters"]["POINT"], file["parameters"].get("POSEPIPE", {})
    rate = float(point["RATE"]["value"][0])
    if not rate > 0:
        raise ValueError(f"its rate is {rate:g}")
    points = file["data"]["points"][:3].transpose(2, 1, 0)
    residual = file["data"]["meta_points"]["residuals"][0].T
    points = np.where((residual < 0)[..., None], np.nan, points)
    first = file["header"]["points"]["first_frame"] / rate
    if "FIRST_TIME" in own:  # of ours, whose frames may begin between two of the rate
        first = float(own["FIRST_TIME"]["value"][0])
    units = point["UNITS"]["value"] if "UNITS" in point else []
    names = point["LABELS"]["value"][: points.shape[1]]
    return first + np.arange(len(points)) / rate, points, names, "".join(units[:1]).strip().lower()


def read_angles(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Times (F) s, and joint angles (F) in degrees by their names in a motion of OpenSim.

    Raises:
        PosepipeError: missing, or no such motion.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        end = next(number for number, line in enumerate(lines) if line.strip().lower() == "endheader")
        names, rows = lines[end + 1].split(), [line.split() for line in lines[end + 2 :] if line.strip()]
        values = np.array(rows, float).reshape(-1, len(names))
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except (ValueError, StopIteration, IndexError, OSError) as error:
        raise PosepipeError(
            f"{path} is not a motion of OpenSim (.mot) with a row of names after endheader"
        ) from error
    columns = dict(zip(names, values.T, strict=True))
    if "time" not in columns or len(values) < 2 or not (np.diff(columns["time"]) > 0).all():
        raise PosepipeError(f"{path} has no times that rise")
    degrees = 1.0 if any(line.replace(" ", "").lower() == "indegrees=yes" for line in lines[:end]) else 180 / np.pi
    return columns.pop("time"), {name: column * degrees for name, column in columns.items()}
