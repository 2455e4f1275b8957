"""Result files of fit and infer: the model's, and each clip's, written only if they are not up to date."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from ..exporters.clip import Clip
from ..pages.verdict import as_plain, verdict_of
from ..runtime.cache import SourceFile, unkeyed_fields
from ..runtime.writing import write_atomically, writing_to

if TYPE_CHECKING:
    from ..training.model_file import Model

log = logging.getLogger("posepipe")

MULTIVIEW = "multiview"
"""Marks the files in every take's folder that come from all its views together: ``poses_multiview.npz``."""

RECORD = "result.json"
"""Provenance and conventions of a folder's result files, for formats that cannot hold them."""


@dataclass(frozen=True)
class Fit:
    """The result of a fit."""

    folder: Path
    """The results folder."""
    model: Path | None
    """``model.pt``; None if the fit stopped before."""
    results: tuple[Path, ...]
    """One folder per clip; for a keypoint file, the file of all its poses; none if the fit stopped before."""
    report: Path | None
    """``report.html``; None for a keypoint file, or if the fit stopped before."""
    warnings: tuple[str, ...]
    """Warnings, one sentence each."""
    nothing_to_do: bool = False
    """Whether all results were up to date."""


@dataclass(frozen=True)
class Inferred:
    """3D poses of one clip, or of all views of a keypoint file, and their files."""

    clip: Path
    folder: Path
    """The results folder."""
    pose: Pose3D | ViewPoses
    """The poses; for a keypoint file those of all views."""
    files: tuple[Path, ...]
    """The result files."""
    people: Mapping[str, Pose3D] = field(default_factory=dict)
    """Poses by the name of the person in the files; ``pose`` is the first of them."""

    @property
    def verdict_words(self) -> dict[str, str]:
        """Green, doubtful or red by the name of the person, where their poses were judged."""
        verdicts = {name: verdict_of(pose) for name, pose in self.people.items()}
        return {name: verdict.word for name, verdict in verdicts.items() if verdict is not None}


def model_of(folder: Path, stages: Sequence[str], until: str | None) -> Path | None:
    """The model file of a fit whose last stage is ``until``, one of ``stages``; None if that lies before training."""
    trains = until is None or stages.index(until) >= stages.index("train")
    return folder / "model.pt" if trains else None


def write_model(model: Model, folder: Path, settings: str) -> None:
    """Write ``model.pt``, ``losses.jsonl`` with a row per epoch, and ``settings.toml``."""
    model.write(folder / "model.pt")
    rows = "".join(json.dumps(row) + "\n" for row in model.losses)
    write_atomically(folder / "losses.jsonl", rows.encode())
    write_atomically(folder / "settings.toml", settings.encode())


def write_results(clip: Clip, folder: Path, exports: Sequence[str]) -> list[Path]:
    """Write the requested files of a clip; those from the same poses are kept, those from others are removed."""
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = {"poses": {person.name: person.pose.key for person in clip.people}, **clip.provenance}
    record = _Record.open(folder)
    if record.made_from != wanted:
        record.remove_files()
        record = _Record.of(clip, folder, wanted)
    for name in exports:
        if not record.has(name):
            record.add(clip, name)
    return [folder / file for name in exports for file in record.files[name]]


def add_results(clip: Clip, folder: Path, exports: Sequence[str]) -> list[Path]:
    """More files of a clip whose poses were read from a file in this folder, or another; what is there stays."""
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    record = _Record.open(folder)
    if not record.made_from:
        record = _Record.of(clip, folder, dict(clip.provenance))
    return [folder / file for name in exports for file in record.add(clip, name)]


