"""Output of the command line at a terminal: errors, messages, progress bars, sizes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer

from ..errors import PosepipeError


def spoken(function: Callable[..., None]) -> Callable[..., None]:
    """A command that prints errors of ``function`` as one sentence.

    Raises:
        typer.Exit: by the command, with code 2 after a PosepipeError and 130 after Ctrl-C.
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except PosepipeError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None
        except (MemoryError, RuntimeError, ImportError, SystemError) as error:
            if not _is_lack_of_memory(error):
                raise
            typer.echo("error: there is too little memory; close other programs, or give more to this one", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("stopped; run the same command again to go on where it was", err=True)
            raise typer.Exit(130) from None

    return run


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether an error of Python, of a network's arithmetic or of the loader of libraries means this."""
    # The last is what the interpreter says where it had no memory left for the exception itself.
    words = ("allocate memory", "start new thread", "failed to map segment", "without setting an exception")
    return isinstance(error, MemoryError) or any(said in str(error) for said in words)


def speak() -> None:
    """Show the library's messages on stderr, and progress bars if it is a terminal."""
    from ..runtime.progress import show_progress_with

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("posepipe")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    if sys.stderr.isatty():
        show_progress_with(bar)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar with the remaining time, of ``total`` steps."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda steps: shown.advance(task, steps)


def amount(size: float) -> str:
    """A size in bytes as text with its unit, such as 1.2 GB."""
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
