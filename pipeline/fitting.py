"""Fit: from a folder of takes to a model and the 3D poses of every clip in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..models.lens import COEFFICIENTS
from .arrays import (
    Athletes,
    Crops,
    Detections,
    Frames,
    Identities,
    LabelledPictures,
    Labels,
    Pose3D,
    Rig,
    Samples,
    Swaps,
    Timeline,
    Track,
)
from .cache import SourceFile
from .calibrate import HOW_TO_GIVE_INTRINSICS, calibrate, describe_rig
from .crop import crop_people
from .detect import detect_poses
from .detectors.choose import choose_detector
from .detectors.model_zoo import why_not
from .errors import PosepipeError
from .exporters import DEFAULT_EXPORTS, EXPORTERS, FROM_VIDEO
from .exporters.clip import Clip, Person
from .frames import extract_frames
from .keypoints import is_keypoint_file
from .label import label_poses
from .labelled import PictureFolder, crop_labelled, find_pictures
from .lenses import Lens
from .match import SAME, match_people
from .morph import morph_skeleton
from .motion import make_motion
from .read import frames_of, read_people
from .recording import Camera, Recording, Take, results_folder
from .refinement import check_reference, reference_digest, refined_model, supervision_warning
from .report import Report, ReportedCamera, ReportedTake, write_report
from .results import Fit, about, are_written, provenance, write_model, write_results
from .samples import build_samples, undistort_samples
from .settings import (
    CAMERA_NEEDS,
    FROM_JOINTS,
    REPEATED,
    KeypointSettings,
    LiftSettings,
    Settings,
    TrackSettings,
    TrainingSettings,
    check_name,
    method_needs,
    parse,
    to_toml,
    training_settings,
)
from .sides import find_swaps, mend_sides, swapped_share
from .synchronize import synchronize
from .track import choose, shares, track_athlete, track_people, without_anybody
from .workplace import Workplace, open_workplace, request_digest

log = logging.getLogger("posepipe")

STAGES = (
    "frames", "detect", "track", "morph", "synchronize", "match", "crop", "sides", "samples", "calibrate", "label",
    "train", "refine", "lift", "motion",
)  # fmt: skip
"""Stages in order; ``until`` names the last one."""

OFTEN = 0.05
"""Share of a clip's frames with swapped sides that is worth a warning."""
HARMFUL = 2.0
"""How many times more than in other takes the cameras of one may disagree before that is worth a warning."""


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
        folder: videos of one take, or files of their 2D poses (``readers``), folders of such takes, or an .npz of
            samples (``keypoints``).
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
    recording = Recording.open(Path(folder)).without(settings.leave_out)
    target = Path(out) if out else results_folder(Path(folder))
    with open_workplace(target) as place:
        inputs = [*_inputs(recording, place), reference_digest(settings, place)]
        request = request_digest(settings.model_dump(mode="json"), until, exports, inputs)
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
    main = all((target / name).exists() for name in ("model.pt", "settings.toml", "report.html"))
    cameras = [camera for take in recording.takes for camera in take.cameras]
    folders = _result_folders(recording, target)
    return main and all(
        are_written(folder, exports_of(camera, exports)) for folder, camera in zip(folders, cameras, strict=True)
    )


def exports_of(camera: Camera, exports: Sequence[str]) -> list[str]:
    """Those of the formats that a camera can have: nothing is drawn on a video that is not there."""
    return [name for name in exports if camera.keypoints is None or name not in FROM_VIDEO]


