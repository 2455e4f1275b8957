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

from tools.datasets.h36m import CAMERAS, LensCamera, positions, read_cameras, takes

FRAME_RATE = 50


def lay_out(source: Path, out: Path, training: tuple[int, ...], test: tuple[int, ...], every: int) -> int:
    """Make ``train``, ``test`` and ``reference`` in ``out``; returns how many videos they show.

    Args:
        source: folder with ``S1`` ... ``S11`` and ``metadata.xml``.
        training, test: numbers of subjects.
        every: keep the true poses of every n-th test frame.
    """
    cameras = read_cameras(source / "metadata.xml")
    count, known = 0, {}
    for subject, path in takes(source, (*training, *test)):
        name = f"S{subject}_{path.stem.replace(' ', '_')}"
        lenses = {camera: cameras[subject, place] for place, camera in enumerate(CAMERAS)}
        for camera, lens in lenses.items():
            video = _video(source, subject, path.stem, camera)
            if subject in training:
                _link(video, out / "train" / name / f"{camera}.mp4")
            else:
                _link(video, out / "test" / f"{name}_{camera}.mp4")
                known[f"{name}_{camera}"] = calibration(lens)
                _write_reference(out / "reference" / f"{name}_{camera}.npz", path, lens, every)
            count += 1
        if subject in training:
            _describe(out / "train" / name, lenses, rig=f"S{subject}")
    write_atomically(out / "test" / "calib.toml", tomli_w.dumps(known).encode())
    return count


def calibration(lens: LensCamera) -> dict[str, Any]:
    """A camera in Pose2Sim's format.

    Human3.6M's formula of the tangential distortion is not quite OpenCV's, but at its sizes they agree to 0.1 px.
    """
    k1, k2, k3 = lens.radial.tolist()
    return {
        "matrix": lens.K.tolist(),
        "distortions": [k1, k2, *lens.tangential.tolist(), k3],
        "rotation": Rotation.from_matrix(lens.R).as_rotvec().tolist(),
        "translation": (-lens.R @ lens.centre / 1000).tolist(),
    }


def _video(source: Path, subject: int, take: str, camera: str) -> Path:
    path = source / f"S{subject}/Videos/{take}.{camera}.mp4"
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


def _write_reference(place: Path, path: Path, lens: LensCamera, every: int) -> None:
    seen = lens.see(positions(path)[::every]) / 1000
    place.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        place,
        joints_3d_cam=seen.astype(np.float32),
        time=np.arange(len(seen)) * every / FRAME_RATE,
        action=np.array(re.sub(r" \d+$", "", path.stem)),
        joint_names=np.array(H36M17.joints),
    )
