"""Calibration files of other programs: the formats there are, how one is found, and which of its cameras are meant.

A format is a module with three functions: ``recognises(path)`` looks at a file's name and content, ``read(path)``
gives its cameras by name, and raises ``ValueError`` or ``KeyError`` for what is not as the format says. ``PATTERNS``
are names under which such a file is found beside the videos.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

from ...errors import PosepipeError
from ...settings import read_toml
from ..camera import Camera
from . import opencv, qualisys, tables

log = logging.getLogger("posepipe")

FORMATS: tuple[ModuleType, ...] = (tables, qualisys, opencv)
"""Where several lie beside each other, the first counts: Pose2Sim makes TOML of the others."""
KNOWN = (
    "the TOML of Pose2Sim, anipose, FreeMoCap and Caliscope, the .qca.txt of Qualisys, the intri.yml and extri.yml "
    "of EasyMocap, and YAML or XML of OpenCV"
)
FOLDERS = ("calibration", "calibrations")
"""Folders in which programs keep calibrations, in any case."""


@dataclass(frozen=True)
class Calibration:
    """Cameras by name, as a file has them."""

    path: Path
    cameras: dict[str, Camera]

    def of_camera(self, name: str) -> Camera | None:
        """A camera of this name, which may be written otherwise (cam1 for Cam_01); None if there is none."""
        return {_spelled(known): camera for known, camera in self.cameras.items()}.get(_spelled(name))

    def of_take(self, names: Sequence[str]) -> dict[str, Camera]:
        """The cameras of a take by its names for them: those of the same names, else of the same numbers.

        Raises:
            PosepipeError: a camera that the file does not have.
        """
        for same in (_spelled, _number):
            known = {same(name): name for name in self.cameras}
            unique = len(known) == len(self.cameras) and len({same(name) for name in names}) == len(names)
            if unique and None not in known and {same(name) for name in names} <= known.keys():
                met = {name: known[same(name)] for name in names}
                if renamed := [f"{name} is {other}" for name, other in met.items() if name != other]:
                    log.info("%s: by their names, %s", self.path, ", ".join(renamed))
                return {name: self.cameras[other] for name, other in met.items()}
        missing = next((name for name in names if self.of_camera(name) is None), names[0])
        raise PosepipeError(
            f"{self.path} has no camera {missing!r}; it has {', '.join(self.cameras)}: call videos and cameras the "
            'same, or say calibration = "" in posepipe.toml if it is not meant'
        )


def open_calibration(folder: Path, stated: str | None) -> Calibration | None:
    """The calibration of the videos in a folder, if there is one.

    Args:
        stated: its file as ``posepipe.toml`` names it, in the folder or in the one above; "" for none; None if it is
            to be looked for: in both, and in folders of theirs that are called calibration.

    Raises:
        PosepipeError: no such file, none of the formats, several files that could be meant, or a damaged one.
    """
    if stated is None:
        path = _found(folder)
        if path is not None:
            log.info("calibration: %s", path)
    elif stated:
        path = folder / stated
        if not path.is_file() and (folder.parent / stated).is_file():
            path = folder.parent / stated  # beside the description of all takes
    else:
        path = None
    return None if path is None else Calibration(path, read_calibration(path))


def read_calibration(path: Path) -> dict[str, Camera]:
    """The cameras of a calibration file by name.

    Raises:
        PosepipeError: no such file, none of the formats, or one that is damaged.
    """
    if not path.is_file():
        raise PosepipeError(f"there is no file {path}")
    try:
        known = next((one for one in FORMATS if one.recognises(path)), None)
        if known is None:
            if path.suffix.lower() == ".toml":
                read_toml(path)  # if it is none, that is what is wrong
            raise PosepipeError(f"{path} is no calibration in a format that is read, which are {KNOWN}")
        cameras: dict[str, Camera] = known.read(path)
    except (ValueError, KeyError, TypeError, IndexError, OSError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise PosepipeError(f"{path} is not a whole calibration: {said}") from error
    places = {tuple(camera.t) for camera in cameras.values() if camera.t is not None}
    if len(cameras) > 1 and len(places) == 1:  # as programs write it who have found intrinsics only
        log.info("%s: all cameras stand in the same place, so only their intrinsics are used", path)
        cameras = {name: replace(camera, R=None, t=None) for name, camera in cameras.items()}
    return {name: replace(camera, source=f"{camera.source} in {path.name}") for name, camera in cameras.items()}


def _found(folder: Path) -> Path | None:
    """The only calibration beside the videos of a folder, or else of the one above."""
    for above in (folder, folder.absolute().parent):
        inner = sorted(path for path in _listed(above) if path.name.lower() in FOLDERS and path.is_dir())
        for place in (above, *inner):
            for one in FORMATS:
                files = sorted(path for path in _listed(place) if _is_named(path, one.PATTERNS))
                found = [path for path in files if _recognised(path, one)]
                if len(found) > 1:
                    raise PosepipeError(
                        f"{place} holds several calibrations ({', '.join(path.name for path in found)}): say in "
                        'posepipe.toml which is meant, calibration = "...", or "" for none'
                    )
                if found:
                    return found[0]
    return None


def _listed(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # of another user, above the one that was given
        return []


def _is_named(path: Path, patterns: Sequence[str]) -> bool:
    return not path.name.startswith(".") and any(fnmatch(path.name.lower(), pattern) for pattern in patterns)


def _recognised(path: Path, one: ModuleType) -> bool:
    try:
        return bool(one.recognises(path))
    except (ValueError, OSError):
        return False


def _spelled(name: str) -> str:
    """A camera's name without case, separators and zeros before numbers: Cam_01 is cam1."""
    return re.sub(r"0*(\d+)", r"\1", re.sub(r"[\W_]+", "", name.lower()))


def _number(name: str) -> int | None:
    """The last number in a name; None if there is none."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else None
