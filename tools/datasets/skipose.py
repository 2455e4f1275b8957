"""SkiPose-PTZ as distributed: one row per picture in ``{train,test}/labels.h5``, six cameras that pan, tilt and zoom.

    seq, cam, frame, subj (N)      which picture
    3D (N, 51)                     17 joints (H36M order), relative to the pelvis, camera axes, m
    2D (N, 34)                     fractions of the 256 px crop
    cam_intrinsic (N, 9)           of the crop, in units of 256 px
    cam_position (N, 3)            m, world
    R_cam_2_world (N, 9)

Pictures of one instant become one sample; cameras that did not see it are missing (NaN).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from posepipe.models.skeleton import H36M17

SIDE = 256
"""Width and height of a crop in px."""


def read_skipose(source: Path, split: str) -> dict[str, Any]:
    """Arrays of a keypoint file with all pictures of a split ("train" or "test")."""
    try:
        import h5py
    except ImportError:
        raise SystemExit("SkiPose's labels.h5 needs h5py: pip install -c constraints.txt '.[datasets]'") from None
    path = source / split / "labels.h5"
    if not path.exists():
        raise SystemExit(f"there is no {path}")
    with h5py.File(path) as file:
        rows = {name: np.asarray(file[name], np.float64) for name in file}
    seq, frame, cam = (rows[name].reshape(-1).astype(int) for name in ("seq", "frame", "cam"))
    instants, sample = np.unique(np.stack([seq, frame], 1), axis=0, return_inverse=True)
    cameras, view = np.unique(cam, return_inverse=True)
    at = sample.reshape(-1), view.reshape(-1)
    R = rows["R_cam_2_world"].reshape(-1, 3, 3).swapaxes(1, 2)
    scale = np.array([SIDE, SIDE, 1.0])[:, None]

    def spread(values: np.ndarray, missing: Any) -> np.ndarray:
        array = np.empty((len(instants), len(cameras), *values.shape[1:]))
        array[:] = missing
        array[at] = values
        return array

    return {
        "keypoint": spread(rows["2D"].reshape(-1, 17, 2) * SIDE, np.nan),
        "joint_3d_cam": spread(rows["3D"].reshape(-1, 17, 3), np.nan),
        "take": np.unique(instants[:, 0], return_inverse=True)[1].reshape(-1),
        "instant": instants[:, 1],
        "rig": np.full(len(instants), -1),
        "K": spread(rows["cam_intrinsic"].reshape(-1, 3, 3) * scale, np.eye(3)),
        "R": spread(R, np.eye(3)),
        "t": spread(-np.einsum("nij,nj->ni", R, rows["cam_position"].reshape(-1, 3)), 0.0),
        "joint_names": np.array(H36M17.joints),
        "take_names": np.array([f"sequence {number}" for number in np.unique(instants[:, 0])]),
    }
