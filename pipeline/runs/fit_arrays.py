"""Fit on keypoint files: arrays of 2D poses in, a model and arrays of 3D poses out, no video anywhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FusedPoses, Rig, Samples, ViewPoses
from ..errors import PosepipeError
from ..footage.camera import Camera
from ..footage.keypoint_file import open_keypoints
from ..footage.recording import describe_clip
from ..pages.fit_verdict import describe_seen, different_poses
from ..pages.plausibility import impossible
from ..pages.verdict import describe_views
from ..runtime.workplace import Workplace, open_workplace
from ..settings import (
    AFTER_LIFTING,
    FROM_JOINTS,
    REPEATED,
    LiftSettings,
    Settings,
    TrainModelSettings,
    check_name,
    method_needs,
    to_toml,
    training_settings,
)
from ..stages.calibrate import calibrate, describe_rig
from ..stages.label import label_poses
from ..stages.samples import select_samples, two_view_warning
from ..training.training_set import TrainingSet
from .array_chain import NO_TIMES, ArrayChain, assumed_sizes, says_sizes, unknown_cameras, with_intrinsics
from .array_files import (
    FUSED,
    POSES,
    ArrayResults,
    picture_sizes,
    provenance,
    view_name,
    write_poses,
    written_folders,
)
from .checks import chosen_morph, chosen_prior
from .fit_run import Run, Stopped
from .reconstruct import reconstruct
from .refinement import check_reference, refined_model, supervision_warning
from .results import Fit, are_written, model_of, write_model
from .up_to_date import ArraysRequest, digest_of, named_files

if TYPE_CHECKING:
    from ..training.model_file import Model  # imports torch

log = logging.getLogger("posepipe")

STAGES = ("sides", "samples", "calibrate", "label", "train", "refine", "lift", "fuse", "motion")


def fit_arrays(
    path: Path, out: Path, settings: Settings, until: str | None = None, exports: Sequence[str] = ()
) -> Fit:
    """Train a model on the samples of a keypoint file and lift all its views with it.

    Writes ``model.pt``, ``losses.jsonl`` and ``settings.toml`` as a fit of videos does, and ``poses.npz`` with the 3D
    poses of every sample and view of the file, in its order (``write_poses``); ``poses_multiview.npz`` likewise holds
    those from all views of a take together. Of a file that says its times, ``takes`` holds the result files of every
    take from all its views, and of every view.

    Args:
        path: ``.npz`` of 2D poses (``keypoint_file``).
        out: results folder.
        until: stop after this stage (one of ``STAGES``).
        exports: result files per view.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    if until is not None:
        check_name("stage of a keypoint file", until, STAGES)
    training, model = _checked_training(path, settings), model_of(out, STAGES, until)
    asked = ArraysRequest(describe_clip(path), settings, named_files(settings), until, tuple(exports))
    with open_workplace(out) as place:
        request = digest_of(asked, place.digests)
        if place.journal.request == request and (model is None or model.exists()):
            folders = () if until else _written(asked, out)
            if folders is not None:
                return Fit(out, model, folders, None, (), True)
        place.journal.begin()
        run = ArraysRun(asked, place, training)
        try:
            done = _all_stages(run)
        except Stopped:
            done = Fit(out, model if place.rank == 0 else None, (), None, tuple(run.warnings))
        place.journal.end(request)
        return done


def _written(asked: ArraysRequest, out: Path) -> tuple[Path, ...] | None:
    """The file of all poses and the folder of every view of a complete fit; None if anything is missing."""
    fused = asked.settings.fuse.enabled and says_sizes(asked.clip.video)
    names = ("losses.jsonl", "settings.toml", POSES, *((FUSED,) if fused else ()))
    if not all((out / name).exists() for name in names):
        return None
    views, takes = written_folders(out)
    if not all(are_written(folder, asked.view_exports) for folder in views):
        return None
    if fused and not all(are_written(folder, asked.fused_exports) for folder in takes):
        return None
    return (out / POSES, *(views if asked.view_exports else ()))


class ArraysRun(Run):
    """A run on a keypoint file."""

    def __init__(self, asked: ArraysRequest, place: Workplace, training: TrainModelSettings) -> None:
        super().__init__(asked, place, about=asked.clip.video)
        self.asked, self.training = asked, training
        self.path, self.name = asked.clip.video, asked.clip.video.stem
        self.needs = method_needs(asked.settings)

    def cameras(self, samples: Samples) -> list[list[Camera]]:
        """Every take's cameras, of which nothing is known but how large their pictures are."""
        if says_sizes(self.path):
            return [unknown_cameras(self.path, samples)] * len(samples.takes)
        sizes = assumed_sizes(samples)
        said = ", ".join(f"{width} x {height}" for width, height in sizes)
        self.warn(f"no array image_size (views, 2): pictures count as {said} px, with the 2D poses in their middle")
        return [[Camera.of_pictures(size) for size in sizes]] * len(samples.takes)