@dataclass
class _Record:
    """The record of a results folder (``RECORD``)."""

    folder: Path
    made_from: dict[str, Any]
    """Digests and plain values that the files depend on; empty if nothing is known of them."""
    about: dict[str, Any]
    files: dict[str, list[str]]
    """Names of the files of each format."""

    @staticmethod
    def open(folder: Path) -> _Record:
        """The record of a folder, empty if it has none."""
        if not (folder / RECORD).exists():
            return _Record(folder, {}, {}, {})
        known = about_results(folder)
        return _Record(folder, known["from"], known["about"], known["files"])

    @staticmethod
    def of(clip: Clip, folder: Path, made_from: dict[str, Any]) -> _Record:
        """The record of a clip of which no file is there yet."""
        return _Record(
            folder, made_from, {**clip.facts(clip.axes), **_statistics(clip), "provenance": clip.provenance}, {}
        )

    def has(self, name: str) -> bool:
        """Whether the files of a format are there."""
        return name in self.files and _all_there(self.folder, self.files[name])

    def add(self, clip: Clip, name: str) -> list[str]:
        """Write a format; the names of its files."""
        made = _write_one(clip, name, self.folder)
        for person in clip.people:
            person.pose.rest()
        self.files[name] = list(dict.fromkeys([*made, *self.files.get(name, ())]))
        content = {"from": self.made_from, "about": self.about, "files": self.files}
        write_atomically(self.folder / RECORD, json.dumps(content, indent=1, default=str).encode())
        return made

    def remove_files(self) -> None:
        """Remove the record, and all files that it lists."""
        with writing_to(self.folder):
            (self.folder / RECORD).unlink(missing_ok=True)
            for file in (self.folder / file for files in self.files.values() for file in files):
                if file.is_dir():
                    shutil.rmtree(file)
                else:
                    file.unlink(missing_ok=True)


def remove_other_results(top: Path, kept: Collection[Path]) -> None:
    """Remove the recorded files of all folders below one but for these; folders that are empty then go as well."""
    for record in sorted(top.rglob(RECORD), reverse=True):  # inner folders first
        folder = record.parent
        if folder not in kept:
            _Record.open(folder).remove_files()
            while folder != top and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent


def about_results(folder: Path) -> dict[str, Any]:
    """The record of a results folder: digests of inputs (``from``), metadata (``about``) and ``files``.

    Raises:
        PosepipeError: a damaged file.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {name: dict(record[name]) for name in ("from", "about", "files")}
    except (ValueError, KeyError, TypeError) as error:
        raise PosepipeError(f"{folder / RECORD} is damaged; remove it, and its files are written again") from error


def are_written(folder: Path, exports: Sequence[str]) -> bool:
    """Whether all files that were written in these formats still exist."""
    made = about_results(folder)["files"] if (folder / RECORD).exists() else {}
    return all(name in made and _all_there(folder, made[name]) for name in exports)


def _all_there(folder: Path, files: list[str]) -> bool:
    return all((folder / file).exists() for file in files)


def _statistics(clip: Clip) -> dict[str, Any]:
    """Share of frames with a person, mean confidence there, and how far to trust each person's poses."""
    there = np.stack([person.pose.there for person in clip.people])
    confidence = np.stack([person.pose.without_missing_feet.confidence.mean(-1) for person in clip.people])
    return {
        "joints": list(clip.skeleton.joints),
        "people": [person.name for person in clip.people],
        "frames": len(clip.time),
        "fraction_with_person": round(float(there.any(0).mean()), 4),
        "mean_confidence": round(float(confidence[there].mean()), 4) if there.any() else 0.0,
        "verdict": {
            person.name: as_plain(verdict)
            for person in clip.people
            if (verdict := verdict_of(person.pose)) is not None
        },
    }


def say_verdict(name: str, pose: Pose3D) -> None:
    """Say how far to trust the poses of a clip."""
    if (verdict := verdict_of(pose)) is not None:
        log.info("%s: %s. %s", name, verdict.word, verdict.sentence)


def _write_one(clip: Clip, name: str, folder: Path) -> list[str]:
    """Write one format; the names of its files, of which none is there before all are complete."""
    form = find_format(name)
    main = form.file if form.one_name else clip.file(form.file)
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
    """Provenance of a result as plain values.

    Args:
        detector: description of the detector of the 2D poses.
        settings: of the stages; only those that affect results are included.
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
        "prior": model.prior,
        "settings": {
            type(group).__name__.removesuffix("Settings").lower(): group.model_dump(
                mode="json", exclude=unkeyed_fields(group), exclude_none=True
            )
            for group in settings
        },
    }


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the video in errors about it.

    Raises:
        PosepipeError: the one that was raised inside, with the path before it.
    """
    try:
        yield
    except PosepipeError as error:
        raise error if str(path) in str(error) else PosepipeError(f"{path}: {error}") from error
