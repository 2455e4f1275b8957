"""Chapters: files in which a camera's recording goes on, as cameras split them at 2 or 4 GB or after some minutes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import PosepipeError
from .video import recorded

NAMED = (
    re.compile(r"(G[HLSX])(\d\d)(\d{4})", re.IGNORECASE),  # GoPro from HERO6 on: GX010042, GX020042
    re.compile(r"(GP)(\d\d)(\d{4})", re.IGNORECASE),  # GoPro before it, behind GOPR0042: GP010042
    re.compile(r"(DJI_\d{4}_)(\d{3})()", re.IGNORECASE),  # DJI_0042_001, DJI_0042_002
    re.compile(r"((?:PRO_)?(?:VID|LRV)_\d{8}_\d{6}_(?:\d\d_)?)(\d{3})()", re.IGNORECASE),  # Insta360
)
"""Names that say which recording a file belongs to, and behind that which chapter it is."""

FIRST_GOPRO = re.compile(r"GOPR(\d{4})", re.IGNORECASE)

NUMBERED = re.compile(r"(.*?)(\d{4,}|(?<=\D)\d{3})(\D{0,3})")
"""Names that count files, such as Sony's C0001 and 00001, and DJI_20240501120000_0001_D; times must tell more."""

STAMP = re.compile(r"\d{14}")
"""Date and time in a name, which differ from chapter to chapter."""

GAP_S = 1.5
"""Containers say in whole seconds when a recording began."""

FULL_BYTES = (2**31, 2**32)
"""How large files can become on many cards; cameras begin the next one a little before."""
NEARLY = 0.95


@dataclass(frozen=True)
class Chapter:
    """What the name of a file says of its place in a recording."""

    recording: tuple[str, str, str]
    number: int
    sure: bool
    """Whether the name tells the recording, or only counts files."""


def chapter_of(path: Path) -> Chapter | None:
    """What a file's name says of its place in a recording; None if nothing."""
    suffix = path.suffix.lower()
    if first := FIRST_GOPRO.fullmatch(path.stem):
        return Chapter(("gp", first[1], suffix), 0, True)
    for pattern in NAMED:
        if found := pattern.fullmatch(path.stem):
            return Chapter((found[1].lower(), found[3], suffix), int(found[2]), True)
    if found := NUMBERED.fullmatch(path.stem):
        return Chapter((STAMP.sub("", found[1].lower()), found[3].lower(), suffix), int(found[2]), False)
    return None


def chapters_after(path: Path, beside: Iterable[Path]) -> tuple[Path, ...]:
    """The files among others of its folder in which the recording of a file goes on, in order."""
    numbered, found = _numbered(beside), list[Path]()
    while (after := _next(found[-1] if found else path, numbered)) is not None:
        found.append(after)
    return tuple(found)


def without_later_chapters(paths: Sequence[Path]) -> list[Path]:
    """Files but for those in which the recording of another one, in the same folder, goes on; in the same order."""
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    later = set()
    for here in folders.values():
        numbered = _numbered(here)
        later |= {_next(path, numbered) for path in here}
    return [path for path in paths if path not in later]


_Numbered = Mapping[tuple[tuple[str, str, str], int], Path]
"""Files by recording and chapter."""


def _numbered(paths: Iterable[Path]) -> _Numbered:
    return {(place.recording, place.number): path for path in paths if (place := chapter_of(path))}


def _next(path: Path, numbered: _Numbered) -> Path | None:
    """The file in which the recording of a file goes on, if there is one."""
    place = chapter_of(path)
    after = numbered.get((place.recording, place.number + 1)) if place else None
    return after if place and after and (place.sure or _goes_on(path, after)) else None


def _goes_on(path: Path, after: Path) -> bool:
    """Whether a file begins when another ends, or where nobody says when, whether that one is as large as can be."""
    try:
        first, second = recorded(path), recorded(after)
    except PosepipeError:  # what cannot be read is said where it is read
        return False
    if first.kind != second.kind:
        return False
    if first.began_s is None or second.began_s is None:
        return any(NEARLY * full <= path.stat().st_size <= full for full in FULL_BYTES)
    return abs(second.began_s - first.began_s - first.length_s) <= GAP_S


def check_chapters(clips: Sequence[Path]) -> None:
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
