"""Human3.6M as distributed by its authors: CDF files of positions, and metadata.xml with the cameras.

    S1/MyPoseFeatures/D3_Positions/Walking 1.cdf             variable Pose (1, N, 96): 32 joints, world mm, 50 fps
    S1/MyPoseFeatures/D2_Positions/Walking 1.54138969.cdf    variable Pose (1, N, 64): px; optional
    metadata.xml                                             element w0: 300 numbers, the calibration

2D poses come from ``detections`` (a VideoPose3D archive ``data_2d_h36m_*.npz``), else D2_Positions, else projections.
Stored keypoints are freed from lens distortion, so that K, R and t project the stored 3D onto them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from posepipe.models.skeleton import H36M17
from scipy.spatial.transform import Rotation

from tools.datasets.plain_pickle import read_object

Array = NDArray[np.float64]

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
JOINTS = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
"""H36M-17 among the 32 joints, in our order."""
CORRUPT = {("S11", "Directions")}
"""Takes that everybody leaves out."""
_SUBJECTS = 11


@dataclass(frozen=True)
class LensCamera:
    """A camera with lens distortion: X_camera = R (X_world - centre)."""

    R: Array  # (3, 3)
    centre: Array  # (3) mm
    focal: Array  # (2) px
    principal: Array  # (2) px
    radial: Array  # (3)
    tangential: Array  # (2)

    @property
    def K(self) -> Array:  # noqa: N802
        """Intrinsics (3, 3) in px, without distortion."""
        return np.array([[self.focal[0], 0, self.principal[0]], [0, self.focal[1], self.principal[1]], [0, 0, 1]])

    def see(self, world: Array) -> Array:
        """Points (..., 3) mm of the world in camera axes."""
        return (world - self.centre) @ self.R.T

    def bend(self, ideal: Array) -> Array:
        """Normalised image points (..., 2) of an ideal lens where this one shows them."""
        square = (ideal**2).sum(-1, keepdims=True)
        radial = 1 + sum(k * square ** (power + 1) for power, k in enumerate(self.radial))
        across = (ideal * self.tangential[::-1]).sum(-1, keepdims=True)
        return ideal * (radial + across) + self.tangential[::-1] * square

    def straighten(self, pixel: Array) -> Array:
        """Pixels (..., 2) where a lens without distortion would show them."""
        bent = (pixel - self.principal) / self.focal
        ideal = bent.copy()
        for _ in range(20):  # a fixed point; the lenses bend by a few per cent
            ideal += bent - self.bend(ideal)
        return ideal * self.focal + self.principal

    def project(self, world: Array) -> Array:
        """Pixels (..., 2), distorted, of points (..., 3) mm of the world."""
        seen = self.see(world)
        return self.bend(seen[..., :2] / seen[..., 2:]) * self.focal + self.principal


def read_cameras(path: Path) -> dict[tuple[int, int], LensCamera]:
    """Cameras of ``metadata.xml`` by subject number (1..11) and camera (0..3)."""
    element = ElementTree.parse(path).getroot().find(".//w0")  # noqa: S314 - the data set's own file
    if element is None or element.text is None:
        raise SystemExit(f"{path} has no element w0 with the cameras' numbers")
    numbers = np.array([float(number) for number in re.findall(r"[-+.\deE]+", element.text)])
    if len(numbers) != 300:
        raise SystemExit(f"{path}: element w0 has {len(numbers)} numbers; expected 300")
    places = numbers[:264].reshape(len(CAMERAS), _SUBJECTS, 6)
    lenses = numbers[264:].reshape(len(CAMERAS), 9)
    return {
        (subject + 1, camera): LensCamera(
            Rotation.from_euler("XYZ", places[camera, subject, :3]).as_matrix(),
            places[camera, subject, 3:],
            *np.split(lenses[camera], [2, 4, 7]),
        )
        for subject in range(_SUBJECTS)
        for camera in range(len(CAMERAS))
    }


def read_h36m(source: Path, subjects: tuple[int, ...], every: int, detections: Path | None = None) -> dict[str, Any]:
    """Arrays of a keypoint file with every n-th frame of all takes of some subjects.

    Args:
        source: folder with ``S1`` ... ``S11`` and ``metadata.xml``.
        detections: VideoPose3D's archive of 2D poses.
    """
    cameras = read_cameras(source / "metadata.xml")
    found = read_object(detections, "positions_2d") if detections else None
    parts: list[dict[str, Any]] = []
    names: list[str] = []
    for subject, path in takes(source, subjects):
        world = positions(path)[::every]
        lenses = [cameras[subject, camera] for camera in range(len(CAMERAS))]
        pixels, frames = [], len(world)
        for camera, lens in enumerate(lenses):
            pixel = _pixels(path, subject, camera, found, every)
            pixels.append(lens.project(world) if pixel is None else pixel)
            frames = min(frames, len(pixels[-1]))
        seen = np.stack([lens.see(world[:frames]) for lens in lenses], 1)
        parts.append({
            "keypoint": np.stack([lens.straighten(p[:frames]) for lens, p in zip(lenses, pixels, strict=True)], 1),
            "joint_3d_cam": (seen - seen[:, :, :1]) / 1000,
            "action": np.full(frames, re.sub(r" \d+$", "", path.stem)),
            "take": np.full(frames, len(names)),
            "instant": np.arange(frames) * every,
            "rig": np.full(frames, subject),
            "K": np.broadcast_to(np.stack([lens.K for lens in lenses]), (frames, 4, 3, 3)),
            "R": np.broadcast_to(np.stack([lens.R for lens in lenses]), (frames, 4, 3, 3)),
            "t": np.broadcast_to(np.stack([-lens.R @ lens.centre / 1000 for lens in lenses]), (frames, 4, 3)),
        })  # fmt: skip
        names.append(f"S{subject} {path.stem}")
    if not parts:
        raise SystemExit(f"{source} holds no S*/MyPoseFeatures/D3_Positions/*.cdf of subjects {subjects}")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return arrays | {"joint_names": np.array(H36M17.joints), "take_names": np.array(names)}


def takes(source: Path, subjects: tuple[int, ...]) -> Iterator[tuple[int, Path]]:
    """Numbers of subjects and files of positions of all their takes."""
    for subject in subjects:
        for path in sorted((source / f"S{subject}/MyPoseFeatures/D3_Positions").glob("*.cdf")):
            if (f"S{subject}", path.stem) not in CORRUPT:
                yield subject, path


def positions(path: Path) -> Array:
    """Joints (N, 17, 3) of a take, mm of the world."""
    return _read_cdf(path, 3)[:, JOINTS]


def _read_cdf(path: Path, size: int) -> Array:
    """Variable Pose as (N, 32, size)."""
    try:
        from cdflib import CDF
    except ImportError:
        raise SystemExit("Human3.6M's .cdf files need cdflib: pip install -c constraints.txt '.[datasets]'") from None
    return np.asarray(CDF(path).varget("Pose"), np.float64).reshape(-1, 32, size)


def _pixels(path: Path, subject: int, camera: int, found: Any, every: int) -> Array | None:
    """2D poses (N, 17, 2) of one camera from detections, or else from D2_Positions, if they are there."""
    if found is not None:
        return np.asarray(found[f"S{subject}"][path.stem][camera], np.float64)[::every, :, :2]
    given = path.parents[1] / "D2_Positions" / f"{path.stem}.{CAMERAS[camera]}.cdf"
    return _read_cdf(given, 2)[::every, JOINTS] if given.exists() else None
