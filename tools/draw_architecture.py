"""Draws the picture of docs/architecture.md: the rooms of both packages in order, and the imports between them.

    python tools/draw_architecture.py --out docs

Rooms and their order are those of ``tests/test_layers.py``, and imports are read from the code, so that the picture
cannot say other than these. An arrow goes from the room that imports to the one that is imported; its number and its
thickness say how many files do so.
"""

from __future__ import annotations

import argparse
import ast
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LAYERS = REPOSITORY / "tests" / "test_layers.py"
PICTURE = "architecture.svg"

WIDTH, BOX_WIDTH, BOX_HEIGHT, STEP, TOP = 1076, 176, 32, 56, 76
LEFT = {"models": 228, "pipeline": 576}
"""Left edges of the boxes of each package."""
OUTWARDS = {"models": -1, "pipeline": 1}
"""On which side of its boxes a package has its arrows: arrows that reach over more rooms reach further out."""
REACH = 26
"""How much further, for every room, in px."""
COLOUR = {"models": "#2963d9", "pipeline": "#25803a"}
INK, GREY, BETWEEN = "#222", "#7b818c", "#d9722b"
FRAME = (12, LEFT["models"] + BOX_WIDTH + 16)
"""Left and right edge of the frame round ``models``."""

Room = tuple[str, str]
"""A package and one of its rooms."""


def rooms() -> dict[str, tuple[str, ...]]:
    """The rooms of each package in their order, from the base up, as the test of the layers lists them."""
    for node in ast.parse(LAYERS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "ROOMS" for to in node.targets):
            return ast.literal_eval(node.value)
    raise ValueError(f"{LAYERS} has no list ROOMS")


def room_of(path: Path) -> Room | None:
    """The room that a path of ours belongs to; None for a package itself and what is none of ours."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts if path.is_relative_to(REPOSITORY) else ()
    known = len(parts) > 1 and parts[0] in LEFT and parts[1] != "__init__"
    return (parts[0], parts[1]) if known else None


def imported_rooms(path: Path) -> Iterator[Room]:
    """The rooms that a file imports from, those of imports inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [".".join(("posepipe", *home.relative_to(REPOSITORY).parts, alias.name)) for alias in node.names]
        for name in names:
            first, *inside = name.split(".")
            if first == "posepipe" and (room := room_of(REPOSITORY.joinpath(*inside))) is not None:
                yield room


def count_imports(order: dict[str, tuple[str, ...]]) -> dict[tuple[Room, Room], int]:
    """How many files of a room import from another one, for all pairs of rooms."""
    count: Counter[tuple[Room, Room]] = Counter()
    known = {(package, room) for package, names in order.items() for room in names}
    for package in order:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            own = room_of(path)
            if own is not None:
                count.update({(own, other) for other in imported_rooms(path) if other in known and other != own})
    return dict(count)


def count_users(order: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """How many files of each room of ``pipeline`` import something of ``models``."""
    count: Counter[str] = Counter()
    for path in (REPOSITORY / "pipeline").rglob("*.py"):
        own = room_of(path)
        if own is not None and any(package == "models" for package, _ in imported_rooms(path)):
            count[own[1]] += 1
    return {room: count[room] for room in order["pipeline"] if count[room]}


def count_files(order: dict[str, tuple[str, ...]]) -> dict[Room, int]:
    """How many files a room has."""
    found = Counter(room_of(path) for package in order for path in (REPOSITORY / package).rglob("*.py"))
    return {(package, room): found[package, room] for package, names in order.items() for room in names}


def draw() -> str:
    """The picture as SVG text, without scripts or fonts."""
    order = rooms()
    rows = {(package, room): row for package, names in order.items() for row, room in enumerate(names)}
    height = TOP + STEP * max(map(len, order.values()))
    left, right = FRAME
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" font-family="sans-serif" font-size="13">',
        "<title>The rooms of posepipe in their order, and how many files of each import from which other</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<rect x="{left}" y="12" width="{right - left}" height="{height - 24}" rx="8" fill="none" stroke="{GREY}" '
        'stroke-dasharray="4 4"/>',
    ]
    parts += [_text(LEFT[package] + BOX_WIDTH / 2, 42, f"{package}/", INK, "middle", 16) for package in order]
    within = {pair: number for pair, number in count_imports(order).items() if pair[0][0] == pair[1][0]}
    for (user, used), number in sorted(within.items()):
        parts += _arc(user[0], rows[user], rows[used], number)
    for room, number in count_users(order).items():
        y = _middle(rows["pipeline", room])
        parts += [_line(f"M{LEFT['pipeline']} {y} H{right + 9}", BETWEEN, number), _head(right, y, -1, BETWEEN)]
        parts.append(_text((LEFT["pipeline"] + right) / 2, y - 6, str(number), BETWEEN, "middle"))
    for (package, room), number in count_files(order).items():
        x, y = LEFT[package], _middle(rows[package, room])
        parts.append(
            f'<rect x="{x}" y="{y - BOX_HEIGHT // 2}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#fff" '
            f'stroke="{COLOUR[package]}" stroke-width="1.5"/>'
        )
        parts.append(_text(x + 11, y + 5, room, INK))
        parts.append(_text(x + BOX_WIDTH - 11, y + 5, "1 file" if number == 1 else f"{number} files", GREY, "end"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _middle(row: int) -> int:
    return TOP + STEP * row + BOX_HEIGHT // 2


def _arc(package: str, user: int, used: int, number: int) -> list[str]:
    """An arrow beside the boxes from one row to another, with its number where it is furthest out."""
    way = OUTWARDS[package]
    edge = LEFT[package] + (BOX_WIDTH if way > 0 else 0)
    lower = 7 if user > used else -7  # arrows leave a box at one half of its edge and arrive at the other
    start, end = _middle(user) - lower, _middle(used) + lower
    furthest = REACH * abs(user - used)
    control = edge + way * (12 + furthest * 4 / 3)
    curve = f"M{edge} {start} C{control:.1f} {start} {control:.1f} {end} {edge + way * 9} {end}"
    word = _text(
        edge + way * (18 + furthest), (start + end) / 2 + 4, str(number), COLOUR[package], "middle", 12, True
    )
    return [_line(curve, COLOUR[package], number), _head(edge, end, -way, COLOUR[package]), word]


def _line(path: str, colour: str, number: int) -> str:
    width = 1 + 0.5 * math.log2(number)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:.1f}" stroke-opacity="0.55"/>'


def _head(x: int, y: int, way: int, colour: str) -> str:
    return f'<path d="M{x} {y} l{-10 * way} -4 v8 z" fill="{colour}"/>'


def _text(
    x: float, y: float, text: str, colour: str, anchor: str = "start", size: int = 13, cleared: bool = False
) -> str:
    """A text; ``cleared`` of the lines that it stands on."""
    halo = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if cleared else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"{halo}>{text}</text>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / PICTURE
    path.write_text(draw(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
