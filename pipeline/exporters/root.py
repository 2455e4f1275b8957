"""root.csv: where the root is, in the world where that is known, else as an estimate in camera coordinates.

In camera coordinates, add a row to all joints of its frame and person to place that pose in front of the camera. The
distance is only as accurate as the focal length and the height; ``root`` in ``result.json`` states what was assumed.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..errors import PosepipeError
from .clip import Clip


def write(clip: Clip, path: Path) -> None:
    """Write a row per person and frame: ``x, y, z`` in the world, or from the camera; empty where unknown.

    From the camera, they are right, down and forward.

    Lengths are in metres where they are known, else in body heights.

    Raises:
        PosepipeError: the root was not estimated, as the size of the pictures is unknown.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("frame", "time", "person", "x", "y", "z"))
        for person in clip.people:
            placed = person.world.root_world if clip.in_world and person.world else None
            root = person.pose.root_trajectory if placed is None else placed
            if root is None:
                raise PosepipeError(
                    f"{clip.video.name} has no root trajectory, as the size of its pictures is unknown: add "
                    "image_size_px = [1920, 1080] under [keypoints] in posepipe.toml, or leave out the format root"
                )
            rows = np.round(root.astype(np.float64), 6).tolist()
            for frame, (time, row) in enumerate(zip(clip.time.round(9).tolist(), rows, strict=True)):
                table.writerow((frame, time, person.name, *("" if cell != cell else cell for cell in row)))