@dataclass(frozen=True)
class Athlete:
    """One person in a take, and who that is in each of its cameras."""

    take: Take
    number: int
    people: tuple[int, ...]
    """The person's number in each camera; -1 where a camera does not show them."""
    only: bool
    """Whether nobody else of the take is wanted."""

    @property
    def name(self) -> str:
        """For people: the take, and who of it if several are wanted."""
        return self.take.name if self.only else f"{self.take.name} {self.person}"

    @property
    def person(self) -> str:
        """The name in result files."""
        return f"person{self.number}"

    @property
    def rig(self) -> str:
        """A label of takes and people that the same unmoved cameras filmed."""
        if not self.take.rig:
            return "" if self.only else f"of {self.take.name}"
        return f"{self.take.rig}: {', '.join(camera.name for camera in self.take.cameras)}"

    @property
    def subjects(self) -> list[str]:
        """Names of the views."""
        who = "" if self.only else f"/{self.person}"
        return [f"{self.take.name}/{camera.name}{who}" for camera in self.take.cameras]


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

    def views(self) -> list[tuple[str, str, Athlete, int]]:
        """Names of the views in which athletes are shown, and of their cameras; the athlete, the camera's number."""
        return [
            (subject, camera, athlete, number)
            for athlete in self.athletes
            for number, subject in enumerate(athlete.subjects)
            for camera in [f"{athlete.take.name}/{athlete.take.cameras[number].name}"]
            if athlete.people[number] >= 0
        ]

    def frames(self) -> None:
        """Timestamps of all videos; and before anything long begins, whether the method can be trained on them."""
        self.training = self.training_settings()
        self.backbone = self.checkpoint(self.training.options.get("backbone_weights"))
        self.labelled_files = self.labelled_source() if "labelled_2d" in self.needs else None
        self.videos: dict[str, SourceFile] = {}
        self.frame_sets: dict[str, Frames] = {}
        self.found: dict[str, Detections] = {}
        for subject, camera in self.cameras:
            with about(camera.video):
                self.videos[subject] = self.place.source(camera.video)
                if camera.keypoints is not None:
                    self.read(subject, camera)
                    continue
                frames = self.run(extract_frames, self.videos[subject], subject=subject)
            if frames.missing_s:
                self.warn(
                    f"{camera.video} breaks off: its last {frames.missing_s:.1f} s cannot be read; the rest is used"
                )
            self.frame_sets[subject] = frames

    def read(self, subject: str, camera: Camera) -> None:
        """The people of a camera whose 2D poses were detected elsewhere."""
        own = self.settings.keypoints.model_dump() | dict(camera.keypoints or {})
        settings: KeypointSettings = parse(KeypointSettings, own, "posepipe.toml", section="keypoints")
        found = self.run(read_people, self.videos[subject], settings=settings, subject=subject)
        self.found[subject] = found
        self.frame_sets[subject] = self.run(frames_of, found, settings=settings, subject=subject)

    def training_settings(self) -> TrainingSettings:
        """Settings of the method, checked, as are the data that it needs."""
        self.needs = method_needs(self.settings)
        check_reference(self.settings, self.needs)
        known = self.settings.calibrate.assumes_focal or all(camera.calibration for _, camera in self.cameras)
        offered = {"crops", "labelled_2d", *(("intrinsics",) if known else ())}
        if "crops" in self.needs and any(camera.keypoints is not None for _, camera in self.cameras):
            raise PosepipeError(
                f"method {self.settings.train.method!r} learns from pictures, and files of 2D poses have none; "
                "give videos"
            )
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
        detector = None
        for subject, camera in self.cameras:
            if camera.keypoints is not None:
                continue
            detector = detector or choose_detector(self.settings.detect, self.settings.device)
            video, frames = self.videos[subject], self.frame_sets[subject]
            with about(camera.video):
                self.found[subject] = self.run(
                    detect_poses, video, frames, detector, settings=self.settings.detect, subject=subject
                )

    def track(self) -> None:
        """All people in all videos."""
        self.people: dict[str, Identities] = {}
        self.everybody: dict[str, list[Track]] = {}
        for subject, camera in self.cameras:
            settings, found = self.tracking(camera), self.found[subject]
            with about(camera.video):
                people = self.run(track_people, self.frame_sets[subject], found, settings=settings, subject=subject)
            self.people[subject] = people
            self.everybody[subject] = [
                self.run(track_athlete, found, people, number, settings=settings, subject=subject)
                for number in range(len(people.score))
            ]

    def tracking(self, camera: Camera) -> TrackSettings:
        """Settings of the stage track for a camera."""
        return self.settings.track.model_copy(update={"slow_motion": camera.slow_motion})

    def morph(self) -> None:
        """All people on the skeleton of the results."""
        settings = self.settings.morph
        for subject, tracks in self.everybody.items():
            self.everybody[subject] = [
                self.run(morph_skeleton, track, settings=settings, subject=subject) for track in tracks
            ]

    def synchronize(self) -> None:
        """Each take's cameras on one timeline, by the person who is the main one in each of them."""
        self.timelines: dict[str, Timeline] = {}
        for take in self.recording.takes:
            self.align(take, [tracks[0] for tracks in self.of(take, self.everybody)])

    def align(self, take: Take, tracks: list[Track]) -> None:
        """A take's cameras on one timeline by the motion of one person."""
        names = [camera.name for camera in take.cameras]
        offsets = [camera.offset_s for camera in take.cameras]
        inputs = self.of(take, self.frame_sets), tracks, names, offsets
        with about(take.cameras[0].video.parent):
            timeline = self.run(synchronize, *inputs, settings=self.settings.synchronize, subject=take.name)
        self.timelines[take.name] = timeline
        for warning in timeline.warnings:
            self.warn(f"take {take.name}: {warning}")

    def match(self) -> None:
        """Who is who across each take's cameras, and whose poses are wanted."""
        self.athletes: list[Athlete] = []
        for take in self.recording.takes:
            matched = self.matched(take)
            first = matched.person[self.wanted(take, matched)[0]]
            if (first > 0).any():  # the timeline was found by other people
                self.align(take, self.tracks_of(take, first))
                matched = self.matched(take)
            only = not self.settings.people.everybody
            for number in self.wanted(take, matched):
                people = tuple(matched.person[number].tolist())
                self.athletes.append(Athlete(take, number, people, only))
                self.check_match(take, matched, number)
        self.tracks: dict[str, Track] = {}
        for athlete in self.athletes:
            self.tracks |= zip(athlete.subjects, self.tracks_of(athlete.take, athlete.people), strict=True)

    def tracks_of(self, take: Take, people: Sequence[int]) -> list[Track]:
        """Tracks of a person by their number in each camera, empty where it is -1."""
        everybody = self.of(take, self.everybody)
        return [
            tracks[one] if one >= 0 else without_anybody(tracks[0])
            for tracks, one in zip(everybody, people, strict=True)
        ]

    def matched(self, take: Take) -> Athletes:
        """Who is who across a take's cameras."""
        inputs = self.of(take, self.everybody), self.of(take, self.people), self.timelines[take.name]
        return self.run(match_people, *inputs, subject=take.name)

    def wanted(self, take: Take, matched: Athletes) -> list[int]:
        """Numbers of the people of a take whose poses are wanted."""
        settings = self.settings.people
        if settings.everybody:
            shared = [number for number, people in enumerate(matched.person) if (people >= 0).sum() > 1]
            if not shared:
                raise PosepipeError(f"take {take.name}: nobody is seen by two cameras, so far as can be told")
            return shared
        merit = np.zeros(matched.person.shape)
        for camera, people in enumerate(self.of(take, self.people)):
            here = matched.person[:, camera]
            merit[:, camera] = np.where(here >= 0, shares(people, settings.person)[here], 0)
        with about(Path(take.name)):
            return [choose(merit.sum(1), settings.person)]

    def check_match(self, take: Take, matched: Athletes, number: int) -> None:
        """Say which cameras do not show an athlete, or may show somebody else."""
        for camera, one, agreement in zip(
            take.cameras, matched.person[number], matched.agreement[number], strict=True
        ):
            if one < 0:
                self.warn(f"{camera.video} does not show person {number} of take {take.name}, so far as can be told")
            elif agreement < 1 - SAME:
                self.warn(
                    f"{camera.video} agrees with the other cameras of take {take.name} on person {number} by "
                    f"{max(agreement, 0):.2f} of 1 only; does it show somebody else?"
                )

    def crop(self) -> None:
        """Pictures of the athletes in all videos, if the method learns from pictures, and of labelled people."""
        self.labelled: LabelledPictures | None = None
        if self.labelled_files:
            settings = self.settings.crop
            self.labelled = self.run(
                crop_labelled, *self.labelled_files, settings=settings, subject="labelled pictures"
            )
        self.crops: dict[str, Crops] = {}
        for subject, camera, _, _ in self.views() if "crops" in self.needs else ():
            inputs = self.videos[camera], self.tracks[subject]
            with about(self.videos[camera].path):
                self.crops[subject] = self.run(crop_people, *inputs, settings=self.settings.crop, subject=subject)

    def crops_of(self, athlete: Athlete) -> list[Crops]:
        """Pictures of an athlete in all cameras; those of another camera, never looked at, where one has none."""
        shown = [self.crops[subject] for subject in athlete.subjects if subject in self.crops]
        return [self.crops.get(subject, shown[0]) for subject in athlete.subjects]

    def sides(self) -> None:
        """Left and right put right where time and the other cameras say so."""
        self.swaps: dict[str, Swaps] = {}
        settings = self.settings.sides
        for athlete in self.athletes:
            tracks = [self.tracks[subject] for subject in athlete.subjects]
            inputs = tracks, self.timelines[athlete.take.name]
            swaps = self.swaps[athlete.name] = self.run(find_swaps, *inputs, settings=settings, subject=athlete.name)
            for number, (subject, track) in enumerate(zip(athlete.subjects, tracks, strict=True)):
                self.tracks[subject] = self.run(mend_sides, track, swaps, number, settings=settings, subject=subject)
                share = swapped_share(swaps, number, len(track.time))
                if share > OFTEN:
                    done = "put right" if settings.repair else "left as it is"
                    self.warn(f"{subject}: left and right are swapped in {share:.0%} of the frames, which is {done}")

    def samples(self) -> None:
        """Training samples of all takes."""
        moving = {take.name: self.moves(take) for take in self.recording.takes}
        for name, moves in moving.items():
            log.info("take %s: cameras count as %s", name, "moving" if moves else "static")
        takes = [athlete.take for athlete in self.athletes]
        self.training_samples: Samples = self.run(
            build_samples,
            [[self.tracks[subject] for subject in athlete.subjects] for athlete in self.athletes],
            [self.timelines[take.name] for take in takes],
            [[camera_model(camera) for camera in take.cameras] for take in takes],
            [moving[take.name] for take in takes],
            [athlete.name for athlete in self.athletes],
            [athlete.rig for athlete in self.athletes],
            settings=self.settings.samples,
            subject="all takes",
        )
        self.undistort()

    def undistort(self) -> None:
        """The samples that geometry sees, and methods that use intrinsics: as pinhole cameras would show them."""
        self.pinhole_samples = self.training_samples
        lenses = [[lens_of(camera) for camera in athlete.take.cameras] for athlete in self.athletes]
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
        measured = [tracks[0].camera_moves is not False for tracks in self.of(take, self.everybody)]
        stated = [camera.moving for camera in take.cameras]
        return any(seen if said is None else said for said, seen in zip(stated, measured, strict=True))

    def calibrate(self) -> None:
        """Where the cameras stand, as given or from joints, if the method needs to know."""
        self.rig: Rig | None = None
        assumed = "intrinsics" in self.needs and self.training_samples.K is None
        if not (assumed or self.needs & FROM_JOINTS):
            return
        sizes = [
            [frames.image_size.tolist() for frames in self.of(athlete.take, self.frame_sets)]
            for athlete in self.athletes
        ]
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
        crops = [self.crops_of(athlete) for athlete in self.athletes] if self.crops else None
        inputs = samples, self.rig, self.labels, crops, self.labelled, self.backbone
        trained = self.run(train_model, *inputs, settings=self.training, subject="all takes")
        if self.place.rank > 0:
            return
        repeated = (*REPEATED, "motion", *(("crop",) if self.crops else ()))
        recipe = {name: getattr(self.settings, name).model_dump(mode="json") for name in repeated}
        found_by = sorted({found.detector for found in self.found.values()})
        recipe |= {"detector": "; ".join(found_by), "samples": samples.key}
        self.model = replace(trained, recipe=recipe)
        verdict, sentence = (trained.handedness[name] for name in ("verdict", "sentence"))
        if verdict == "clear":
            log.info("handedness: clear. %s", sentence)
        else:
            self.warn(f"handedness is {verdict}: {sentence}")
        folder = self.place.folder
        write_model(self.model, folder, to_toml(self.settings, self.training.options))

    def refine(self) -> None:
        """The model with a refinement unit in its place, if there are true poses to train one on."""
        if self.settings.refine.reference:
            folder = self.place.folder
            self.model = refined_model(folder / "model.pt", self.place, self.settings, self.needs)
            self.warn(supervision_warning(self.model))
            write_model(self.model, folder, to_toml(self.settings, self.training.options))

    def lift(self) -> None:
        """3D poses of every clip, each from its own camera alone."""
        from .lift import lift_poses

        self.model_file = self.place.source(self.place.folder / "model.pt")
        self.poses: dict[str, Pose3D] = {}
        for subject, _, athlete, number in self.views():
            inputs = self.tracks[subject], self.crops.get(subject), self.model_file
            settings = self.lifting(athlete, number)
            self.poses[subject] = self.run(lift_poses, *inputs, settings=settings, subject=subject)

    def motion(self) -> None:
        """Every view's poses as a motion."""
        for subject, *_ in self.views():
            settings = self.settings.motion
            self.poses[subject] = self.run(make_motion, self.poses[subject], settings=settings, subject=subject)

    def lifting(self, athlete: Athlete, camera: int) -> LiftSettings:
        """Settings of the stage lift for a view."""
        K, lens = self.intrinsics(athlete, camera), lens_of(athlete.take.cameras[camera])
        distortion = lens if K and any(lens) else None
        return LiftSettings(intrinsics=K, distortion=distortion, device=self.settings.device)

    def intrinsics(self, athlete: Athlete, camera: int) -> list[list[float]] | None:
        """K of a camera as it was trained with, if the method knows the cameras."""
        cameras = self.training_samples if self.rig is None else self.rig
        if cameras.K is None or not self.needs & CAMERA_NEEDS:
            return None
        trained = np.flatnonzero(self.training_samples.take == self.athletes.index(athlete))
        return cameras.K[trained[0], camera].tolist() if len(trained) else None

    def publish(self) -> Fit:
        """Result files of every clip, and the report."""
        folders = []
        for subject, camera in self.cameras:
            shown = [(view, athlete, number) for view, name, athlete, number in self.views() if name == subject]
            if not shown:
                continue
            used = (
                self.settings.detect,
                self.tracking(camera),
                self.settings.morph,
                self.settings.sides,
                self.lifting(*shown[0][1:]),
                self.settings.motion,
            )
            origin = provenance(self.videos[subject], self.model_file, self.model, *used)
            people = tuple(Person(athlete.person, self.poses[view]) for view, athlete, _ in shown)
            folders.append(self.place.folder / "takes" / subject)
            clip = Clip.of_people(people, self.frame_sets[subject], camera.video, origin)
            write_results(clip, folders[-1], exports_of(camera, self.exports))
        report = self.place.folder / "report.html"
        write_report(report, self.report())
        return Fit(self.place.folder, self.model_file.path, tuple(folders), report, tuple(self.warnings))

    def disagreements(self) -> dict[str, np.ndarray]:
        """How much the cameras disagree on each athlete's 3D poses, in body heights; says who disagrees most."""
        from .consistency import disagreement_in_3d  # imports torch

        found = {
            athlete.name: disagreement_in_3d(
                [self.poses.get(view) for view in athlete.subjects], self.timelines[athlete.take.name]
            )
            for athlete in self.athletes
        }
        typical = {name: float(np.nanmedian(each)) for name, each in found.items() if np.isfinite(each).any()}
        for athlete in self.athletes:
            residual = typical.get(athlete.name, 0.0)
            others = [each for name, each in typical.items() if name != athlete.name]
            if others and residual > HARMFUL * np.median(others):
                self.warn(
                    f"the cameras of take {athlete.name} disagree by {residual:.1%} of the body height, those of the "
                    f"others by {np.median(others):.1%}: look at its synchronisation, "
                    f"or try --leave-out {athlete.take.name!r}"
                )
        return found

    def report(self) -> Report:
        """What the page shows."""
        disagreement = self.disagreements()
        return Report(
            title=self.recording.folder.resolve().name,
            takes=[
                ReportedTake(
                    athlete.name,
                    self.reported(athlete),
                    self.timelines[athlete.take.name],
                    self.swaps[athlete.name],
                    disagreement[athlete.name].tolist(),
                )
                for athlete in self.athletes
            ],
            losses=self.model.losses,
            handedness=self.model.handedness,
            settings=(self.place.folder / "settings.toml").read_text(encoding="utf-8"),
            versions={name: version(name) for name in ("posepipe", "torch", "mediapipe", "mmpose")},
            warnings=self.warnings,
        )

    def reported(self, athlete: Athlete) -> list[ReportedCamera]:
        """What the page shows of an athlete's views."""
        shown = zip(
            athlete.take.cameras,
            athlete.subjects,
            self.of(athlete.take, self.frame_sets),
            self.of(athlete.take, self.found),
            strict=True,
        )
        return [
            ReportedCamera(camera.name, camera.video.name, frames, found, self.tracks[view], self.poses.get(view))
            for camera, view, frames, found in shown
        ]
