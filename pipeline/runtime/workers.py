"""Processes that work through a list of tasks, one task at a time each; if one dies, only its task is lost."""

from __future__ import annotations

import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_SPAWN = get_context("spawn")
"""A new interpreter per process, as forked ones would inherit locks of threads that do not exist in them."""

PATIENCE_S = 10.0
"""Time that a process has to end before it is killed."""


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

    A process is replaced after ``renewed_after`` tasks, so that memory leaks of libraries do not add up. On leaving
    this context the processes end, even in the middle of a task; one that does not end within ``PATIENCE_S`` is
    killed.
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
        for pipe in [pipe for _, pipe in self._idle] + list(self._busy):
            pipe.close()  # which ends a process that waits for a task, if it did not hear the signal
        self._idle, self._busy = [], {}
        _wait_or_kill(processes)

    def run(self, tasks: Iterable[T]) -> Iterator[Begun[T] | Ended[T, R]]:
        """Work through tasks; yields when each begins and when it has ended."""
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
                    _wait_or_kill([process])
                    yield Ended(task, None, process.exitcode)
                    continue
                self._tasks[process] += 1
                if self._tasks[process] < self._renewed_after:
                    self._idle.append((process, pipe))
                else:
                    pipe.close()  # which ends the process
                    _wait_or_kill([process])
                yield Ended(task, result)

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(self._function, theirs), daemon=True)
        process.start()
        theirs.close()  # so that a process that dies closes the last one
        return process, ours


def _wait_or_kill(processes: Sequence[BaseProcess]) -> None:
    """Wait for processes that were asked to end, and kill those that do not.

    They may not end by themselves: an exception raised by a signal handler is lost where exceptions are swallowed,
    compiled code that hangs does not let handlers run, and threads of libraries can hold up an interpreter's end.
    """
    deadline = time.monotonic() + PATIENCE_S
    try:
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
    finally:  # even if Ctrl-C is pressed again
        for process in processes:
            process.kill()
            process.join()


def _work(function: Callable[[Any], Any], pipe: Connection) -> None:
    """The loop of a process until the other end of its pipe closes; the parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    with pipe:  # closed on the way out, so that the parent hears of it even if the process does not end
        while True:
            try:
                task = pipe.recv()
            except EOFError:
                return
            pipe.send(function(task))


def _leave(number: int, frame: object) -> None:
    """End by an exception, so that half-written files are removed."""
    raise SystemExit(128 + number)
