"""The stages that a keypoint file goes through in a fit, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..arrays import Labels, Rig, Samples, ViewPoses
from ..footage.keypoint_file import open_keypoints
from ..runtime.cache import Cache, SourceFile
from ..runtime.workplace import Workplace
from ..settings import (
    FROM_JOINTS,
    REPEATED,
    LiftSettings,
    MorphSettings,
    Settings,
    TrainModelSettings,
    method_needs,
    to_toml,
)
from ..stages.calibrate import calibrate, describe_rig
from ..stages.import_arrays import read_keypoints
from ..stages.label import label_poses
from ..stages.lift import lift_samples
from ..stages.morph import move_joints_of_samples
from ..stages.place_root import place_views
from ..stages.samples import select_samples, two_view_warning
from ..training.model_file import Model
from ..training.morph_file import MorphNetwork
from ..training.training_set import TrainingSet
from .array_cameras import image_sizes, says_sizes, with_intrinsics
from .array_files import FUSED, POSES, provenance, write_poses
from .morphing import chosen_morph
from .reconstruct import of_footage, reconstruct
from .refinement import refined_model, supervision_warning
from .results import Fit, write_model

log = logging.getLogger("posepipe")

STAGES = ("samples", "calibrate", "label", "train", "refine", "lift", "fuse")


class Course:
    """A fit of a keypoint file; filled by one method per stage, in order."""

    samples: Samples
    """All of the file."""
    chosen: Samples
    """Those that train."""
    lesson: Samples
    """Those that the method is given: the same, or turned by a reconstruction."""
    model: Model

    def __init__(self, path: Path, place: Workplace, settings: Settings, training: TrainModelSettings) -> None:
        self.path, self.place, self.settings, self.training = path, place, settings, training
        self.name, self.source, self.needs = path.stem, place.source(path), method_needs(settings)
        self.network = chosen_morph(settings, {path: self.source.key})
        self.rig: Rig | None = None
        self.labels: Labels | None = None
        self.warnings: list[str] = []
        self.written: Path | None = None
        """The model file."""
        self.results: tuple[Path, ...] = ()

    def walk(self, until: str | None) -> Fit:
        """All stages, up to and with ``until``; a process that only helps to train is done when that is."""
        stages: tuple[Callable[[], None], ...] = (
            self.select, self.calibrate, self.label, self.train, self.refine, self.lift, self.fuse,
        )  # fmt: skip
        for name, stage in zip(STAGES, stages, strict=True):
            stage()
            if name == until or (name == "train" and self.place.rank > 0):
                break
        return Fit(self.place.folder, self.written, self.results, None, tuple(self.warnings))

    def warn(self, sentence: str) -> None:
        """Say what is wrong, now and in what ``fit`` returns."""
        log.warning("%s: %s", self.path, sentence)
        self.warnings.append(sentence)

    def read(self, cameras: str) -> Samples:
        """All samples, with these of the arrays K, R and t."""
        static = self.settings.samples.static_cameras
        return read_samples(self.place.cache, self.source, self.settings.morph, static, self.network, cameras)

    def sizes(self) -> list[list[list[int]]]:
        """Width and height of the pictures (take, view, 2), as the file says."""
        return [image_sizes(self.path, self.samples)] * len(self.samples.takes)

    def select(self) -> None:
        """The samples that show enough to train on."""
        with open_keypoints(self.path) as file:
            wanted = "KRt" if self.needs & FROM_JOINTS else "K" if "intrinsics" in self.needs else ""
            cameras = "".join(array for array in wanted if array in file)
        self.samples = self.read(cameras)
        self.chosen = self.place.cache.run(
            select_samples, self.samples, settings=self.settings.samples, subject=self.name
        )
        self.lesson = self.chosen
        chosen, samples = len(self.chosen.instant), len(self.samples.instant)
        log.info("%s: %d of %d samples have enough views", self.path, chosen, samples)

    def calibrate(self) -> None:
        """Where the cameras stand, if the method needs to know."""
        if warning := two_view_warning(self.chosen, self.needs):
            self.warn(warning)
        assumed = "intrinsics" in self.needs and self.samples.K is None
        if not (assumed or self.needs & FROM_JOINTS):
            return
        sizes = [] if self.samples.K is not None else self.sizes()
        rig = self.place.cache.run(calibrate, self.chosen, sizes, settings=self.settings.calibrate, subject=self.name)
        if rig.intrinsics == "assumed":
            self.warn(describe_rig(rig))
        else:
            log.info("%s: %s", self.path, describe_rig(rig))
        self.samples = _intrinsics_as_trained(self.samples, self.chosen, rig)
        self.rig = rig

    def label(self) -> None:
        """3D poses to train on, if the method needs them."""
        run = self.place.cache.run
        if "labels" in self.needs:
            self.labels = run(label_poses, self.chosen, self.rig, settings=self.settings.label, subject=self.name)
        if "reconstruction" in self.needs:
            self.lesson, self.labels = reconstruct(
                self.place, self.chosen, self.sizes(), self.settings, subject=self.name
            )

    def train(self) -> None:
        """The model; written by the first process alone."""
        from ..stages.train import train_model

        known = TrainingSet(self.lesson, self.rig, self.labels)
        trained = self.place.cache.run(train_model, known, settings=self.training, subject=self.name)
        if self.place.rank > 0:
            return
        trained = of_footage(trained, self.chosen)
        verdict, sentence = (trained.handedness[word] for word in ("verdict", "sentence"))
        log.log(logging.INFO if verdict == "clear" else logging.WARNING, "handedness: %s. %s", verdict, sentence)
        self.warnings += [] if verdict == "clear" else [f"handedness is {verdict}: {sentence}"]
        recipe = {name: getattr(self.settings, name).model_dump(mode="json") for name in REPEATED}
        recipe |= {"detector": f"2D poses of {self.path.name}", "samples": self.chosen.key}
        self.model = replace(trained, recipe=recipe).with_morph(self.network)
        self.write_model()

    def write_model(self) -> None:
        """The model file and the settings that made it."""
        write_model(self.model, self.place.folder, to_toml(self.settings, self.training.options))
        self.written = self.place.folder / "model.pt"

    def refine(self) -> None:
        """The refinement unit, if there is a reference to learn from."""
        if not self.settings.refine.reference:
            return
        self.model = refined_model(self.place.folder / "model.pt", self.place, self.settings, self.needs)
        self.write_model()
        self.warn(supervision_warning(self.model))

    def lift(self) -> None:
        """3D poses of every view, each from that view alone, and where their roots are."""
        run, model_file = self.place.cache.run, self.place.source(self.place.folder / "model.pt")
        lifting = LiftSettings(device=self.settings.device)
        self.pose: ViewPoses = run(lift_samples, self.samples, model_file, settings=lifting, subject=self.name)
        seen = with_intrinsics(self.path, self.samples, partial(self.read, "K"), self.settings)
        placed = run(place_views, self.pose, *seen, subject=self.name) if seen else self.pose
        write_poses(self.place.folder / POSES, placed, provenance(self.source, model_file, self.model))
        self.results = (self.place.folder / POSES,)

    def fuse(self) -> None:
        """One skeleton per instant from all views of a take together."""
        if not self.settings.fuse.enabled:
            return
        if not says_sizes(self.path):
            self.warn(f"the views are not fused, as {self.path} has no array image_size (views, 2) of the pictures")
            return
        from ..stages.fuse import fuse_views  # imports torch

        fused = self.place.cache.run(fuse_views, self.samples, self.pose, self.sizes(), subject=self.name)
        log.info("%s: all views together leave a residual of %.1f px", self.path, np.nanmedian(fused.residual))
        model_file = self.place.source(self.place.folder / "model.pt")
        write_poses(self.place.folder / FUSED, fused, provenance(self.source, model_file, self.model))


def read_samples(
    cache: Cache,
    source: SourceFile,
    morph: MorphSettings,
    static: bool | None,
    network: MorphNetwork | None,
    cameras: str,
) -> Samples:
    """All samples of a keypoint file, their joints moved if there is a network that does so.

    Args:
        static: whether cameras stand still (``read_keypoints``).
        cameras: which of the arrays K, R and t to read.
    """
    name = source.path.stem
    samples: Samples = cache.run(read_keypoints, source, morph.skeleton, static, cameras, subject=name)
    return cache.run(move_joints_of_samples, samples, network, subject=name) if network else samples


def _intrinsics_as_trained(samples: Samples, chosen: Samples, rig: Rig) -> Samples:
    """Samples with K as the takes' cameras were trained with, where the file does not hold it."""
    if samples.K is not None:
        return samples
    first = {take: place for place, take in reversed(list(enumerate(chosen.take.tolist())))}
    places = [first.get(take, 0) for take in samples.take.tolist()]
    return replace(samples, K=np.asarray(rig.K)[places])
