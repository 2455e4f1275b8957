"""The refinement unit in a fit: is its file of true poses fit for it, and the way to a model that has one."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PosepipeError
from ..footage.keypoint_file import open_keypoints
from ..runtime.workplace import Workplace
from ..settings import CAMERA_NEEDS, LiftSettings, RefineModelSettings, Settings
from ..stages.import_arrays import read_keypoints, read_true_poses

if TYPE_CHECKING:
    from ..training.model_file import Model

log = logging.getLogger("posepipe")


def check_reference(settings: Settings, needs: Collection[str]) -> None:
    """Check that the file of ``refine.reference``, if there is one, can train the refinement unit of a method.

    Args:
        needs: what the method needs under its settings (``method_needs``).

    Raises:
        PosepipeError: it cannot.
    """
    if not settings.refine.reference:
        return
    path = Path(settings.refine.reference).expanduser()
    if "crops" in needs:
        raise PosepipeError(
            f"method {settings.train.method!r} learns from pictures, and keypoint files have none: "
            "refine.reference is for methods that lift 2D poses"
        )
    if not path.is_file():
        raise PosepipeError(f"refine.reference names {path}, but there is no such file")
    with open_keypoints(path) as file:
        if "joint_3d_cam" not in file:
            raise PosepipeError(
                f"refine.reference: {path} has no true 3D poses; give a keypoint file with the array joint_3d_cam "
                "(samples, views, joints, 3), or leave the setting out"
            )
        if "intrinsics" in needs and "K" not in file:
            raise PosepipeError(
                f"refine.reference: method {settings.train.method!r} needs intrinsics; add the array K to {path}"
            )


def refined_model(model: Model, place: Workplace, settings: Settings, needs: Collection[str]) -> Model:
    """A model with a refinement unit, trained on what the model finds in the file of true poses."""
    from ..stages.lift import lift_samples  # import torch
    from ..stages.morph import move_joints_of_samples
    from ..stages.refine import refine_model

    run, device = place.cache.run, settings.device
    source = place.source(Path(settings.refine.reference).expanduser())
    skeleton, name = settings.morph.skeleton, source.path.stem
    with open_keypoints(source.path) as file:
        cameras = "K" if CAMERA_NEEDS & set(needs) and "K" in file else ""
    samples = run(read_keypoints, source, skeleton, False, cameras, subject=name)
    if model.morph:
        samples = run(move_joints_of_samples, samples, model.morph, subject=name)
    true = run(read_true_poses, source, skeleton, subject=name)
    lifted = run(lift_samples, samples, model, settings=LiftSettings(device=device), subject=name)
    refining = RefineModelSettings(epochs=settings.refine.epochs, seed=settings.train.seed, device=device)
    refined: Model = run(refine_model, lifted, true, model, settings=refining, subject=name)
    return replace(refined, recipe=model.recipe)  # in which settings may have changed that no unit depends on


def supervision_warning(model: Model) -> str:
    """What users must know of results of a model that learnt from true poses."""
    return f"the refinement unit learnt from 3D data ({model.supervision}): results are not self-supervised any more"
