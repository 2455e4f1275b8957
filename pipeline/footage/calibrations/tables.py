"""TOML, as Pose2Sim, anipose, FreeMoCap and Caliscope write it: a table per camera.

``[cam_01]`` or ``[cameras.1]`` with name (or the table's), size, matrix, distortions (k1, k2, p1, p2, k3), rotation
(Rodrigues' vector) and translation, of the world in the camera's axes; the last two may be missing. Tables without a
matrix, such as ``[metadata]``, are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import PosepipeError
from ...settings import read_toml
from ..camera import Camera
from .entries import camera_of

PATTERNS = ("*calib*.toml", "camera_array*.toml")


def recognises(path: Path) -> bool:
    """TOML with the matrix of a camera."""
    if path.suffix.lower() != ".toml":
        return False
    try:
        return bool(_tables(path))
    except PosepipeError:
        return False


def read(path: Path) -> dict[str, Camera]:
    """All cameras of the file."""
    return {_name(section, values): _camera(section, values) for section, values in _tables(path).items()}


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    content = read_toml(path)
    inner = content.get("cameras")
    tables = inner if isinstance(inner, dict) else content
    return {name: values for name, values in tables.items() if isinstance(values, dict) and "matrix" in values}


def _name(section: str, values: dict[str, Any]) -> str:
    return str(values.get("name", section))


def _camera(section: str, values: dict[str, Any]) -> Camera:
    try:
        return camera_of(
            values["matrix"],
            values.get("distortions", ()),
            values.get("rotation"),
            values.get("translation"),
            values.get("size"),
            bool(values.get("fisheye")),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"camera {section!r}: {error}") from error
