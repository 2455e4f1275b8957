"""A batch lifts every clip that it can, says why it cannot lift the others, and repeats nothing."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from footage import film, film_nobody
from posepipe.pipeline.cli.batch_table import sentence, shown_in
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.archive import find_clips
from posepipe.pipeline.runs.batch import Row, batch
from quick_fit import Fitted
from rich.console import Console

RUN = Path(__file__).parents[2] / "with_fake_detector.py"
SENTENCES = {
    "text.mp4": "is not a video that FFmpeg can read",
    "empty.mp4": "is empty (0 bytes)",
    "cut.mp4": "holds no readable picture",
    "nobody.mp4": "no person was found in any frame",
    "lost.mp4": "there is no file",
}


def archive(folder: Path, good: int = 4) -> Path:
    """Short clips, of which five are broken in five ways."""
    for number in range(good):
        film(folder / f"day{number % 2}" / f"run{number}.mp4", number % 3, range(number, number + 10))
    whole = (folder / "day0" / "run0.mp4").read_bytes()
    (folder / "text.mp4").write_text("not a video")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    film_nobody(folder / "nobody.mp4", 10)
    (folder / "lost.mp4").symlink_to(folder / "gone.mp4")
    return folder


def start(*words: object) -> subprocess.Popen[str]:
    """A batch whose Ctrl-C works even where the tests run in the background, which ignore it and pass that on."""
    command = [sys.executable, str(RUN), "batch", *map(str, words), "--export", "npz,trc"]
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear)


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The summary's rows by file name; none if it is not there yet."""
    path = folder / "summary.json"
    return {Path(row["clip"]).name: row for row in json.loads(path.read_text())["clips"]} if path.exists() else {}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_the_good_are_lifted_the_broken_named_and_nothing_is_repeated(finished: Fitted, tmp_path: Path) -> None:
    clips, model = archive(tmp_path / "archive"), finished.out / "model.pt"
    first = start(clips, "--model", model, "--jobs", 2)
    out, err = first.communicate()
    assert first.returncode == 1, err
    assert out.splitlines() == ["4 done, 5 failed", f"summary  {tmp_path / 'archive_batch' / 'summary.csv'}"]
    rows = rows_of(tmp_path / "archive_batch")
    assert Counter(row["status"] for row in rows.values()) == {"done": 4, "failed": 5}
    for name, words in SENTENCES.items():
        assert words in rows[name]["error"]
        assert name in rows[name]["error"]
        assert not Path(rows[name]["folder"]).exists()
    for number in range(4):
        row = rows[f"run{number}.mp4"]
        assert Path(row["folder"]) == tmp_path / "archive_batch" / f"day{number % 2}" / f"run{number}"
        assert [Path(file).name for file in row["files"]] == ["poses.npz", "poses.trc"]
        assert all(Path(file).is_file() for file in row["files"])
        assert (row["frames"], row["mean_confidence"], row["fraction_with_person"]) == (10, pytest.approx(0.9), 1)
        assert row["seconds"] > 0
    with (tmp_path / "archive_batch" / "summary.csv").open(newline="") as file:
        table = {Path(row["clip"]).name: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in table.items()} == {name: row["status"] for name, row in rows.items()}

    for name in SENTENCES:
        (clips / name).unlink()
    second = start(clips, "--model", model)
    out, err = second.communicate()
    assert (second.returncode, out.splitlines()[0]) == (0, "4 up to date"), err
    assert rows_of(tmp_path / "archive_batch")["run1.mp4"]["frames"] == 10


