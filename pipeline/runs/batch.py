"""Batch: 3D poses of all clips of an archive, each by ``infer`` in a process of its own.

Clips whose results are up to date, by content and request, are skipped; the error of one that fails is recorded, and
the rest continue. ``summary.csv`` and ``summary.json`` list the result of each.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import PosepipeError
from ..exporters import DEFAULT_EXPORTS, find_format
from ..footage.archive import find_clips
from ..pages.verdict import WORDS
from ..runtime.digests import Digests
from ..runtime.workers import Begun, Ended, Workers
from ..runtime.writing import write_atomically
from .results import about_results
from .up_to_date import digest_of, infer_request, is_finished

SUMMARY = "summary.json"
WATCH_S = 3.0
"""Interval between checks of a watched folder; a file has arrived when it has not changed in between."""
SUMMARY_S = 5.0
"""Interval between updates of the summary."""


@dataclass(frozen=True)
class Task:
    """One clip to lift, with the arguments of ``infer``."""

    clip: Path
    folder: Path
    options: dict[str, Any]
    threads: int


@dataclass
class Row:
    """The result of a clip."""

    clip: str
    status: str = "waiting"
    """"waiting", "running", "done", "up to date" or "failed"."""
    frames: int | None = None
    seconds: float | None = None
    """Run time in this batch."""
    mean_confidence: float | None = None
    fraction_with_person: float | None = None
    verdict: str = ""
    """"green", "doubtful" or "red": how far to trust the poses, those of the person for whom it is worst."""
    sentence: str = ""
    """The verdict in a sentence."""
    folder: str = ""
    files: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str = ""


def batch(
    sources: Sequence[Path | str],
    *,
    model: Path | str | None = None,
    out: Path | str | None = None,
    jobs: int = 1,
    exports: Sequence[str] = DEFAULT_EXPORTS,
    watch: bool = False,
    show: Callable[[Sequence[Row]], None] = lambda rows: None,
    **options: Any,
) -> list[Row]:
    """3D poses of many clips.

    Args:
        sources: folders, with all videos below them, videos, or patterns such as ``archive/**/*.mp4``.
        model: the ``model.pt`` of a fit; by default the generic model, which comes with posepipe.
        out: where results go, a folder per clip, and the summary; by default ``<folder>_batch`` beside the first
            source if that is a folder, else ``posepipe_batch`` in the current folder.
        jobs: number of clips that are processed at the same time.
        exports: result files.
        watch: process new clips as they arrive, until interrupted.
        show: called with all rows whenever one has changed.
        options: ``height_m``, ``segments_m``, ``focal_px``, ``overrides`` and ``device``, as of ``infer``.

    Raises:
        PosepipeError: no clips, or a model or options with which no clip can be lifted.
    """
    for name in exports:
        find_format(name)
    from ..training.generic_lifter import GENERIC, named_model

    wanted = {"model": named_model(model or GENERIC), "exports": tuple(exports), **options}
    target = Path(out) if out else default_folder(sources)
    run = _Batch(target, wanted, show)
    first = find_clips(sources, target)
    if not (first or watch):
        raise PosepipeError(f"found no videos in {', '.join(map(str, sources))}")
    with Workers(lift_one, jobs) as workers:
        try:
            run.work(workers, first, jobs)
            while watch:
                time.sleep(WATCH_S)
                run.work(workers, _arrived(sources, target, run.rows), jobs)
        finally:
            run.write_summary()
    return list(run.rows.values())


class _Batch:
    """The rows of a batch, by clip, and the summary on the disk."""

    def __init__(self, folder: Path, wanted: dict[str, Any], show: Callable[[Sequence[Row]], None]) -> None:
        self.rows: dict[Path, Row] = {}
        self._folder, self._wanted, self._show = folder, wanted, show
        self._written = 0.0
        self._checked = False

    def work(self, workers: Workers[Task, Row], clips: dict[Path, str], jobs: int) -> None:
        """Lift the clips that are not finished."""
        digests = Digests(self._folder / "digests.json")
        self._check_model()
        tasks = []
        for clip, name in clips.items():
            row = self.rows[clip] = Row(str(clip), folder=str(self._folder / name))
            if self._is_finished(clip, digests, row):
                row.status, row.seconds = "up to date", 0.0
            else:
                threads = max(1, (os.cpu_count() or 1) // jobs)
                tasks.append(Task(clip, self._folder / name, self._wanted, threads))
        if tasks and not self._checked:
            check_options(self._wanted)
            self._checked = True
        self._show(list(self.rows.values()))
        for event in workers.run(tasks):
            if isinstance(event, Begun):
                self.rows[event.task.clip].status = "running"
            else:
                self.rows[event.task.clip] = event.result or _died(event)
                if time.monotonic() - self._written > SUMMARY_S:
                    self.write_summary()
            self._show(list(self.rows.values()))

    def _check_model(self) -> None:
        if not self._wanted["model"].is_file():
            raise PosepipeError(f"there is no model file {self._wanted['model']}")
        self._folder.mkdir(parents=True, exist_ok=True)

    def _is_finished(self, clip: Path, digests: Digests, row: Row) -> bool:
        try:
            request = digest_of(infer_request(clip, **_asked(self._wanted)), digests)
        except (OSError, PosepipeError):  # a file that cannot be read, or a wrong description: infer says so
            return False
        folder = Path(row.folder)
        if not is_finished(folder, request, self._wanted["exports"]):
            return False
        _fill(row, folder, self._wanted["exports"])
        return True

    def write_summary(self) -> None:
        """Write ``summary.json`` and ``summary.csv``; clips that run or wait have the status waiting."""
        self._folder.mkdir(parents=True, exist_ok=True)
        rows = [asdict(row) for row in self.rows.values()]
        for row in rows:
            row["status"] = "waiting" if row["status"] == "running" else row["status"]
        counts = dict(Counter(row["status"] for row in rows))
        content = {"counts": counts, "clips": rows}
        write_atomically(self._folder / SUMMARY, json.dumps(content, indent=1).encode())
        text = io.StringIO()
        table = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({**row, "files": ";".join(row["files"]), "warnings": ";".join(row["warnings"])})
        write_atomically(self._folder / "summary.csv", text.getvalue().encode())
        self._written = time.monotonic()


def lift_one(task: Task) -> Row:
    """Lift one clip in a process of its own, so that its failure does not affect the others."""
    import torch

    from .infer import infer

    torch.set_num_threads(task.threads)
    row = Row(str(task.clip), folder=str(task.folder))
    began = time.monotonic()
    said = _Warnings()
    logger = logging.getLogger("posepipe")
    logger.addHandler(said)
    logger.propagate = False
    try:
        infer(task.clip, out=task.folder, **task.options)
        row.status = "done"
        _fill(row, task.folder, task.options["exports"])
    except PosepipeError as error:
        row.status, row.error = "failed", str(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one clip must not end the others
        row.status, row.error = "failed", f"{task.clip}: a fault of posepipe ({type(error).__name__}: {error})"
        row.warnings.append(traceback.format_exc())
    finally:
        logger.removeHandler(said)
    row.warnings = said.sentences + row.warnings
    row.seconds = round(time.monotonic() - began, 3)
    return row


class _Warnings(logging.Handler):
    """Collects the warnings of a clip."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())


