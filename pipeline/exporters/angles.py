"""angles.csv, angles.mot and segments.csv: joint angles, and lengths of the body's segments on both sides.

``models.body.angles`` defines the angles, their zeros and signs.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ...models.body.angles import joint_angles, measure_segments
from .clip import Clip, Person
from .gapless import gapless

OPENSIM = {
    "hip_flexion": "hip_flexion", "knee_flexion": "knee_angle", "ankle_dorsiflexion": "ankle_angle",
    "shoulder_flexion": "arm_flex", "elbow_flexion": "elbow_flex",
}  # fmt: skip
"""Coordinates of OpenSim's full-body model (Rajagopal et al., 2016) by our names; signs and zeros are the same."""


def write(clip: Clip, path: Path) -> None:
    """Write ``angles.csv``: a row per person and frame, a column per angle in degrees; empty where unknown."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        for person in clip.people:
            angles = joint_angles(clip.level(clip.positions(person)), clip.skeleton)
            if person is clip.people[0]:
                table.writerow(("frame", "time", "person", *(f"{name}_deg" for name in angles)))
            values = np.stack(list(angles.values()), -1).round(3) + 0.0
            for frame, (time, row) in enumerate(zip(clip.time.round(9).tolist(), values, strict=True)):
                table.writerow((frame, time, person.name, *("" if cell != cell else cell for cell in row.tolist())))


def write_mot(clip: Clip, path: Path) -> None:
    """Write ``angles.mot`` for OpenSim, a file per person; gaps are interpolated, as in ``poses.trc``.

    Angles that exist in the model of Rajagopal et al. have its names, so that OpenSim can play the file on it; where
    an angle is undefined (a limb that points sideways) it is interpolated as well.

    Raises:
        PosepipeError: no frame has a complete pose.
    """
    for person, file_path in clip.each(path):
        _write_mot(clip, person, file_path)


def _write_mot(clip: Clip, person: Person, path: Path) -> None:
    poses = gapless(clip, person, "mot")
    angles = joint_angles(clip.level(poses.joint), poses.skeleton)
    columns = [poses.time, *(_bridged(poses.time, angle) for angle in angles.values())]
    names = ["time", *map(opensim_name, angles)]
    header = (
        "Coordinates", "version=1", f"nRows={len(poses.time)}", f"nColumns={len(names)}", "inDegrees=yes", "",
        "Units are S.I. units (second, meters, Newtons, ...)",
        "If the header above contains a line with 'inDegrees', this indicates whether rotational values are in "
        "degrees (yes) or radians (no).",
        "", "endheader", "\t".join(names),
    )  # fmt: skip
    with path.open("w", newline="\n", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in header)
        np.savetxt(file, np.column_stack(columns).round(6) + 0.0, fmt="%.6f", delimiter="\t")


def opensim_name(angle: str) -> str:
    """OpenSim's name of an angle: ``knee_angle_l`` for ``left_knee_flexion``."""
    side, _, rest = angle.partition("_")
    return f"{OPENSIM[rest]}_{side[0]}" if rest in OPENSIM else angle


def _bridged(time: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Angles (frame), interpolated where they are undefined; 0 throughout if they always are."""
    known = np.isfinite(angle)
    return np.interp(time, time[known], angle[known]) if known.any() else np.zeros(len(time))


def write_segments(clip: Clip, path: Path) -> None:
    """Write ``segments.csv``: for each person and segment the median length, spread over the clip, and asymmetry.

    ``spread`` is half the width of the middle 68 % of the lengths, about a standard deviation; ``asymmetry_percent``
    is the symmetry index of the medians (``models.body.angles.asymmetry``), for paired segments. Bones do not change
    in length, so spread and asymmetry of the poses as lifted show how far to trust them.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("person", "segment", "median", "spread", "unit", "asymmetry_percent"))
        for person in clip.people:
            for segment in measure_segments(person.pose.as_lifted, clip.skeleton):
                index = "" if segment.asymmetry is None else round(segment.asymmetry, 2)
                lengths = round(segment.median, 5), round(segment.spread, 5)
                table.writerow((person.name, segment.name, *lengths, clip.unit, index))
