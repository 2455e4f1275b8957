"""MPI-INF-3DHP's videos and pictures as footage, for methods that learn from pictures.

    S1/Seq1/imageSequence/video_0.avi             beside the files that ``mpi_inf_3dhp`` reads
    TS1/imageSequence/img_000001.jpg              one picture for each row of TS1/annot_data.mat

become ``train/S1_Seq1/video_0.avi`` with calibrations, which are linked, ``test/TS1.mkv``, which holds the pictures
as they are, and the true poses of the valid frames, of one body height, ``reference/TS1.npz``.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from posepipe.models.skeleton import H36M17

from tools.datasets.footage import Array, describe, intrinsics, link, placed, write_calibration, write_reference
from tools.datasets.mpi_inf_3dhp import TEST_JOINTS, read_calibration, sequences, test_clips

TEST_RATE = 25
"""Frames per second that test clips are given: their pictures do not say how fast they were taken."""


def lay_out(source: Path, out: Path, cameras: tuple[int, ...]) -> int:
    """Make ``train``, ``test`` and ``reference`` in ``out``; returns how many videos they show.

    Args:
        source: folder with ``S1`` ... ``S8``, and ``TS1`` ... ``TS6`` or ``mpi_inf_3dhp_test_set``.
        cameras: numbers of the cameras to train on.
    """
    shown = 0
    for name, sequence in sequences(source):
        folder = out / "train" / name.replace(" ", "_")
        K, R, t = read_calibration(sequence / "camera.calibration")
        for camera in cameras:
            link(sequence / f"imageSequence/video_{camera}.avi", folder / f"video_{camera}.avi")
        known = {f"video_{camera}": placed(intrinsics(K[camera]), R[camera], t[camera]) for camera in cameras}
        describe(folder, known, rig=folder.name)  # cameras are calibrated anew for each sequence
        shown += len(cameras)
    order = [TEST_JOINTS.index(joint) for joint in H36M17.joints]
    known = {}
    for clip in test_clips(source):
        name, valid = clip.folder.name, clip.valid
        pictures = [clip.folder / f"imageSequence/img_{number:06d}.jpg" for number in range(1, len(valid) + 1)]
        film(pictures, out / "test" / f"{name}.mkv")
        pose, time = clip.universal[valid][:, order] / 1000, np.flatnonzero(valid) / TEST_RATE
        write_reference(out / "reference" / f"{name}.npz", pose, time, clip.action[valid])
        known[name] = intrinsics(intrinsics_of(clip.joint[valid], clip.pixel[valid]))
    write_calibration(out / "test", known)
    return shown + len(known)


def intrinsics_of(joint: Array, pixel: Array) -> Array:
    """K (3, 3) px of the camera that shows joints (F, J, 3) at pixels (F, J, 2), by least squares."""
    ideal = joint[..., :2] / joint[..., 2:]
    (fx, cx), (fy, cy) = (np.polyfit(ideal[..., axis].ravel(), pixel[..., axis].ravel(), 1) for axis in (0, 1))
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def film(pictures: list[Path], place: Path) -> None:
    """Put JPEG pictures of one size into a video, each as it is.

    Raises:
        SystemExit: a picture is missing.
    """
    if missing := [picture for picture in pictures if not picture.is_file()]:
        raise SystemExit(f"{missing[0]} is missing; methods that learn from pictures need the data set's pictures")
    place.parent.mkdir(parents=True, exist_ok=True)
    making = place.with_name(f".{place.name}")
    with av.open(str(making), "w", format="matroska") as container:
        with av.open(str(pictures[0])) as first:
            stream = container.add_stream_from_template(first.streams.video[0])
        for number, picture in enumerate(pictures):
            packet = av.Packet(picture.read_bytes())
            packet.stream, packet.is_keyframe = stream, True
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, TEST_RATE)
            container.mux(packet)
    making.replace(place)
