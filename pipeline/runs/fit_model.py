"""What a fit learns from all takes together: the samples, the cameras, and the model."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import LabelledPictures, Labels, Rig, Samples
from ..footage.known_cameras import camera_model, lens_of
from ..footage.recording import Take
from ..settings import AFTER_LIFTING, CAMERA_NEEDS, FROM_JOINTS, REPEATED, to_toml
from ..stages.calibrate import calibrate, describe_rig
from ..stages.crop import crop_labelled
from ..stages.label import label_poses
from ..stages.samples import TakeOfAthlete, build_samples, two_view_warning, undistort_samples
from ..training.training_set import TrainingSet
from .athlete import Athlete
from .checks import Prepared
from .fit_takes import Takes
from .reconstruct import of_footage, reconstruct
from .refinement import refined_model, supervision_warning
from .results import write_model
from .walk import Walk

if TYPE_CHECKING:
    from ..training.model_file import Model  # imports torch

log = logging.getLogger("posepipe")


class Learning:
    """What is made of all takes; filled by one method per stage, in order."""

    training_samples: Samples
    """What the method is trained on."""
    pinhole_samples: Samples
    """The same as cameras without lens distortion would show them."""
    model: Model

    def __init__(self, walk: Walk, method: Prepared, takes: Takes) -> None:
        self.walk, self.method, self.takes = walk, method, takes
        self.labelled: LabelledPictures | None = None
        self.rig: Rig | None = None
        self.labels: Labels | None = None
        self.lesson: Samples | None = None
        """What the labels belong to, where that is more than the training samples."""

    def crop_labelled(self) -> None:
        """Pictures of labelled people, if the method learns from them."""
        if self.method.labelled:
            settings = self.walk.settings.crop
            self.labelled = self.walk.run(
                crop_labelled, *self.method.labelled, settings=settings, subject="labelled pictures"
            )

    def samples(self) -> None:
        """Training samples of all takes."""
        moving = {take.name: self.moves(take) for take in self.walk.recording.takes}
        for name, moves in moving.items():
            log.info("take %s: cameras count as %s", name, "moving" if moves else "static")
        self.training_samples = self.walk.run(
            build_samples,
            [
                TakeOfAthlete(
                    athlete.name,
                    [self.takes.tracks[subject] for subject in athlete.subjects],
                    self.takes.timelines[athlete.take.name],
                    [camera_model(camera) for camera in athlete.take.cameras],
                    moving[athlete.take.name],
                    athlete.rig,
                )
                for athlete in self.takes.athletes
            ],
            settings=self.walk.settings.samples,
            subject="all takes",
        )
        if warning := two_view_warning(self.training_samples, self.method.needs):
            self.walk.warn(warning)
        self.undistort()

    def undistort(self) -> None:
        """The samples that geometry sees, and methods that use intrinsics: as pinhole cameras would show them."""
        self.pinhole_samples = self.training_samples
        lenses = [[lens_of(camera) for camera in athlete.take.cameras] for athlete in self.takes.athletes]
        needed = bool(self.method.needs & {"intrinsics", *FROM_JOINTS})
        bent = self.training_samples.K is not None and any(any(lens) for cameras in lenses for lens in cameras)
        if not bent or not (needed or self.walk.settings.fuse.enabled):
            return
        self.pinhole_samples = self.walk.run(undistort_samples, self.training_samples, lenses, subject="all takes")
        if not needed:
            return
        if "crops" not in self.method.needs:
            self.training_samples = self.pinhole_samples
        else:
            self.walk.warn(
                "the cameras have lens distortion, which networks of pictures do not undo in their pictures"
            )

    def moves(self, take: Take) -> bool:
        """Whether any camera moves: as the settings say, else posepipe.toml, else as measured.

        A camera of which nothing is known counts as moving: that costs a little accuracy, the opposite mistake much.
        """
        if self.walk.settings.samples.static_cameras is not None:
            return not self.walk.settings.samples.static_cameras
        measured = [
            tracks[0].camera_moves is not False for tracks in self.walk.of(take, self.takes.cameras.everybody)
        ]
        stated = [camera.moving for camera in take.cameras]
        return any(seen if said is None else said for said, seen in zip(stated, measured, strict=True))

    def calibrate(self) -> None:
        """Where the cameras stand, as given or from joints, if the method needs to know."""
        assumed = "intrinsics" in self.method.needs and self.training_samples.K is None
        if not (assumed or self.method.needs & FROM_JOINTS):
            return
        inputs = self.pinhole_samples, self.image_sizes()
        self.rig = self.walk.run(calibrate, *inputs, settings=self.walk.settings.calibrate, subject="all takes")
        report = log.info if self.rig.intrinsics == "given" else self.walk.warn
        report(describe_rig(self.rig))

    def image_sizes(self) -> list[list[list[int]]]:
        """Width and height (px) of the cameras of every athlete's take."""
        return [
            [frames.image_size.tolist() for frames in self.walk.of(athlete.take, self.takes.cameras.frame_sets)]
            for athlete in self.takes.athletes
        ]

    def label(self) -> None:
        """3D poses from all views, if the method trains on them."""
        if "labels" in self.method.needs:
            inputs = self.pinhole_samples, self.rig
            self.labels = self.walk.run(label_poses, *inputs, settings=self.walk.settings.label, subject="all takes")
        if "reconstruction" in self.method.needs:
            sizes, settings = self.image_sizes(), self.walk.settings
            place, samples = self.walk.place, self.training_samples
            self.lesson, self.labels = reconstruct(place, samples, sizes, settings, subject="all takes")

    def train(self) -> None:
        """The trained model, as ``model.pt``."""
        from ..stages.train import train_model

        samples = self.training_samples
        log.info("method: %s, %d instants", self.method.training.method, len(samples.instant))
        crops = [self.takes.crops_of(athlete) for athlete in self.takes.athletes] if self.takes.crops else None
        known = self.lesson or samples, self.rig, self.labels, crops, self.labelled, self.method.backbone
        trained = self.walk.run(train_model, TrainingSet(*known), settings=self.method.training, subject="all takes")
        if self.walk.place.rank > 0:
            return
        trained = of_footage(trained, samples)
        repeated = (*REPEATED, *AFTER_LIFTING, *(("crop",) if self.takes.crops else ()))
        recipe = {name: getattr(self.walk.settings, name).model_dump(mode="json") for name in repeated}
        found_by = sorted({found.detector for found in self.takes.cameras.found.values()})
        recipe |= {"detector": "; ".join(found_by), "samples": samples.key}
        self.model = replace(trained, recipe=recipe).with_morph(self.method.morph)
        verdict, sentence = (trained.handedness[name] for name in ("verdict", "sentence"))
        if verdict == "clear":
            log.info("handedness: clear. %s", sentence)
        else:
            self.walk.warn(f"handedness is {verdict}: {sentence}")
        folder = self.walk.place.folder
        write_model(self.model, folder, to_toml(self.walk.settings, self.method.training.options))

    def refine(self) -> None:
        """The model with a refinement unit in its place, if there are true poses to train one on."""
        if self.walk.settings.refine.reference:
            folder = self.walk.place.folder
            self.model = refined_model(folder / "model.pt", self.walk.place, self.walk.settings, self.method.needs)
            self.walk.warn(supervision_warning(self.model))
            write_model(self.model, folder, to_toml(self.walk.settings, self.method.training.options))

    def intrinsics(self, athlete: Athlete, camera: int) -> list[list[float]] | None:
        """K of a camera as it was trained with, if the method knows the cameras."""
        cameras = self.training_samples if self.rig is None else self.rig
        if cameras.K is None or not self.method.needs & CAMERA_NEEDS:
            return None
        trained = np.flatnonzero(self.training_samples.take == self.takes.athletes.index(athlete))
        return cameras.K[trained[0], camera].tolist() if len(trained) else None
