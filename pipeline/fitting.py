"""Fit: from a folder of takes to a model and the 3D poses of every clip in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..models.lens import COEFFICIENTS
from .arrays import Crops, Detections, Frames, LabelledPictures, Labels, Pose3D, Rig, Samples, Swaps, Timeline, Track
from .cache import SourceFile
from .calibrate import HOW_TO_GIVE_INTRINSICS, calibrate, describe_rig
from .crop import crop_people
from .detect import detect_poses
from .detectors.choose import choose_detector
from .detectors.model_zoo import why_not
from .errors import PosepipeError
from .exporters import DEFAULT_EXPORTS, EXPORTERS
from .exporters.clip import Clip
from .frames import extract_frames
from .keypoints import is_keypoint_file
from .label import label_poses
from .labelled import PictureFolder, crop_labelled, find_pictures
from .lenses import Lens
from .morph import morph_skeleton
from .recording import Camera, Recording, Take, results_folder
from .report import Report, ReportedCamera, ReportedTake, write_report
from .results import Fit, about, provenance, write_model, write_results
from .samples import build_samples, undistort_samples
from .settings import (
    CAMERA_NEEDS,
    FROM_JOINTS,
    REPEATED,
    LiftSettings,
    Settings,
    TrackSettings,
    TrainingSettings,
    check_name,
    method_needs,
    to_toml,
    training_settings,
)
from .sides import find_swaps, mend_sides, swapped_share
from .synchronize import synchronize
from .track import track_athlete
from .workplace import Workplace, open_workplace, request_digest

log = logging.getLogger("posepipe")

STAGES = (
    "frames", "detect", "track", "crop", "morph", "synchronize", "sides", "samples", "calibrate", "label", "train",
    "lift",
)  # fmt: skip
"""Stages in order; ``until`` names the last one."""

OFTEN = 0.05
"""Share of a clip's frames with swapped sides that is worth a warning."""


