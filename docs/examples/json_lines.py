"""poses.jsonl: a line of JSON about the clip, then one for each frame, for streams and quick scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from posepipe.pipeline.exporters import Format
from posepipe.pipeline.exporters.clip import CAMERA_AXES, Clip

FORMAT = Format("poses.jsonl", "json_lines:write")
"""What a package registers: the name of the file, and the place of the function."""


def write(clip: Clip, path: Path) -> None:
    """Write positions in root-relative camera axes; ``null`` stands for a person or a foot that is missing."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        about = {**clip.facts(CAMERA_AXES), "joints": list(clip.skeleton.joints)}
        file.write(json.dumps(about) + "\n")
        there = {person.name: person.pose.there for person in clip.people}
        for frame, time in enumerate(clip.time.tolist()):
            joint = {
                person.name: _points(person.pose.joint[frame]) if there[person.name][frame] else None
                for person in clip.people
            }
            file.write(json.dumps({"frame": frame, "time": round(time, 9), "joint": joint}) + "\n")


def _points(joint: np.ndarray) -> list[list[float] | None]:
    return [point.tolist() if np.isfinite(point).all() else None for point in joint.round(5)]
