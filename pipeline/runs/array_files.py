"""Result files of keypoint files: 3D poses of every sample and view."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, ViewPoses, array_fields
from ..exporters.clip import marked, root
from ..exporters.npz import AXES
from ..runtime.cache import SourceFile, writing_to
from ..training.model_file import Model
from .results import MULTIVIEW

POSES = "poses.npz"
FUSED = marked(POSES, MULTIVIEW)


def write_poses(path: Path, pose: ViewPoses | FusedPoses, provenance: dict[str, Any]) -> None:
    """Write the arrays of a hand-over under their own names, and texts that say what they are; no pickle.

    ``joint`` is (sample, view, joint, 3) in the axes of each camera, the samples being those of the keypoint file, in
    its order. Of fused poses the one in the rig's axes is ``rig_joint`` (sample, joint, 3), and where its root is in
    camera axes ``root_in_camera``.
    """
    skeleton = SKELETONS[pose.skeleton]
    arrays = {field: getattr(pose, field) for field in array_fields(type(pose))}
    if isinstance(pose, FusedPoses):
        arrays |= {"rig_joint": pose.joint, "joint": pose.joint_in_camera, "root_in_camera": arrays.pop("root")}
    camera = pose.root_camera if isinstance(pose, ViewPoses) else ""
    texts = {
        "skeleton": skeleton.name,
        "unit": pose.unit,
        "axes": AXES,
        "root": root(skeleton, camera),
        "root_camera": camera,
        "provenance": json.dumps({"posepipe": version("posepipe"), **provenance}, sort_keys=True),
    }
    making = path.with_name(f".making-{path.name}")
    with writing_to(path):
        try:
            with making.open("wb") as file:
                np.savez(
                    file,
                    joint_names=np.array(skeleton.joints),
                    bones=skeleton.bone_indices,
                    take_names=np.array(pose.takes),
                    **{name: array for name, array in arrays.items() if array is not None},
                    **{name: np.array(text) for name, text in texts.items()},
                )
            making.replace(path)
        finally:
            making.unlink(missing_ok=True)


def provenance(source: SourceFile, model_file: SourceFile, model: Model) -> dict[str, Any]:
    """What the poses come from."""
    return {
        "keypoints_sha256": source.key,
        "model_sha256": model_file.key,
        "method": model.method,
        "supervision": model.supervision,
    }
