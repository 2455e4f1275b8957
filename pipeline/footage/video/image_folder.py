"""A clip as a folder of numbered pictures, as machine-vision cameras and programs that label leave it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ...arrays import Frames
from ...errors import PosepipeError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})

_NUMBER = re.compile(r"(\d+)\D*$")


def is_image_folder(folder: Path) -> bool:
    """Whether a folder holds two or more numbered pictures."""
    return folder.is_dir() and len(images_in(folder)) > 1


def images_in(folder: Path) -> list[tuple[int, Path]]:
    """The last number in the name of each picture of a folder, and its path, in order."""
    return sorted(
        (int(number[1]), path)
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and (number := _NUMBER.search(path.stem))
    )


def probe_images(folder: Path, rate_hz: float, mirrored: bool = False) -> Frames:
    """Times and size of the pictures of a folder; those that cannot be read are left out.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: none that can be read, or pictures of different sizes.
    """
    times: list[float] = []
    sizes: dict[tuple[int, ...], Path] = {}
    for time, path in _timed(folder, rate_hz):
        small = _decoded(path, cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if small is not None:
            times.append(time)
            sizes.setdefault(small.shape, path)
    first = _decoded(next(iter(sizes.values())), cv2.IMREAD_COLOR) if sizes else None
    if first is None:
        raise PosepipeError(f"{folder} holds no picture that can be read")
    if len(sizes) > 1:
        one, other = list(sizes.values())[:2]
        raise PosepipeError(f"{folder} holds pictures of different sizes, such as {one.name} and {other.name}")
    height, width = first.shape[:2]
    return Frames(
        time=np.array(times),
        image_size=np.array([width, height], np.int32),
        audio_envelope=None,
        rate=str(Fraction(rate_hz).limit_denominator(1001)),
        codec="pictures",
        rotation=0,
        missing_s=0.0,
        mirrored=mirrored,
    )


def read_images(
    folder: Path, rate_hz: float, mirrored: bool = False, parts: Sequence[tuple[float, float]] | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Time (s) and picture (H, W, 3) uint8 BGR of each picture that can be read, turned as its EXIF data say.

    Args:
        parts: starts and ends (s) of what is wanted; all by default.
    """
    for time, path in _timed(folder, rate_hz):
        if parts is not None and not any(start <= time <= end for start, end in parts):
            continue
        picture = _decoded(path, cv2.IMREAD_COLOR)
        if picture is not None:
            yield time, np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture


def _timed(folder: Path, rate_hz: float) -> list[tuple[float, Path]]:
    """Time (s) of each picture of a folder: a number that is left out is a picture that was lost."""
    images = images_in(folder)
    numbers = np.array([number for number, _ in images])
    counted = len(numbers) > 1 and (np.diff(numbers) > 0).all() and np.median(np.diff(numbers)) == 1
    places = (numbers - numbers[0] if counted else np.arange(len(numbers))).tolist()
    return [(place / rate_hz, path) for place, (_, path) in zip(places, images, strict=True)]


def _decoded(path: Path, how: int) -> np.ndarray | None:
    """A picture; None if it is none."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.imdecode(content, how) if len(content) else None
