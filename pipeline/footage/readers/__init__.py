"""Files of 2D poses that were detected elsewhere: the formats there are, by name.

A reader is a module with two functions: ``recognises(path)`` looks at a file's beginning, ``read(path)`` returns what
it holds as ``Found``. It raises ``ValueError`` or ``KeyError`` for what is not as the format says; ``read`` makes one
sentence of that.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as BadStream  # noqa: N812

import numpy as np

from ...errors import PosepipeError
from ...settings.extensions import check_extension, find_extension, load_place, names_of

log = logging.getLogger("posepipe")

READERS: dict[str, str] = {
    "openpose": "posepipe.pipeline.footage.readers.openpose",
    "mmpose": "posepipe.pipeline.footage.readers.mmpose",
    "coco": "posepipe.pipeline.footage.readers.coco",
    "netcdf": "posepipe.pipeline.footage.readers.netcdf",
    "sleap": "posepipe.pipeline.footage.readers.sleap",
    "csv": "posepipe.pipeline.footage.readers.csv",
    "npz": "posepipe.pipeline.footage.readers.npz",
}
"""Our readers by name; the module is imported only when it is used."""

SUFFIXES = (".csv", ".h5", ".json", ".nc", ".npz")
"""Files called so are 2D poses, or nothing that can be read."""

DAMAGED = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OverflowError, RecursionError,
    RuntimeError, MemoryError, BadZipFile, BadStream,
)  # fmt: skip
"""What reading raises where a file is not as its format says: json, csv, numpy, scipy and h5py differ in it."""

_unusable: set[str] = set()
"""Readers of other packages that cannot be used, of which that has been said."""

HEAD = 4096
"""Characters at a file's beginning that tell its format."""


@dataclass(frozen=True)
class Found:
    """The 2D poses of one camera: P poses, each of somebody in one frame, with J joints in the file's order."""

    frame: np.ndarray  # (P) int
    keypoint: np.ndarray  # (P, J, 2) px; NaN where missing
    confidence: np.ndarray
    """(P, J); what lies outside 0..1 is brought to its ends, and NaN, which nobody estimated, is sure."""
    joints: tuple[str, ...] = ()
    """Their names, if the file says them."""
    time: np.ndarray | None = None  # (F) s, if the file says it
    rate: float | None = None
    """Frames per second, if the file says it."""
    frames: int = 0
    """How many there are, if the file says it; else up to the last one with somebody."""


def format_of(path: Path) -> str | None:
    """The name of the format of a file or folder; None if it is none of ours."""
    if path.name.startswith("."):
        return None
    for name in names_of("reader", READERS):
        if name in _unusable:
            continue
        try:
            if find_reader(name).recognises(path):
                return name
        except PosepipeError as error:  # nobody asked for this reader: the others are tried
            log.warning("%s", error)
            _unusable.add(name)
        except DAMAGED:
            continue
    return None


def find_reader(name: str) -> Any:
    """The module of a reader: one of ours, or what a package registers (``posepipe.readers``).

    Raises:
        PosepipeError: unknown reader, or one of another package that cannot be used.
    """
    place = find_extension("reader", name, READERS)
    found = load_place(place)
    fits = all(callable(getattr(found, function, None)) for function in ("recognises", "read"))
    check_extension(place, fits, "a module with functions recognises and read")
    return found


def read(path: Path) -> Found:
    """The 2D poses in a file.

    Raises:
        PosepipeError: none of our formats, or damaged.
    """
    name = format_of(path)
    if name is None:
        raise unknown_format(path)
    try:
        found: Found = find_reader(name).read(path)
    except DAMAGED as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        said = "its text is not UTF-8" if isinstance(error, UnicodeDecodeError) else said
        raise PosepipeError(f"{path} is not a whole {name} file: {said}") from error
    if len(found.frame) == 0:
        raise PosepipeError(f"{path} holds nobody in any frame")
    return found


DATA_SUFFIXES = frozenset(
    {".csv", ".tsv", ".txt", ".json", ".npz", ".npy", ".h5", ".hdf5", ".nc", ".mat", ".pickle", ".pkl", ".parquet",
     ".slp", ".toml", ".xml", ".yaml", ".yml", ".c3d", ".trc", ".xls", ".xlsx"}
)  # fmt: skip
"""Names of files that are no videos, whatever is in them."""


def unknown_format(path: Path) -> PosepipeError:
    """What to say of a file that no reader recognises."""
    known = ", ".join(names_of("reader", READERS))
    return PosepipeError(f"{path} holds no 2D poses in a format that is known: {known}")


def head_of(path: Path, suffix: str) -> str:
    """The beginning of a text file of this suffix, without spaces; empty for other files."""
    if not path.is_file() or path.suffix.lower() != suffix:
        return ""
    with path.open(encoding="utf-8-sig") as file:
        return "".join(file.read(HEAD).split())


@contextmanager
def opened_json(path: Path) -> Iterator[Any]:
    """The content of a JSON file.

    Raises:
        ValueError: it is none.
    """
    try:
        yield json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not valid JSON (line {error.lineno})") from error


def flat_poses(poses: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (P, J, 2) and confidences (P, J) of flat lists x, y, confidence, x, ...; 0 is missing.

    Raises:
        ValueError: lists of different length, or not of threes.
    """
    lengths = {len(pose) for pose in poses}
    if len(lengths) > 1:
        raise ValueError(
            f"its poses have different numbers of joints ({', '.join(map(str, sorted(lengths)))} values)"
        )
    if any(length % 3 or not length for length in lengths):
        raise ValueError(f"a pose has {max(lengths)} numbers; expected x, y and confidence of each joint")
    values = np.array(poses, float).reshape(len(poses), -1, 3)
    return values[..., :2], values[..., 2]


def frame_number(picture: int | str) -> int:
    """The number of a picture, or that at the end of its name.

    Raises:
        ValueError: a name without one.
    """
    if isinstance(picture, int):
        return picture
    number = re.search(r"(\d+)(\.\w+)?$", picture)
    if number is None:
        raise ValueError(f"the picture {picture!r} ends with no frame number")
    return int(number.group(1))


def first_files(folder: Path, pattern: str, count: int = 3) -> list[Path]:
    """A few files of a folder."""
    return list(islice(folder.glob(pattern), count)) if folder.is_dir() else []
