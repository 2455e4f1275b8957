"""CSV: tables of DeepLabCut and SLEAP, and tables with one row per frame and joint, such as our own ``poses.csv``.

* DeepLabCut: header rows scorer, (individuals,) bodyparts, coords; then one row per frame with x, y and likelihood of
  each body part. A row begins with the frame's number, or in hand labels with the picture's path, in one column or in
  three, whose name ends with that number; hand labels have no likelihoods.
* SLEAP's analysis: ``track, frame_idx, instance.score``, then x, y and score of each node (``left_knee.x``).
* Rows: columns ``frame, joint, x_px, y_px`` (or ``x, y``), and if there are ``time`` (s), ``person``, ``confidence``.

Titles may be written in capitals, and columns be separated by semicolons or tabs, as spreadsheets do where commas
stand in numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np

from . import Found, frame_number, head_of

SEPARATORS = ",;\t"


def recognises(path: Path) -> bool:
    """One of these tables."""
    head = head_of(path, ".csv")
    if head.startswith("scorer"):
        return "bodyparts" in head and "coords" in head
    titles = _titles(next(_rows(path), [])) if head else []
    return _nodes(titles) != () or ({"frame", "joint"} <= set(titles) and _columns(titles) is not None)


def read(path: Path) -> Found:
    """All poses of the table.

    Raises:
        ValueError: rows of different lengths, cells that are no numbers, or frames without a number.
    """
    rows = list(_rows(path))
    if rows[0][0].lower() == "scorer":
        return _deeplabcut(rows)
    titles, body = _titles(rows[0]), rows[1:]
    if any(len(row) != len(titles) for row in body):
        raise ValueError(f"a row has not {len(titles)} cells")
    columns = {title: [row[number] for row in body] for number, title in enumerate(titles)}
    if not body:
        raise ValueError("it has no rows")
    return _sleap(columns, _nodes(titles)) if _nodes(titles) else _long(columns)


def _rows(path: Path) -> Iterator[list[str]]:
    """Rows that are not blank, cells without spaces around them, numbers with decimal points."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = "".join(islice(file, 1))
        if first.lower().startswith("sep="):  # for spreadsheets
            first = "".join(islice(file, 1))
        separator = max(SEPARATORS, key=first.count)
        commas = separator != ","
        for row in csv.reader(chain([first], file), delimiter=separator, skipinitialspace=True):
            if any(row):
                yield [cell.strip().replace(",", ".") if commas else cell.strip() for cell in row]


def _titles(row: list[str]) -> list[str]:
    return [title.lower() for title in row]


def _deeplabcut(rows: list[list[str]]) -> Found:
    heads = {
        row[0].lower(): row for row in rows[:4] if row[0].lower() in ("scorer", "individuals", "bodyparts", "coords")
    }
    body, begin = rows[len(heads) :], 1
    while begin < len(heads["coords"]) and not heads["coords"][begin]:
        begin += 1  # the columns of a picture's path
    parts, coordinates = heads["bodyparts"][begin:], heads["coords"][begin:]
    individuals = heads["individuals"][begin:] if "individuals" in heads else ["single"] * len(parts)
    if not body or any(len(row) != len(parts) + begin for row in body):
        raise ValueError(f"a row has not {len(parts) + begin} cells, or there is none")
    values = np.array([_numbers(row[begin:]) for row in body]).reshape(-1, len(parts))
    joints, names = tuple(dict.fromkeys(parts)), list(dict.fromkeys(individuals))
    points = np.full((len(body), len(names), len(joints), 3), np.nan)
    columns = {"x": 0, "y": 1, "likelihood": 2}
    for column, (name, part, coordinate) in enumerate(zip(individuals, parts, coordinates, strict=True)):
        points[:, names.index(name), joints.index(part), columns[coordinate]] = values[:, column]
    row, person = np.nonzero(np.isfinite(points[..., :2]).all(-1).any(-1))
    frame = np.array([frame_number(cells[begin - 1]) for cells in body])
    return Found(
        frame[row], points[row, person, :, :2], points[row, person, :, 2], joints, frames=int(frame.max()) + 1
    )


def _nodes(titles: list[str]) -> tuple[str, ...]:
    """The nodes of SLEAP's table; empty if it is none."""
    if "frame_idx" not in titles:
        return ()
    return tuple(title[:-2] for title in titles if title.endswith(".x") and f"{title[:-2]}.y" in titles)


def _sleap(columns: dict[str, list[str]], nodes: tuple[str, ...]) -> Found:
    frame = _integers(columns["frame_idx"])
    axes = [[_numbers(columns[f"{node}.{axis}"]) for node in nodes] for axis in "xy"]
    unscored = [""] * len(frame)
    scores = [_numbers(columns.get(f"{node}.score", unscored)) for node in nodes]
    return Found(frame, np.array(axes).transpose(2, 1, 0), np.array(scores).T, nodes, frames=int(frame.max()) + 1)


def _long(columns: dict[str, list[str]]) -> Found:
    frame = _integers(columns["frame"])
    person = np.array(columns.get("person", [""] * len(frame)))
    x, y = _columns(list(columns)) or ("x", "y")
    joints = tuple(dict.fromkeys(columns["joint"]))
    key, pose = np.unique(
        np.stack([frame, np.unique(person, return_inverse=True)[1]], 1), axis=0, return_inverse=True
    )
    joint = np.array([joints.index(name) for name in columns["joint"]])
    keypoint, confidence = np.full((len(key), len(joints), 2), np.nan), np.zeros((len(key), len(joints)))
    keypoint[pose, joint, 0], keypoint[pose, joint, 1] = _numbers(columns[x]), _numbers(columns[y])
    confidence[pose, joint] = _numbers(columns["confidence"]) if "confidence" in columns else 1
    time = None
    if "time" in columns:
        numbers, first = np.unique(frame, return_index=True)
        if len(numbers) <= frame.max():
            raise ValueError("it lacks rows of some frames, so that their time is not known")
        time = np.interp(np.arange(len(numbers)), numbers, _numbers(columns["time"])[first])
    return Found(key[:, 0], keypoint, confidence, joints, time, frames=int(frame.max()) + 1)


def _columns(titles: list[str]) -> tuple[str, str] | None:
    """Titles of the pixels' columns; x and y alone are pixels only where there is no z."""
    if {"x_px", "y_px"} <= set(titles):
        return "x_px", "y_px"
    return ("x", "y") if {"x", "y"} <= set(titles) and "z" not in titles else None


def _integers(cells: list[str]) -> np.ndarray:
    numbers = _numbers(cells)
    if not (np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all()):
        raise ValueError("a frame has no whole number")
    return numbers.astype(int)


def _numbers(cells: list[str]) -> np.ndarray:
    return np.array([float(cell) if cell else np.nan for cell in cells])
