"""Workers do every task once, and lose only the task of a process that dies."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from posepipe.pipeline.runtime import workers as module
from posepipe.pipeline.runtime.workers import Begun, Ended, Workers


def work(task: str) -> str:
    """``die``: as if the memory were full; ``sleep``: for ever; else the task itself, and who did it.

    ``deaf FILE``: for ever, whatever is asked; ``linger`` and ``exit``: a thread holds up the end of the process.
    """
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "leave":
        os._exit(3)
    if task == "sleep":
        time.sleep(1000)
    if task.startswith("deaf "):
        try:
            Path(task.removeprefix("deaf ")).touch()
            time.sleep(1000)
        except SystemExit:  # swallowed, as where no exception can be raised
            time.sleep(1000)
    if task in ("linger", "exit"):
        threading.Thread(target=time.sleep, args=(1000,)).start()
    if task == "exit":
        sys.exit(3)
    return f"{task} by {os.getpid()}"


def test_a_process_that_dies_loses_its_task_only() -> None:
    tasks = ["a", "die", "b", "leave", "c", "d"]
    with Workers(work, 2) as workers:
        events = list(workers.run(tasks))
    assert sorted(event.task for event in events if isinstance(event, Begun)) == sorted(tasks)
    ended = {event.task: event for event in events if isinstance(event, Ended)}
    assert {task for task, event in ended.items() if event.result is None} == {"die", "leave"}
    assert (ended["die"].exit_code, ended["leave"].exit_code) == (-signal.SIGKILL, 3)
    assert all(ended[task].result.startswith(f"{task} by ") for task in "abcd")


def test_processes_are_used_again_and_do_not_outlive_the_context() -> None:
    with Workers(work, 1) as workers:
        results = [event.result for tasks in (["a", "b"], ["c"]) for event in workers.run(tasks)
                   if isinstance(event, Ended)]  # fmt: skip
        assert len({result.split(" by ")[1] for result in results}) == 1
        began = next(iter(workers.run(["sleep"])))
        assert isinstance(began, Begun)
        ((process, _),) = workers._busy.values()
    assert process.exitcode == 128 + signal.SIGTERM  # by way of an exception, not at once
    assert not Path(f"/proc/{process.pid}").exists()


def test_a_process_is_renewed_after_some_tasks() -> None:
    with Workers(work, 1, renewed_after=2) as workers:
        events = list(workers.run(["a", "b", "c", "d", "e"]))
        assert len(workers._idle) == 1
    by = [event.result.split(" by ")[1] for event in events if isinstance(event, Ended)]
    assert by[0] == by[1] != by[2] == by[3] != by[4]
    assert not any(Path(f"/proc/{process}").exists() for process in by)


def test_a_process_that_does_not_hear_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    busy = tmp_path / "busy"
    with Workers(work, 2) as workers:
        assert [event.result for event in workers.run(["a"]) if isinstance(event, Ended)]
        events = workers.run([f"deaf {busy}"])
        assert isinstance(next(events), Begun)
        ((process, _),) = workers._busy.values()
        while not busy.exists():
            time.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    assert process.exitcode == -signal.SIGKILL


def test_a_process_that_cannot_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    with Workers(work, 1, renewed_after=1) as workers:
        ended = {event.task: event for event in workers.run(["linger", "exit", "a"]) if isinstance(event, Ended)}
    assert ended["linger"].result.startswith("linger by ")
    assert (ended["exit"].result, ended["exit"].exit_code) == (None, -signal.SIGKILL)
    assert ended["a"].result.startswith("a by ")
