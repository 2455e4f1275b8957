"""Calibration files in Pose2Sim's format: [name] size, matrix, distortions, rotation, translation.

Rotation and translation may be missing; distortions are k1, k2, p1, p2, k3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...models.geometry.lens import COEFFICIENTS
from ..errors import PosepipeError
from ..settings import read_toml
from .camera import Camera


def read_calibration(folder: Path, name: str) -> dict[str, Camera]:
    """Cameras of a Pose2Sim calibration file by name; those whose section has no ``matrix`` are left out.

    Raises:
        PosepipeError: no such file, or one that is not of this format.
    """
    path = folder / name
    if not path.is_file() and (folder.parent / name).is_file():
        path = folder.parent / name  # beside the description of all takes
    cameras: dict[str, Camera] = {}
    for section, values in read_toml(path).items():
        if not isinstance(values, dict) or "matrix" not in values:
            continue
        try:
            keys = ["matrix", *(("rotation", "translation") if values.keys() & {"rotation", "translation"} else ())]
            K, *place = (np.array(values[key], np.float64) for key in keys)
            if K.shape != (3, 3) or any(part.shape != (3,) for part in place):
                raise ValueError("matrix must be 3x3, rotation and translation 3 numbers")
            distortion = _distortion(values)
        except (KeyError, ValueError, TypeError) as error:
            raise PosepipeError(f"{path}: camera {section!r} is not a Pose2Sim calibration: {error}") from error
        R, t = (cv2.Rodrigues(place[0])[0], place[1]) if place else (None, None)
        cameras[str(values.get("name", section))] = Camera.given(K, distortion, R, t)
    if not cameras:
        raise PosepipeError(f"{path} holds no camera with a matrix")
    return cameras


def _distortion(values: dict[str, Any]) -> np.ndarray:
    """Coefficients (5,) of a camera of a calibration file; none means no distortion.

    Raises:
        ValueError: another model of a lens.
    """
    said = np.array(values.get("distortions", []), np.float64)
    if values.get("fisheye") or said.ndim != 1 or said[COEFFICIENTS:].any():
        raise ValueError("distortions must be at most the five numbers k1, k2, p1, p2, k3, and no fisheye's")
    return np.concatenate([said[:COEFFICIENTS], np.zeros(max(COEFFICIENTS - len(said), 0))])
