"""Many clips: all in folders and patterns, each view once, and names for the folders of their results."""

from __future__ import annotations

import glob
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import PosepipeError
from ..runtime.workplace import JOURNAL
from .chapters import without_later_chapters
from .layouts import OF_BOARD, beside, filmed_folder, is_of_board
from .sources import Found, is_video, longer_name, natural_order, without_copies
from .video import is_image_folder

log = logging.getLogger("posepipe")


def find_clips(sources: Sequence[Path | str], out: Path) -> dict[Path, str]:
    """All videos of folders, files and patterns, in order, each with the name of its results folder.

    That is its path below what all sources have in common, without suffix if no other clip's name is the same.
    Hidden files, results, ``out``, copies and folders of calibrations are left out; a link counts where it stands.
    Folders of numbered pictures are clips. A recording that goes on in further files is one clip.

    Raises:
        PosepipeError: a source that is not there.
    """
    found: dict[Path, None] = {}
    bases = []
    for source in map(Path, sources):
        if source.is_dir() and not is_image_folder(source):
            bases.append(source.absolute())
            found |= dict.fromkeys(_below(source, out.resolve()))
        elif source.exists():
            bases.append(source.absolute().parent)
            found[source] = None
        elif glob.has_magic(str(source)):
            bases.append(_fixed_part(source).absolute())
            paths = sorted(Path(path) for path in glob.glob(str(source), recursive=True))  # noqa: PTH207 - absolute
            found |= dict.fromkeys(_once(without_copies(path for path in paths if path.is_file() and is_video(path))))
        else:
            raise PosepipeError(f"there is no file or folder {source}")
    return name_clips(list(found), bases)


def name_clips(clips: Sequence[Path], bases: Sequence[Path] = ()) -> dict[Path, str]:
    """Clips, each once and without the files in which another goes on, with names for the folders of their results.

    Args:
        bases: folders below whose common part the names begin; by default those that the clips are in.
    """
    unique: dict[str, Path] = {}
    for clip in clips:
        unique.setdefault(os.path.normpath(clip.absolute()), clip)
    clips = without_later_chapters(list(unique.values()))
    base = os.path.commonpath(bases or [clip.absolute().parent for clip in clips]) if clips else ""
    names = {clip: "" for clip in clips}
    for last in (_short_name, longer_name, lambda clip: clip.name):
        shared = Counter(name.casefold() for name in names.values())
        for clip, name in list(names.items()):
            if not name or shared[name.casefold()] > 1:
                names[clip] = _below_base(clip.absolute(), base, last(clip))
    return names


def _short_name(clip: Path) -> str:
    return clip.name if clip.is_dir() else clip.stem


def _below_base(clip: Path, base: str, name: str) -> str:
    parts = Path(os.path.relpath(clip.parent, base)).parts
    return str(Path(*(part for part in parts if part != ".."), name))


def _fixed_part(pattern: Path) -> Path:
    parts = pattern.parts[: next(place for place, part in enumerate(pattern.parts) if glob.has_magic(part))]
    return Path(*parts)


def _below(folder: Path, out: Path) -> Iterator[Path]:
    """The clips in a folder and below, but for those that show the same as others."""
    if (folder / JOURNAL).exists() or folder.resolve() == out:
        return  # results, whose overlays are no clips
    inside = natural_order(path for path in folder.iterdir() if not path.name.startswith("."))
    videos = [path for path in inside if is_video(path) and not path.is_dir()]
    yield from _once(without_copies(videos))
    filmed = filmed_folder(folder)
    left_out = beside(filmed) if filmed else {}
    for path in (path for path in inside if path.is_dir() and not path.is_symlink()):
        if is_of_board(path):
            left_out[path] = OF_BOARD
        elif is_image_folder(path) and not videos and path not in left_out:
            yield path
        elif path not in left_out:
            yield from _below(path, out)
    for path, why in left_out.items():
        log.info("%s is left out: %s", path, why)


def _once(found: Found) -> list[Path]:
    for path, why in found.left_out.items():
        log.info("%s is left out: %s", path, why)
    return found.clips
