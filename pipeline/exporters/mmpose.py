"""MMPose's two JSON dialects: that of its Inferencer (3D here), and that of its demo scripts (2D here).

The Inferencer's file is a list and counts frames from 0; that of the demo scripts, which Pose2Sim reads, is an object
and counts frames from 1. Both wrap each box in an additional list, and neither has times. 3D poses have the axes of
MMPose's pose lifters, (-x, z, -y) of the camera's: x left, y forward, z up. They are root-relative: unlike MMPose's
by default, poses are not put onto the ground frame by frame, which flattens jumps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .clip import Clip, Person


def write(clip: Clip, path: Path) -> None:
    """Write the Inferencer's dialect, with 3D keypoints; it has no place for metadata."""
    there = _there(clip)
    frames = [
        {"frame_id": frame, "instances": [_instance(person, frame, True) for person in there[frame]]}
        for frame in range(len(clip.time))
    ]
    path.write_text(json.dumps(frames, separators=(",", ":"), allow_nan=False), encoding="utf-8")


def write_demo(clip: Clip, path: Path) -> None:
    """Write the demo scripts' dialect, with 2D keypoints in px."""
    skeleton = clip.skeleton
    meta = {
        "dataset_name": skeleton.name,
        "num_keypoints": len(skeleton.joints),
        "keypoint_id2name": dict(enumerate(skeleton.joints)),
        "keypoint_name2id": {name: number for number, name in enumerate(skeleton.joints)},
        "skeleton_links": skeleton.bone_indices.tolist(),
        "posepipe": clip.facts("image axes in px: x right, y down, from the top left corner"),
    }
    there = _there(clip)
    frames = [
        {"frame_id": frame + 1, "instances": [_instance(person, frame, False) for person in _seen(there, frame)]}
        for frame in range(len(clip.time))
    ]
    content = {"meta_info": meta, "instance_info": frames}
    path.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="utf-8")


def _there(clip: Clip) -> list[list[Person]]:
    """The people with a pose in each frame."""
    there = np.stack([person.pose.there for person in clip.people], 1)
    return [[clip.people[number] for number in np.flatnonzero(frame)] for frame in there]


def _seen(there: list[list[Person]], frame: int) -> Iterator[Person]:
    """Those with joints detected in this frame, not only interpolated from others."""
    return (person for person in there[frame] if np.isfinite(person.pose.keypoint[frame]).any())


def _instance(person: Person, frame: int, solid: bool) -> dict[str, Any]:
    """One person in a frame; the box encloses the detected joints, and its score is their mean confidence.

    A missing joint is 0 with score 0. If all 2D joints are missing, the box has size 0.
    """
    pose = person.pose
    score = np.asarray(pose.confidence[frame], float)
    keypoint = np.asarray(pose.keypoint[frame], float)
    seen = keypoint[np.isfinite(keypoint).all(-1)]
    box = [*seen.min(0).round(3), *seen.max(0).round(3)] if len(seen) else [0.0] * 4
    if solid:
        joint = np.asarray(pose.joint[frame], float)
        x, y, z = np.nan_to_num(joint).T
        points = np.stack([-x, z, -y], -1).round(6) + 0.0
        score = np.where(np.isfinite(joint).all(-1), score, 0)
    else:
        points = np.nan_to_num(keypoint).round(3)
        score = np.where(np.isfinite(keypoint).all(-1), score, 0)
    return {
        "keypoints": points.tolist(),
        "keypoint_scores": score.round(4).tolist(),
        "bbox": [box],
        "bbox_score": round(float(score.mean()), 4),
    }
