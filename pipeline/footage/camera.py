"""What is known of a camera's lens, or is assumed of it: the root trajectory says which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Frames
from ..settings import CalibrateSettings, RootSettings
from .lenses import Lens, assumed_intrinsics
from .video import focal_length_35mm

CALIBRATED = "assumed as calibrate says"
IN_THE_MIDDLE = "principal point in the middle"
DIAGONAL_35MM = float(np.hypot(36, 24))
"""Of a picture on 35 mm film, in mm: equivalent focal lengths are compared by diagonals."""


@dataclass(frozen=True)
class Optics:
    """A camera's intrinsics."""

    K: list[list[float]]
    distortion: Lens | None
    source: str
    """Where the focal length comes from, in words."""


def given_optics(K: list[list[float]], distortion: Lens | None) -> Optics:
    """Of a calibrated camera."""
    return Optics(K, distortion, f"{in_words(np.array(K))}, given")


def optics_in_the_middle(width: float, height: float, focal_px: float, source: str) -> Optics:
    """Of a camera of which only the focal length is known, or assumed; ``source`` says why."""
    K = assumed_intrinsics(width, height, focal_px)
    return Optics(K.tolist(), None, f"{in_words(K)}, {source}; {IN_THE_MIDDLE}")


def in_words(K: np.ndarray) -> str:
    """The focal length of cameras (..., 3, 3), or between which it lies."""
    low, high = (f"{extreme(K[..., 0, 0]):.0f}" for extreme in (np.min, np.max))
    return f"focal length of {low} px" if low == high else f"focal length of {low} to {high} px"


def focal_from_field_of_view(size_px: Sequence[float], angle_deg: float) -> float:
    """The focal length (px) of pictures of a size (width, height) whose longer side spans an angle."""
    return float(max(size_px) / 2 / np.tan(np.radians(angle_deg) / 2))


def calibrate_assumes(size_px: Sequence[float], settings: CalibrateSettings) -> float | None:
    """The focal length (px) to assume of pictures of a size (width, height), if one may be assumed."""
    if settings.focal_px is not None or settings.field_of_view_deg is None:
        return settings.focal_px
    return focal_from_field_of_view(size_px, settings.field_of_view_deg)


def focal_length(size: Sequence[float], focal_px: float | None, settings: RootSettings) -> tuple[float, str]:
    """The focal length (px) of pictures of a size, as stated, else of a usual field of view; and why, in words."""
    if focal_px is not None:
        return focal_px, "given"
    angle = settings.field_of_view_deg
    return focal_from_field_of_view(size, angle), f"assumed: a field of view of {angle:g}° along the longer side"


def find_optics(frames: Frames, video: Path, focal_px: float | None, settings: RootSettings) -> Optics:
    """The optics of an uncalibrated camera: as stated, else as its video says, else of a usual field of view.

    Args:
        video: read for its metadata, if ``frames`` were filmed.
        focal_px: as stated.
    """
    size: tuple[int, int] = tuple(frames.image_size.tolist())
    equivalent = focal_length_35mm(video) if frames.filmed and focal_px is None else None
    if equivalent is not None:
        focal = equivalent / DIAGONAL_35MM * float(np.hypot(*size))
        return optics_in_the_middle(*size, focal, f"which is {equivalent:g} mm on 35 mm film, as the video says")
    return optics_in_the_middle(*size, *focal_length(size, focal_px, settings))