def _all_stages(run: ArraysRun) -> Fit:
    """The pipeline: from 2D poses to files, a stage after the other."""
    from ..stages.lift import lift_samples  # imports torch

    source, out = run.place.source(run.path), run.place.folder
    morph = chosen_morph(run.settings, {run.path: source.key})
    chain = ArrayChain.of(run.place.cache, source, run.asked.clip, run.settings, morph)
    read = partial(chain.read, static=run.settings.samples.static_cameras)

    samples, swaps = chain.mend(read(_cameras(run)), alone=False)
    if samples.time is None:
        run.warn(NO_TIMES)
    run.reached("sides")
    chosen = run.run(select_samples, samples, settings=run.settings.samples, subject=run.name)
    log.info("%s: %d of %d samples have enough views", run.path, len(chosen.instant), len(samples.instant))
    run.reached("samples")
    rig = _calibrated(run, chosen)
    if rig is not None:
        samples = _intrinsics_as_trained(samples, chosen, rig)
    run.reached("calibrate")
    known = _labelled(run, chosen, rig)
    run.reached("label")
    trained = _trained(run, known)
    run.lead()
    model = _published(run, replace(trained, recipe=_recipe(run, chosen)).with_morph(morph))
    run.reached("train")
    model = _refined(run, model)
    run.reached("refine")

    model_file = run.place.source(out / "model.pt")
    lifting = LiftSettings(device=run.settings.device)
    lifted: ViewPoses = run.run(lift_samples, samples, model, settings=lifting, subject=run.name)
    run.reached("lift")
    fused = _fused(run, samples, lifted)
    run.reached("fuse")
    focal_px = run.asked.clip.focal_px if samples.K is None and says_sizes(run.path) else None
    placed_by = with_intrinsics(run.path, samples, lambda: chain.mended(read("K"), swaps), run.settings, focal_px)
    poses = chain.finish(lifted, samples, placed_by, swaps, model.known_poses)
    for said in describe_views(poses):
        log.info("%s: %s", run.path, said)
    log.info("%s: %s", run.path, _seen(samples, poses))
    run.reached("motion")

    origin = provenance(source, model_file, model)
    results = ArrayResults(chain, samples, origin, out)
    write_poses(out / POSES, poses, origin)
    if fused is not None:
        height_m = run.settings.world.height_m
        sized = fused if height_m is None or fused.unit == "m" else fused.in_metres(height_m)
        write_poses(out / FUSED, sized, origin)
    people = {} if fused is None else results.write_takes(fused, run.asked.fused_exports)
    folders = results.write_views(poses, swaps, people, run.asked.view_exports)
    return Fit(out, model_file.path, (out / POSES, *folders), None, tuple(run.warnings))


def _seen(samples: Samples, poses: ViewPoses) -> str:
    """What the model has seen, and what its fit cannot know, in a sentence."""
    clips = [
        np.asarray(poses.joint[samples.take == take, view])
        for take in np.unique(samples.take)
        for view in range(samples.confidence.shape[1])
    ]
    cameras = int((samples.confidence > 0).any(-1).sum(1).max())
    seconds = 0.0
    if samples.time is not None:
        seconds = sum(float(np.ptp(samples.time[samples.take == take])) for take in np.unique(samples.take))
    return describe_seen(seconds, different_poses(clips, poses.skeleton), cameras)


def _cameras(run: ArraysRun) -> str:
    """Which of the arrays K, R and t the method is given."""
    wanted = "KRt" if run.needs & FROM_JOINTS else "K" if "intrinsics" in run.needs else ""
    with open_keypoints(run.path) as file:
        return "".join(array for array in wanted if array in file)


def _calibrated(run: ArraysRun, chosen: Samples) -> Rig | None:
    """Where the cameras stand, if the method needs to know."""
    with open_keypoints(run.path) as file:
        placed = all(array in file for array in "KRt")
    if warning := two_view_warning(chosen, run.needs, placed):
        run.warn(warning)
    assumed = "intrinsics" in run.needs and chosen.K is None
    if not (assumed or run.needs & FROM_JOINTS):
        return None
    cameras = [] if chosen.K is not None else run.cameras(chosen)
    rig: Rig = run.run(calibrate, chosen, cameras, settings=run.settings.calibrate, subject=run.name)
    if rig.intrinsics == "assumed":
        run.warn(describe_rig(rig))
    else:
        log.info("%s: %s", run.path, describe_rig(rig))
    return rig


