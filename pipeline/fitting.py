"""Fit: from a folder of takes to a model and the 3D poses of every clip in it."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import Detections, Frames, Pose3D, Samples, Timeline, Track
from .cache import SourceFile, write_atomically
from .detect import detect_poses
from .detectors import Detector
from .detectors.choose import choose_detector
from .errors import PosepipeError
from .exporters import EXPORTERS, FILE_NAMES, Clip
from .frames import extract_frames
from .morph import morph_skeleton
from .recording import Camera, Recording, Take, results_folder
from .report import Report, ReportedCamera, ReportedTake, write_report
from .results import about, provenance, write_results
from .samples import build_samples
from .settings import (
    LiftSettings,
    Settings,
    TrackSettings,
    TrainingSettings,
    check_name,
    method_class,
    method_settings,
    to_toml,
)
from .synchronize import synchronize
from .track import track_athlete
from .workplace import Workplace, open_workplace, request_digest

if TYPE_CHECKING:
    from .model import Model

log = logging.getLogger("posepipe")

UNTIL = ("frames", "detect", "track", "morph", "synchronize", "samples", "train", "lift")
"""Stages at which ``until`` can stop a fit."""


@dataclass(frozen=True)
class FilmedCamera:
    """One camera of a take, as far as the stages have come."""

    camera: Camera
    subject: str
    video: SourceFile
    frames: Frames
    found: Detections | None = None
    track: Track | None = None
    """On the skeleton of the results."""

    @property
    def moves(self) -> bool:
        """Whether it moves: as stated, else as measured; what could not be measured counts as moving."""
        stated = self.camera.moving
        measured = self.track.camera_moves if self.track else None
        return measured is not False if stated is None else stated


@dataclass(frozen=True)
class FilmedTake:
    """A take, as far as the stages have come."""

    take: Take
    cameras: tuple[FilmedCamera, ...]
    timeline: Timeline | None = None


@dataclass(frozen=True)
class Fit:
    """What a fit has made."""

    folder: Path
    model: Path | None
    results: tuple[Path, ...]
    """One folder per clip."""
    report: Path | None
    warnings: tuple[str, ...]
    nothing_to_do: bool = False


def fit(
    folder: Path | str,
    *,
    out: Path | str | None = None,
    settings: Settings | None = None,
    until: str | None = None,
    exports: Sequence[str] = tuple(EXPORTERS),
) -> Fit:
    """Train a model on the takes of a folder and lift all their clips with it.

    What was computed before with the same videos and settings is used again.

    Args:
        folder: videos of one take, or folders of such takes.
        out: where results go; by default beside ``folder``, as ``<folder>_posepipe``.
        settings: all settings (``load_settings``); the defaults if None.
        until: stop after this stage (one of ``UNTIL``).
        exports: result files per clip.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    settings = settings or Settings()
    if until is not None:
        check_name("stage", until, UNTIL)
    for name in exports:
        check_name("export", name, EXPORTERS)
    recording = Recording.open(Path(folder))
    target = Path(out) if out else results_folder(Path(folder))
    with open_workplace(target) as place:
        request = request_digest(settings.model_dump(mode="json"), until, exports, _inputs(recording, place))
        if place.journal.request == request and _complete(recording, target, until, exports):
            return Fit(
                target, target / "model.pt", _result_folders(recording, target), target / "report.html", (), True
            )
        place.journal.begin()
        done = _Run(recording, place, settings, tuple(exports)).go(until)
        place.journal.end(request)
        return done


def _inputs(recording: Recording, place: Workplace) -> list[Any]:
    """All that a fit reads, by content."""
    return [
        [take.name, take.rig, [[_facts(camera), place.digests.of(camera.video)] for camera in take.cameras]]
        for take in recording.takes
    ]


def _facts(camera: Camera) -> list[Any]:
    return [camera.name, camera.video.name, camera.offset_s, camera.moving, camera.slow_motion, camera_model(camera)]


def camera_model(camera: Camera) -> list[list[list[float]]]:
    """K, R and t as nested lists, empty if the camera is not calibrated."""
    known = camera.calibration
    return [known.K.tolist(), known.R.tolist(), [known.t.tolist()]] if known else []


def _result_folders(recording: Recording, target: Path) -> tuple[Path, ...]:
    return tuple(target / "takes" / take.name / camera.name for take in recording.takes for camera in take.cameras)