def test_ctrl_c_stops_it_cleanly_and_it_goes_on_and_watches(finished: Fitted, tmp_path: Path) -> None:
    clips, model, out = tmp_path / "clips", finished.out / "model.pt", tmp_path / "out"
    for number in range(12):
        film(clips / f"run{number}.mp4", 0, range(number, number + 10))
    slow = start(clips, "--model", model, "--out", out)
    until(lambda: any((out / f"run{number}" / "result.json").exists() for number in range(12)))
    slow.send_signal(signal.SIGINT)
    _, err = slow.communicate()
    assert slow.returncode == 130
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert {row["status"] for row in rows_of(out).values()} <= {"done", "waiting"}
    assert not list(out.rglob("*.making*"))
    done = {name for name, row in rows_of(out).items() if row["status"] == "done"}

    watching = start(clips, "--model", model, "--out", out, "--watch")
    until(lambda: all((out / f"run{number}" / "result.json").exists() for number in range(12)))
    shutil.copy(clips / "run0.mp4", clips / "late.mp4")
    until(lambda: (out / "late" / "result.json").exists())
    until(lambda: "late.mp4" in rows_of(out))
    watching.send_signal(signal.SIGINT)
    watching.communicate()
    assert watching.returncode == 130
    rows = rows_of(out)
    assert {row["status"] for row in rows.values()} <= {"up to date", "done"}
    assert done <= {name for name, row in rows.items() if row["status"] == "up to date"}
    assert rows["late.mp4"]["status"] == "done"


def test_clips_are_found_in_folders_files_and_patterns(tmp_path: Path) -> None:
    for name in (
        "a/x.mp4",
        "a/x.mov",
        "a/deep/y.MP4",
        "a/.hidden.mp4",
        "a/note.txt",
        "b/z.avi",
        "b/done/overlay.mp4",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "done" / "run.json").write_text("{}")

    def found(*sources: str) -> dict[str, str]:
        clips = find_clips([tmp_path / source for source in sources], tmp_path / "out")
        return {str(clip.relative_to(tmp_path)): name for clip, name in clips.items()}

    assert found("a") == {"a/x.mov": "x_mov", "a/x.mp4": "x_mp4", "a/deep/y.MP4": "deep/y"}
    assert found("b") == {"b/z.avi": "z"}
    assert found("b", "a/deep") == {"b/z.avi": "b/z", "a/deep/y.MP4": "a/deep/y"}
    assert found("a/x.mp4") == {"a/x.mp4": "x"}
    assert found("a/**/*.[mM][pP]4") == {"a/x.mp4": "x", "a/deep/y.MP4": "deep/y"}
    with pytest.raises(PosepipeError, match="there is no file or folder"):
        found("c")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "nowhere.pt"}, "there is no model file nowhere.pt"),
        ({"exports": ["xyz"]}, "unknown export 'xyz'"),
        ({"height_m": 180.0}, "height_m = 180"),
        ({"segments_m": {"thigh": 44}}, "segments_m.thigh = 44"),
        ({"device": "gpu"}, "device 'gpu' is not available"),
        ({"overrides": {"train": {"epochs": 3}}}, "infer has no settings 'train'"),
    ],
)
def test_what_would_fail_for_all_clips_is_refused_at_once(
    options: dict[str, Any], sentence: str, finished: Fitted, tmp_path: Path
) -> None:
    with pytest.raises(PosepipeError, match=sentence):
        batch([finished.footage], **{"model": finished.out / "model.pt", "out": tmp_path / "out", **options})


def test_a_folder_without_videos_is_refused(finished: Fitted, tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match="found no videos in"):
        batch([tmp_path], model=finished.out / "model.pt", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


ROWS = [
    Row("a/[red].mp4", "done", 10, 1.5, 0.9, 1.0),
    Row("a/b.mp4", "running"),
    Row("a/c.mp4", "failed", error="a/c.mp4 is empty"),
    Row("a/d.mp4", "up to date", 10, 0.0, 0.9, 1.0),
    Row("a/e.mp4"),
]


def test_a_batch_in_a_line() -> None:
    assert sentence(ROWS) == "1 done, 1 up to date, 1 failed, 1 waiting"


@pytest.mark.parametrize("terminal", [False, True])
def test_what_is_shown(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with shown_in(console) as show:
        show(ROWS)
        show(ROWS)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red].mp4" in text
    assert "failed: a/c.mp4 is empty" in text
    if not terminal:
        assert [line.split("]")[0] for line in text.splitlines()] == ["[1/5", "[2/5", "[3/5"]