def _intrinsics_as_trained(samples: Samples, chosen: Samples, rig: Rig) -> Samples:
    """Samples with K as the takes' cameras were trained with, where the file does not hold it."""
    if samples.K is not None:
        return samples
    first = {take: place for place, take in reversed(list(enumerate(chosen.take.tolist())))}
    places = [first.get(take, 0) for take in samples.take.tolist()]
    return replace(samples, K=np.asarray(rig.K)[places])


def _labelled(run: ArraysRun, chosen: Samples, rig: Rig | None) -> TrainingSet:
    """What the method is trained on, with 3D poses from all views if it trains on such."""
    if "reconstruction" in run.needs:
        known = reconstruct(run.place, chosen, run.cameras(chosen), run.settings, subject=run.name)
        return known._replace(rig=rig)
    labels = None
    if "labels" in run.needs:
        labels = run.run(label_poses, chosen, rig, settings=run.settings.label, subject=run.name)
    return TrainingSet(chosen, rig, labels)


def _trained(run: ArraysRun, known: TrainingSet) -> Model:
    """The trained model as it leaves the training stage."""
    from ..stages.train import train_model

    prior = chosen_prior(run.place, run.settings, known.samples.skeleton)
    return run.run(train_model, known._replace(prior=prior), settings=run.training, subject=run.name)


def _recipe(run: ArraysRun, chosen: Samples) -> dict[str, Any]:
    """What ``infer`` repeats with the model."""
    repeated = {name: getattr(run.settings, name).model_dump(mode="json") for name in (*REPEATED, *AFTER_LIFTING)}
    return repeated | {"detector": f"2D poses of {run.path.name}", "samples": chosen.key}


def _published(run: ArraysRun, model: Model) -> Model:
    """The model file, and the settings that made it."""
    verdict, sentence = (model.handedness[word] for word in ("verdict", "sentence"))
    log.log(logging.INFO if verdict == "clear" else logging.WARNING, "handedness: %s. %s", verdict, sentence)
    run.warnings += [] if verdict == "clear" else [f"handedness is {verdict}: {sentence}"]
    write_model(model, run.place.folder, to_toml(run.settings, run.training.options | {"prior": model.prior}))
    return model


def _refined(run: ArraysRun, model: Model) -> Model:
    """The model with a refinement unit, if there is a reference to learn from."""
    if not run.settings.refine.reference:
        return model
    refined = refined_model(model, run.place, run.settings, run.needs)
    write_model(refined, run.place.folder, to_toml(run.settings, run.training.options | {"prior": model.prior}))
    run.warn(supervision_warning(refined))
    return refined


def _fused(run: ArraysRun, samples: Samples, lifted: ViewPoses) -> FusedPoses | None:
    """One skeleton per instant from all views of a take together, if that is wanted and can be."""
    if not run.settings.fuse.enabled:
        return None
    if not says_sizes(run.path):
        run.warn(f"the views are not fused, as {run.path} has no array image_size (views, 2) of the pictures")
        return None
    from ..stages.fuse import fuse_views  # imports torch

    fused: FusedPoses = run.run(fuse_views, samples, lifted, run.cameras(samples), subject=run.name)
    log.info("%s: all views together leave a residual of %.1f px", run.path, np.nanmedian(fused.residual))
    views = [(view_name(view), size) for view, size in enumerate(picture_sizes(run.path, samples))]
    for number, take in enumerate(samples.takes):
        for said in impossible(fused, number, views):
            run.warn(f"{take}: {said}")
    return fused


def _checked_training(path: Path, settings: Settings) -> TrainModelSettings:
    """Settings of the method, checked before anything long begins, as are the arrays that it needs."""
    with open_keypoints(path) as file:
        sized = "image_size" in file
        known = "K" in file or (settings.calibrate.assumes_focal and sized)
    if "crops" in method_needs(settings):
        raise PosepipeError(
            f"method {settings.train.method!r} learns from pictures, and {path} has none; give videos"
        )
    check_reference(settings, method_needs(settings))
    return training_settings(
        settings,
        {"intrinsics"} if known else set(),
        f"add the array K, and if possible R and t, to {path}, or the array image_size (views, 2) and let a focal "
        "length be assumed with --set calibrate.field_of_view_deg=60 (or calibrate.focal_px)",
    )