def check_options(wanted: dict[str, Any]) -> None:
    """Refuse options that would fail for every clip.

    Raises:
        PosepipeError: an unusable model, setting or device.
    """
    from ..runtime.device import check_device
    from ..settings import LiftSettings, parse
    from ..training.generic_lifter import read_model
    from .infer import recipe_settings

    model = read_model(wanted["model"])
    model.build()
    recipe_settings(model, wanted.get("overrides") or {}, wanted["model"])
    parse(LiftSettings, {"height_m": wanted.get("height_m"), "segments_m": wanted.get("segments_m") or {}}, "infer")
    check_device(wanted.get("device", "auto"))


def _asked(wanted: dict[str, Any]) -> dict[str, Any]:
    """Those options of ``infer`` on which its results depend."""
    names = ("model", "height_m", "segments_m", "focal_px", "overrides")
    return {name: wanted[name] for name in names if name in wanted}


def _fill(row: Row, folder: Path, exports: Sequence[str]) -> None:
    """Fill a row from the results of a clip."""
    known = about_results(folder)
    row.frames, row.mean_confidence = known["about"]["frames"], known["about"]["mean_confidence"]
    row.fraction_with_person = known["about"]["fraction_with_person"]
    if verdicts := known["about"].get("verdict"):
        worst = max(verdicts.values(), key=lambda one: WORDS.index(one["word"]))
        row.verdict, row.sentence = worst["word"], worst["sentence"]
    row.files = [str(folder / file) for name in exports for file in known["files"][name]]


def _died(event: Ended[Task, Row]) -> Row:
    code = event.exit_code or 0
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    row = Row(str(event.task.clip), "failed", folder=str(event.task.folder))
    row.error = f"{event.task.clip}: the process that worked on it was {how}; is there enough memory?"
    return row


def _arrived(sources: Sequence[Path | str], out: Path, known: dict[Path, Row]) -> dict[Path, str]:
    """New clips that are complete: their size and time have not changed for a while."""
    new = {clip: name for clip, name in find_clips(sources, out).items() if clip not in known}
    before = {clip: _stamp(clip) for clip in new}
    if new:
        time.sleep(WATCH_S)
    return {clip: name for clip, name in new.items() if _stamp(clip) == before[clip]}


def _stamp(clip: Path) -> tuple[int, int] | None:
    try:
        facts = clip.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def default_folder(sources: Sequence[Path | str]) -> Path:
    """Default results folder: beside the first source if that is a folder."""
    first = Path(sources[0])
    return first.absolute().with_name(f"{first.absolute().name}_batch") if first.is_dir() else Path("posepipe_batch")
