"""The stages of a fit over all takes: samples, calibration, labels, and the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Rig, Samples, Timeline, Track
from ..footage.camera import Camera
from ..footage.recording import Take
from ..settings import AFTER_LIFTING, CAMERA_NEEDS, FROM_JOINTS, REPEATED, to_toml
from ..stages.calibrate import calibrate, describe_rig
from ..stages.convert_lengths import calibrated_statures, convert_lengths, unit_of_calibration
from ..stages.find_static import are_static
from ..stages.label import label_poses
from ..stages.samples import TakeOfAthlete, build_samples, two_view_warning, undistort_samples
from ..training.training_set import TrainingSet
from .checks import Prepared, chosen_prior
from .clip_chain import Opened
from .fit_run import FitRun
from .fit_takes import Pictures
from .people.athletes import Athlete
from .reconstruct import reconstruct
from .refinement import refined_model, supervision_warning
from .results import write_model

if TYPE_CHECKING:
    from ..training.model_file import Model  # imports torch

log = logging.getLogger("posepipe")

EVERYTHING = "all takes"
"""Subject of these results, for messages."""


@dataclass(frozen=True)
class TakeSamples:
    """The synchronised instants of all takes."""

    training: Samples
    """Input of the method."""
    pinhole: Samples
    """Without lens distortion."""


def sample_takes(
    run: FitRun,
    method: Prepared,
    athletes: Sequence[Athlete],
    tracks: Mapping[str, Track],
    timelines: Mapping[str, Timeline],
    moving: Mapping[str, bool],
) -> TakeSamples:
    """Training samples of all takes.

    Args:
        moving: by take, whether any of its cameras moves.
    """
    takes = [
        TakeOfAthlete(
            athlete.name,
            [tracks[view] for view in athlete.views],
            timelines[athlete.take.name],
            [camera.calibration and camera.calibration.pinhole for camera in athlete.take.cameras],
            moving[athlete.take.name],
            athlete.rig,
        )
        for athlete in athletes
    ]
    samples = _in_metres(run, run.run(build_samples, takes, settings=run.settings.samples, subject=EVERYTHING))
    if warning := two_view_warning(samples, method.needs, placed=samples.R is not None):
        run.warn(warning)
    return _undistorted(run, method, samples, [athlete.take for athlete in athletes])


def _in_metres(run: FitRun, samples: Samples) -> Samples:
    """The samples, their cameras placed in metres whatever the unit of their calibration."""
    statures = calibrated_statures(samples)
    units = [unit_of_calibration(stature) for stature in statures.tolist()]
    for name, stature, unit in zip(samples.takes, statures.tolist(), units, strict=True):
        if unit != "m":
            run.warn(
                f"take {name}: lengths of the calibration are in {unit}, as the athlete is {stature:.0f} of it tall; "
                "they are converted to metres"
            )
    if set(units) == {"m"}:
        return samples
    converted: Samples = run.run(convert_lengths, samples, units, subject=EVERYTHING)
    return converted


def _undistorted(run: FitRun, method: Prepared, samples: Samples, takes: Sequence[Take]) -> TakeSamples:
    """Undistorted samples, for geometry and for methods that use intrinsics."""
    cameras = [[camera.calibration for camera in take.cameras] for take in takes]
    needed = bool(method.needs & CAMERA_NEEDS)
    bent = samples.K is not None and any(camera and camera.is_bent for of_take in cameras for camera in of_take)
    if not bent or not (needed or run.settings.fuse.enabled):
        return TakeSamples(samples, samples)
    pinhole = run.run(undistort_samples, samples, cameras, subject=EVERYTHING)
    if needed and "crops" not in method.needs:
        return TakeSamples(pinhole, pinhole)
    if needed:
        run.warn("the cameras have lens distortion, which networks of pictures do not undo in their pictures")
    return TakeSamples(samples, pinhole)


def moving_takes(
    run: FitRun,
    everybody: Mapping[str, list[Track]],
    athletes: Sequence[Athlete],
    tracks: Mapping[str, Track],
    timelines: Mapping[str, Timeline],
) -> dict[str, bool]:
    """Whether any camera of a take moves: from the settings, else posepipe.toml, else as measured.

    What no pictures tell, a calibration that says where cameras stand does, or joints that all of them see. Unknown
    cameras count as moving: that costs little accuracy, the opposite error much.
    """
    static = run.settings.samples.static_cameras
    if static is not None:
        return _said({take.name: not static for take in run.takes})
    known: dict[str, bool] = {}
    for take in run.takes:
        measured = [people[0].camera_moves for people in run.of(take, everybody)]
        moves = [
            seen if camera.moving is None else camera.moving
            for camera, seen in zip(take.cameras, measured, strict=True)
        ]
        if None not in moves or any(moves):
            known[take.name] = any(moves)
            continue
        shown = [tracks[view] for view in next(one for one in athletes if one.take is take).views]
        placed = all(camera.calibration and camera.calibration.R is not None for camera in take.cameras)
        if placed or are_static(shown, timelines[take.name]):
            known[take.name] = False
        else:
            log.info(
                "take %s: nothing tells whether its cameras stand still; if they do, say moving = false in "
                "posepipe.toml",
                take.name,
            )
    return {take.name: True for take in run.takes} | _said(known)


def _said(moving: dict[str, bool]) -> dict[str, bool]:
    for name, moves in moving.items():
        log.info("take %s: cameras count as %s", name, "moving" if moves else "static")
    return moving


def unknown_cameras(run: FitRun, athletes: Sequence[Athlete], clips: Mapping[str, Opened]) -> list[list[Camera]]:
    """Uncalibrated cameras of every athlete's take, with the size of their pictures and the kind of lens only."""
    return [
        [
            Camera.of_pictures(clip.frames.image_size.tolist(), clip.camera.lens)
            for clip in run.of(athlete.take, clips)
        ]
        for athlete in athletes
    ]


