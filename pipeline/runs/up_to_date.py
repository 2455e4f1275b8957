"""What a run is asked for: one record that the run takes everything from, and whose digest says if it is done.

Whatever a run reads stands in its record: settings, descriptions, videos, and the files that settings name. The
digest is that of the whole record, so that nothing can count in the run and not in the digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..detectors.model_zoo import find_checkpoint
from ..errors import PosepipeError
from ..exporters import without_video
from ..footage.recording import CameraClip, Recording, Take, describe_clip
from ..runtime.digests import Digests
from ..runtime.workplace import JOURNAL, Journal, request_digest
from ..settings import LiftSettings, Settings, packages, parse
from .results import RECORD, are_written

OF_THE_WORLD = ("events", "measures")
"""Formats of contacts with the ground, which every take has."""

DETECTOR_LIBRARIES = ("mmdet", "mmpose", "onnxruntime", "openvino", "torchvision")
"""A detection by another version of them is another one."""


@dataclass(frozen=True)
class FitRequest:
    """What a fit of videos, or of files of their 2D poses, is asked for."""

    takes: tuple[Take, ...]
    settings: Settings
    files: tuple[Any, ...]
    """Those that the settings name (``named_files``)."""
    until: str | None
    exports: tuple[str, ...]

    @staticmethod
    def of(recording: Recording, settings: Settings, until: str | None, exports: Sequence[str]) -> FitRequest:
        """The request for a recording."""
        return FitRequest(recording.takes, settings, named_files(settings), until, tuple(exports))

    @property
    def cameras(self) -> list[tuple[str, CameraClip]]:
        """All cameras of all takes, by name: ``take/camera``."""
        return [(f"{take.name}/{camera.name}", camera) for take in self.takes for camera in take.cameras]

    def exports_of(self, camera: CameraClip) -> list[str]:
        """Those of the formats that a camera can have: nothing is drawn on a video that is not there."""
        return list(self.exports) if camera.keypoints is None else without_video(self.exports)

    @property
    def fused_exports(self) -> list[str]:
        """Those that poses of all views together have."""
        return fused_exports(self.exports)

    def is_complete(self, target: Path) -> bool:
        """Whether all files that the fit writes behind its stages are there."""
        if self.until is not None:
            return True
        takes, fused = target / "takes", self.settings.fuse.enabled
        return (
            all((target / name).exists() for name in ("model.pt", "settings.toml", "report.html"))
            and all(are_written(takes / name, self.exports_of(camera)) for name, camera in self.cameras)
            and (not fused or all(are_written(takes / take.name, self.fused_exports) for take in self.takes))
        )


@dataclass(frozen=True)
class ArraysRequest:
    """What a fit of a keypoint file is asked for."""

    clip: CameraClip
    """The file, and what ``posepipe.toml`` says of it."""
    settings: Settings
    files: tuple[Any, ...]
    until: str | None
    exports: tuple[str, ...]

    @property
    def view_exports(self) -> list[str]:
        """Those of the formats that do not need a video."""
        return without_video(self.exports)

    @property
    def fused_exports(self) -> list[str]:
        """Those that poses of all views together have."""
        return fused_exports(self.exports)


def fused_exports(exports: Sequence[str]) -> list[str]:
    """Those that poses of all views together can have, what they can be exported from, and what the world adds."""
    return list(dict.fromkeys(["npz", *without_video(exports), *OF_THE_WORLD]))


@dataclass(frozen=True)
class InferRequest:
    """What ``infer`` is asked for; where its networks run is no part of it."""

    clip: CameraClip
    """The clip, and what ``posepipe.toml`` says of it."""
    model: Path
    lifting: LiftSettings
    focal_px: float | None
    overrides: Mapping[str, Any]
    files: tuple[Any, ...] = ()
    """Those that the overrides name."""


def infer_request(
    clip: Path,
    model: Path,
    height_m: float | None = None,
    segments_m: Mapping[str, float] | None = None,
    focal_px: float | None = None,
    overrides: Mapping[str, Any] | None = None,
    part: tuple[float | None, float | None] = (None, None),
) -> InferRequest:
    """What ``infer`` is asked for, and what the clip's ``posepipe.toml`` adds.

    Args:
        part: start and end in s of what is used of the clip; where they are None, what ``posepipe.toml`` says counts.

    Raises:
        PosepipeError: a size that nobody has, a focal length that no camera has, or a wrong ``posepipe.toml``.
    """
    if focal_px is not None and not 0 < focal_px < np.inf:
        raise PosepipeError(f"a focal length of {focal_px:g} px cannot be; give that of the camera, or leave it out")
    size = {"height_m": height_m, "segments_m": dict(segments_m or {})}
    lifting: LiftSettings = parse(LiftSettings, size, "infer")
    described, overrides = within(describe_clip(clip), *part), overrides or {}
    return InferRequest(described, model, lifting, focal_px, overrides, named_files(overrides))


def within(clip: CameraClip, from_s: float | None, to_s: float | None) -> CameraClip:
    """The part of a clip from one time of its own to another; where they are None, what it says itself counts."""
    start, end = clip.from_s if from_s is None else from_s, clip.to_s if to_s is None else to_s
    return replace(clip, from_s=start, to_s=end)


def named_files(settings: Any) -> tuple[Any, ...]:
    """What settings, or nested plain values, name: files, and of folders the names and sizes of the files in them.

    A word that happens to be the name of a file in the current folder counts as well: then a run is done again for
    nothing, which is the lesser fault.
    """
    paths = dict.fromkeys(path for text in _texts(settings) if (path := Path(text).expanduser()).exists())
    return tuple(path if path.is_file() else tuple(_listing(path)) for path in paths)


def _listing(folder: Path) -> Iterator[tuple[str, int]]:
    return ((path.name, path.stat().st_size) for path in sorted(folder.iterdir()) if path.is_file())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str) and value and "\0" not in value:
        yield value
    elif isinstance(value, Mapping):
        yield from (text for inner in value.values() for text in _texts(inner))
    elif isinstance(value, list | tuple):
        yield from (text for inner in value for text in _texts(inner))


def digest_of(request: Any, digests: Digests) -> str:
    """Digest of a request: all its fields, the contents of the files that it names, and whose code it runs.

    The checkpoint that is on the disk counts as well: with ``detect.detector`` auto it decides who detects.
    """
    on_disk = find_checkpoint()
    checkpoint = None if on_disk is None else _plain(on_disk.checkpoint, digests)
    whose = packages(), installed_versions(DETECTOR_LIBRARIES), checkpoint
    return request_digest(type(request).__name__, _plain(request, digests), *whose)


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of packages, as far as they are installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _plain(value: Any, digests: Digests) -> Any:
    """A record as plain values, files by name and content."""
    if isinstance(value, Path):
        return [value.name, digests.of(value)]
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json", exclude={"device"}), digests)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), digests) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, digests) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, digests) for inner in value]
    return value


def is_finished(folder: Path, request: str, exports: Sequence[str]) -> bool:
    """Whether a run has ended in a folder with the request of this digest, and all wanted files are there."""
    if not (folder / RECORD).exists() or Journal.read(folder / JOURNAL).request != request:
        return False
    return are_written(folder, exports)
