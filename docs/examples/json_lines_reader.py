"""Reads 2D poses from a line of JSON per pose: {"frame": 3, "keypoint": [[x, y], ...], "confidence": [...]}."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from posepipe.pipeline.footage.readers import Found, head_of

JOINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
          "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
          "left_ankle", "right_ankle")  # fmt: skip


def recognises(path: Path) -> bool:
    """Whether a file is of this format, by its beginning."""
    return head_of(path, ".jsonl").startswith('{"frame":')


def read(path: Path) -> Found:
    """What a file holds; mistakes in it are a ``ValueError`` or ``KeyError``, of which posepipe makes a sentence."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return Found(
        frame=np.array([row["frame"] for row in rows]),
        keypoint=np.array([row["keypoint"] for row in rows], float),
        confidence=np.array([row["confidence"] for row in rows], float),
        joints=JOINTS,
    )
