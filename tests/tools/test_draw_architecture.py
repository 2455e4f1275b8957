"""The picture of the architecture shows the rooms and the imports that there are."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from test_layers import ROOMS, imports, modules, room, where

from tools.draw_architecture import PICTURE, count_imports, draw, imported_rooms, rooms

ROOT = Path(__file__).parents[2]
SHOWN = (ROOT / "docs" / PICTURE).read_text(encoding="utf-8")


def test_rooms_are_those_of_the_layers() -> None:
    assert rooms() == ROOMS


def test_the_picture_has_every_room_and_every_arrow() -> None:
    """How many files a room has may change; which rooms there are, and which use which, is drawn anew."""

    def names(picture: str) -> list[str]:
        return [text for text in re.findall(r">([^<>]+)</text>", picture) if not text[0].isdigit()]

    def arrows(picture: str) -> set[str]:
        return set(re.findall(r' d="([^"]+)"', picture))

    drawn = draw()
    assert set(ROOMS["models"]) | set(ROOMS["pipeline"]) <= set(names(SHOWN))
    advice = "run python tools/draw_architecture.py --out docs"
    assert names(SHOWN) == names(drawn), advice
    assert arrows(SHOWN) == arrows(drawn), advice


def test_drawing_twice_gives_the_same_bytes() -> None:
    assert draw() == draw()


def test_imports_are_found_whichever_way_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.draw_architecture.REPOSITORY", tmp_path)
    path = tmp_path / "pipeline" / "runs" / "deep" / "file.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import posepipe.models.body.angles\nfrom posepipe.pipeline.arrays import Track\nfrom ...errors import A\n"
        "from ... import settings\nfrom posepipe.models import METHODS\nimport numpy\n"
        "def late():\n    from ..fit import fit\n    from ...stages.lift import lift_poses\n"
    )
    assert set(imported_rooms(path)) == {
        ("models", "body"), ("models", "METHODS"), ("pipeline", "arrays"), ("pipeline", "errors"),
        ("pipeline", "settings"), ("pipeline", "runs"), ("pipeline", "stages"),
    }  # fmt: skip


def test_numbers_are_those_of_the_files_that_import() -> None:
    """Against the reader of imports that the test of the layers has."""
    count = count_imports(ROOMS)
    used: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for package in ROOMS:
        for path in modules(package):
            used[package, room(where(path))].append({"/".join(name.split("/")[:2]) for name in imports(path)})
    for package, names in ROOMS.items():
        for own in names:
            for other in set(names) - {own}:
                users = [each for each in used[package, own] if f"{package}/{other}" in each]
                assert count.get(((package, own), (package, other)), 0) == len(users)
