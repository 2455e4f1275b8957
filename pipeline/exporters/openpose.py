"""openpose/: a JSON file per frame in OpenPose's format with BODY_25, for Pose2Sim and others.

``<video>_<frame, 12 digits>_keypoints.json`` holds the people of a frame: ``pose_keypoints_2d`` in px and
``pose_keypoints_3d``, root-relative in camera axes; joints that the skeleton lacks or that are missing are 0 with
confidence 0. MidHip is the middle of the hips, Neck the middle of the shoulders.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...models.skeleton import LANDMARKS, Skeleton
from .clip import CAMERA_AXES, Clip, Person

BODY_25 = (
    "nose", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
"""Our names of OpenPose's joints, in its order."""
_SYNONYMS = {"left_big_toe": "left_foot_index", "right_big_toe": "right_foot_index"}
EMPTY = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d",
         "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d")  # fmt: skip


def write(clip: Clip, path: Path) -> None:
    """Write a folder of one file per frame; ``posepipe`` in each holds unit, axes, rate and provenance."""
    path.mkdir()
    weights, known = _body25(clip.skeleton)
    people = [_numbers(person, weights, known) for person in clip.people]
    facts = clip.facts(CAMERA_AXES)
    for frame, time in enumerate(clip.time.tolist()):
        seen = [
            _person(number, flat[frame], solid[frame])
            for number, (flat, solid) in enumerate(people)
            if flat[frame, :, -1].any()
        ]
        content = {"version": 1.3, "people": seen, "posepipe": {"time": time, **facts}}
        name = f"{clip.video.stem}_{frame:012d}_keypoints.json"
        (path / name).write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="utf-8")


def _body25(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Weights (25, joint) that give BODY_25, and a mask (25) of its joints that exist."""
    weights = np.zeros((len(BODY_25), len(skeleton.joints)), np.float32)
    for row, name in zip(weights, BODY_25, strict=True):
        name = name if name in skeleton.joints else _SYNONYMS.get(name, name)
        if name in skeleton.joints:
            row[skeleton.index(name)] = 1
        elif name in LANDMARKS:
            row[:] = skeleton.landmark_weights(name)
    return weights, np.any(weights, 1)


def _numbers(person: Person, weights: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x, y, c (frame, 25, 3) and x, y, z, c (frame, 25, 4), 0 where missing."""
    pose, used = person.pose, weights > 0
    trust = np.where(used, pose.confidence[:, None], np.inf).min(-1)
    trust = np.where(known, trust, 0)

    def of(points: np.ndarray) -> np.ndarray:
        mapped = np.einsum("tj,fjc->ftc", weights, np.nan_to_num(points))
        lost = (used & np.any(np.isnan(points), -1)[:, None]).any(-1) | (trust == 0)
        return np.where(lost[..., None], 0, np.concatenate([mapped, trust[..., None]], -1))

    return of(pose.keypoint).round(3), of(pose.joint).round(6)


def _person(number: int, flat: np.ndarray, solid: np.ndarray) -> dict[str, Any]:
    return {
        "person_id": [number],
        "pose_keypoints_2d": flat.ravel().tolist(),
        "pose_keypoints_3d": solid.ravel().tolist(),
        **{name: [] for name in EMPTY},
    }