def fit(
    folder: Path | str,
    *,
    out: Path | str | None = None,
    settings: Settings | None = None,
    until: str | None = None,
    exports: Sequence[str] = DEFAULT_EXPORTS,
) -> Fit:
    """Train a model on the takes of a folder, or on a keypoint file, and lift all their clips with it.

    What was computed before with the same videos and settings is used again.

    Args:
        folder: videos of one take, folders of such takes, or an .npz of 2D poses (``keypoints``).
        out: where results go; by default beside ``folder``, as ``<folder>_posepipe``.
        settings: all settings (``load_settings``); the defaults if None.
        until: stop after this stage (one of ``STAGES``).
        exports: result files per clip.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    settings = settings or Settings()
    if until is not None:
        check_name("stage", until, STAGES)
    for name in exports:
        check_name("export", name, EXPORTERS)
    if settings.device != "auto":
        from .device import check_device  # imports torch, which a fit with nothing to do can do without

        check_device(settings.device)
    if is_keypoint_file(Path(folder)):
        from .array_fitting import fit_arrays

        return fit_arrays(Path(folder), Path(out) if out else results_folder(Path(folder)), settings, until)
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
    known = [camera_model(camera), lens_of(camera)]
    return [camera.name, camera.video.name, camera.offset_s, camera.moving, camera.slow_motion, *known]


def camera_model(camera: Camera) -> list[list[list[float]]]:
    """K, R and t as nested lists, as many of them as are known."""
    known = camera.calibration
    if known is None:
        return []
    place = [] if known.R is None or known.t is None else [known.R.tolist(), [known.t.tolist()]]
    return [known.K.tolist(), *place]


def lens_of(camera: Camera) -> Lens:
    """Distortion coefficients of a camera; zeros where nothing is known of it."""
    return [0.0] * COEFFICIENTS if camera.calibration is None else camera.calibration.distortion.tolist()


def _result_folders(recording: Recording, target: Path) -> tuple[Path, ...]:
    return tuple(target / "takes" / take.name / camera.name for take in recording.takes for camera in take.cameras)


def _complete(recording: Recording, target: Path, until: str | None, exports: Sequence[str]) -> bool:
    """Whether all files that a fit writes are there."""
    if until is not None:
        return True
    files = [folder / EXPORTERS[name].file for folder in _result_folders(recording, target) for name in exports]
    return all(
        path.exists() for path in (*files, *(target / name for name in ("model.pt", "settings.toml", "report.html")))
    )


class _Run:
    """One walk through the stages, in the order of ``STAGES``; results are kept by take and camera."""

    def __init__(self, recording: Recording, place: Workplace, settings: Settings, exports: tuple[str, ...]) -> None:
        self.recording, self.place, self.settings, self.exports = recording, place, settings, exports
        self.run = place.cache.run
        self.cameras = [(f"{take.name}/{camera.name}", camera) for take in recording.takes for camera in take.cameras]
        self.warnings: list[str] = []

    def go(self, until: str | None) -> Fit:
        """All stages in order, up to and with ``until``."""
        for stage in STAGES:
            getattr(self, stage)()
            if stage == until or (stage == "train" and self.place.rank > 0):
                return Fit(self.place.folder, None, (), None, tuple(self.warnings))
        return self.publish()

    def warn(self, sentence: str) -> None:
        """Say something that the user should look at, now and in the report."""
        log.warning(sentence)
        self.warnings.append(sentence)

    def of(self, take: Take, results: dict[str, Any]) -> list[Any]:
        """A take's cameras' results, in order."""
        return [results[f"{take.name}/{camera.name}"] for camera in take.cameras]

    def frames(self) -> None:
        """Timestamps of all videos; and before anything long begins, whether the method can be trained on them."""
        self.training = self.training_settings()
        self.backbone = self.checkpoint(self.training.options.get("backbone_weights"))
        self.labelled_files = self.labelled_source() if "labelled_2d" in self.needs else None
        self.videos: dict[str, SourceFile] = {}
        self.frame_sets: dict[str, Frames] = {}
        for subject, camera in self.cameras:
            with about(camera.video):
                self.videos[subject] = self.place.source(camera.video)
                frames = self.run(extract_frames, self.videos[subject], subject=subject)
            if frames.missing_s:
                self.warn(
                    f"{camera.video} breaks off: its last {frames.missing_s:.1f} s cannot be read; the rest is used"
                )
            self.frame_sets[subject] = frames

    def training_settings(self) -> TrainingSettings:
        """Settings of the method, checked, as are the data that it needs."""
        self.needs = method_needs(self.settings)
        known = self.settings.calibrate.assumes_focal or all(camera.calibration for _, camera in self.cameras)
        offered = {"crops", "labelled_2d", *(("intrinsics",) if known else ())}
        if "crops" in self.needs and (reason := why_not()):
            raise PosepipeError(f"networks of pictures come from mmpose, which cannot run, because {reason}")
        return training_settings(self.settings, offered, HOW_TO_GIVE_INTRINSICS)

    def checkpoint(self, name: str | None) -> SourceFile | None:
        """The file that training starts from, if the settings name one."""
        if not name:
            return None
        path = Path(name).expanduser()
        if not path.is_file():
            raise PosepipeError(f"train.backbone_weights names {path}, but there is no such file")
        return self.place.source(path)

    def labelled_source(self) -> tuple[SourceFile, PictureFolder]:
        """The annotations and the pictures with 2D labels that the settings name."""
        folder, annotations = (self.training.options[f"labelled_{name}"] for name in ("images", "annotations"))
        if not folder or not annotations:
            raise PosepipeError("train.labelled_images and train.labelled_annotations belong together: give both")
        if self.settings.morph.skeleton == "native":
            raise PosepipeError("pictures with 2D labels are on the joints of h36m17; use --skeleton h36m17")
        labels = Path(annotations).expanduser()
        pictures = find_pictures(Path(folder).expanduser(), labels)
        return self.place.source(labels), pictures

    def detect(self) -> None:
        """People in all videos."""
        self.detector = choose_detector(self.settings.detect, self.settings.device)
        self.found: dict[str, Detections] = {}
        for subject, camera in self.cameras:
            video, frames = self.videos[subject], self.frame_sets[subject]
            with about(camera.video):
                self.found[subject] = self.run(
                    detect_poses, video, frames, self.detector, settings=self.settings.detect, subject=subject
                )

    def track(self) -> None:
        """The athlete in all videos."""
        self.tracks: dict[str, Track] = {}
        for subject, camera in self.cameras:
            settings = self.tracking(camera)
            with about(camera.video):
                self.tracks[subject] = self.run(
                    track_athlete, self.frame_sets[subject], self.found[subject], settings=settings, subject=subject
                )

    def tracking(self, camera: Camera) -> TrackSettings:
        """Settings of the stage track for a camera."""
        return self.settings.track.model_copy(update={"slow_motion": camera.slow_motion})

    def crop(self) -> None:
        """Pictures of the athlete in all videos, if the method learns from pictures, and of labelled people."""
        self.labelled: LabelledPictures | None = None
        if self.labelled_files:
            settings = self.settings.crop
            self.labelled = self.run(
                crop_labelled, *self.labelled_files, settings=settings, subject="labelled pictures"
            )
        self.crops: dict[str, Crops] = {}
        for subject, camera in self.cameras if "crops" in self.needs else ():
            inputs = self.videos[subject], self.tracks[subject]
            with about(camera.video):
                self.crops[subject] = self.run(crop_people, *inputs, settings=self.settings.crop, subject=subject)

    def morph(self) -> None:
        """The athlete on the skeleton of the results."""
        for subject, _ in self.cameras:
            self.tracks[subject] = self.run(
                morph_skeleton, self.tracks[subject], settings=self.settings.morph, subject=subject
            )

    def synchronize(self) -> None:
        """Each take's cameras on one timeline."""
        self.timelines: dict[str, Timeline] = {}
        for take in self.recording.takes:
            names = [camera.name for camera in take.cameras]
            offsets = [camera.offset_s or 0.0 for camera in take.cameras]
            tracks = self.of(take, self.tracks)
            timeline = self.run(
                synchronize, tracks, names, offsets, settings=self.settings.synchronize, subject=take.name
            )
            self.timelines[take.name] = timeline
            for warning in timeline.warnings:
                self.warn(f"take {take.name}: {warning}")

    def sides(self) -> None:
        """Left and right put right where time and the other cameras say so."""
        self.swaps: dict[str, Swaps] = {}
        settings = self.settings.sides
        for take in self.recording.takes:
            inputs = self.of(take, self.tracks), self.timelines[take.name]
            swaps = self.swaps[take.name] = self.run(find_swaps, *inputs, settings=settings, subject=take.name)
            for number, camera in enumerate(take.cameras):
                subject = f"{take.name}/{camera.name}"
                track = self.tracks[subject]
                self.tracks[subject] = self.run(mend_sides, track, swaps, number, settings=settings, subject=subject)
                share = swapped_share(swaps, number, len(track.time))
                if share > OFTEN:
                    done = "put right" if settings.repair else "left as it is"
                    self.warn(
                        f"{camera.video}: left and right are swapped in {share:.0%} of the frames, which is {done}"
                    )

    def samples(self) -> None:
        """Training samples of all takes."""
        takes = self.recording.takes
        moving = [self.moves(take) for take in takes]
        for take, moves in zip(takes, moving, strict=True):
            log.info("take %s: cameras count as %s", take.name, "moving" if moves else "static")
        self.training_samples: Samples = self.run(
            build_samples,
            [self.of(take, self.tracks) for take in takes],
            [self.timelines[take.name] for take in takes],
            [[camera_model(camera) for camera in take.cameras] for take in takes],
            moving,
            [take.name for take in takes],
            [take.rig for take in takes],
            settings=self.settings.samples,
            subject="all takes",
        )
        self.undistort()

    def undistort(self) -> None:
        """The samples that geometry sees, and methods that use intrinsics: as pinhole cameras would show them."""
        self.pinhole_samples = self.training_samples
        lenses = [[lens_of(camera) for camera in take.cameras] for take in self.recording.takes]
        if not (
            self.needs & {"intrinsics", *FROM_JOINTS} and any(any(lens) for cameras in lenses for lens in cameras)
        ):
            return
        self.pinhole_samples = self.run(undistort_samples, self.training_samples, lenses, subject="all takes")
        if "crops" not in self.needs:
            self.training_samples = self.pinhole_samples
        else:
            self.warn("the cameras have lens distortion, which networks of pictures do not undo in their pictures")

    def moves(self, take: Take) -> bool:
        """Whether any camera moves: as the settings say, else posepipe.toml, else as measured.

        A camera of which nothing is known counts as moving: that costs a little accuracy, the opposite mistake much.
        """
        if self.settings.samples.static_cameras is not None:
            return not self.settings.samples.static_cameras
        measured = [track.camera_moves is not False for track in self.of(take, self.tracks)]
        stated = [camera.moving for camera in take.cameras]
        return any(seen if said is None else said for said, seen in zip(stated, measured, strict=True))

    def calibrate(self) -> None:
        """Where the cameras stand, as given or from joints, if the method needs to know."""
        self.rig: Rig | None = None
        assumed = "intrinsics" in self.needs and self.training_samples.K is None
        if not (assumed or self.needs & FROM_JOINTS):
            return
        sizes = [[self.frame_sets[f"{take.name}/{camera.name}"].image_size.tolist() for camera in take.cameras]
                 for take in self.recording.takes]  # fmt: skip
        settings = self.settings.calibrate
        self.rig = self.run(calibrate, self.pinhole_samples, sizes, settings=settings, subject="all takes")
        report = log.info if self.rig.intrinsics == "given" else self.warn
        report(describe_rig(self.rig))

    def label(self) -> None:
        """3D poses triangulated from all views, if the method trains on them."""
        self.labels: Labels | None = None
        if "labels" in self.needs:
            inputs = self.pinhole_samples, self.rig
            self.labels = self.run(label_poses, *inputs, settings=self.settings.label, subject="all takes")

    def train(self) -> None:
        """The trained model, as ``model.pt``."""
        from .train import train_model

        samples = self.training_samples
        log.info("method: %s, %d instants", self.training.method, len(samples.instant))
        crops = [self.of(take, self.crops) for take in self.recording.takes] if self.crops else None
        inputs = samples, self.rig, self.labels, crops, self.labelled, self.backbone
        trained = self.run(train_model, *inputs, settings=self.training, subject="all takes")
        if self.place.rank > 0:
            return
        repeated = (*REPEATED, "crop") if self.crops else REPEATED
        recipe = {name: getattr(self.settings, name).model_dump(mode="json") for name in repeated}
        recipe |= {"detector": self.detector.description, "samples": samples.key}
        self.model = replace(trained, recipe=recipe)
        verdict, sentence = (trained.handedness[name] for name in ("verdict", "sentence"))
        if verdict == "clear":
            log.info("handedness: clear. %s", sentence)
        else:
            self.warn(f"handedness is {verdict}: {sentence}")
        folder = self.place.folder
        write_model(self.model, folder, to_toml(self.settings, self.training.options))

    def lift(self) -> None:
        """3D poses of every clip, each from its own camera alone."""
        from .lift import lift_poses

        self.model_file = self.place.source(self.place.folder / "model.pt")
        self.poses: dict[str, Pose3D] = {}
        for subject, _ in self.cameras:
            inputs = self.tracks[subject], self.crops.get(subject), self.model_file
            self.poses[subject] = self.run(lift_poses, *inputs, settings=self.lifting(subject), subject=subject)

    def lifting(self, subject: str) -> LiftSettings:
        """Settings of the stage lift for a camera."""
        camera = dict(self.cameras)[subject]
        K, lens = self.intrinsics(subject), lens_of(camera)
        distortion = lens if K and any(lens) else None
        return LiftSettings(intrinsics=K, distortion=distortion, device=self.settings.device)

    def intrinsics(self, subject: str) -> list[list[float]] | None:
        """K of a camera as it was trained with, if the method knows the cameras."""
        cameras = self.training_samples if self.rig is None else self.rig
        if cameras.K is None or not self.needs & CAMERA_NEEDS:
            return None
        views = [(take, view) for take, each in enumerate(self.recording.takes) for view in range(len(each.cameras))]
        take, view = views[[name for name, _ in self.cameras].index(subject)]
        trained = np.flatnonzero(self.training_samples.take == take)
        return cameras.K[trained[0], view].tolist() if len(trained) else None

    def publish(self) -> Fit:
        """Result files of every clip, and the report."""
        folders = _result_folders(self.recording, self.place.folder)
        for folder, (subject, camera) in zip(folders, self.cameras, strict=True):
            used = (
                self.settings.detect,
                self.tracking(camera),
                self.settings.morph,
                self.settings.sides,
                self.lifting(subject),
            )
            origin = provenance(self.videos[subject], self.model_file, self.model, *used)
            clip = Clip.of(self.poses[subject], self.frame_sets[subject], camera.video, origin)
            write_results(clip, folder, self.exports)
        report = self.place.folder / "report.html"
        write_report(report, self.report())
        return Fit(self.place.folder, self.model_file.path, folders, report, tuple(self.warnings))

    def report(self) -> Report:
        """What the page shows."""
        shown = (self.frame_sets, self.found, self.tracks, self.poses)
        return Report(
            title=self.recording.folder.resolve().name,
            takes=[
                ReportedTake(
                    take.name,
                    [
                        ReportedCamera(camera.name, camera.video.name, *results)
                        for camera, *results in zip(take.cameras, *(self.of(take, s) for s in shown), strict=True)
                    ],
                    self.timelines[take.name],
                    self.swaps[take.name],
                )
                for take in self.recording.takes
            ],
            losses=self.model.losses,
            handedness=self.model.handedness,
            settings=(self.place.folder / "settings.toml").read_text(encoding="utf-8"),
            versions={name: version(name) for name in ("posepipe", "torch", "mediapipe", "mmpose")},
            warnings=self.warnings,
        )
