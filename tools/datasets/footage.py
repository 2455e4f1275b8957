"""What data sets' videos become, so that methods that learn from pictures can be trained and scored on them.

train/S1_Seq1/video_0.avi           the cameras of a take, with calib.toml and posepipe.toml
test/TS1.mkv                        one clip of one camera each, with their intrinsics in calib.toml
reference/TS1.npz                   true poses of the frames of a test clip that count
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.runtime.writing import write_atomically
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]
Calibration = dict[str, Any]
"""A camera in Pose2Sim's format."""


def intrinsics(K: Array, distortions: Sequence[float] = (0.0, 0.0, 0.0, 0.0)) -> Calibration:
    """A camera that is somewhere: K (3, 3) px, and k1, k2, p1, p2 and perhaps k3 of its lens."""
    return {"matrix": K.tolist(), "distortions": list(distortions)}


def placed(camera: Calibration, R: Array, t: Array) -> Calibration:
    """A camera where it stands: x_camera = R x_world + t, in m."""
    return camera | {"rotation": Rotation.from_matrix(R).as_rotvec().tolist(), "translation": t.tolist()}


def link(video: Path, place: Path) -> None:
    """Show a video in another place, without a copy.

    Raises:
        SystemExit: there is no such video.
    """
    if not video.is_file():
        raise SystemExit(f"{video} is missing; methods that learn from pictures need the data set's videos")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(video.resolve())


def describe(take: Path, cameras: Mapping[str, Calibration], rig: str) -> None:
    """Calibration and description of a take, whose cameras stood still and were switched on together."""
    write_calibration(take, cameras)
    said = {"moving": False, "rig": rig, "calibration": "calib.toml"}
    start = {"cameras": {camera: {"offset_s": 0.0} for camera in cameras}}
    write_atomically(take / "posepipe.toml", tomli_w.dumps(said | start).encode())


def write_calibration(folder: Path, cameras: Mapping[str, Calibration]) -> None:
    """Cameras of the videos of a folder, by the videos' names."""
    write_atomically(folder / "calib.toml", tomli_w.dumps(cameras).encode())


def write_reference(place: Path, pose: Array, time: Array, action: NDArray[np.str_]) -> None:
    """True poses (F, 17, 3) m in camera axes of frames at times (F) s, and what is being done: one word, or (F)."""
    place.parent.mkdir(parents=True, exist_ok=True)
    joint_names = np.array(H36M17.joints)
    np.savez(place, joints_3d_cam=pose.astype(np.float32), time=time, action=action, joint_names=joint_names)
