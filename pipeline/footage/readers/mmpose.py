"""MMPose: the JSON of its Inferencer, a list with frames counted from 0, and of its demo scripts, counted from 1.

``[{"frame_id": 0, "instances": [{"keypoints": [[x, y], ...], "keypoint_scores": [...]}]}]`` and ``{"meta_info": ...,
"instance_info": [{"frame_id": 1, ...}]}``. The second may name the joints (``keypoint_id2name``); there is no time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import Found, head_of, opened_json


def recognises(path: Path) -> bool:
    """Either dialect."""
    head = head_of(path, ".json")
    inferencer = head.startswith("[{") and '"instances":' in head
    return inferencer or (head.startswith("{") and ('"instance_info":' in head or '"meta_info":' in head))


def read(path: Path) -> Found:
    """All instances of all frames.

    Raises:
        ValueError: keypoints are not 2D.
    """
    with opened_json(path) as content:
        named, first, rows = {}, 0, content
        if isinstance(content, dict):
            rows, first = content["instance_info"], 1
            named = content.get("meta_info", {}).get("keypoint_id2name", {})
    frames = [row["frame_id"] - first for row in rows for _ in row["instances"]]
    people = [person for row in rows for person in row["instances"]]
    if any(len(point) != 2 for person in people for point in person["keypoints"]):
        raise ValueError("its keypoints are not 2D")
    keypoint = np.array([person["keypoints"] for person in people], float)
    confidence = np.array([person["keypoint_scores"] for person in people], float)
    joints = tuple(named[str(number)] for number in range(len(named)))
    last = max((row["frame_id"] - first for row in rows), default=-1)
    return Found(np.array(frames, int), keypoint, confidence, joints, frames=last + 1)
