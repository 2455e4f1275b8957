"""Progress of long work: silent by default, a bar with remaining time on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[int], None]
"""Call it with the number of steps just done."""


@contextmanager
def _silent(what: str, total: int) -> Iterator[Advance]:
    yield lambda steps: None


_display: Callable[[str, int], AbstractContextManager[Advance]] = _silent


def show_progress_with(display: Callable[[str, int], AbstractContextManager[Advance]]) -> None:
    """Let ``display(what, total)`` show the progress of all work from now on."""
    global _display
    _display = display


def progress(what: str, total: int) -> AbstractContextManager[Advance]:
    """Context of a piece of work with ``total`` steps: ``with progress("detect cam01", 900) as advance``."""
    return _display(what, total)
