"""YAML and XML of OpenCV's file storage, with the entries of EasyMocap, of OpenCV's own samples and of OpenPose.

* EasyMocap: ``intri.yml`` with ``K_cam1``, ``dist_cam1`` and perhaps ``H_cam1``, ``W_cam1``, and beside it
  ``extri.yml`` with ``Rot_cam1`` or ``R_cam1`` and ``T_cam1``.
* OpenCV's stereo calibration: ``intrinsics.yml`` with ``M1``, ``D1``, ``M2``, ``D2``, and beside it
  ``extrinsics.yml`` with the ``R`` and ``T`` that lead from the first camera to the second; the cameras are 1 and 2.
* One camera a file, all of them beside each other and named like the cameras: ``camera_matrix`` and
  ``distortion_coefficients`` of OpenCV's calibration, or ``Intrinsics``, ``Distortion`` and ``CameraMatrix`` of
  OpenPose.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..camera import Camera
from .entries import camera_of

SUFFIXES = (".yml", ".yaml", ".xml")
PATTERNS = tuple(f"intri*{suffix}" for suffix in SUFFIXES)
"""Extrinsics are found beside them."""
_FIRST, _SECOND = "intri", "extri"
_NAMES = {
    "K": ("camera_matrix", "cameraMatrix", "Intrinsics", "K"),
    "distortion": ("distortion_coefficients", "distCoeffs", "Distortion", "dist"),
    "rotation": ("rvec", "R"),
    "translation": ("tvec", "T"),
    "width": ("image_width",),
    "height": ("image_height",),
    "fisheye": ("fisheye_model",),
}
"""What the entries of a file of one camera are called."""


def recognises(path: Path) -> bool:
    """A file of OpenCV's file storage with a camera in it."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    head = path.read_bytes()[:4096].lstrip(b"\xef\xbb\xbf \r\n")
    return head.startswith(b"%YAML") or b"<opencv_storage" in head


def read(path: Path) -> dict[str, Camera]:
    """All cameras of the file, of its pair, or of the files beside it that hold one camera each.

    Raises:
        ValueError: no entries of cameras, or what no camera has.
    """
    entries = {name: value for file in _pair(path) for name, value in _entries(file).items()}
    if any(name.startswith("K_") for name in entries):
        return dict(_named(entries))
    if {"M1", "M2"} <= entries.keys():
        return dict(_stereo(entries))
    if _get(entries, "K") is None:
        raise ValueError("it holds none of the entries K_NAME, M1 and M2, camera_matrix, Intrinsics")
    beside = sorted(file for file in path.parent.iterdir() if file.suffix == path.suffix and recognises(file))
    contents = {file.stem: _entries(file) for file in beside}
    return {name: _alone(one) for name, one in contents.items() if _get(one, "K") is not None}


def _pair(path: Path) -> Iterator[Path]:
    """The files with intrinsics and extrinsics, whichever of them was named; else the file alone."""
    yield path
    name = path.name.lower()
    for here, there in ((_FIRST, _SECOND), (_SECOND, _FIRST)):
        if name.startswith(here):
            wanted = there + name.removeprefix(here)
            yield from (other for other in path.parent.iterdir() if other.name.lower() == wanted)


def _entries(path: Path) -> dict[str, Any]:
    """Matrices as arrays, numbers and texts; what else there is is left out."""
    try:
        store = cv2.FileStorage(path.read_text(encoding="utf-8-sig"), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        root = store.root()
        return {name: _value(root.getNode(name)) for name in root.keys()}  # noqa: SIM118 - no mapping
    except (cv2.error, SystemError) as error:
        raise ValueError(f"{path.name} is no YAML or XML that OpenCV reads") from error


def _value(node: Any) -> Any:
    if node.isMap():
        return node.mat()
    if node.isReal() or node.isInt():
        return node.real()
    return node.string() if node.isString() else None


def _named(entries: dict[str, Any]) -> Iterator[tuple[str, Camera]]:
    """EasyMocap's cameras."""
    for name in (entry.removeprefix("K_") for entry in entries if entry.startswith("K_")):
        of = {kind: entries.get(f"{kind}_{name}") for kind in ("K", "dist", "R", "Rot", "T", "H", "W")}
        rotation = of["R"] if of["Rot"] is None else of["Rot"]
        size = None if of["W"] is None or of["H"] is None else (of["W"], of["H"])
        yield name, _checked(name, of["K"], of["dist"], rotation, of["T"], size)


def _stereo(entries: dict[str, Any]) -> Iterator[tuple[str, Camera]]:
    """Two cameras, of which the second stands where the first one's axes say."""
    placed = entries.get("R") is not None and entries.get("T") is not None
    places = ((np.eye(3), np.zeros(3)), (entries["R"], entries["T"])) if placed else ((None, None), (None, None))
    for name, (R, t) in zip("12", places, strict=True):
        yield name, _checked(name, entries[f"M{name}"], entries.get(f"D{name}"), R, t, None)


def _alone(entries: dict[str, Any]) -> Camera:
    """The only camera of a file."""
    place = entries.get("CameraMatrix")
    rotation, translation = _get(entries, "rotation"), _get(entries, "translation")
    if place is not None:
        rotation, translation = place[:, :3], place[:, 3]
    width, height = _get(entries, "width"), _get(entries, "height")
    size = None if width is None or height is None else (width, height)
    lens = _get(entries, "distortion")
    return camera_of(
        _get(entries, "K"), () if lens is None else lens, rotation, translation, size, bool(_get(entries, "fisheye"))
    )


def _get(entries: dict[str, Any], what: str) -> Any:
    return next((entries[name] for name in _NAMES[what] if entries.get(name) is not None), None)


def _checked(
    name: str, K: Any, distortion: Any, rotation: Any, translation: Any, size_px: tuple[float, float] | None
) -> Camera:
    try:
        return camera_of(K, () if distortion is None else distortion, rotation, translation, size_px)
    except (ValueError, TypeError) as error:
        raise ValueError(f"camera {name!r}: {error}") from error
