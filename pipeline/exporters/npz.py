"""poses.npz: everything of a clip's 3D poses, with names, units and conventions inside; numpy alone reads it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Pose3D, array_fields
from . import Clip

AXES = (
    "joint: camera axes, right-handed, x right, y down, z forward. canonical: axes that turn with the person; "
    "joint = canonical @ camera_from_canonical.T. keypoint: image axes, x right, y down, from the top left corner"
)


def write(clip: Clip, path: Path) -> None:
    """Write the arrays of ``Pose3D`` under their own names, and texts that say what they are.

    ``joint_names`` (joint) and ``bones`` (bone, 2), as joint indices, name the skeleton; ``unit``, ``axes`` and
    ``root`` are the conventions of ``joint`` and ``canonical``; ``rate`` is the video's average frames per
    second as an exact fraction; ``provenance`` is JSON. No array needs pickle: ``numpy.load(path)`` opens all.
    """
    skeleton = SKELETONS[clip.pose.skeleton]
    texts = {
        "skeleton": skeleton.name,
        "unit": clip.pose.unit,
        "axes": AXES,
        "root": root(skeleton),
        "rate": clip.frames.rate,
        "video": clip.video.name,
        "provenance": json.dumps(clip.provenance, sort_keys=True, default=str),
    }
    arrays = {field: getattr(clip.pose, field) for field in array_fields(Pose3D)}
    with path.open("wb") as file:  # given a name, numpy would append .npz to it
        np.savez(
            file,
            joint_names=np.array(skeleton.joints),
            bones=skeleton.bone_indices,
            **arrays,
            **{name: np.array(text) for name, text in texts.items()},
        )


def root(skeleton: Skeleton) -> str:
    """What the poses are relative to, in words."""
    joints = " and ".join(skeleton.joints[joint] for joint in skeleton.landmark("pelvis"))
    middle = f"middle between {joints}" if " and " in joints else joints
    return f"root-relative: the origin of every pose is its {middle}; where the person stands is not estimated"