def calibrate_takes(run: FitRun, method: Prepared, samples: TakeSamples, cameras: list[list[Camera]]) -> Rig | None:
    """Camera poses, given or estimated from joints, if the method needs them."""
    assumed = "intrinsics" in method.needs and samples.training.K is None
    if not (assumed or method.needs & FROM_JOINTS):
        return None
    inputs = samples.pinhole, cameras
    rig: Rig = run.run(calibrate, *inputs, settings=run.settings.calibrate, subject=EVERYTHING)
    report = log.info if rig.intrinsics == "given" else run.warn
    report(describe_rig(rig))
    return rig


def label_takes(
    run: FitRun, method: Prepared, samples: TakeSamples, rig: Rig | None, cameras: list[list[Camera]]
) -> TrainingSet:
    """Training samples, with 3D poses from all views as labels if the method needs them."""
    if "reconstruction" in method.needs:
        known = reconstruct(run.place, samples.training, cameras, run.settings, subject=EVERYTHING)
        return known._replace(rig=rig)
    labels = None
    if "labels" in method.needs:
        labels = run.run(label_poses, samples.pinhole, rig, settings=run.settings.label, subject=EVERYTHING)
    return TrainingSet(samples.training, rig, labels)


def train(
    run: FitRun, method: Prepared, known: TrainingSet, pictures: Pictures, athletes: Sequence[Athlete]
) -> Model:
    """The trained model from the training stage.

    Args:
        known: samples and labels.
    """
    from ..stages.train import train_model

    log.info("method: %s, %d instants", method.training.method, len(known.samples.instant))
    known = known._replace(
        crops=[pictures.of(athlete) for athlete in athletes] if pictures.crops else None,
        labelled=pictures.labelled,
        backbone=method.backbone,
        prior=chosen_prior(run.place, run.settings, known.samples.skeleton),
    )
    return run.run(train_model, known, settings=method.training, subject=EVERYTHING)


def publish_model(run: FitRun, method: Prepared, trained: Model, samples: Samples, detectors: Sequence[str]) -> Model:
    """Write ``model.pt``: the trained model with the settings that ``infer`` repeats.

    Args:
        samples: of the footage.
        detectors: descriptions of the detectors of the 2D poses.
    """
    repeated = (*REPEATED, *AFTER_LIFTING, *(("crop",) if "crops" in method.needs else ()))
    recipe = {name: getattr(run.settings, name).model_dump(mode="json") for name in repeated}
    if run.settings.people.place:
        recipe["people"]["person"] = "main"  # a place is one of these clips, and tells nothing of others
    recipe |= {"detector": "; ".join(sorted(set(detectors))), "samples": samples.key}
    model = replace(trained, recipe=recipe).with_morph(method.morph)
    verdict, sentence = (trained.handedness[name] for name in ("verdict", "sentence"))
    if verdict == "clear":
        log.info("handedness: clear. %s", sentence)
    else:
        run.warn(f"handedness is {verdict}: {sentence}")
    write_model(model, run.place.folder, to_toml(run.settings, method.training.options | {"prior": model.prior}))
    return model


def refine(run: FitRun, method: Prepared, model: Model) -> Model:
    """The model with a refinement unit, if true poses are given to train one."""
    if not run.settings.refine.reference:
        return model
    refined = refined_model(model, run.place, run.settings, method.needs)
    run.warn(supervision_warning(refined))
    write_model(refined, run.place.folder, to_toml(run.settings, method.training.options | {"prior": model.prior}))
    return refined


def trained_with(
    method: Prepared, samples: Samples, rig: Rig | None, athlete: Athlete, take: int, number: int
) -> Camera | None:
    """K of a camera in training, and its lens, if the method uses the cameras.

    Args:
        take: number of the athlete among all, which is that of the samples' take.
        number: of the camera in its take.
    """
    K = samples.K if rig is None else rig.K
    if K is None or not method.needs & CAMERA_NEEDS:
        return None
    trained = np.flatnonzero(samples.take == take)
    if not len(trained):
        return None
    said = athlete.take.cameras[number].calibration
    K_trained = np.array(K[trained[0], number], np.float64)
    if said is None or not said.is_bent:
        return Camera.given(K_trained)
    return Camera.given(K_trained, said.distortion, lens=said.lens)
