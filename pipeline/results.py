"""What fit and infer make: the model's files, and each clip's, written only if they are not there yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import Pose3D, ViewPoses
from .cache import SourceFile, write_atomically, writing_to
from .errors import PosepipeError
from .exporters import FILE_NAMES, Clip, exporter

if TYPE_CHECKING:
    from .model import Model

RECORD = "result.json"


@dataclass(frozen=True)
class Fit:
    """What a fit has made."""

    folder: Path
    model: Path | None
    results: tuple[Path, ...]
    """One folder per clip; of a keypoint file, the file of all its poses."""
    report: Path | None
    warnings: tuple[str, ...]
    nothing_to_do: bool = False


@dataclass(frozen=True)
class Inferred:
    """3D poses of one clip, or of all views of a keypoint file, and where their files are."""

    clip: Path
    folder: Path
    pose: Pose3D | ViewPoses
    files: tuple[Path, ...]


def write_model(model: Model, folder: Path, settings: str) -> None:
    """``model.pt``, ``losses.jsonl`` with a row per epoch, and ``settings.toml``."""
    model.write(folder / "model.pt")
    rows = "".join(json.dumps(row) + "\n" for row in model.losses)
    write_atomically(folder / "losses.jsonl", rows.encode())
    write_atomically(folder / "settings.toml", settings.encode())


def write_results(clip: Clip, folder: Path, exports: Sequence[str]) -> list[Path]:
    """The wanted files of a clip; those that are there from the same poses stay."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    wanted = {"pose": clip.pose.key, **clip.provenance}
    made: list[str] = []
    if record.exists():
        before = json.loads(record.read_text(encoding="utf-8"))
        if before["from"] == wanted:
            made = [name for name in before["files"] if (folder / FILE_NAMES[name]).exists()]
    for name in exports:
        if name not in made:
            _write_one(clip, name, folder / FILE_NAMES[name])
            made.append(name)
            write_atomically(record, json.dumps({"from": wanted, "files": made}, indent=1).encode())
    return [folder / FILE_NAMES[name] for name in exports]


def _write_one(clip: Clip, name: str, path: Path) -> None:
    making = path.with_name(f".making-{path.name}")
    with writing_to(path):
        try:
            exporter(name)(clip, making)
            making.replace(path)
        finally:
            making.unlink(missing_ok=True)


def provenance(video: SourceFile, model_file: SourceFile, model: Model) -> dict[str, Any]:
    """Where a result comes from, as plain values."""
    return {
        "posepipe": version("posepipe"),
        "clip": video.path.name,
        "clip_sha256": video.key,
        "model_sha256": model_file.key,
        "method": model.method,
        "detector": model.recipe["detector"],
        "handedness": model.handedness["verdict"],
    }


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Say which video an error is about."""
    try:
        yield
    except PosepipeError as error:
        raise error if str(path) in str(error) else PosepipeError(f"{path}: {error}") from error
