"""Progress of a batch: a live table with the remaining time in a terminal, otherwise a line per clip."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ..runs.batch import Row

Show = Callable[[Sequence[Row]], None]

ENDED = ("done", "up to date", "failed")
LAST = 10
"""Number of clips in the table that ended last."""
COLORS = {"done": "green", "failed": "red", "running": "cyan", "up to date": "dim"}
TRUST = {"green": "green", "doubtful": "yellow", "red": "red"}
"""Colours of verdicts."""


@contextmanager
def shown_in(console: Console) -> Iterator[Show]:
    """Show a batch on a console; a table is followed by the errors of the clips that failed."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    table = _LiveTable()
    failed: dict[str, str] = {}

    def show(rows: Sequence[Row]) -> None:
        live.update(table.rendered(rows))
        failed.update({row.clip: row.error for row in rows if row.status == "failed"})

    with Live(table.rendered([]), console=console, transient=True) as live:
        yield show
    for error in failed.values():
        console.print(f"failed: {error}", markup=False, highlight=False, soft_wrap=True)


def sentence(rows: Sequence[Row]) -> str:
    """The result of a batch in one line."""
    counts = Counter(row.status for row in rows)
    return ", ".join(f"{counts[status]} {status}" for status in (*ENDED, "waiting") if counts[status])


class _Lines:
    """One line for each clip when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()

    def __call__(self, rows: Sequence[Row]) -> None:
        ended = [row for row in rows if row.status in ENDED]
        for row in ended:
            if row.clip not in self._told:
                self._told.add(row.clip)
                number = f"[{len(self._told)}/{len(rows)}]"
                facts = row.error or f"{row.clip}: {row.frames} frames, {row.seconds:.1f} s"
                facts += f"; {row.verdict}: {row.sentence}" if row.verdict else ""
                self._console.print(f"{number} {row.status}: {facts}", markup=False, highlight=False, soft_wrap=True)


class _LiveTable:
    """Running clips, those that ended last, and a bar whose remaining time ignores clips that were up to date."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        self._bar = Progress(*columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self._task = self._bar.add_task("clips", total=None)
        self._order: dict[str, float] = {}

    def rendered(self, rows: Sequence[Row]) -> Group:
        for row in rows:
            if row.status in ("done", "failed"):
                self._order.setdefault(row.clip, time.monotonic())
        worked = [row for row in rows if row.status != "up to date"]
        ended = sum(row.status in ENDED for row in worked)
        self._bar.update(
            self._task, total=len(worked) or None, completed=ended, description=sentence(rows) or "clips"
        )
        last = sorted((row for row in rows if row.clip in self._order), key=lambda row: self._order[row.clip])[-LAST:]
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("clip", "status", "frames", "with person", "confidence", "trust", "seconds"):
            table.add_column(heading, justify="left" if heading in ("clip", "status", "trust") else "right")
        for row in [*last, *(row for row in rows if row.status == "running")]:
            table.add_row(*_cells(row))
        return Group(table, self._bar)


def _cells(row: Row) -> list[str]:
    status = f"[{COLORS.get(row.status, 'default')}]{row.status}[/]"
    name = escape(Path(row.clip).name)
    if row.error:
        return [name, status, "", "", "", "", escape(row.error)]
    share = "" if row.fraction_with_person is None else f"{100 * row.fraction_with_person:.0f} %"
    confidence = "" if row.mean_confidence is None else f"{row.mean_confidence:.2f}"
    trust = f"[{TRUST[row.verdict]}]{row.verdict}[/]" if row.verdict else ""
    return [
        name,
        status,
        str(row.frames or ""),
        share,
        confidence,
        trust,
        f"{row.seconds:.1f}" if row.seconds else "",
    ]
