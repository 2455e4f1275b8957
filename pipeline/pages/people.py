"""people.html: everybody in the pictures, each with a number and the words to choose them, as one file."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.writing import write_atomically
from .page import render_page

COLORS = 6
"""Number of colours of people in page.css."""


@dataclass(frozen=True)
class Marked:
    """Somebody in a picture."""

    number: int
    """In the take."""
    box: Sequence[float]  # (4) px
    middle: Sequence[float]  # (2) px, on the body
    bones: Sequence[Sequence[float]]  # (B, 4) px: from x, y to x, y
    portrait: bytes
    """The part of the picture around them, as JPEG; empty without pictures."""


@dataclass(frozen=True)
class Picture:
    """A picture of a camera, as JPEG, empty without pictures, and the people in it."""

    time_s: float
    """In the clip's own time."""
    jpeg: bytes
    people: Sequence[Marked]


@dataclass(frozen=True)
class View:
    """What one camera shows."""

    take: str
    camera: str
    """Empty, as the take is, where there is only one clip."""
    size: Sequence[int]  # width, height in px
    pictures: Sequence[Picture]
    share: dict[int, float]
    """Of the frames, in which each person is seen."""

    @property
    def name(self) -> str:
        """The camera, for people."""
        return f"{self.take}/{self.camera}" if self.camera else ""


@dataclass(frozen=True)
class Sheet:
    """Everybody in the takes of a folder, or in a clip."""

    title: str
    views: Sequence[View]
    warnings: tuple[str, ...]


def write_sheet(path: Path, sheet: Sheet) -> Path:
    """Write the page."""
    write_atomically(path, render(sheet).encode())
    return path


def render(sheet: Sheet) -> str:
    """The page as HTML."""
    takes = list(dict.fromkeys(view.take for view in sheet.views))
    return render_page(
        "people.html",
        title=sheet.title,
        warnings=sheet.warnings,
        takes=[{"name": take, "people": _people(sheet, take, len(takes) == 1)} for take in takes],
        views=[_drawn(view) for view in sheet.views],
    )


def _people(sheet: Sheet, take: str, is_only: bool) -> list[dict[str, Any]]:
    """Everybody in a take: how they look, where they are seen, and the words that choose them."""
    views = [view for view in sheet.views if view.take == take]
    people = []
    for number in sorted({number for view in views for number in view.share}):
        seen = [(view, picture, one) for view in views for picture in view.pictures
                for one in picture.people if one.number == number]  # fmt: skip
        view, picture, best = max(seen, key=lambda each: each[2].box[3] - each[2].box[1])
        x, y = (round(value) for value in best.middle)
        camera = view.camera if is_only else view.name
        place = f"{camera}{'@' if camera else ''}{picture.time_s:.2f}s:{x},{y}"
        if not re.fullmatch(r"[\w@.:,/-]+", place):
            place = f'"{place}"'  # as a shell takes it
        words = [f"--person {number}", f"--person {place}"] if is_only else [f"--person {place}"]
        where = [f"{view.camera or 'seen'} {view.share[number]:.0%}" for view in views if number in view.share]
        people.append({
            "number": number,
            "color": number % COLORS,
            "words": words if len(where) > 1 or len(views) == 1 else [],
            "where": ", ".join(where),
            "portrait": _data(best.portrait),
        })  # fmt: skip
    return people


def _drawn(view: View) -> dict[str, Any]:
    """A camera's pictures with marks, sized so that they are as strong in all pictures."""
    width, height = view.size
    pictures = [
        {
            "time": f"{picture.time_s:.2f} s",
            "jpeg": _data(picture.jpeg),
            "people": [
                {
                    "number": one.number,
                    "color": one.number % COLORS,
                    "box": [round(value, 1) for value in one.box],
                    "bones": [[round(value, 1) for value in bone] for bone in one.bones],
                }
                for one in picture.people
            ],
        }
        for picture in view.pictures
    ]
    return {
        "name": view.name,
        "width": width,
        "height": height,
        "unit": max(width, height) / 320,
        "pictures": pictures,
    }


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else ""
