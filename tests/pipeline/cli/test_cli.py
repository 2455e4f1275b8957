"""The command line: what it prints, and one sentence with exit code 2 for every mistake in the input."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
import torch
from filelock import FileLock
from footage import FakeDetector, film, film_nobody, film_take
from posepipe.pipeline.cli import app
from posepipe.pipeline.cli.options import split
from posepipe.pipeline.cli.terminal import amount
from quick_fit import QUICK, Fitted
from typer.testing import CliRunner, Result

RUN = Path(__file__).parents[2] / "with_fake_detector.py"
SETTINGS = [word for override in QUICK for word in ("--set", override)]


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """Commands set up logging; what comes after them must not write to their streams."""
    yield
    logger = logging.getLogger("posepipe")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refuse(*words: object, in_folder: Path | None = None) -> str:
    """The one sentence with which a call is refused, which leaves nothing behind in a folder."""
    before = everything_in(in_folder) if in_folder else []
    result = call(*words)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    sentence = result.stderr.strip().splitlines()[-1]
    assert sentence.startswith("error: ")
    assert result.stderr.count("error: ") == 1
    if in_folder:
        assert everything_in(in_folder) == before
    return sentence


# Mistakes in the footage


@pytest.fixture
def footage(tmp_path: Path, detector: FakeDetector) -> Path:
    """A folder of two good videos, in a folder of its own."""
    return film_take(tmp_path / "here" / "run", 2, range(10))


def sound_only(path: Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "sine=d=1", "-f", "mp4", path]
    subprocess.run(command, check=True)


def half_without_index(path: Path) -> None:
    whole = path.with_name("whole.tmp")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc=d=1:s=64x48",
        "-f",
        "mp4",
    ]
    subprocess.run([*command, whole], check=True)
    content = whole.read_bytes()
    whole.unlink()
    path.write_bytes(content[: len(content) // 3])


BAD_VIDEOS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a text": (lambda path: path.write_text("not a video\n" * 100), "not a video that FFmpeg can read"),
    "zero bytes": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "no index": (half_without_index, "copy it from the camera again"),
    "sound only": (sound_only, "holds sound but no picture"),
}


@pytest.mark.parametrize("kind", BAD_VIDEOS)
def test_fit_refuses_a_bad_video(kind: str, footage: Path) -> None:
    make, words = BAD_VIDEOS[kind]
    make(footage / "bad.mp4")
    sentence = refuse("fit", footage, *SETTINGS, in_folder=footage.parent)
    assert words in sentence
    assert "bad.mp4" in sentence


@pytest.mark.parametrize("kind", BAD_VIDEOS)
def test_infer_refuses_a_bad_video(kind: str, finished: Fitted, detector: FakeDetector, tmp_path: Path) -> None:
    make, words = BAD_VIDEOS[kind]
    make(tmp_path / "bad.mp4")
    sentence = refuse("infer", tmp_path / "bad.mp4", "--model", finished.out / "model.pt", in_folder=tmp_path)
    assert words in sentence
    assert "bad.mp4" in sentence


def test_fit_refuses_folders_that_are_no_take(footage: Path) -> None:
    folder = footage.parent
    assert "there is no folder" in refuse("fit", folder / "nowhere", in_folder=folder)
    (folder / "empty").mkdir()
    assert "holds no take" in refuse("fit", folder / "empty", in_folder=folder)
    (footage / "cam1.mp4").unlink()
    assert "posepipe infer" in refuse("fit", footage, in_folder=folder)
    assert "is a file" in refuse("fit", footage / "cam0.mp4", in_folder=folder)
    (footage / "posepipe.toml").write_text("[cameras.'../x']\nvideo = 'cam0.mp4'\n[cameras.y]\nvideo = 'cam0.mp4'\n")
    assert "camera name '../x'" in refuse("fit", footage, in_folder=folder)


def test_a_clip_without_anybody_is_refused(finished: Fitted, footage: Path) -> None:
    clip = film_nobody(footage / "empty.mp4")
    for words in (("fit", footage, *SETTINGS), ("infer", clip, "--model", finished.out / "model.pt")):
        sentence = refuse(*words)
        assert "no person was found in any frame" in sentence
        assert "empty.mp4" in sentence
    left = {path.name for path in footage.parent.rglob("*")}
    assert not left & {"model.pt", "poses.npz", "report.html", "takes"}
    assert not [name for name in left if "making" in name]


def test_of_a_truncated_video_the_readable_part_is_used_and_it_is_said(footage: Path, detector: FakeDetector) -> None:
    film(footage / "cam1.mp4", 1, range(100))
    film(footage / "cam0.mp4", 0, range(100))
    content = (footage / "cam1.mp4").read_bytes()
    (footage / "cam1.mp4").write_bytes(content[: int(len(content) * 0.9)])
    result = call("fit", footage, *SETTINGS, "--export", "npz")
    assert result.exit_code == 0, result.stderr
    assert "cam1.mp4 breaks off after" in result.stderr
    assert "cam1.mp4 breaks off" in (footage.with_name("run_posepipe") / "report.html").read_text(encoding="utf-8")


# Mistakes in the words


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--method", "canonpos"), "unknown method 'canonpos'; did you mean 'canonpose'?"),
        (("--detector", "mmpos"), "unknown detector 'mmpos'; did you mean 'mmpose'?"),
        (("--skeleton", "h36"), "morph.skeleton = 'h36'"),
        (("--set", "track.gap=1"), "unknown setting 'track.gap'; did you mean 'track.gap_s'?"),
        (("--set", "train.epoch=1"), "unknown setting 'train.epoch'; did you mean 'train.epochs'?"),
        (("--set", "train.epochs=many"), "train.epochs = 'many'"),
        (("--set", "train.epochs"), "has no '='"),
        (("--seed", "-1"), "train.seed = -1"),
        (("--until", "smaples"), "unknown stage 'smaples'; did you mean 'samples'?"),
        (("--export", "npz,cvs"), "unknown export 'cvs'; did you mean 'csv'?"),
        (("--precision", "fp16"), "detect.precision = 'fp16': input should be 'fp32' or 'bf16'"),
        (("--device", "gpu"), "device 'gpu' is not available here"),
        (("--config", "nowhere.toml"), "there is no file nowhere.toml"),
    ],
)
def test_fit_refuses_words_that_it_does_not_know(words: tuple[str, ...], sentence: str, footage: Path) -> None:
    assert sentence in refuse("fit", footage, *words, in_folder=footage.parent)


@pytest.mark.parametrize("command", ["fit", "infer", "frobnicate"])
def test_unknown_options_and_commands_are_refused(command: str) -> None:
    result = call(command, "--frobnicate")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--height", "180"), "height_m = 180"),
        (("--segment", "thigh"), "--segment 'thigh' is not a length; write it as --segment thigh=0.44"),
        (("--segment", "thigh=44"), "segments_m.thigh = 44"),
        (("--segment", "thigs=0.44"), "segments_m.thigs.[key] = 'thigs': input should be 'thigh', 'shank'"),
        (("--height", "1.8", "--segment", "thigh=0.44"), "give the height or lengths of segments, not both"),
        (("--export", "xyz"), "unknown export 'xyz'"),
        (("--set", "train.epochs=3"), "infer has no settings 'train'"),
        (("--set", "track=3"), "track = 3"),
        (("--set", "device=cpu"), "infer has no settings 'device'"),
        (("--device", "gpu"), "device 'gpu' is not available here"),
        (("--model", "nowhere.pt"), "there is no model file nowhere.pt"),
    ],
)
def test_infer_refuses_words_that_it_does_not_know(
    words: tuple[str, ...], sentence: str, finished: Fitted, footage: Path
) -> None:
    model = finished.out / "model.pt"
    words = words if "--model" in words else (*words, "--model", str(model))
    assert sentence in refuse("infer", footage / "cam0.mp4", *words, in_folder=footage.parent)


@pytest.mark.parametrize("command", ["infer", "batch"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--person", "tallest"), "people.person = 'tallest'"),
        (("--people", "some"), "--people some: say one, for the athlete only, or all"),
        (("--precision", "fp16"), "detect.precision = 'fp16': input should be 'fp32' or 'bf16'"),
        (("--set", "people=3", "--person", "1"), "'people' already has the value 3"),
    ],
)
def test_people_and_precision_are_asked_for_in_the_same_words(
    command: str,
    words: tuple[str, ...],
    sentence: str,
    finished: Fitted,
    footage: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # where batch writes its summary
    model = ("--model", finished.out / "model.pt")
    assert sentence in refuse(command, footage / "cam0.mp4", *model, *words, in_folder=footage.parent)


def test_infer_refuses_what_is_no_clip(finished: Fitted, footage: Path) -> None:
    model = ("--model", finished.out / "model.pt")
    assert "there is no file" in refuse("infer", footage / "no.mp4", *model, in_folder=footage)
    assert "is a folder" in refuse("infer", footage, *model, in_folder=footage)


# Models that do not fit


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.witness}'",)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"skeleton": "coco17"}, "skeleton coco17"),
        ({"format_version": 99, "posepipe": "9.9"}, "newer than this one"),
        ({"format": "other"}, "is not a posepipe model"),
        ({"method": "unheard"}, "unknown method 'unheard'"),
        ({"recipe": {}}, "damaged"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    change: dict[str, Any], sentence: str, finished: Fitted, footage: Path, tmp_path: Path
) -> None:
    content = torch.load(finished.out / "model.pt", weights_only=True) | change
    torch.save(content, tmp_path / "model.pt")
    assert sentence in refuse("infer", footage / "cam0.mp4", "--model", tmp_path / "model.pt")
    assert not list(footage.rglob("poses.*"))


def test_a_model_with_a_payload_is_refused_and_not_executed(footage: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Payload(witness)))
    sentence = refuse("infer", footage / "cam0.mp4", "--model", tmp_path / "model.pt", in_folder=tmp_path)
    assert "is not a posepipe model" in sentence
    assert not witness.exists()


# Places that cannot be written to


def test_an_output_that_cannot_be_written_to_is_refused(footage: Path) -> None:
    (footage.parent / "file").write_text("")
    for place in (footage.parent / "file", footage.parent / "file" / "out", Path("/dev/null/out")):
        assert "cannot write to" in refuse("fit", footage, "--out", place, in_folder=footage.parent)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is permitted to root")
def test_an_output_without_permission_is_refused(footage: Path) -> None:
    locked = footage.parent / "locked"
    locked.mkdir(mode=0o500)
    assert "permission denied" in refuse("fit", footage, "--out", locked / "out", in_folder=footage.parent)


def test_a_second_process_on_the_same_folder_is_refused(fitted: Fitted) -> None:
    with FileLock(fitted.out / ".lock"):
        words = [sys.executable, str(RUN), "fit", str(fitted.footage), "--out", str(fitted.out), *SETTINGS]
        second = subprocess.run(words, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert second.stderr.strip().splitlines() == [
        f"error: another posepipe is at work in {fitted.out}; wait for it to end, or choose another folder with --out"
    ]
    assert second.stdout == ""


# What goes well


def test_fit_infer_status_clean(footage: Path) -> None:
    out = footage.with_name("run_posepipe")
    first = call("fit", footage, *SETTINGS, "--export", "npz", "--seed", "1")
    assert first.exit_code == 0, first.stderr
    assert str(out / "model.pt") in first.stdout
    assert str(out / "report.html") in first.stdout
    assert "method: sure, 10 instants" in first.stderr
    again = call("fit", footage, *SETTINGS, "--export", "npz", "--seed", "1", "--json")
    told = json.loads(again.stdout)
    assert told["nothing_to_do"] is True
    assert [Path(folder).name for folder in told["results"]] == ["cam0", "cam1"]
    stopped = call("fit", footage, *SETTINGS, "--until", "track", "--out", footage.with_name("other"))
    assert "done until track" in stopped.stdout

    clip = film(footage.parent / "new.mp4", 2, range(50, 60))
    inferred = call("infer", clip, "--height", "1.8", "--export", "npz,csv", "--json")
    assert inferred.exit_code == 0, inferred.stderr
    files = json.loads(inferred.stdout)[0]["files"]
    assert [Path(file).name for file in files] == ["poses.npz", "poses.csv"]
    assert all(Path(file).is_file() for file in files)

    for folder in (footage, out):
        rows = json.loads(call("status", folder, "--json").stdout)
        assert {row["state"] for row in rows} == {"done"}
    table = call("status", footage).stdout
    assert "run/cam1" in table
    assert "detect_poses" in table

    assert "nothing to remove" in call("clean", footage).stdout
    call("fit", footage, *SETTINGS, "--export", "npz", "--seed", "2")
    kept = everything_in(out)
    asked = CliRunner().invoke(app, ["clean", str(footage)], input="n\n")
    assert "unused results (" in asked.stdout
    assert everything_in(out) == kept
    removed = call("clean", footage, "--yes")
    assert "removed 11 unused results" in removed.stdout
    assert len(everything_in(out)) < len(kept)


def test_several_clips_have_a_folder_each(finished: Fitted, footage: Path, tmp_path: Path) -> None:
    words = ("--model", finished.out / "model.pt", "--out", tmp_path / "out", "--export", "npz")
    result = call("infer", footage / "cam0.mp4", footage / "cam1.mp4", *words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == [str(tmp_path / "out" / f"cam{camera}" / "poses.npz") for camera in (0, 1)]


def test_export_adds_formats(finished: Fitted, tmp_path: Path) -> None:
    result = call("export", finished.out, "--to", "c3d,bvh", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.stderr
    folders = [tmp_path / "out" / "takes" / "ski run" / f"cam{camera}" for camera in range(3)]
    expected = [folder / name for folder in folders for name in ("poses.c3d", "poses.bvh")]
    assert [Path(file) for file in json.loads(result.stdout)["files"]] == expected
    assert all(path.is_file() for path in expected)


def test_export_refuses_what_it_cannot_do(finished: Fitted, tmp_path: Path) -> None:
    assert "did you mean 'c3d'?" in refuse("export", finished.out, "--to", "c3", in_folder=finished.out)
    assert "overlay needs the video" in refuse("export", finished.out, "--to", "overlay")
    assert "holds no poses.npz" in refuse("export", tmp_path, "--to", "trc", in_folder=tmp_path)


def test_status_and_clean_of_what_is_no_result_are_refused(tmp_path: Path) -> None:
    for command in ("status", "clean"):
        assert "holds no posepipe results" in refuse(command, tmp_path, in_folder=tmp_path)


def test_stopping_it_is_said_and_exits_with_130(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeDetector, "_read", stop)
    result = call("fit", footage, *SETTINGS)
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("can't start new thread"),
        ImportError("libtorch.so: failed to map segment from shared object"),
        SystemError("<function _find_and_load at 0x7febd3> returned NULL without setting an exception"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_one_sentence(footage: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(FakeDetector, "_read", fail)
    result = call("fit", footage, *SETTINGS)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error: there is too little memory;")


def test_other_errors_of_the_arithmetic_are_not_taken_for_it(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(FakeDetector, "_read", fail)
    assert isinstance(call("fit", footage, *SETTINGS).exception, RuntimeError)


def test_help_and_version_are_there() -> None:
    assert "fit" in call("--help").stdout
    for command in ("fit", "infer", "batch", "people", "export", "evaluate", "status", "clean", "doctor"):
        assert "Usage" in call(command, "--help").stdout
    assert call("--version").stdout.startswith("posepipe ")


def test_small_words() -> None:
    assert split("npz, csv,,trc ") == ("npz", "csv", "trc")
    assert [amount(size) for size in (0, 999, 1500, 2e6, 3.25e9)] == ["0 B", "999 B", "2 KB", "2 MB", "3.2 GB"]
