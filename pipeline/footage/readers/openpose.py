"""OpenPose: a folder with one JSON file per frame, as ``--write_json`` and Pose2Sim make it.

``<video>_<12 digits>_keypoints.json`` (OpenPose) or ``<video>_<6 digits>.json`` (Pose2Sim), each with
``{"people": [{"pose_keypoints_2d": [x, y, confidence, ...]}]}``. The number in the name is the frame's. There is no
time, and identities (``person_id``) are not kept from frame to frame by either.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from . import Found, first_files, flat_poses, head_of, opened_json

_NUMBER = re.compile(r"(\d+)(_keypoints)?$")


def recognises(path: Path) -> bool:
    """A folder of such files."""
    files = first_files(path, "*.json")
    return bool(files) and all('"people":' in head_of(file, ".json") and _NUMBER.search(file.stem) for file in files)


def read(path: Path) -> Found:
    """All people of all files.

    Raises:
        ValueError: a file without a frame number in its name, or poses of different lengths.
    """
    frames, poses = [], []
    numbers = set()
    for file in sorted(path.glob("*.json")):
        number = _NUMBER.search(file.stem)
        if number is None:
            raise ValueError(f"{file.name} has no frame number at its end")
        numbers.add(int(number.group(1)))
        with opened_json(file) as content:
            here = [person["pose_keypoints_2d"] for person in content["people"]]
        here = [pose for pose in here if pose]
        frames += [int(number.group(1))] * len(here)
        poses += here
    keypoint, confidence = flat_poses(poses) if poses else (np.zeros((0, 1, 2)), np.zeros((0, 1)))
    return Found(np.array(frames, int), keypoint, confidence, frames=max(numbers) + 1)
