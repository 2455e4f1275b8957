"""What was filmed: a folder of takes, each a set of cameras that saw the same moments.

A folder with two or more videos is one take; otherwise each of its sub-folders with two or more
videos is a take. Instead of videos there may be files of 2D poses (``readers``), one per camera.
``posepipe.toml`` may say more (``description``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import PosepipeError
from ..settings import check_name, parse
from .calibrations import open_calibration
from .camera import Camera
from .description import DESCRIPTION, CameraDescription, TakeDescription, camera_name, read_description
from .readers import format_of
from .video import VIDEO_SUFFIXES


@dataclass(frozen=True)
class CameraClip:
    """A camera's clip of a take, or a clip by itself: a video or a file of 2D poses, and what is said of it."""

    name: str
    video: Path
    offset_s: float | None
    moving: bool | None
    slow_motion: float | None
    """How many times slower than life it plays, if anybody says."""
    calibration: Camera | None
    """As given."""
    keypoints: Mapping[str, Any] | None = None
    """Of a file of 2D poses in the place of a video: settings of its own."""
    focal_px: float | None = None
    """Focal length as stated, for the root trajectory."""


@dataclass(frozen=True)
class Take:
    """Cameras that saw the same moments."""

    name: str
    cameras: tuple[CameraClip, ...]
    rig: str


@dataclass(frozen=True)
class Recording:
    """All takes of a folder."""

    folder: Path
    takes: tuple[Take, ...]

    @staticmethod
    def open(folder: Path) -> Recording:
        """Find the takes and cameras of a folder.

        Raises:
            PosepipeError: no such folder, nothing in it that could be a take, or a wrong ``posepipe.toml``.
        """
        if not folder.exists():
            raise PosepipeError(f"there is no folder {folder}")
        if not folder.is_dir():
            raise PosepipeError(f"{folder} is a file; give the folder of the take's videos, or use `posepipe infer`")
        inside = read_description(folder / DESCRIPTION, {})
        left_out: list[str] = list(inside.pop("leave_out", []))
        if len(sources_in(folder)) >= 2 or _names_files_in(folder, inside):
            return Recording(folder, (_take(folder, folder.resolve().name, inside),)).without(left_out)
        takes = [
            _take(sub, sub.name, description)
            for sub in _natural_order(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path))
            if len(sources_in(sub)) >= 2 or (sub / DESCRIPTION).exists()
            for description in [read_description(sub / DESCRIPTION, inside)]
        ]
        if not takes:
            raise PosepipeError(_nothing_found(folder))
        for take in takes:
            own = read_description(folder / take.name / DESCRIPTION, {}).get("leave_out", [])
            left_out += [f"{take.name}/{name}" for name in own]
        return Recording(folder, tuple(takes)).without(left_out)

    def without(self, names: Sequence[str]) -> Recording:
        """The same recording but for these takes and cameras.

        Args:
            names: of takes, of cameras in all takes, or ``take/camera``.

        Raises:
            PosepipeError: a name that is none of these, or too little left.
        """
        known = [name for take in self.takes for name in (take.name, *_camera_names(take))]
        for name in names:
            check_name("take or camera to leave out", name, dict.fromkeys(known))
        takes = []
        for take in self.takes:
            if take.name in names:
                continue
            kept = tuple(
                camera for camera in take.cameras if not {camera.name, f"{take.name}/{camera.name}"} & set(names)
            )
            if len(kept) < 2:
                raise PosepipeError(
                    f"without {', '.join(names)} take {take.name} has {len(kept)} cameras, and training needs two or "
                    f"more; leave out the whole take instead"
                )
            takes.append(replace(take, cameras=kept))
        if not takes:
            raise PosepipeError(f"{self.folder}: every take is left out")
        return replace(self, takes=tuple(takes))


def _take(folder: Path, name: str, tree: dict[str, Any]) -> Take:
    where = folder / DESCRIPTION
    description: TakeDescription = parse(TakeDescription, tree, str(where))
    found = sources_in(folder)
    videos = {camera_name(path): path for path in found}
    if description.cameras:
        videos = {camera: _video_of(folder, camera, said) for camera, said in description.cameras.items()}
    elif len(videos) < len(found):
        raise PosepipeError(f"{folder} holds videos that differ only in their suffix; name the cameras in {where}")
    if len(videos) < 2:
        raise PosepipeError(f"{where} names one camera; training needs two or more cameras of the same moments")
    _check_cameras(videos, description.cameras, where)
    calibration = open_calibration(folder, description.calibration)
    known = calibration.of_take(list(videos)) if calibration else {}
    cameras = tuple(_described(name, video, description, known) for name, video in videos.items())
    return Take(name, cameras, description.rig)


