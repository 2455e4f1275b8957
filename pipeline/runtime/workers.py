"""Processes that work through a list of tasks, one task at a time each; one that dies loses its task only."""

from __future__ import annotations

import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_SPAWN = get_context("spawn")
"""A fresh interpreter per process: forked ones would share locks of threads that they do not have."""


@dataclass(frozen=True)
class Begun(Generic[T]):
    """A task is being worked on."""

    task: T


@dataclass(frozen=True)
class Ended(Generic[T, R]):
    """A task is done; ``result`` is None if the process died, with ``exit_code`` (negative: by that signal)."""

    task: T
    result: R | None
    exit_code: int | None = None


class Workers(Generic[T, R]):
    """``count`` processes that run ``function``, a module-level function that raises nothing; started when needed.

    A process ends after ``renewed_after`` tasks and another takes its place, so that what libraries keep of each task
    does not add up. A context: on leaving it, the processes end, even in the middle of a task.
    """

    def __init__(self, function: Callable[[T], R], count: int, renewed_after: int = 50) -> None:
        self._function, self._count, self._renewed_after = function, count, renewed_after
        self._tasks: Counter[BaseProcess] = Counter()
        self._idle: list[tuple[BaseProcess, Connection]] = []
        self._busy: dict[Connection, tuple[BaseProcess, T]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        processes = [process for process, _ in self._idle] + [process for process, _ in self._busy.values()]
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        self._idle, self._busy = [], {}

    def run(self, tasks: Iterable[T]) -> Iterator[Begun[T] | Ended[T, R]]:
        """Work through tasks, and tell of each when it begins and when it has ended."""
        waiting = deque(tasks)
        while waiting or self._busy:
            while waiting and len(self._busy) < self._count:
                task = waiting.popleft()
                process, pipe = self._idle.pop() if self._idle else self._start()
                pipe.send(task)
                self._busy[pipe] = process, task
                yield Begun(task)
            ready = wait(list(self._busy))
            for pipe in [pipe for pipe in self._busy if pipe in ready]:
                process, task = self._busy.pop(pipe)
                try:
                    result = pipe.recv()
                except (EOFError, ConnectionResetError):
                    process.join()
                    yield Ended(task, None, process.exitcode)
                    continue
                self._tasks[process] += 1
                if self._tasks[process] < self._renewed_after:
                    self._idle.append((process, pipe))
                else:
                    pipe.close()  # which ends the process
                    process.join()
                yield Ended(task, result)

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(self._function, theirs), daemon=True)
        process.start()
        theirs.close()  # so that a process that dies closes the last one
        return process, ours


def _work(function: Callable[[Any], Any], pipe: Connection) -> None:
    """What a process does until the other end of its pipe closes; Ctrl-C is for the parent to act upon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(function(task))


def _leave(number: int, frame: object) -> None:
    """End by an exception, so that files half written are removed on the way out."""
    raise SystemExit(128 + number)
