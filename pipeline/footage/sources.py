"""Which files and folders of a folder are clips, each view once, and what is left out.

A clip is a video, a file or folder of 2D poses, or a folder of numbered pictures. A recording that goes on in further
files is one clip. Copies in low resolution, annotated copies and files of the same poses in a second format are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import PosepipeError
from .chapters import chapters_after, without_later_chapters
from .keypoint_file import is_keypoint_file
from .readers import DATA_SUFFIXES, format_of, unknown_format
from .video import VIDEO_SUFFIXES, is_image_folder

POORER = frozenset({".lrv", ".lrf"})
"""Suffixes that action cameras and drones give to low-resolution copies."""

COPY = re.compile(r"(?P<original>.+?)([ _-]?proxy|s03)", re.IGNORECASE)
"""Low-resolution copies of other cameras, which say so in their name: C0001S03 is Sony's of C0001."""

ANNOTATED = re.compile(
    r"(?P<original>.+?)(DLC[ _-].*)?[ _-](annotated|labell?ed|overlay|pose|rendered|rotated|sports2d|tracked)",
    re.IGNORECASE,
)
"""Copies that programs have turned, or in which they have drawn the poses that they found, named after the video."""

POSES_ONCE = (".csv", ".nc", ".h5")
"""Where the same poses are there in several formats, as DeepLabCut writes them, the first of these is read."""


@dataclass
class Found:
    """The clips of a folder, and what else is there that shows the same."""

    clips: list[Path] = field(default_factory=list)
    """Of a recording in several files the first."""
    left_out: dict[Path, str] = field(default_factory=dict)
    """Why each of these files is none, in words."""


def clips_in(folder: Path) -> Found:
    """The videos of a folder; if there are none, its files and folders of 2D poses, else its folders of pictures."""
    if videos := videos_in(folder):
        found = without_copies(videos)
        return Found(without_later_chapters(found.clips), found.left_out)
    inside = natural_order(path for path in folder.iterdir() if not is_hidden(path))
    if poses := [path for path in inside if format_of(path) is not None]:
        return _each_once(poses)
    if any(videos_in(path) for path in folders_in(folder)):
        return Found()  # a folder of takes; pictures beside them are something else
    return Found([path for path in inside if is_image_folder(path)])


def holds_poses(clip: Path) -> bool:
    """Whether a clip is no video, but 2D poses that were detected elsewhere."""
    named_like_video = clip.suffix.lower() in VIDEO_SUFFIXES and clip.is_file()
    return not named_like_video and format_of(clip) is not None


def check_clip(clip: Path) -> bool:
    """Whether a clip is not filmed but 2D poses.

    Raises:
        PosepipeError: there is no such clip, or data in no known format.
    """
    if not clip.exists():
        raise PosepipeError(f"there is no file {clip}")
    poses_given = holds_poses(clip)
    if clip.is_dir() and not poses_given and not is_image_folder(clip):
        raise PosepipeError(
            f"{clip} is a folder, and neither of 2D poses nor of numbered pictures; give a clip, or train on "
            "the folder with `posepipe fit`"
        )
    if clip.suffix.lower() in DATA_SUFFIXES and not poses_given and not is_keypoint_file(clip):
        raise unknown_format(clip)
    return poses_given


def chapters_of(clip: Path) -> tuple[Path, ...]:
    """The files beside a clip in which its recording goes on."""
    return chapters_after(clip, videos_in(clip.parent)) if is_video(clip) and clip.is_file() else ()


def without_copies(videos: Iterable[Path]) -> Found:
    """Videos but for those that are copies, in low resolution or annotated, of another one in the same folder."""
    videos, found = list(videos), Found()
    names = {(path.parent, path.stem.lower()) for path in videos if path.suffix.lower() not in POORER}
    for path in videos:
        original = next((name for name in _originals(path) if (path.parent, name) in names), None)
        if original is None:
            found.clips.append(path)
        else:
            found.left_out[path] = f"it is a copy of {original}, by its name"
    return found


def _originals(path: Path) -> list[str]:
    """What the video may be called, without suffix and in small letters, of which a file is a copy by its name."""
    stem = path.stem.lower()
    if path.suffix.lower() in POORER:
        lens = re.sub(r"^lrv_(\d{8}_\d{6})_\d\d_", r"vid_\1_00_", stem)  # Insta360 has one copy for both its lenses
        return [stem, re.sub("^gl", "gx", stem), re.sub("^gl", "gh", stem), lens, re.sub("^lrv_", "vid_", stem)]
    return [found["original"] for pattern in (COPY, ANNOTATED) if (found := pattern.fullmatch(stem))]


def _each_once(poses: list[Path]) -> Found:
    """Files of poses, each of those of one name once."""
    found = Found()
    for path in poses:
        same = [other for other in poses if other.stem == path.stem and other.suffix.lower() in POSES_ONCE]
        first = min(same, key=lambda other: POSES_ONCE.index(other.suffix.lower()), default=path)
        if path in same and path != first:
            found.left_out[path] = f"{first.name} holds the same poses"
        else:
            found.clips.append(path)
    return found


def videos_in(folder: Path) -> list[Path]:
    """Files named like videos, in natural order of their names (cam2 before cam10)."""
    return natural_order(path for path in folder.iterdir() if is_video(path) and path.is_file())


def folders_in(folder: Path) -> list[Path]:
    """Folders of a folder in natural order, but for hidden ones and results of ours."""
    return natural_order(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path))


def is_video(path: Path) -> bool:
    """Whether a file is named like a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not is_hidden(path)


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Paths in order of their names, numbers in them counting as such."""

    def words(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.name.lower())
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    return sorted(paths, key=words)


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is hidden, or results of ours."""
    return path.name.startswith(".") or path.name.endswith("_posepipe")


def results_folder(source: Path) -> Path:
    """Where results go by default: beside the footage, named after it, with its suffix if others are called the same.

    Of a video and poses of one name, the video has the shorter name.
    """
    resolved = source.absolute()  # of a link, beside the link
    if source.is_dir():
        return resolved.with_name(f"{resolved.name}_posepipe")
    rivals = [path for path in _beside(resolved) if path.stem.casefold() == resolved.stem.casefold()]
    if any(is_video(path) or (not is_video(resolved) and format_of(path)) for path in rivals):
        return resolved.with_name(f"{longer_name(resolved)}_posepipe")
    return resolved.with_name(f"{resolved.stem}_posepipe")


def _beside(file: Path) -> list[Path]:
    """Other files in the folder of one."""
    return [path for path in file.parent.iterdir() if path.is_file() and path != file] if file.parent.is_dir() else []


def longer_name(clip: Path) -> str:
    """The name of a clip with its suffix, as that of a folder: ``IMG_0001_MOV``."""
    return f"{clip.stem}_{clip.suffix[1:]}" if clip.suffix else clip.name
