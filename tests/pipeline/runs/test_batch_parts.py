"""A batch's rows and summary, and what is made of each clip: without processes of its own."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from known_clip import a_clip
from posepipe.pipeline.cli import batch_table
from posepipe.pipeline.cli.batch_table import shown_in
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs import batch
from posepipe.pipeline.runs.batch import Row, Task, find_clips, lift_one
from posepipe.pipeline.runs.results import write_results
from posepipe.pipeline.runtime.workers import Begun, Ended
from rich.console import Console


def task_of(folder: Path, **options: Any) -> Task:
    return Task(folder / "a.mp4", folder / "a", {"model": folder / "model.pt", "exports": ("npz",), **options}, 1)


class Worked:
    """Workers that say of each task what was to happen to it."""

    def __init__(self, ended: list[Any]) -> None:
        self.ended = ended
        self.tasks: list[Task] = []

    def run(self, tasks: list[Task]) -> Any:
        self.tasks = tasks
        for task, end in zip(tasks, self.ended, strict=True):
            yield Begun(task)
            yield Ended(task, *end)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model that passes, and clips whose contents do not matter."""
    (tmp_path / "model.pt").touch()
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text(name)
    monkeypatch.setattr(batch, "check_options", lambda wanted: None)
    return tmp_path


def rows_after(folder: Path, ended: list[Any], shown: list[list[str]] | None = None) -> tuple[Any, Worked]:
    wanted = {"model": folder / "model.pt", "exports": ("npz",)}
    statuses = [] if shown is None else shown
    run = batch._Batch(folder / "out", wanted, lambda rows: statuses.append([row.status for row in rows]))
    workers: Any = Worked(ended)
    run.work(workers, {folder / f"{name}.mp4": name for name in "abc"[: len(ended)]}, 2)
    return run, workers


def test_every_clip_becomes_a_task_and_then_what_became_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch.os, "cpu_count", lambda: 7)
    shown: list[list[str]] = []
    done = Row(str(folder / "a.mp4"), "done", frames=3)
    run, workers = rows_after(folder, [(done,), (None, -9), (None, 3)], shown)
    assert [(task.clip.name, task.folder, task.threads) for task in workers.tasks] == [
        (f"{name}.mp4", folder / "out" / name, 3) for name in "abc"
    ]
    a, b, c = run.rows.values()
    assert a is done
    assert (b.status, c.status, b.folder) == ("failed", "failed", str(folder / "out" / "b"))
    assert (
        b.error == f"{folder / 'b.mp4'}: the process that worked on it was killed by SIGKILL; is there enough memory?"
    )
    assert "was ended with 3;" in c.error
    assert shown[0] == ["waiting"] * 3
    assert shown[1:3] == [["running", "waiting", "waiting"], ["done", "waiting", "waiting"]]
    assert shown[-1] == ["done", "failed", "failed"]


