"""What was filmed: a folder of takes, each a set of cameras that saw the same moments.

A folder with two or more clips (``sources``) is one take; otherwise each of its sub-folders with two or more clips is
a take, and so is a recording of another program (``layouts``). ``posepipe.toml`` may say more (``description``).
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import PosepipeError
from ..settings import check_name, parse
from .calibrations import open_calibration
from .camera import Camera
from .chapters import chapter_of
from .description import DESCRIPTION, CameraDescription, KindOfLens, TakeDescription, camera_name, read_description
from .keypoint_file import is_keypoint_file
from .layouts import OF_BOARD, anipose_trials, beside, filmed_folder, is_of_board, opencap_trials
from .sources import chapters_of, clips_in, folders_in, holds_poses, longer_name, natural_order, videos_in
from .video import is_image_folder

log = logging.getLogger("posepipe")
_OF_ONE = "for 3D poses from one camera use `posepipe infer`, which needs no training"


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
    chapters: tuple[Path, ...] = ()
    """Files in which the recording of ``video`` goes on."""
    rate_hz: float | None = None
    """Of a folder of pictures, how many a second, if anybody says."""
    from_s: float | None = None
    """Where in its own time the part begins that is used; at its beginning if nobody says."""
    to_s: float | None = None
    """Where it ends."""
    mirrored: bool = False
    """Whether its pictures are the mirror image."""
    lens: KindOfLens = "pinhole"
    """Its kind, as stated."""

    @property
    def part(self) -> tuple[float, float]:
        """Start and end in s of what is used of it, in its own time; infinite where nobody says."""
        return -math.inf if self.from_s is None else self.from_s, math.inf if self.to_s is None else self.to_s


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
        takes = list(_takes(folder, inside))
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


def _takes(folder: Path, inside: dict[str, Any]) -> Iterator[Take]:
    """The takes of a folder: itself, or the folders in it.

    Args:
        inside: what its ``posepipe.toml`` says.
    """
    if len(clips_in(folder).clips) >= 2 or _names_files_in(folder, inside):
        yield _take(folder, folder, inside)
        return
    if own := list(_known_takes(folder, inside)):
        yield from own
        return
    for sub in folders_in(folder):
        description = read_description(sub / DESCRIPTION, inside)
        enough = len(clips_in(sub).clips) >= 2
        if enough and is_of_board(sub):
            _leave_out(sub, OF_BOARD)
        elif enough or ((sub / DESCRIPTION).exists() and filmed_folder(sub) is None):
            yield _take(sub, sub, description)
        else:
            yield from _known_takes(sub, description)


def _known_takes(folder: Path, tree: dict[str, Any]) -> Iterator[Take]:
    """The takes of a recording of another program; none if it is no such recording."""
    for trial, videos in opencap_trials(folder).items():
        yield _described_take(folder, trial, videos, tree)
    if (filmed := filmed_folder(folder)) is not None:
        for path, why in beside(filmed).items():
            _leave_out(path, why)
        trials = anipose_trials(filmed)
        for trial, videos in trials.items():
            yield _described_take(folder, trial, videos, tree)
        if not trials:
            yield _take(folder, filmed, tree)


def _leave_out(path: Path, why: str) -> None:
    log.info("%s is left out: %s", path, why)


def _take(folder: Path, filmed: Path, tree: dict[str, Any]) -> Take:
    """The take of the clips in a folder.

    Args:
        folder: of the take, after which it is named.
        filmed: of its clips.
        tree: what its ``posepipe.toml`` says.
    """
    found = clips_in(filmed)
    for path, why in found.left_out.items():
        _leave_out(path, why)
    _check_chapters(found.clips)
    name = folder.resolve().name
    where = folder / DESCRIPTION
    description: TakeDescription = parse(TakeDescription, tree, str(where))
    videos = _videos_of_cameras(where, filmed, found.clips, description)
    if len(videos) < 2:
        raise PosepipeError(f"{folder} holds one camera; training needs two or more of the same moments; {_OF_ONE}")
    return _described_take(folder, name, videos, tree)


def _described_take(folder: Path, name: str, videos: Mapping[str, Path], tree: dict[str, Any]) -> Take:
    """A take of these clips, by the names of its cameras, with all that is said of them."""
    where = folder / DESCRIPTION
    description: TakeDescription = parse(TakeDescription, tree, str(where))
    _check_cameras(videos, description.cameras, where)
    calibration = open_calibration(folder, description.calibration)
    known = calibration.of_take(list(videos)) if calibration else {}
    cameras = tuple(_described(camera, video, description, known) for camera, video in videos.items())
    return Take(name, tuple(_without_others(camera, videos) for camera in cameras), description.rig)


def _without_others(camera: CameraClip, videos: Mapping[str, Path]) -> CameraClip:
    """A camera without what seem to be chapters of its clip, but are cameras of their own by the description."""
    return replace(camera, chapters=tuple(path for path in camera.chapters if path not in videos.values()))


def _videos_of_cameras(
    where: Path, filmed: Path, clips: Sequence[Path], description: TakeDescription
) -> dict[str, Path]:
    """A take's clips by camera, in the order of their files, whether or not the description names the camera."""
    said = {camera: _video_of(where, filmed, camera, one) for camera, one in description.cameras.items()}
    videos, taken = dict(said), {path.resolve() for path in said.values()}
    for name, path in clip_names(clips).items():
        if path.resolve() in taken:
            continue
        if name in said:
            raise PosepipeError(
                f"{where} says that camera {name!r} is {said[name].name}, but there is {path.name} as well: say "
                f'which camera that is ([cameras.NAME] video = "{path.name}"), or move it elsewhere'
            )
        videos[name] = path
    order = natural_order(videos.values())
    return dict(sorted(videos.items(), key=lambda camera: order.index(camera[1])))