def _complete(recording: Recording, target: Path, until: str | None, exports: Sequence[str]) -> bool:
    """Whether all files that a fit writes are there."""
    if until is not None:
        return True
    files = [folder / FILE_NAMES[name] for folder in _result_folders(recording, target) for name in exports]
    return all(
        path.exists() for path in (*files, *(target / name for name in ("model.pt", "settings.toml", "report.html")))
    )


class _Run:
    """One walk through the stages."""

    def __init__(self, recording: Recording, place: Workplace, settings: Settings, exports: tuple[str, ...]) -> None:
        self.recording, self.place, self.settings, self.exports = recording, place, settings, exports
        self.warnings: list[str] = []

    def go(self, until: str | None) -> Fit:
        """All stages in order, up to and with ``until``."""
        takes = [self.frames(take) for take in self.recording.takes]
        if until == "frames":
            return self.ended()
        training = self.training()
        detector = choose_detector(self.settings.detect, self.settings.device)
        takes = [self.see(take, detector, until) for take in takes]
        if until in ("detect", "track", "morph"):
            return self.ended()
        takes = [self.align(take) for take in takes]
        if until == "synchronize":
            return self.ended()
        samples = self.samples(takes)
        if until == "samples":
            return self.ended()
        model = self.train(samples, training, detector)
        if until == "train" or model is None:
            return self.ended()
        poses = self.lift(takes)
        if until == "lift":
            return self.ended()
        return self.publish(takes, poses, model)

    def ended(self) -> Fit:
        """What there is to say of a fit that was to stop early."""
        return Fit(self.place.folder, None, (), None, tuple(self.warnings))

    def warn(self, sentence: str) -> None:
        """Say something that the user should look at, now and in the report."""
        log.warning(sentence)
        self.warnings.append(sentence)

    def training(self) -> TrainingSettings:
        """Settings of the method, checked before anything long begins, as are the data it needs."""
        options = method_settings(self.settings).model_dump(mode="json")
        needs = method_class(self.settings.train.method).needs
        calibrated = all(camera.calibration for take in self.recording.takes for camera in take.cameras)
        if needs & {"intrinsics", "extrinsics"} and not calibrated:
            raise PosepipeError(
                f"method {self.settings.train.method!r} needs {' and '.join(sorted(needs))}: "
                "give a calibration in posepipe.toml, or use --method canonpose"
            )
        return TrainingSettings(**self.settings.train.model_dump(), options=options, device=self.settings.device)

    def frames(self, take: Take) -> FilmedTake:
        """Timestamps of all videos."""
        cameras = []
        for camera in take.cameras:
            subject = f"{take.name}/{camera.name}"
            with about(camera.video):
                video = self.place.source(camera.video)
                frames = self.place.cache.run(extract_frames, video, subject=subject)
            if frames.missing_s:
                self.warn(
                    f"{camera.video} breaks off: its last {frames.missing_s:.1f} s cannot be read; the rest is used"
                )
            cameras.append(FilmedCamera(camera, subject, video, frames))
        return FilmedTake(take, tuple(cameras))

    def see(self, take: FilmedTake, detector: Detector, until: str | None) -> FilmedTake:
        """The athlete's 2D poses in all videos."""
        cameras, run, settings = [], self.place.cache.run, self.settings
        for camera in take.cameras:
            with about(camera.camera.video):
                found = run(
                    detect_poses,
                    camera.video,
                    camera.frames,
                    detector,
                    settings=settings.detect,
                    subject=camera.subject,
                )
                if until == "detect":
                    continue
                slow = TrackSettings(**{**settings.track.model_dump(), "slow_motion": camera.camera.slow_motion})
                track = run(track_athlete, camera.frames, found, settings=slow, subject=camera.subject)
                if until == "track":
                    continue
                track = run(morph_skeleton, track, settings=settings.morph, subject=camera.subject)
            cameras.append(replace(camera, found=found, track=track))
        return replace(take, cameras=tuple(cameras))

    def align(self, take: FilmedTake) -> FilmedTake:
        """The take's cameras on one timeline."""
        tracks = [camera.track for camera in take.cameras]
        names = [camera.camera.name for camera in take.cameras]
        offsets = [camera.camera.offset_s or 0.0 for camera in take.cameras]
        timeline = self.place.cache.run(
            synchronize, tracks, names, offsets, settings=self.settings.synchronize, subject=take.take.name
        )
        for warning in timeline.warnings:
            self.warn(f"take {take.take.name}: {warning}")
        return replace(take, timeline=timeline)

    def samples(self, takes: list[FilmedTake]) -> Samples:
        """Training samples of all takes."""
        static = self.settings.samples.static_cameras
        moving = [any(c.moves for c in take.cameras) if static is None else not static for take in takes]
        for take, moves in zip(takes, moving, strict=True):
            log.info("take %s: cameras count as %s", take.take.name, "moving" if moves else "static")
        return self.place.cache.run(
            build_samples,
            [[camera.track for camera in take.cameras] for take in takes],
            [take.timeline for take in takes],
            [[camera_model(camera.camera) for camera in take.cameras] for take in takes],
            moving,
            [take.take.name for take in takes],
            [take.take.rig for take in takes],
            settings=self.settings.samples,
            subject="all takes",
        )

    def train(self, samples: Samples, training: TrainingSettings, detector: Detector) -> Model | None:
        """The trained model, as ``model.pt``; None in all but the first process of a launcher."""
        from .train import train_model

        log.info("method: %s, %d instants", training.method, len(samples.instant))
        trained = self.place.cache.run(train_model, samples, settings=training, subject="all takes")
        if self.place.rank > 0:
            return None
        recipe = {name: getattr(self.settings, name).model_dump(mode="json") for name in ("detect", "track", "morph")}
        model = replace(trained, recipe={**recipe, "detector": detector.description, "samples": samples.key})
        log.info("handedness: %s. %s", model.handedness["verdict"], model.handedness["sentence"])
        if model.handedness["verdict"] != "clear":
            self.warn(f"handedness is {model.handedness['verdict']}: {model.handedness['sentence']}")
        folder = self.place.folder
        model.write(folder / "model.pt")
        rows = "".join(json.dumps(row) + "\n" for row in model.losses)
        write_atomically(folder / "losses.jsonl", rows.encode())
        write_atomically(folder / "settings.toml", to_toml(self.settings, training.options).encode())
        return model

    def lift(self, takes: list[FilmedTake]) -> list[list[Pose3D]]:
        """3D poses of every clip, each from its own camera alone."""
        from .lift import lift_poses

        source = self.place.source(self.place.folder / "model.pt")
        settings = LiftSettings(device=self.settings.device)
        return [
            [
                self.place.cache.run(lift_poses, camera.track, source, settings=settings, subject=camera.subject)
                for camera in take.cameras
            ]
            for take in takes
        ]

    def publish(self, takes: list[FilmedTake], poses: list[list[Pose3D]], model: Model) -> Fit:
        """Result files of every clip, and the report."""
        folders = _result_folders(self.recording, self.place.folder)
        cameras = [camera for take in takes for camera in take.cameras]
        source = self.place.source(self.place.folder / "model.pt")
        for folder, camera, pose in zip(folders, cameras, itertools.chain(*poses), strict=True):
            clip = Clip(pose, camera.frames, camera.camera.video, provenance(camera.video, source, model))
            write_results(clip, folder, self.exports)
        report = self.place.folder / "report.html"
        write_report(report, self.report(takes, poses, model))
        return Fit(self.place.folder, self.place.folder / "model.pt", folders, report, tuple(self.warnings))

    def report(self, takes: list[FilmedTake], poses: list[list[Pose3D]], model: Model) -> Report:
        """What the page shows."""
        shown = [
            ReportedTake(
                take.take.name,
                [
                    ReportedCamera(c.camera.name, c.camera.video.name, c.frames, c.found, c.track, pose)
                    for c, pose in zip(take.cameras, of_take, strict=True)
                ],
                take.timeline,
            )
            for take, of_take in zip(takes, poses, strict=True)
        ]
        return Report(
            title=self.recording.folder.resolve().name,
            takes=shown,
            losses=model.losses,
            handedness=model.handedness,
            settings=(self.place.folder / "settings.toml").read_text(encoding="utf-8"),
            versions={name: version(name) for name in ("posepipe", "torch", "mediapipe", "mmpose")},
            warnings=self.warnings,
        )
