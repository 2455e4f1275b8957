"""MPI-INF-3DHP as distributed: training annotations (MATLAB v5) with calibration, test annotations (v7.3).

    S1/Seq1/annot.mat            cells annot2 (14, 1) of (N, 56) px, annot3 (14, 1) of (N, 84) camera mm; 28 joints
    S1/Seq1/camera.calibration   text: name, size, intrinsic and extrinsic (4x4, mm) of each camera
    TS1/annot_data.mat           annot2, annot3, univ_annot3 (N, 1, 17, .), valid_frame (N, 1), activity_annotation

``univ_annot3`` is scaled to one body height: it is what scores are computed on, and does not reproject.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from posepipe.models.skeleton import H36M17
from scipy.io import loadmat

Array = NDArray[np.float64]

SUBJECTS = tuple(range(1, 9))
"""Of training."""

CHEST_CAMERAS = (0, 2, 4, 7, 8)
"""The five cameras at chest height, which the papers train on."""

SCORED_JOINTS = tuple(joint for joint in H36M17.joints if joint not in ("pelvis", "spine", "nose"))
"""The 14 joints of the papers' tables; our nose is 3DHP's head."""

_OF_28 = {
    "pelvis": 5, "right_hip": 24, "right_knee": 25, "right_ankle": 26, "left_hip": 19, "left_knee": 20,
    "left_ankle": 21, "spine": 4, "thorax": 6, "nose": 7, "head": 8, "left_shoulder": 10, "left_elbow": 11,
    "left_wrist": 12, "right_shoulder": 15, "right_elbow": 16, "right_wrist": 17,
}  # fmt: skip
"""Numbers of the joints of H36M-17 among the 28 of training, from 1."""
TEST_JOINTS = (
    "head", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "nose",
)  # fmt: skip
"""The 17 joints of the test files by our names, in their order."""
_ACTIVITIES = (
    "unknown", "standing or walking", "exercise", "sitting on a chair", "crouching or reaching", "on the floor",
    "sports", "miscellaneous",
)  # fmt: skip


@dataclass(frozen=True)
class TestClip:
    """One of TS1 to TS6, seen by one camera; its joints are those of ``TEST_JOINTS``."""

    folder: Path
    valid: NDArray[np.bool_]  # (N) whether a frame counts
    pixel: Array  # (N, 17, 2) px
    joint: Array  # (N, 17, 3) mm, camera axes, as filmed
    universal: Array  # (N, 17, 3) mm, camera axes, of one body height
    action: NDArray[np.str_]  # (N)


def read_training(source: Path, every: int, cameras: tuple[int, ...] = CHEST_CAMERAS) -> dict[str, Any]:
    """Arrays of a keypoint file with every n-th frame of both sequences of all training subjects."""
    order = [_OF_28[joint] - 1 for joint in H36M17.joints]
    parts, names = [], []
    for number, (name, folder) in enumerate(sequences(source)):
        annotation = loadmat(folder / "annot.mat")
        K, R, t = read_calibration(folder / "camera.calibration")
        frames = min(len(annotation["annot2"][camera, 0]) for camera in cameras)
        pixel, joint = (
            np.stack([_cell(annotation[key], camera, size, frames) for camera in cameras], 1)[::every, :, order]
            for key, size in (("annot2", 2), ("annot3", 3))
        )
        count, views = pixel.shape[:2]
        parts.append({
            "keypoint": pixel,
            "joint_3d_cam": (joint - joint[:, :, :1]) / 1000,
            "take": np.full(count, number),
            "instant": np.arange(count) * every,
            "rig": np.full(count, number),  # cameras are calibrated anew for each sequence
            "K": np.broadcast_to(K[list(cameras)], (count, views, 3, 3)),
            "R": np.broadcast_to(R[list(cameras)], (count, views, 3, 3)),
            "t": np.broadcast_to(t[list(cameras)], (count, views, 3)),
        })  # fmt: skip
        names.append(name)
    if not parts:
        raise SystemExit(f"{source} holds no S*/Seq*/annot.mat of subjects 1 to {SUBJECTS[-1]}")
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return arrays | {"joint_names": np.array(H36M17.joints), "take_names": np.array(names)}


def read_test(source: Path) -> dict[str, Any]:
    """Arrays of a keypoint file with all valid frames of TS1 to TS6: one view, poses of one body height."""
    clips = list(test_clips(source))
    joint = np.concatenate([clip.universal[clip.valid] for clip in clips])[:, None]
    return {
        "keypoint": np.concatenate([clip.pixel[clip.valid] for clip in clips])[:, None],
        "joint_3d_cam": (joint - joint[:, :, [TEST_JOINTS.index("pelvis")]]) / 1000,
        "take": np.concatenate([np.full(clip.valid.sum(), number) for number, clip in enumerate(clips)]),
        "instant": np.concatenate([np.flatnonzero(clip.valid) for clip in clips]),
        "action": np.concatenate([clip.action[clip.valid] for clip in clips]),
        "joint_names": np.array(TEST_JOINTS),
        "take_names": np.array([clip.folder.name for clip in clips]),
    }


def sequences(source: Path) -> Iterator[tuple[str, Path]]:
    """Names and folders of all training sequences."""
    for subject in SUBJECTS:
        for folder in sorted((source / f"S{subject}").glob("Seq*")):
            if (folder / "annot.mat").exists():
                yield f"S{subject} {folder.name}", folder


def test_clips(source: Path) -> Iterator[TestClip]:
    """All test clips, with or without a folder of their own."""
    try:
        import h5py
    except ImportError:
        raise SystemExit("3DHP's test files need h5py: pip install -c constraints.txt '.[datasets]'") from None
    inner = source / "mpi_inf_3dhp_test_set"
    found = sorted((inner if inner.is_dir() else source).glob("TS*/annot_data.mat"))
    if not found:
        raise SystemExit(f"{source} holds no TS*/annot_data.mat")
    for path in found:
        with h5py.File(path) as file:
            activity = np.asarray(file["activity_annotation"]).reshape(-1).astype(int)
            poses = (np.asarray(file[key], np.float64)[:, 0] for key in ("annot2", "annot3", "univ_annot3"))
            valid = np.asarray(file["valid_frame"]).reshape(-1) > 0
            yield TestClip(path.parent, valid, *poses, np.array(_ACTIVITIES)[activity])


def read_calibration(path: Path) -> tuple[Array, Array, Array]:
    """K (C, 3, 3) px, R (C, 3, 3) and t (C, 3) m of all cameras of a Skeletool calibration file, in its order."""
    found: dict[str, list[Array]] = {"intrinsic": [], "extrinsic": []}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *numbers = line.split() or [""]
        if word in found:
            found[word].append(np.array([float(number) for number in numbers]).reshape(4, 4))
    if not found["intrinsic"] or len(found["intrinsic"]) != len(found["extrinsic"]):
        raise SystemExit(f"{path} is not a calibration file with intrinsic and extrinsic of each camera")
    K, place = np.stack(found["intrinsic"]), np.stack(found["extrinsic"])
    return K[:, :3, :3], place[:, :3, :3], place[:, :3, 3] / 1000


def _cell(cells: Any, camera: int, size: int, frames: int) -> Array:
    """Annotations (frames, 28, size) of one camera."""
    return np.asarray(cells[camera, 0], np.float64)[:frames].reshape(frames, 28, size)