def clip_names(clips: Sequence[Path]) -> dict[str, Path]:
    """What cameras are called after their clips: without suffix, if no other one is then called the same."""
    shared = Counter(camera_name(clip).casefold() for clip in clips)
    return {
        longer_name(clip) if shared[camera_name(clip).casefold()] > 1 else camera_name(clip): clip for clip in clips
    }


def _check_chapters(clips: Sequence[Path]) -> None:
    """Check that no recording lacks a file in its middle.

    Raises:
        PosepipeError: one does.
    """
    first: dict[tuple[str, ...], Path] = {}
    for clip in clips:
        place = chapter_of(clip)
        if place is not None and place.sure and (before := first.setdefault(place.recording, clip)) != clip:
            raise PosepipeError(
                f"{clip} belongs to the same recording as {before.name}, but the file before it is missing, so that "
                "its time is not known; copy all files of the recording, or move one away"
            )


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
        keypoints=take.keypoints if holds_poses(video) else None,
        focal_px=said.focal_px or take.focal_px,
        chapters=chapters_of(video),
        rate_hz=take.pictures.rate_hz,
        from_s=said.from_s,
        to_s=said.to_s,
        mirrored=said.mirrored,
        lens=said.lens or take.lens or "pinhole",
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
    if is_keypoint_file(clip):
        take.say_what_arrays_leave_out(where, clip)
    named = (name for name, said in take.cameras.items() if said.video == clip.name)
    name, calibration = next(named, camera_name(clip)), open_calibration(folder, take.calibration)
    known = calibration.of_camera(name) if calibration else None
    return _described(name, clip, take, {name: known} if known else {})


def _check_cameras(videos: Mapping[str, Path], described: Iterable[str], where: Path) -> None:
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


def _video_of(where: Path, filmed: Path, camera: str, said: CameraDescription) -> Path:
    """The clip of a camera that a description names, in the folder of the clips or in that of the description."""
    if said.video:
        path = next((place / said.video for place in (filmed, where.parent) if (place / said.video).exists()), None)
        if path is None or not (path.is_file() or is_image_folder(path) or holds_poses(path)):
            raise PosepipeError(f"{where}: camera {camera!r} has no file {filmed / said.video}")
        return path
    named = clip_names(clips_in(filmed).clips)
    if camera not in named:
        raise PosepipeError(f'{where}: say which file camera {camera!r} is: video = "..."')
    return named[camera]


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
    videos = [path for path in clips_in(folder).clips if videos_in(folder)]
    if len(videos) == 1:
        copies = ", others being copies or later parts of it" if len(videos_in(folder)) > 1 else ""
        return (
            f"{folder} holds one video ({videos[0].name}{copies}), and training needs two or more cameras of the "
            f"same moments; {_OF_ONE}"
        )
    return (
        f"{folder} holds no take: put two or more videos of the same moments into it, one per camera, "
        "or one such folder per take"
    )
