"""Checks before anything long: whether the method can be trained on the recording, and with which files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..detectors.model_zoo import why_not
from ..errors import PosepipeError
from ..footage.annotations import PictureFolder, find_pictures
from ..runtime.cache import SourceFile
from ..runtime.workplace import Workplace
from ..settings import (
    FROM_JOINTS,
    Settings,
    TrainModelSettings,
    method_class,
    method_needs,
    method_settings,
    training_settings,
)
from ..stages.calibrate import HOW_TO_GIVE_EXTRINSICS, HOW_TO_GIVE_INTRINSICS
from ..training.generic_lifter import generic_lifter
from .fit_run import FitRun
from .refinement import check_reference

if TYPE_CHECKING:
    from ...models.method import MethodSettings
    from ..training.morph_file import MorphNetwork  # imports torch


log = logging.getLogger("posepipe")


@dataclass(frozen=True)
class Prepared:
    """A method that can be trained on the recording."""

    needs: frozenset[str]
    """Needs of the method beside 2D poses (``Method.needs``)."""
    training: TrainModelSettings
    backbone: SourceFile | None
    """Checkpoint that training starts from."""
    labelled: tuple[SourceFile, PictureFolder] | None
    """Annotations and pictures with 2D labels, if the method learns from them."""
    morph: MorphNetwork | None
    """Maps joints to those of a reference, if the settings name one."""


def prepare(run: FitRun) -> Prepared:
    """Check the method's settings and the data that it needs.

    Raises:
        PosepipeError: something that the method needs is missing.
    """
    needs = method_needs(run.settings)
    training = _training(run, needs)
    backbone = _checkpoint(run, training.options.get("backbone_weights"))
    labelled = _labelled_source(run) if "labelled_2d" in needs else None
    sources = {camera.video: run.place.digests.of(camera.video) for _, camera in run.cameras}
    for take in run.takes:
        _check_contents({camera.video: sources[camera.video] for camera in take.cameras})
    return Prepared(needs, training, backbone, labelled, chosen_morph(run.settings, sources))


def _check_contents(sources: Mapping[Path, str]) -> None:
    """Check that no two clips of a take, of these digests, have the same content.

    Raises:
        PosepipeError: two have.
    """
    first: dict[str, Path] = {}
    for path, digest in sources.items():
        if (before := first.setdefault(digest, path)) != path:
            raise PosepipeError(
                f"{before} and {path} have the same content, and the same view counts once; remove one, or leave it "
                "out with --leave-out"
            )


def _training(run: FitRun, needs: frozenset[str]) -> TrainModelSettings:
    """Settings of the method, checked, as are the data that it needs."""
    check_reference(run.settings, needs)
    known = run.settings.calibrate.assumes_focal or all(camera.calibration for _, camera in run.cameras)
    offered = {"crops", "labelled_2d", *(("intrinsics",) if known else ())}
    if "crops" in needs and any(camera.keypoints is not None for _, camera in run.cameras):
        raise PosepipeError(
            f"method {run.settings.train.method!r} learns from pictures, and files of 2D poses have none; give videos"
        )
    if "crops" in needs and (reason := why_not()):
        raise PosepipeError(f"networks of pictures come from mmpose, which cannot run, because {reason}")
    training = training_settings(run.settings, offered, HOW_TO_GIVE_INTRINSICS)
    if needs & FROM_JOINTS:
        _check_places(run)
    return training


def _check_places(run: FitRun) -> None:
    """Check that cameras stated as moving have extrinsics, as these cannot be estimated from joints.

    Raises:
        PosepipeError: a moving camera has none.
    """
    settings = run.settings
    static = settings.samples.static_cameras
    placed = settings.calibrate.extrinsics == "auto" and all(
        camera.calibration and camera.calibration.R is not None for _, camera in run.cameras
    )
    for name, camera in run.cameras:
        if not placed and (camera.moving if static is None else not static):
            raise PosepipeError(
                f"method {settings.train.method!r} needs extrinsics: camera {name} moves, "
                f"and {HOW_TO_GIVE_EXTRINSICS}; or use --method canonpose"
            )


def _checkpoint(run: FitRun, name: str | None) -> SourceFile | None:
    """The checkpoint that training starts from, if the settings name one."""
    if not name:
        return None
    path = Path(name).expanduser()
    if not path.is_file():
        raise PosepipeError(f"train.backbone_weights names {path}, but there is no such file")
    return run.place.source(path)


def _labelled_source(run: FitRun) -> tuple[SourceFile, PictureFolder]:
    """The annotations and the pictures with 2D labels that the settings name."""
    files = method_class(run.settings.train.method).labelled_files(method_settings(run.settings))
    if not files.images or not files.annotations:
        raise PosepipeError("train.labelled_images and train.labelled_annotations belong together: give both")
    if run.settings.morph.skeleton == "native":
        raise PosepipeError("pictures with 2D labels are on the joints of h36m17; use --skeleton h36m17")
    labels = Path(files.annotations).expanduser()
    pictures = find_pictures(Path(files.images).expanduser(), labels)
    return run.place.source(labels), pictures


def chosen_prior(place: Workplace, settings: Settings, skeleton: str) -> SourceFile | None:
    """The generic lifter that training starts from; None if it learns from this footage alone.

    Args:
        skeleton: joints of the training samples.

    Raises:
        PosepipeError: it is asked for, and there is none for these joints or this network.
    """
    from ..training.model_file import Model

    kind, path = method_class(settings.train.method), generic_lifter(skeleton)
    if settings.train.prior == "none" or not kind.prior_settings:
        return None
    if path is None:
        why = f"there is no generic lifter for the joints of {skeleton}"
    elif other := _other_than(Model.read(path).settings, method_settings(settings), kind.prior_settings):
        why = f"the generic lifter has {other}"
    else:
        log.info("training starts from the generic lifter, which has learnt from motions of other people")
        return place.source(path)
    if settings.train.prior == "generic":
        raise PosepipeError(f"train.prior=generic: {why}; use --prior none")
    log.info("training starts from nothing: %s", why)
    return None


def _other_than(prior: MethodSettings, settings: MethodSettings, names: Sequence[str]) -> str:
    """The settings of a prior, in words, that differ from those of a method."""
    values = {name: getattr(prior, name) for name in names}
    return ", ".join(f"{name} {value}" for name, value in values.items() if getattr(settings, name) != value)


def chosen_morph(settings: Settings, sources: Mapping[Path, str]) -> MorphNetwork | None:
    """The skeleton morph that the settings name, if they do.

    Args:
        sources: training files of the fit, and their digests.

    Raises:
        PosepipeError: it cannot be read, has another skeleton, or was trained on one of the files.
    """
    if not settings.morph.network:
        return None
    if settings.morph.skeleton == "native":
        raise PosepipeError("morph.network moves the joints of h36m17; use --skeleton h36m17 or leave it out")
    from ..training.morph_file import MorphNetwork

    network = MorphNetwork.read(Path(settings.morph.network).expanduser())
    for path, digest in sources.items():
        if digest in network.learnt_from:
            raise PosepipeError(
                f"the skeleton morph {settings.morph.network} learnt from {path}: its subject must stay out of "
                "training, so leave that file out"
            )
    return network
