"""Qualisys' ``.qca.txt``: the XML that Qualisys Track Manager exports of a calibration.

A ``camera`` has ``fov_video`` (left, top, right, bottom: the first and last pixel of the pictures on the sensor), an
``intrinsic`` in 64ths of pixels on the sensor, distortion as OpenCV's, and a ``transform``: where the camera stands
in millimetres, and a matrix whose rows are the directions of its axes x, y and z, to the right, up and backwards.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..camera import Camera
from .entries import camera_of

PATTERNS = ("*.qca.txt",)
_SUBPIXELS = 64.0
_MM = 1000.0
_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])
"""From axes with y up and z backwards to those with y down and z forward."""


def recognises(path: Path) -> bool:
    """XML whose root is a calibration with cameras that have an ``intrinsic``."""
    head = path.read_bytes()[:4096]
    return b"<calibration" in head and b"<camera" in head


def read(path: Path) -> dict[str, Camera]:
    """All cameras that took part.

    Raises:
        ValueError: not XML, or a camera that lacks something.
    """
    try:
        root = ElementTree.fromstring(path.read_bytes())  # noqa: S314 - expat expands no entities from elsewhere
    except ElementTree.ParseError as error:
        raise ValueError(f"it is not valid XML ({error})") from error
    cameras = {}
    for number, camera in enumerate(root.iter("camera"), 1):
        if camera.get("active") == "0":
            continue
        name = camera.get("serial") or str(number)
        try:
            cameras[name] = _camera(camera)
        except (ValueError, KeyError) as error:
            said = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"camera {name!r}: {said}") from error
    if not cameras:
        raise ValueError("it holds no camera")
    return cameras


def _camera(camera: ElementTree.Element) -> Camera:
    fov, lens, place = (_attributes(camera, name) for name in ("fov_video", "intrinsic", "transform"))
    left, top = fov["left"], fov["top"]
    K = np.array([
        [lens["focalLengthU"] / _SUBPIXELS, 0, lens["centerPointU"] / _SUBPIXELS - left],
        [0, lens["focalLengthV"] / _SUBPIXELS, lens["centerPointV"] / _SUBPIXELS - top],
        [0, 0, 1],
    ])  # fmt: skip
    distortion = [
        lens["radialDistortion1"], lens["radialDistortion2"],
        lens["tangentalDistortion1"], lens["tangentalDistortion2"], lens.get("radialDistortion3", 0.0),
    ]  # fmt: skip
    axes = np.array([[place[f"r{row}{column}"] for column in (1, 2, 3)] for row in (1, 2, 3)])
    R = _FROM_OPENGL @ axes
    t = -R @ np.array([place["x"], place["y"], place["z"]]) / _MM
    return camera_of(K, distortion, R, t, (fov["right"] - left + 1, fov["bottom"] - top + 1))


def _attributes(camera: ElementTree.Element, name: str) -> dict[str, float]:
    """The numbers of an element within a camera."""
    found = camera.find(name)
    if found is None:
        raise KeyError(name)
    return {key: float(value) for key, value in found.attrib.items() if _is_number(value)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
