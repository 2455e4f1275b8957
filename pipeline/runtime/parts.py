"""Long work part by part: what a killed run has finished is not done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, TypeVar

from ..arrays import HandOver
from .cache import Work
from .progress import Advance, progress

H = TypeVar("H", bound=HandOver)
T = TypeVar("T")

Part = tuple[H, Mapping[str, float]]
"""A part, and what the time that it took went into, where that is measured."""


class Task(NamedTuple):
    """What people see of the work: its name, and how many items it has."""

    name: str
    items: int


def part_by_part(
    work: Work, kind: type[H], task: Task, rest: Callable[[list[H], Advance], Iterator[Part[H]]]
) -> list[H]:
    """All parts of a result: those that are kept, and the rest, each of which is kept when it is finished.

    Args:
        kind: of the parts.
        rest: the parts that follow those that are kept; it says how it gets on.
    """
    kept = work.parts(kind)
    with progress(*task) as advance:
        for part, seconds_of in rest(kept, advance):
            work.keep(part, seconds_of=seconds_of)
    return work.parts(kind)


def in_chunks(
    items: Iterator[T], size: int, make: Callable[[list[T]], H], advance: Advance
) -> Iterator[tuple[H, Mapping[str, float]]]:
    """Parts that are made of so many items each, the last of fewer."""
    while chunk := list(islice(items, size)):
        yield make(chunk), {}
        advance(len(chunk))
