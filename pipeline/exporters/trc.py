"""poses.trc: marker trajectories for OpenSim, Pose2Sim and Sports2D; several people have a file each.

TRC has neither missing samples nor lengths without a unit, so:

* gaps are interpolated over time, and frames before the first and after the last complete pose are omitted;
  ``Frame#`` and ``Time`` are those of the clip, and ``OrigNumFrames`` is its full length;
* ``Units`` is ``m`` if metres are known, else ``body_heights``: OpenSim reads such a file and leaves the
  numbers as they are, but its Scale tool rightly refuses it, because the height of the person is unknown.

Axes are the world's with y up, with travel, where it is known where up is; else the camera's with y up, right-handed:
x right, y up, z towards the camera, and poses are root-relative.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .clip import Clip, Person, marker_name
from .gapless import gapless

KEYS = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
        "OrigNumFrames")  # fmt: skip
"""OpenSim checks these names and their order."""


def write(clip: Clip, path: Path) -> None:
    """Write the joints as markers.

    Raises:
        PosepipeError: no frame has a complete pose.
    """
    for person, file_path in clip.each(path):
        _write_one(clip, person, file_path)


def _write_one(clip: Clip, person: Person, path: Path) -> None:
    poses = gapless(clip, person, "trc")
    markers = [marker_name(joint) for joint in poses.skeleton.joints]
    rate = str(round(float(clip.life_rate), 8))
    where = "world" if clip.in_world else "root relative"
    label = "_".join(f"{clip.video.stem} {where}.trc".split())
    unit, kept = clip.unit.replace(" ", "_"), len(poses.frame)
    values = (rate, rate, kept, len(markers), unit, rate, 1, len(clip.time))
    header = (
        ("PathFileType", "4", "(X/Y/Z)", label),
        KEYS,
        map(str, values),
        ("Frame#", "Time", *(cell for marker in markers for cell in (marker, "", "")), ""),
        ("", "", *(f"{axis}{n}" for n in range(1, len(markers) + 1) for axis in "XYZ"), ""),
    )
    with path.open("w", newline="\n", encoding="utf-8") as file:
        file.writelines("\t".join(cells) + "\n" for cells in header)
        position = clip.y_up(poses.joint).reshape(kept, -1)
        rows = np.column_stack([poses.frame + 1, poses.time, position]).round(6) + 0.0  # no -0.0
        np.savetxt(file, rows, fmt=["%d"] + ["%.6f"] * (rows.shape[1] - 1), delimiter="\t")
