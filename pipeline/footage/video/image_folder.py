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
from .clock import Seen

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
    """Times and size of the pictures of a folder, of which only the first one is read.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: none that can be read.
    """
    images = _timed(folder, rate_hz)
    readable = ((number, picture) for number, (_, path) in enumerate(images) if (picture := _read(path)) is not None)
    begin, first = next(readable, (0, None))
    if first is None:
        raise PosepipeError(f"{folder} holds no picture that can be read")
    height, width = first.shape[:2]
    return Frames(
        time=np.array([time for time, _ in images[begin:]]),
        image_size=np.array([width, height], np.int32),
        audio_envelope=None,
        rate=str(Fraction(rate_hz).limit_denominator(1001)),
        codec="pictures",
        rotation=0,
        missing_s=0.0,
        mirrored=mirrored,
    )


def read_images(
    folder: Path,
    rate_hz: float,
    frames: Frames,
    parts: Sequence[tuple[float, float]] | None = None,
    seen: Seen | None = None,
) -> Iterator[tuple[float, np.ndarray]]:
    """Time (s) and picture (H, W, 3) uint8 BGR of each picture that can be read, turned as its EXIF data say.

    Args:
        frames: what ``probe_images`` said of the folder.
        parts: starts and ends (s) of what is wanted; all by default.
        seen: notes which cannot be read, where the folder is read for the first time.

    Raises:
        PosepipeError: pictures of different sizes.
    """
    for time, path in _timed(folder, rate_hz):
        if parts is not None and not any(start <= time <= end for start, end in parts):
            continue
        picture = _read(path)
        if picture is None:
            if seen is not None:
                seen.damaged += 1
            continue
        if picture.shape[1::-1] != tuple(frames.image_size.tolist()):
            sizes = [f"{width}x{height} px" for width, height in (frames.image_size, picture.shape[1::-1])]
            raise PosepipeError(
                f"{folder} holds pictures of different sizes: {path.name} has {sizes[1]}, others {sizes[0]}"
            )
        yield time, np.ascontiguousarray(picture[:, ::-1]) if frames.mirrored else picture


def _timed(folder: Path, rate_hz: float) -> list[tuple[float, Path]]:
    """Time (s) of each picture of a folder: a number that is left out is a picture that was lost."""
    images = images_in(folder)
    numbers = np.array([number for number, _ in images])
    counted = len(numbers) > 1 and (np.diff(numbers) > 0).all() and np.median(np.diff(numbers)) == 1
    places = (numbers - numbers[0] if counted else np.arange(len(numbers))).tolist()
    return [(place / rate_hz, path) for place, (_, path) in zip(places, images, strict=True)]


def _read(path: Path) -> np.ndarray | None:
    """A picture; None if it is none."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
