"""Human3.6M's videos as footage, for methods that learn from pictures.

    S1/Videos/Walking 1.54138969.mp4      beside the files that ``h36m`` reads, 50 fps

becomes ``train/S1_Walking_1/54138969.mp4`` with calibrations, ``test/S9_Walking_54138969.mp4``, and the true poses of
every n-th frame of the test clips, ``reference/S9_Walking_54138969.npz``. Videos are linked, not copied.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tools.datasets.footage import Calibration, describe, intrinsics, link, placed, write_calibration, write_reference
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

    def lenses(subject: int) -> dict[str, LensCamera]:
        return {name: cameras[subject, number] for number, name in enumerate(CAMERAS)}

    shown = 0
    for subject, path in takes(source, training):
        folder = out / "train" / _name(subject, path)
        for camera in CAMERAS:
            link(_video(source, subject, path, camera), folder / f"{camera}.mp4")
        known = {camera: calibration(lens) for camera, lens in lenses(subject).items()}
        describe(folder, known, rig=f"S{subject}")
        shown += len(CAMERAS)
    known = {}
    for subject, path in takes(source, test):
        world, action = positions(path)[::every], np.array(re.sub(r" \d+$", "", path.stem))
        time = np.arange(len(world)) * every / FRAME_RATE
        for camera, lens in lenses(subject).items():
            name = f"{_name(subject, path)}_{camera}"
            link(_video(source, subject, path, camera), out / "test" / f"{name}.mp4")
            write_reference(out / "reference" / f"{name}.npz", lens.see(world) / 1000, time, action)
            known[name] = calibration(lens)
    write_calibration(out / "test", known)
    return shown + len(known)


def calibration(lens: LensCamera) -> Calibration:
    """A camera in Pose2Sim's format.

    Human3.6M's formula of the tangential distortion is not quite OpenCV's; where people are, they agree to 0.3 px.
    """
    k1, k2, k3 = lens.radial.tolist()
    camera = intrinsics(lens.K, [k1, k2, *lens.tangential.tolist(), k3])
    return placed(camera, lens.R, -lens.R @ lens.centre / 1000)


def _name(subject: int, take: Path) -> str:
    return f"S{subject}_{take.stem.replace(' ', '_')}"


def _video(source: Path, subject: int, take: Path, camera: str) -> Path:
    return source / f"S{subject}/Videos/{take.stem}.{camera}.mp4"
