"""Reconstruction: poses from all views together, for methods that learn from them and know no camera."""

from __future__ import annotations

import logging
from dataclasses import replace

from ..arrays import Samples
from ..footage.camera import Camera
from ..runtime.workplace import Workplace
from ..settings import LiftSettings, Settings, TrainModelSettings, method_class, method_settings
from ..stages.label import label_from_fused
from ..training.training_set import TrainingSet

log = logging.getLogger("posepipe")

FIRST_METHOD = "canonpose"
"""What finds poses and rotations to start from; ``Method.first_training`` says how long and how large."""


def reconstruct(
    place: Workplace, samples: Samples, cameras: list[list[Camera]], settings: Settings, subject: str
) -> TrainingSet:
    """What to learn from: the samples, their poses as labels, and the reconstruction that these are from.

    CanonPose learns the samples, and their views are fused. Writes ``canonpose.pt``, a model like any other.

    Args:
        cameras: each take's, as large as their pictures are.

    Raises:
        PosepipeError: training that tells nothing of left and right.
    """
    from ..stages.fuse import fuse_views  # imports torch, which a fit with nothing to do can do without
    from ..stages.lift import lift_samples
    from ..stages.train import train_model

    run, kind = place.cache.run, method_class(settings.train.method)
    first = kind.first_training(method_settings(settings))
    log.info("%s finds poses to start from", FIRST_METHOD)
    chosen = {"epochs": first.epochs, "width": first.width}
    options = method_class(FIRST_METHOD).Settings.model_validate(chosen).model_dump(mode="json")
    training = TrainModelSettings(
        method=FIRST_METHOD, seed=settings.train.seed, options=options, device=settings.device
    )
    model = run(train_model, TrainingSet(samples), settings=training, subject=subject)
    model.write(place.folder / f"{FIRST_METHOD}.pt")
    lifted = run(lift_samples, samples, model, settings=LiftSettings(device=settings.device), subject=subject)
    unknown = replace(samples, K=None, R=None, t=None)  # nothing that is learnt from depends on a calibration
    fused = run(fuse_views, unknown, lifted, cameras, subject=subject)
    return TrainingSet(samples, labels=run(label_from_fused, fused, subject=subject), reconstruction=fused)
