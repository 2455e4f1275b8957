"""Before anything long begins: whether the method can be trained on the recording, and with which files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..detectors.model_zoo import why_not
from ..errors import PosepipeError
from ..footage.annotations import PictureFolder, find_pictures
from ..runtime.cache import SourceFile
from ..settings import FROM_JOINTS, TrainingSettings, method_class, method_needs, method_settings, training_settings
from ..stages.calibrate import HOW_TO_GIVE_EXTRINSICS, HOW_TO_GIVE_INTRINSICS
from .morphing import chosen_morph
from .refinement import check_reference
from .walk import Walk

if TYPE_CHECKING:
    from ..training.morph_file import MorphNetwork  # imports torch


@dataclass(frozen=True)
class Prepared:
    """A method that can be trained on the recording."""

    needs: frozenset[str]
    """What the method needs beside 2D poses (``Method.needs``)."""
    training: TrainingSettings
    backbone: SourceFile | None
    """The file that training starts from."""
    labelled: tuple[SourceFile, PictureFolder] | None
    """Annotations and pictures with 2D labels, if the method learns from them."""
    morph: MorphNetwork | None
    """Moves joints to where a reference has them, if the settings name one."""


def prepare(walk: Walk) -> Prepared:
    """Check the method's settings and the data that it needs.

    Raises:
        PosepipeError: something that the method needs is not there, said in one sentence.
    """
    needs = method_needs(walk.settings)
    training = _training(walk, needs)
    backbone = _checkpoint(walk, training.options.get("backbone_weights"))
    labelled = _labelled_source(walk) if "labelled_2d" in needs else None
    sources = {camera.video: walk.place.digests.of(camera.video) for _, camera in walk.cameras}
    return Prepared(needs, training, backbone, labelled, chosen_morph(walk.settings, sources))


def _training(walk: Walk, needs: frozenset[str]) -> TrainingSettings:
    """Settings of the method, checked, as are the data that it needs."""
    check_reference(walk.settings, needs)
    known = walk.settings.calibrate.assumes_focal or all(camera.calibration for _, camera in walk.cameras)
    offered = {"crops", "labelled_2d", *(("intrinsics",) if known else ())}
    if "crops" in needs and any(camera.keypoints is not None for _, camera in walk.cameras):
        raise PosepipeError(
            f"method {walk.settings.train.method!r} learns from pictures, and files of 2D poses have none; "
            "give videos"
        )
    if "crops" in needs and (reason := why_not()):
        raise PosepipeError(f"networks of pictures come from mmpose, which cannot run, because {reason}")
    training = training_settings(walk.settings, offered, HOW_TO_GIVE_INTRINSICS)
    if needs & FROM_JOINTS:
        _check_places(walk)
    return training


def _check_places(walk: Walk) -> None:
    """Check that cameras which are said to move are placed, as joints cannot tell where they stand.

    Raises:
        PosepipeError: one is not.
    """
    settings = walk.settings
    static = settings.samples.static_cameras
    placed = settings.calibrate.extrinsics == "auto" and all(
        camera.calibration and camera.calibration.R is not None for _, camera in walk.cameras
    )
    for name, camera in walk.cameras:
        if not placed and (camera.moving if static is None else not static):
            raise PosepipeError(
                f"method {settings.train.method!r} needs extrinsics: camera {name} moves, "
                f"and {HOW_TO_GIVE_EXTRINSICS}; or use --method canonpose"
            )


def _checkpoint(walk: Walk, name: str | None) -> SourceFile | None:
    """The file that training starts from, if the settings name one."""
    if not name:
        return None
    path = Path(name).expanduser()
    if not path.is_file():
        raise PosepipeError(f"train.backbone_weights names {path}, but there is no such file")
    return walk.place.source(path)


def _labelled_source(walk: Walk) -> tuple[SourceFile, PictureFolder]:
    """The annotations and the pictures with 2D labels that the settings name."""
    files = method_class(walk.settings.train.method).labelled_files(method_settings(walk.settings))
    if not files.images or not files.annotations:
        raise PosepipeError("train.labelled_images and train.labelled_annotations belong together: give both")
    if walk.settings.morph.skeleton == "native":
        raise PosepipeError("pictures with 2D labels are on the joints of h36m17; use --skeleton h36m17")
    labels = Path(files.annotations).expanduser()
    pictures = find_pictures(Path(files.images).expanduser(), labels)
    return walk.place.source(labels), pictures
