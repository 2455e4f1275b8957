"""COCO: keypoint results, as evaluation servers take them and AlphaPose writes them, and annotations, as CVAT does.

* Results: ``[{"image_id": 12, "category_id": 1, "keypoints": [x, y, confidence, ...], "score": 0.9}, ...]``. An image
  is known by its number, or by a file name that ends with one; that is the frame.
* Annotations: ``{"images": [{"id": 1, "file_name": "frame_000000.png"}], "categories": [{"id": 1, "keypoints":
  [...]}], "annotations": [{"image_id": 1, "category_id": 1, "keypoints": [x, y, visibility, ...]}]}``; the number at
  the end of a picture's name is the frame, a visibility of 0 means not labelled.

There is no time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import Found, flat_poses, frame_number, head_of, opened_json


def recognises(path: Path) -> bool:
    """A list whose first entry has an image and keypoints, or an object of annotations."""
    head = head_of(path, ".json")
    if head.startswith("[{"):
        return '"image_id":' in head and '"keypoints":' in head
    return head.startswith("{") and any(f'"{entry}":[' in head for entry in ("images", "annotations", "categories"))


def read(path: Path) -> Found:
    """All poses of the file.

    Raises:
        ValueError: not JSON, poses of different joints, or an image without a frame number.
    """
    with opened_json(path) as content:
        if isinstance(content, dict):
            return _annotated(content)
        frames = [frame_number(pose["image_id"]) for pose in content]
        keypoint, confidence = flat_poses([pose["keypoints"] for pose in content])
    return Found(np.array(frames, int), keypoint, confidence)


def _annotated(content: dict[str, Any]) -> Found:
    frame_of = {image["id"]: frame_number(image["file_name"]) for image in content["images"]}
    if len(set(frame_of.values())) < len(frame_of):
        raise ValueError("two of its pictures have the same number; are they of several clips?")
    joints = {kind["id"]: tuple(kind["keypoints"]) for kind in content["categories"] if kind.get("keypoints")}
    labelled = [one for one in content["annotations"] if one["category_id"] in joints and one.get("keypoints")]
    named = {joints[one["category_id"]] for one in labelled}
    if len(named) > 1:
        raise ValueError("its annotations are of categories with different joints")
    keypoint, visibility = flat_poses([one["keypoints"] for one in labelled])
    frames = np.array([frame_of[one["image_id"]] for one in labelled], int)
    last = max(frame_of.values(), default=-1)
    return Found(frames, keypoint, (visibility > 0).astype(float), next(iter(named), ()), frames=last + 1)
