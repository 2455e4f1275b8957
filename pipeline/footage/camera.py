"""What is known of a camera at an instant, or is assumed of it: one type from files to stages."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ...models.geometry.lens import undistort, undistort_fisheye
from ..arrays import Frames
from ..errors import PosepipeError
from ..settings import CalibrateSettings, RootSettings
from .video import focal_length_35mm

Lens = Literal["pinhole", "fisheye", "wide"]
"""A pinhole camera with Brown's distortion and a fisheye, as in OpenCV; wide is a lens that bends straight lines, of
which nothing more is known."""

CALIBRATED = "assumed as calibrate says"
IN_THE_MIDDLE = "principal point in the middle"
DIAGONAL_35MM = float(np.hypot(36, 24))
"""Of a picture on 35 mm film, in mm: equivalent focal lengths are compared by diagonals."""

SHORTEST_FOCAL, LONGEST_FOCAL = 0.1, 100.0
"""Focal lengths that lenses have, in longer sides of the picture: a field of view of 157°, and of half a degree."""
WIDEST_PINHOLE = 0.2
"""Shortest focal length, in longer sides, of a picture without distortion: a field of view of 136°."""
PADDING = 0.02
"""By how much sides of pictures differ without being of another aspect: codecs pad 1080 lines to 1088."""
OFF_CENTRE = 0.2
"""Share of the side by which a principal point may be off the middle, where the size it is for is not known."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera at an instant: it sees a point of the world at x_camera = R @ x_world + t. What is unknown is None."""

    K: np.ndarray | None = None
    """(3, 3) float64 px."""
    size_px: tuple[float, float] | None = None
    """Width and height of the pictures that K is for."""
    distortion: np.ndarray | None = None
    """Of the lens, in the order of OpenCV: (5,) float64 k1, k2, p1, p2, k3, or of a fisheye (4,) k1, k2, k3, k4; None
    where nothing is said of it."""
    R: np.ndarray | None = None
    """(3, 3) float64 camera_from_world."""
    t: np.ndarray | None = None
    """(3,) float64 m."""
    source: str = ""
    """Where K comes from, in words."""
    lens: Lens = "pinhole"
    """Whose coefficients ``distortion`` holds."""

    @classmethod
    def given(
        cls,
        K: np.ndarray,
        distortion: np.ndarray | None = None,
        R: np.ndarray | None = None,
        t: np.ndarray | None = None,
        lens: Lens = "pinhole",
        size_px: tuple[float, float] | None = None,
    ) -> Camera:
        """A calibrated camera: K (3, 3) px, distortion of its lens, R (3, 3) camera_from_world and t (3,) m.

        Args:
            size_px: width and height of the pictures that it was calibrated for, if they are said.
        """
        return cls(K, size_px, distortion, R, t, f"{in_words(K)}, given", lens)

    @classmethod
    def of_focal_length(cls, size_px: Sequence[float], focal_px: float, source: str = "") -> Camera:
        """A camera of which only the focal length is known, or assumed: the principal point is in the middle.

        Args:
            size_px: width and height of its pictures.
            source: why it has this focal length, in words.
        """
        width, height = size_px
        K = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1.0]])
        return cls(K, (width, height), source=f"{in_words(K)}, {source}; {IN_THE_MIDDLE}")

    @classmethod
    def of_pictures(cls, size_px: Sequence[float], lens: Lens = "pinhole") -> Camera:
        """A camera of which nothing is known but the width and height of its pictures, and maybe its kind of lens."""
        width, height = size_px
        return cls(size_px=(width, height), lens=lens)

    @cached_property
    def key(self) -> str:
        """Digest of all that is known."""
        digest = hashlib.sha256(repr((self.size_px, self.source, self.lens)).encode())
        for name in ("K", "distortion", "R", "t"):
            array = getattr(self, name)
            digest.update(name.encode() + (b"" if array is None else np.asarray(array, np.float64).tobytes()))
        return digest.hexdigest()

    @property
    def focal_px(self) -> float | None:
        """Focal length along the width, if it is known."""
        return None if self.K is None else float(self.K[0, 0])

    @property
    def is_bent(self) -> bool:
        """Whether its lens is known to distort."""
        return self.distortion is not None and (self.lens == "fisheye" or bool(self.distortion.any()))

    def for_pictures(self, size_px: Sequence[float]) -> Camera:
        """The same camera as it sees pictures of a width and height, which may be scaled but not cut.

        Raises:
            ValueError: pictures of another aspect; or, of a camera of which no size is known, those whose middle is
                far from its principal point.
        """
        if self.K is None:
            return replace(self, size_px=(size_px[0], size_px[1]))
        if self.size_px is None:
            off = np.abs(self.K[:2, 2] / np.asarray(size_px, float) - 0.5)
            if off.max() > OFF_CENTRE:
                x, y = self.K[:2, 2]
                raise ValueError(
                    f"its principal point ({x:.0f}, {y:.0f}) is far from the middle of pictures of {_size(size_px)}"
                )
            return replace(self, size_px=(size_px[0], size_px[1]))
        scale = np.asarray(size_px) / self.size_px
        if abs(scale[0] / scale[1] - 1) > PADDING:
            raise ValueError(f"it is for pictures of {_size(self.size_px)}, and these have {_size(size_px)}")
        factor = float(scale[np.argmax(self.size_px)])
        if abs(factor - 1) <= PADDING:
            return replace(self, size_px=(size_px[0], size_px[1]))
        K = np.diag([factor, factor, 1]) @ self.K
        source = f"{in_words(K)}, scaled from {_size(self.size_px)} to {_size(size_px)}; {self.source}"
        return replace(self, K=K, size_px=(size_px[0], size_px[1]), source=source)

    @property
    def pinhole(self) -> Camera:
        """The same camera with nothing said of its lens, for what does not depend on it."""
        return replace(self, distortion=None, lens="pinhole")

    @property
    def anywhere(self) -> Camera:
        """The same camera with nothing said of where it stands, and no lens that does not distort."""
        return replace(self if self.is_bent else self.pinhole, R=None, t=None)

    def without_distortion(self, keypoint: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (..., J, 2) px and confidences (..., J) as ``without_distortion`` gives them.

        Where nothing is said of the lens, they stay as they are.
        """
        if self.K is None or self.distortion is None:
            return keypoint, confidence
        return without_distortion(keypoint, confidence, self.K, self.distortion, self.lens)


def check_focal(focal_px: float, size_px: Sequence[float]) -> None:
    """Check that a focal length can be that of pictures of a width and height.

    Raises:
        PosepipeError: it cannot; the sentence says how to convert millimetres.
    """
    longer = max(size_px)
    if not WIDEST_PINHOLE <= focal_px / longer <= LONGEST_FOCAL:
        raise PosepipeError(
            f"a focal length of {focal_px:g} px is none of pictures of {_size(size_px)}: give it in px, not in mm "
            f"(26 mm on 35 mm film are {26 / DIAGONAL_35MM * math.hypot(*size_px):.0f} px)"
        )


def _size(size_px: Sequence[float]) -> str:
    width, height = size_px
    return f"{width:g}x{height:g} px"


def in_words(K: np.ndarray) -> str:
    """The focal length of cameras (..., 3, 3), or between which it lies."""
    low, high = (f"{extreme(K[..., 0, 0]):.0f}" for extreme in (np.min, np.max))
    return f"focal length of {low} px" if low == high else f"focal length of {low} to {high} px"


def without_distortion(
    keypoint: np.ndarray, confidence: np.ndarray, K: np.ndarray, distortion: np.ndarray, lens: Lens = "pinhole"
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (..., J, 2) px as pinhole cameras would show them, and confidences (..., J).

    What is missing, and what the lens cannot have shown, is 0 in both.

    Args:
        K: (..., 3, 3) px.
        distortion: (..., 5) k1, k2, p1, p2, k3, or of a fisheye (..., 4) k1, k2, k3, k4.
        lens: whose coefficients these are.
    """
    shown = confidence > 0
    pixels = np.where(shown[..., None], keypoint, 0).astype(np.float64)
    model = undistort_fisheye if lens == "fisheye" else undistort
    free = model(pixels, np.asarray(K, np.float64), np.asarray(distortion, np.float64))
    shown = shown & np.isfinite(free).all(-1)
    return np.where(shown[..., None], free, 0).astype(np.float32), np.where(shown, confidence, 0).astype(np.float32)


def focal_from_field_of_view(size_px: Sequence[float], angle_deg: float) -> float:
    """The focal length (px) of pictures of a size (width, height) whose longer side spans an angle."""
    return float(max(size_px) / 2 / np.tan(np.radians(angle_deg) / 2))


def calibrate_assumes(size_px: Sequence[float], settings: CalibrateSettings) -> float | None:
    """The focal length (px) to assume of pictures of a size (width, height), if one may be assumed."""
    if settings.focal_px is not None or settings.field_of_view_deg is None:
        return settings.focal_px
    return focal_from_field_of_view(size_px, settings.field_of_view_deg)


def focal_length(size_px: Sequence[float], focal_px: float | None, settings: RootSettings) -> tuple[float, str]:
    """The focal length (px) of pictures of a size, as stated, else of a usual field of view; and why, in words."""
    if focal_px is not None:
        return focal_px, "given"
    angle = settings.field_of_view_deg
    return focal_from_field_of_view(size_px, angle), f"assumed: a field of view of {angle:g}° along the longer side"


def find_camera(frames: Frames, video: Path, focal_px: float | None, settings: RootSettings) -> Camera:
    """An uncalibrated camera: of the focal length that is stated, else as its video says, else of a usual view.

    Args:
        video: read for its metadata, if ``frames`` were filmed.
        focal_px: as stated.
    """
    size: tuple[int, int] = tuple(frames.image_size.tolist())
    equivalent = focal_length_35mm(video) if frames.filmed and video.is_file() and focal_px is None else None
    if equivalent is not None:
        focal = equivalent / DIAGONAL_35MM * float(np.hypot(*size))
        return Camera.of_focal_length(size, focal, f"which is {equivalent:g} mm on 35 mm film, as the video says")
    return Camera.of_focal_length(size, *focal_length(size, focal_px, settings))