def _described(name: str, video: Path, take: TakeDescription, known: Mapping[str, Camera]) -> CameraClip:
    """A camera with what is said of it, or else of all cameras of its take."""
    said = take.cameras.get(name, CameraDescription())
    return CameraClip(
        name=name,
        video=video,
        offset_s=said.offset_s,
        moving=take.moving if said.moving is None else said.moving,
        slow_motion=said.slow_motion or take.slow_motion,
        calibration=known.get(name),
        keypoints=None if video.suffix.lower() in VIDEO_SUFFIXES and video.is_file() else take.keypoints,
        focal_px=said.focal_px or take.focal_px,
    )


def describe_clip(clip: Path) -> CameraClip:
    """A clip by itself, with what the ``posepipe.toml`` in its folder, or in the one above, says of it.

    Raises:
        PosepipeError: a wrong ``posepipe.toml`` or calibration file.
    """
    folder = clip.absolute().parent
    where = folder / DESCRIPTION
    tree = read_description(where, read_description(folder.parent / DESCRIPTION, {}))
    take: TakeDescription = parse(TakeDescription, tree, str(where))
    named = (name for name, said in take.cameras.items() if said.video == clip.name)
    name, calibration = next(named, camera_name(clip)), open_calibration(folder, take.calibration)
    known = calibration.of_camera(name) if calibration else None
    return _described(name, clip, take, {name: known} if known else {})


def _check_cameras(videos: dict[str, Path], described: Iterable[str], where: Path) -> None:
    """Check that cameras can give their names to folders of results, on any system, and are different videos."""
    for name in described:
        if not _FOLDER_NAME.fullmatch(name):
            raise PosepipeError(
                f"{where}: camera name {name!r} cannot be that of a folder; use letters, digits, spaces, . _ and -"
            )
    for name, count in Counter(name.casefold() for name in videos).items():
        if count > 1:
            raise PosepipeError(f"{where}: several cameras are named {name!r}, or differ only in case; rename them")
    for video, count in Counter(path.resolve() for path in videos.values()).items():
        if count > 1:
            raise PosepipeError(f"{where}: two cameras are the same video {video.name}; say which file each is")


_FOLDER_NAME = re.compile(r"(?![. ])[^/\\:*?\"<>|\x00-\x1f]+(?<![. ])")


def _video_of(folder: Path, camera: str, said: CameraDescription) -> Path:
    if said.video:
        path = folder / said.video
        if not path.is_file() and format_of(path) is None:
            raise PosepipeError(f"{folder / DESCRIPTION}: camera {camera!r} has no file {path}")
        return path
    found = [path for path in sources_in(folder) if camera_name(path) == camera]
    if len(found) != 1:
        raise PosepipeError(f'{folder / DESCRIPTION}: say which file camera {camera!r} is: video = "..."')
    return found[0]


def _camera_names(take: Take) -> list[str]:
    """How cameras of a take can be named, in it and in all takes."""
    return [name for camera in take.cameras for name in (f"{take.name}/{camera.name}", camera.name)]


def _names_files_in(folder: Path, tree: dict[str, Any]) -> bool:
    """Whether a description names a camera by a file of this folder, not of the take folders in it."""
    cameras = tree.get("cameras")
    described = cameras.values() if isinstance(cameras, dict) else []
    names = [str(said["video"]) for said in described if isinstance(said, dict) and said.get("video")]
    return any((folder / name).exists() for name in names)


def _nothing_found(folder: Path) -> str:
    videos = videos_in(folder)
    if len(videos) == 1:
        return (
            f"{folder} holds one video ({videos[0].name}), and training needs two or more cameras of the same "
            "moments; to get 3D poses of one clip with a trained model use `posepipe infer`"
        )
    return (
        f"{folder} holds no take: put two or more videos of the same moments into it, one per camera, "
        "or one such folder per take"
    )


def videos_in(folder: Path) -> list[Path]:
    """Files named like videos, in natural order of their names (cam2 before cam10)."""
    found = [
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES and not _is_hidden(path)
    ]
    return _natural_order(found)


def sources_in(folder: Path) -> list[Path]:
    """Videos of a folder; if there are none, its files and folders of 2D poses."""
    return videos_in(folder) or _natural_order(
        path for path in folder.iterdir() if not _is_hidden(path) and format_of(path) is not None
    )


def _natural_order(paths: Iterable[Path]) -> list[Path]:
    def words(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.name.lower())
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    return sorted(paths, key=words)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.endswith("_posepipe")


def results_folder(source: Path) -> Path:
    """Where results go by default: beside the footage, named after it."""
    resolved = source.absolute()  # of a link, beside the link
    stem = resolved.name if source.is_dir() else resolved.stem
    return resolved.with_name(f"{stem}_posepipe")
