"""Results of a fit for every clip: 3D poses from the model, and result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..arrays import Crops, Detections, Pose3D, Rig, Samples, Swaps, Track
from ..exporters.clip import Clip, Person
from ..footage.camera import CALIBRATED, Camera, calibrate_assumes, find_camera
from ..runtime.cache import SourceFile
from ..settings import LiftSettings
from ..stages.world import stated_metres
from .checks import Prepared
from .clip_chain import ClipChain, Opened
from .fit_model import trained_with
from .fit_run import FitRun
from .people.athletes import Athlete
from .results import provenance, say_verdict, write_results

if TYPE_CHECKING:
    from ..training.model_file import Model  # imports torch


@dataclass(frozen=True)
class View:
    """An athlete in one camera, and the known or assumed camera."""

    name: str
    camera: str
    """Name of the camera: ``take/camera``."""
    athlete: Athlete
    number: int
    """Index of the camera in its take."""
    trained_with: Camera | None
    """The camera in training, for methods that use the cameras."""
    known: Camera | None
    """The known or assumed camera, for the root trajectory."""


def list_views(
    run: FitRun,
    method: Prepared,
    athletes: Sequence[Athlete],
    clips: Mapping[str, Opened],
    samples: Samples,
    rig: Rig | None,
) -> list[View]:
    """All views that show an athlete."""
    views = []
    for place, athlete in enumerate(athletes):
        for name, camera, number in athlete.shown():
            trained = trained_with(method, samples, rig, athlete, place, number)
            views.append(View(name, camera, athlete, number, trained, _known(run, clips[camera], trained)))
    return views


def _known(run: FitRun, clip: Opened, trained: Camera | None) -> Camera | None:
    """The known or assumed camera; None if the size of its pictures is unknown."""
    camera, settings = clip.camera, run.settings
    if camera.calibration is not None:
        return camera.calibration
    if not clip.sized:
        return None
    size = clip.frames.image_size.tolist()
    assumed = calibrate_assumes(size, settings.calibrate) if trained is None else trained.focal_px
    if camera.focal_px is None and assumed is not None:
        return Camera.of_focal_length(size, assumed, CALIBRATED)
    return find_camera(clip.frames, camera.video, camera.focal_px, settings.root)


def lift_views(
    run: FitRun,
    views: Sequence[View],
    tracks: Mapping[str, Track],
    crops: Mapping[str, Crops],
    model: Model,
) -> dict[str, Pose3D]:
    """3D poses of every view, each from its own camera alone."""
    from ..stages.lift import lift_poses

    poses = {}
    for view in views:
        inputs = tracks[view.name], crops.get(view.name), view.trained_with, model
        settings = LiftSettings(device=run.settings.device)
        poses[view.name] = run.run(lift_poses, *inputs, settings=settings, subject=view.name)
    return poses


def finish_views(
    chain: ClipChain,
    model: Model,
    views: Sequence[View],
    lifted: Mapping[str, Pose3D],
    swaps: Mapping[str, Swaps],
    statures: Mapping[str, float],
) -> dict[str, Pose3D]:
    """Every view's poses as a motion, with root positions, and how far to trust them.

    Args:
        statures: in m, as all views of a take tell them, by the athlete's name; of others what is stated counts.
    """
    finished, learnt_from = {}, model.known_poses
    for view in views:
        pose, who = lifted[view.name], view.athlete.name
        metres = statures.get(who) or stated_metres(pose, view.athlete.world(chain.settings.world))
        sized = pose if metres is None else pose.in_metres(metres)
        seen = view.known, swaps[who], view.number
        finished[view.name] = chain.finish(sized, *seen, learnt_from, view.name)
    return finished


@dataclass(frozen=True)
class Origin:
    """Provenance of results."""

    model_file: SourceFile
    model: Model
    found: Mapping[str, Detections]


def write_views(
    run: FitRun,
    chain: ClipChain,
    clips: Mapping[str, Opened],
    views: Sequence[View],
    poses: Mapping[str, Pose3D],
    origin: Origin,
) -> tuple[Path, ...]:
    """Write the result files of every clip; returns their folders."""
    folders, settings = [], run.settings
    for name, clip in clips.items():
        shown = [view for view in views if view.camera == name]
        if not shown:
            continue
        used = (
            settings.detect,
            chain.tracking(clip.camera),
            settings.morph,
            settings.sides,
            LiftSettings(device=settings.device),
            settings.root,
            settings.adjust,
            settings.motion,
        )
        made_from = provenance(clip.source, origin.model_file, origin.model, origin.found[name].detector, *used)
        people = tuple(Person(view.athlete.person, poses[view.name]) for view in shown)
        folders.append(run.place.folder / "takes" / name)
        for person in people:
            say_verdict(f"{name}, {person.name}", person.pose)
        result = Clip.of_people(people, clip.frames, clip.camera.video, made_from, clip.source)
        write_results(result, folders[-1], run.asked.exports_of(clip.camera))
    return tuple(folders)
