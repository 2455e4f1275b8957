"""CSV: DeepLabCut's tables, and tables with one row per frame and joint, such as our own ``poses.csv``.

* DeepLabCut: header rows scorer, (individuals,) bodyparts, coords; then one row per frame, its number first and x, y,
  likelihood of each body part.
* Rows: columns ``frame, joint, x_px, y_px`` (or ``x, y``), and if there are ``time`` (s), ``person``, ``confidence``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from . import Found, head_of


def recognises(path: Path) -> bool:
    """Either table."""
    head = head_of(path, ".csv")
    if head.startswith("scorer"):
        return "bodyparts" in head and "coords" in head
    titles = _rows(path, 1)[0] if head else []
    return {"frame", "joint"} <= set(titles) and _columns(titles) is not None


def read(path: Path) -> Found:
    """All poses of the table."""
    rows = _rows(path)
    return _deeplabcut(rows) if rows[0][0] == "scorer" else _long(rows)


def _rows(path: Path, count: int | None = None) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [row for number, row in enumerate(csv.reader(file)) if row and (count is None or number < count)]


def _deeplabcut(rows: list[list[str]]) -> Found:
    titles = {row[0]: row[1:] for row in rows[:4] if row[0] in ("scorer", "individuals", "bodyparts", "coords")}
    body = rows[len(titles) :]
    parts, coordinates = titles["bodyparts"], titles["coords"]
    individuals = titles.get("individuals", ["single"] * len(parts))
    if any(len(row) != len(parts) + 1 for row in body):
        raise ValueError(f"a row has not {len(parts) + 1} cells")
    values = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in body]).reshape(-1, len(parts))
    joints, names = tuple(dict.fromkeys(parts)), list(dict.fromkeys(individuals))
    points = np.full((len(body), len(names), len(joints), 3), np.nan)
    columns = {"x": 0, "y": 1, "likelihood": 2}
    for column, (name, part, coordinate) in enumerate(zip(individuals, parts, coordinates, strict=True)):
        points[:, names.index(name), joints.index(part), columns[coordinate]] = values[:, column]
    if "likelihood" not in coordinates:
        points[..., 2] = np.isfinite(points[..., :2]).all(-1)
    row, person = np.nonzero(np.isfinite(points[..., :2]).all(-1).any(-1))
    frame = np.array([int(float(cells[0])) for cells in body])
    return Found(
        frame[row], points[row, person, :, :2], points[row, person, :, 2], joints, frames=int(frame.max()) + 1
    )


def _long(rows: list[list[str]]) -> Found:
    titles, body = rows[0], rows[1:]
    if any(len(row) != len(titles) for row in body):
        raise ValueError(f"a row has not {len(titles)} cells")
    place = {title: number for number, title in enumerate(titles)}
    x, y = _columns(titles) or ("x", "y")
    column = {title: [row[number] for row in body] for title, number in place.items()}
    frame = np.array(column["frame"], int)
    person = np.array(column.get("person", [""] * len(body)))
    joints = tuple(dict.fromkeys(column["joint"]))
    key, pose = np.unique(
        np.stack([frame, np.unique(person, return_inverse=True)[1]], 1), axis=0, return_inverse=True
    )
    joint = np.array([joints.index(name) for name in column["joint"]])
    keypoint, confidence = np.full((len(key), len(joints), 2), np.nan), np.zeros((len(key), len(joints)))
    keypoint[pose, joint, 0], keypoint[pose, joint, 1] = _numbers(column[x]), _numbers(column[y])
    sure = _numbers(column["confidence"]) if "confidence" in column else np.ones(len(body))
    confidence[pose, joint] = np.nan_to_num(sure)
    time = None
    if "time" in column:
        numbers, first = np.unique(frame, return_index=True)
        time = np.interp(np.arange(frame.max() + 1), numbers, _numbers(column["time"])[first])
        if len(numbers) < len(time):
            raise ValueError("it lacks rows of some frames, so that their time is not known")
    return Found(key[:, 0], keypoint, confidence, joints, time, frames=int(frame.max()) + 1)


def _columns(titles: list[str]) -> tuple[str, str] | None:
    """Titles of the pixels' columns; x and y alone are pixels only where there is no z."""
    if {"x_px", "y_px"} <= set(titles):
        return "x_px", "y_px"
    return ("x", "y") if {"x", "y"} <= set(titles) and "z" not in titles else None


def _numbers(cells: list[str]) -> np.ndarray:
    return np.array([float(cell) if cell else np.nan for cell in cells])
