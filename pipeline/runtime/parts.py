"""Long work in parts, so that finished parts of a killed run are not computed again."""

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
"""A part, and its time by activity, where that is measured."""


class Task(NamedTuple):
    """Name and number of items of the work, for the progress bar."""

    name: str
    items: int


def part_by_part(
    work: Work, kind: type[H], task: Task, rest: Callable[[list[H], Advance], Iterator[Part[H]]]
) -> list[H]:
    """All parts of a result: stored ones, and the rest, each of which is stored when it is finished.

    Args:
        kind: type of the parts.
        rest: computes the parts after the stored ones, and reports its progress.
    """
    kept = work.parts(kind)
    with progress(*task) as advance:
        for part, seconds_of in rest(kept, advance):
            work.keep(part, seconds_of=seconds_of)
    return work.parts(kind)


def in_chunks(
    items: Iterator[T], size: int, make: Callable[[list[T]], H], advance: Advance
) -> Iterator[tuple[H, Mapping[str, float]]]:
    """Parts made of ``size`` items each; the last one may have fewer."""
    while chunk := list(islice(items, size)):
        yield make(chunk), {}
        advance(len(chunk))
