"""COCO: keypoint results, a JSON list of poses, as evaluation servers take them and AlphaPose writes them.

``[{"image_id": 12, "category_id": 1, "keypoints": [x, y, confidence, ...], "score": 0.9}, ...]``. An image is known
by its number, or by a file name that ends with one; that is the frame. There is no time.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from . import Found, flat_poses, head_of, opened_json


def recognises(path: Path) -> bool:
    """A list whose first entry has an image and keypoints."""
    head = head_of(path, ".json")
    return head.startswith("[{") and '"image_id":' in head and '"keypoints":' in head


def read(path: Path) -> Found:
    """All poses of the file."""
    with opened_json(path) as content:
        frames = [_frame(pose["image_id"]) for pose in content]
        keypoint, confidence = flat_poses([pose["keypoints"] for pose in content])
    return Found(np.array(frames, int), keypoint, confidence)


def _frame(image: int | str) -> int:
    if isinstance(image, int):
        return image
    number = re.search(r"(\d+)(\.\w+)?$", image)
    if number is None:
        raise ValueError(f"image_id {image!r} ends with no frame number")
    return int(number.group(1))
