"""What fit and infer make: the model's files, and each clip's, written only if they are not there yet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from ..arrays import Pose3D, ViewPoses
from ..errors import PosepipeError
from ..exporters import exporter, find_format
from ..exporters.clip import CAMERA_AXES, Clip
from ..runtime.cache import SourceFile, unkeyed_fields, write_atomically, writing_to

if TYPE_CHECKING:
    from ..training.model_file import Model

MULTIVIEW = "multiview"
"""Marks the files in every take's folder that come from all its views together: ``poses_multiview.npz``."""

RECORD = "result.json"
"""Says from what a folder's result files were made, and their conventions, for formats that cannot."""


@dataclass(frozen=True)
class Fit:
    """What a fit has made."""

    folder: Path
    """Where everything is."""
    model: Path | None
    """``model.pt``; None if the fit was to stop before."""
    results: tuple[Path, ...]
    """One folder per clip; of a keypoint file, the file of all its poses."""
    report: Path | None
    """``report.html``; None of a keypoint file, or if the fit was to stop before."""
    warnings: tuple[str, ...]
    """What one should look at, in sentences."""
    nothing_to_do: bool = False
    """Whether all of it was there already."""


@dataclass(frozen=True)
class Inferred:
    """3D poses of one clip, or of all views of a keypoint file, and where their files are."""

    clip: Path
    folder: Path
    """Where the files are."""
    pose: Pose3D | ViewPoses
    """The poses; of a keypoint file those of all views."""
    files: tuple[Path, ...]
    """What was written."""
    people: Mapping[str, Pose3D] = field(default_factory=dict)
    """Poses by the name of the person in the files; ``pose`` is the first of them."""


def write_model(model: Model, folder: Path, settings: str) -> None:
    """``model.pt``, ``losses.jsonl`` with a row per epoch, and ``settings.toml``."""
    model.write(folder / "model.pt")
    rows = "".join(json.dumps(row) + "\n" for row in model.losses)
    write_atomically(folder / "losses.jsonl", rows.encode())
    write_atomically(folder / "settings.toml", settings.encode())


def write_results(clip: Clip, folder: Path, exports: Sequence[str]) -> list[Path]:
    """The wanted files of a clip; those that are there from the same poses stay."""
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    wanted = {"poses": {person.name: person.pose.key for person in clip.people}, **clip.provenance}
    about = {**clip.facts(CAMERA_AXES), **_statistics(clip), "provenance": clip.provenance}
    made: dict[str, list[str]] = {}
    if record.exists():
        before = json.loads(record.read_text(encoding="utf-8"))
        if before.get("from") == wanted:
            made = {name: files for name, files in before["files"].items() if _all_there(folder, files)}
    for name in exports:
        if name not in made:
            made[name] = _write_one(clip, name, folder)
            for person in clip.people:
                person.pose.rest()
            content = {"from": wanted, "about": about, "files": made}
            write_atomically(record, json.dumps(content, indent=1, default=str).encode())
    return [folder / file for name in exports for file in made[name]]


def about_results(folder: Path) -> dict[str, Any]:
    """What the record of a results folder says: what its files were made ``from``, ``about`` them, ``files``."""
    return json.loads((folder / RECORD).read_text(encoding="utf-8"))


def are_written(folder: Path, exports: Sequence[str]) -> bool:
    """Whether the files of these formats, as many as were written, are all there."""
    made = about_results(folder)["files"] if (folder / RECORD).exists() else {}
    return all(name in made and _all_there(folder, made[name]) for name in exports)


def _all_there(folder: Path, files: list[str]) -> bool:
    return all((folder / file).exists() for file in files)


def _statistics(clip: Clip) -> dict[str, Any]:
    """How much of the clip shows somebody, and how surely."""
    there = np.stack([np.isfinite(person.pose.joint).all((1, 2)) for person in clip.people])
    confidence = np.stack([person.pose.confidence.mean(-1) for person in clip.people])
    return {
        "joints": list(clip.skeleton.joints),
        "people": [person.name for person in clip.people],
        "frames": len(clip.time),
        "fraction_with_person": round(float(there.any(0).mean()), 4),
        "mean_confidence": round(float(confidence[there].mean()), 4) if there.any() else 0.0,
    }


def _write_one(clip: Clip, name: str, folder: Path) -> list[str]:
    """Write one format; the names of its files, of which none is there before all are complete."""
    main = clip.file(find_format(name).file)
    making = folder / f".making-{main}"
    with writing_to(folder / main):
        try:
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            exporter(name)(clip, making / main)
            made = sorted(file.name for file in making.iterdir())
            for file in made:
                if (folder / file).is_dir():
                    shutil.rmtree(folder / file)
                (making / file).replace(folder / file)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return sorted(made, key=lambda file: (file != main, file))


def provenance(
    video: SourceFile, model_file: SourceFile, model: Model, detector: str, *settings: BaseModel
) -> dict[str, Any]:
    """Where a result comes from, as plain values.

    Args:
        detector: what found the 2D poses, in words.
        settings: of the stages; those that results depend on are named.
    """
    return {
        "posepipe": version("posepipe"),
        "clip": video.path.name,
        "clip_sha256": video.key,
        "model_sha256": model_file.key,
        "method": model.method,
        "detector": detector,
        "handedness": model.handedness["verdict"],
        "supervision": model.supervision,
        "settings": {
            type(group).__name__.removesuffix("Settings").lower(): group.model_dump(
                mode="json", exclude=unkeyed_fields(group), exclude_none=True
            )
            for group in settings
        },
    }


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Say which video an error is about."""
    try:
        yield
    except PosepipeError as error:
        raise error if str(path) in str(error) else PosepipeError(f"{path}: {error}") from error