def test_the_summary_says_the_same_as_a_table_and_as_json(folder: Path) -> None:
    run, _ = rows_after(folder, [(Row(str(folder / "a.mp4"), "done", files=["x", "y"], warnings=["u", "v"]),)])
    run.rows[folder / "b.mp4"] = Row(str(folder / "b.mp4"), "running")
    run.write_summary()
    said = json.loads((folder / "out" / "summary.json").read_text())
    assert said["counts"] == {"done": 1, "waiting": 1}
    assert [row["status"] for row in said["clips"]] == ["done", "waiting"]
    with (folder / "out" / "summary.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["files"], first["warnings"], first["status"]) == ("x;y", "u;v", "done")
    assert (second["clip"], second["status"]) == (str(folder / "b.mp4"), "waiting")
    assert run.rows[folder / "b.mp4"].status == "running"


@pytest.mark.parametrize(("seconds", "written"), [(4.9, False), (5.1, True)])
def test_the_summary_is_kept_up_to_date_every_few_seconds(
    seconds: float, written: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(batch.time, "monotonic", lambda: now[0])
    run, _ = rows_after(folder, [])
    run.write_summary()
    (folder / "out" / "summary.json").unlink()
    now[0] += seconds
    workers: Any = Worked([(Row("a"),)])
    run.work(workers, {folder / "a.mp4": "a"}, 1)
    assert (folder / "out" / "summary.json").exists() is written


def test_what_is_finished_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "out").mkdir()
    (file,) = write_results(a_clip(4), folder / "out" / "a", ["npz"])
    asked: list[Any] = []
    monkeypatch.setattr(batch, "infer_request", lambda clip, **options: asked.append(options) or clip.name)
    monkeypatch.setattr(batch, "digest_of", lambda request, digests: f"digest of {request}")
    monkeypatch.setattr(
        batch, "is_finished", lambda place, request, exports: (place.name, request) == ("a", "digest of a.mp4")
    )
    run, _ = rows_after(folder, [])
    workers: Any = Worked([(Row("b", "done"),)])
    run.work(workers, {folder / "a.mp4": "a", folder / "b.mp4": "b"}, 1)
    row = run.rows[folder / "a.mp4"]
    assert [task.clip.name for task in workers.tasks] == ["b.mp4"]
    assert (row.status, row.seconds, row.frames, row.files) == ("up to date", 0.0, 4, [str(file)])
    assert (row.mean_confidence, row.fraction_with_person) == (0.75, 1.0)
    assert asked[0] == {"model": folder / "model.pt"}


def test_a_row_has_the_verdict_on_the_person_for_whom_it_is_worst(tmp_path: Path) -> None:
    sentences = {"green": "Nothing.", "red": "Do not rely on these.", "doubtful": "Look."}
    verdict = {f"person {word}": {"word": word, "sentence": sentence} for word, sentence in sentences.items()}
    known = {"frames": 3, "mean_confidence": 0.5, "fraction_with_person": 1.0, "verdict": verdict}
    (tmp_path / "result.json").write_text(json.dumps({"from": {}, "files": {}, "about": known}))
    row = Row("clip.mp4", "done", seconds=2.0)
    batch._fill(row, tmp_path, [])
    assert (row.verdict, row.sentence) == ("red", "Do not rely on these.")
    console = Console(record=True, width=200)
    with shown_in(console) as show:
        show([row])
    assert "done: clip.mp4: 3 frames, 2.0 s; red: Do not rely on these." in console.export_text()
    assert "[red]red[/]" in batch_table._cells(row)


def test_options_that_results_depend_on_are_part_of_what_is_asked() -> None:
    options = {"model": 1, "height_m": 2, "segments_m": 3, "focal_px": 4, "overrides": 5}
    assert batch._asked({**options, "exports": 6, "device": 7}) == options


def test_a_model_that_is_not_there_is_refused(folder: Path) -> None:
    (folder / "model.pt").unlink()
    with pytest.raises(PosepipeError, match="there is no model file"):
        rows_after(folder, [(Row("a"),)])


def test_a_clip_is_lifted_with_its_options_and_what_is_said_of_it_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def infer(clip: Path, **options: Any) -> None:
        asked.append((clip, options))
        logging.getLogger("posepipe").warning("it breaks off")
        write_results(a_clip(4), options["out"], ["npz"])

    monkeypatch.setattr("posepipe.pipeline.runs.infer.infer", infer)
    row = lift_one(task_of(folder, height_m=1.8))
    assert asked == [(folder / "a.mp4", {"out": folder / "a", "model": folder / "model.pt", "exports": ("npz",),
                                         "height_m": 1.8})]  # fmt: skip
    assert (row.status, row.error, row.warnings, row.frames) == ("done", "", ["it breaks off"], 4)
    assert row.files == [str(folder / "a" / "poses.npz")]
    assert row.seconds is not None and 0 <= row.seconds == round(row.seconds, 3)
    handlers = list(logging.getLogger("posepipe").handlers)
    for fault, error, warnings in (
        (PosepipeError("a.mp4: nobody"), "a.mp4: nobody", 0),
        (KeyError("x"), f"{folder / 'a.mp4'}: a fault of posepipe (KeyError: 'x')", 1),
    ):

        def fails(clip: Path, fault: Exception = fault, **options: Any) -> None:
            raise fault

        monkeypatch.setattr("posepipe.pipeline.runs.infer.infer", fails)
        row = lift_one(task_of(folder))
        assert (row.status, row.error, len(row.warnings)) == ("failed", error, warnings)
    assert logging.getLogger("posepipe").handlers == handlers


def test_clips_are_named_by_their_places_below_what_all_sources_share(tmp_path: Path) -> None:
    for name in ("x/a.mp4", "x/.hidden.mp4", "x/.git/b.mp4", "y/deep/a.mp4", "y/deep/a.mov", "y/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "x" / "done").mkdir()
    (tmp_path / "x" / "done" / "run.json").touch()
    (tmp_path / "x" / "done" / "overlay.mp4").touch()
    named = find_clips([tmp_path / "x", tmp_path / "y"], tmp_path / "y" / "out")
    assert {str(clip.relative_to(tmp_path)): name for clip, name in named.items()} == {
        "x/a.mp4": "x/a", "y/deep/a.mov": "y/deep/a_mov", "y/deep/a.mp4": "y/deep/a_mp4",
    }  # fmt: skip
    pattern = find_clips([str(tmp_path / "y" / "**" / "*.mp4")], tmp_path)
    assert list(pattern.values()) == ["deep/a"]
    assert list(find_clips([tmp_path / "x" / "a.mp4"], tmp_path).values()) == ["a"]
    assert find_clips([tmp_path / "y"], tmp_path / "y" / "deep") == {}
    with pytest.raises(PosepipeError, match="there is no file or folder"):
        find_clips([tmp_path / "z"], tmp_path)


def test_a_clip_has_arrived_when_it_no_longer_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        (folder / "b.mp4").write_text("still being copied")

    monkeypatch.setattr(batch.time, "sleep", sleep)
    arrived = batch._arrived([folder], folder / "out", {folder / "c.mp4": Row("c")})
    assert arrived == {folder / "a.mp4": "a"}
    assert waits == [3.0]
    known = {folder / f"{name}.mp4": Row(name) for name in "abc"}
    assert batch._arrived([folder], folder / "out", known) == {}
    assert waits == [3.0], "nothing new, nothing to wait for"


def test_a_watched_folder_is_looked_at_again_and_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []

    class Noted:
        def __init__(self, function: Any, count: int) -> None:
            assert (function, count) == (lift_one, 2)

        def __enter__(self) -> Noted:
            return self

        def __exit__(self, *error: object) -> None:
            return None

        def run(self, tasks: list[Task]) -> Any:
            begun.append([task.clip.name for task in tasks])
            return (Ended(task, Row(str(task.clip), "done")) for task in tasks)

    def sleep(seconds: float) -> None:
        if len(begun) == 2:
            raise KeyboardInterrupt
        if not (folder / "clips" / "late.mp4").exists():
            (folder / "clips" / "late.mp4").touch()

    (folder / "clips").mkdir()
    (folder / "clips" / "early.mp4").touch()
    monkeypatch.setattr(batch, "Workers", Noted)
    monkeypatch.setattr(batch.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        batch.batch([folder / "clips"], model=folder / "model.pt", jobs=2, watch=True)
    assert begun == [["early.mp4"], ["late.mp4"]]
    said = json.loads((folder / "clips_batch" / "summary.json").read_text())
    assert said["counts"] == {"done": 2}
