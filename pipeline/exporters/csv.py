"""poses.csv: one row per frame, person and joint, for spreadsheets, R and pandas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path

import numpy as np

from .clip import Clip, Person

COLUMNS = ("frame", "time", "person", "joint", "x", "y", "z", "confidence", "x_px", "y_px")
CHUNK_FRAMES = 2048


def write(clip: Clip, path: Path) -> None:
    """Write a plain table; where a person is missing, x, y, z and the pixels are empty.

    ``frame`` counts the video's frames from 0; ``time`` is in seconds; ``x, y, z`` are in the world (x and y level, z
    up) where that is known, else root-relative in camera axes (x right, y down, z forward), as ``result.json`` says;
    in metres where they are known, else in body heights; ``x_px, y_px`` are the 2D pose that was lifted, in pixels of
    the upright picture. Rows are grouped by person.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for person in clip.people:
            for start in range(0, len(clip.time), CHUNK_FRAMES):
                table.writerows(_rows(person, clip.positions(person), clip.skeleton.joints, start))


def _rows(person: Person, joint: np.ndarray, names: tuple[str, ...], start: int) -> Iterator[tuple[object, ...]]:
    part, pose = slice(start, start + CHUNK_FRAMES), person.pose
    time = np.round(pose.time[part], 9).tolist()

    def each(values: Iterable[float]) -> Iterator[float]:
        """Every frame's value once per joint."""
        return chain.from_iterable(repeat(value, len(names)) for value in values)

    return zip(
        each(range(start, start + len(time))),
        each(time),
        repeat(person.name, len(time) * len(names)),
        chain.from_iterable(repeat(names, len(time))),
        *(_cells(joint[part, :, axis], decimals=6) for axis in range(3)),
        _cells(pose.confidence[part], decimals=4),
        *(_cells(pose.keypoint[part, :, axis], decimals=3) for axis in range(2)),
        strict=True,
    )


def _cells(values: np.ndarray, decimals: int) -> list[float | None]:
    """Values (frame, joint) as a flat list of short numbers; None, an empty cell, for NaN."""
    short = np.round(values.astype(np.float64), decimals).ravel() + 0.0  # no -0.0
    cells = short.astype(object)
    cells[np.isnan(short)] = None
    return cells.tolist()
