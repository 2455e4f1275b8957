"""Human3.6M's videos as footage, for methods that learn from pictures.

    S1/Videos/Walking 1.54138969.mp4      beside the files that ``h36m`` reads, 50 fps

becomes ``train/S1_Walking_1/54138969.mp4`` with calibrations, ``test/S9_Walking_54138969.mp4``, and the true poses of
every n-th frame of the test clips, ``reference/S9_Walking_54138969.npz``. Videos are linked, not copied.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.cache import write_atomically
from scipy.spatial.transform import Rotation

from tools.datasets.h36m import CAMERAS, Array, LensCamera, positions, read_cameras, takes

FRAME_RATE = 50


def lay_out(source: Path, out: Path, training: tuple[int, ...], test: tuple[int, ...], every: int) -> int:
    """Make ``train``, ``test`` and ``reference`` in ``out``; returns how many videos they show.

    Args:
        source: folder with ``S1`` ... ``S11`` and ``metadata.xml``.
        training, test: numbers of subjects.
        every: keep the true poses of every n-th test frame.
    """
    cameras = read_cameras(source / "metadata.xml")

    def lenses(subject: int) -> dict[str, LensCamera]:
        return {name: cameras[subject, number] for number, name in enumerate(CAMERAS)}

    shown = 0
    for subject, path in takes(source, training):
        folder = out / "train" / _name(subject, path)
        for camera in CAMERAS:
            _link(_video(source, subject, path, camera), folder / f"{camera}.mp4")
        _describe(folder, lenses(subject), rig=f"S{subject}")
        shown += len(CAMERAS)
    known = {}
    for subject, path in takes(source, test):
        world, action = positions(path)[::every], re.sub(r" \d+$", "", path.stem)
        for camera, lens in lenses(subject).items():
            name = f"{_name(subject, path)}_{camera}"
            _link(_video(source, subject, path, camera), out / "test" / f"{name}.mp4")
            _write_reference(out / "reference" / f"{name}.npz", lens.see(world) / 1000, action, every)
            known[name] = calibration(lens)
        shown += len(CAMERAS)
    write_atomically(out / "test" / "calib.toml", tomli_w.dumps(known).encode())
    return shown


def calibration(lens: LensCamera) -> dict[str, Any]:
    """A camera in Pose2Sim's format.

    Human3.6M's formula of the tangential distortion is not quite OpenCV's; where people are, they agree to 0.3 px.
    """
    k1, k2, k3 = lens.radial.tolist()
    return {
        "matrix": lens.K.tolist(),
        "distortions": [k1, k2, *lens.tangential.tolist(), k3],
        "rotation": Rotation.from_matrix(lens.R).as_rotvec().tolist(),
        "translation": (-lens.R @ lens.centre / 1000).tolist(),
    }


def _name(subject: int, take: Path) -> str:
    return f"S{subject}_{take.stem.replace(' ', '_')}"


def _video(source: Path, subject: int, take: Path, camera: str) -> Path:
    path = source / f"S{subject}/Videos/{take.stem}.{camera}.mp4"
    if not path.is_file():
        raise SystemExit(f"{path} is missing; methods that learn from pictures need Human3.6M's videos")
    return path


def _link(video: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(video.resolve())


def _describe(folder: Path, lenses: dict[str, LensCamera], rig: str) -> None:
    """Calibration and description of a take, whose cameras were switched on together."""
    cameras = {camera: calibration(lens) for camera, lens in lenses.items()}
    write_atomically(folder / "calib.toml", tomli_w.dumps(cameras).encode())
    said = {"moving": False, "rig": rig, "calibration": "calib.toml"}
    start = {"cameras": {camera: {"offset_s": 0.0} for camera in lenses}}
    write_atomically(folder / "posepipe.toml", tomli_w.dumps(said | start).encode())


def _write_reference(place: Path, seen: Array, action: str, every: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        place,
        joints_3d_cam=seen.astype(np.float32),
        time=np.arange(len(seen)) * every / FRAME_RATE,
        action=np.array(action),
        joint_names=np.array(H36M17.joints),
    )
