"""The inputs of training as one record."""

from __future__ import annotations

from typing import NamedTuple

from ..arrays import Crops, FusedPoses, LabelledPictures, Labels, Rig, Samples
from ..runtime.cache import SourceFile


class TrainingSet(NamedTuple):
    """All inputs of training; a method gets those that it needs (``Method.needs``).

    Like every tuple of inputs, it enters the cache's keys with the keys of all its fields, in order.
    """

    samples: Samples
    rig: Rig | None = None
    """Cameras in place of those of the samples."""
    labels: Labels | None = None
    """3D poses of the samples."""
    reconstruction: FusedPoses | None = None
    """Of the samples, from which views are filmed anew."""
    crops: list[list[Crops]] | None = None
    """Pictures of each take's cameras."""
    labelled: LabelledPictures | None = None
    """Pictures of other people with 2D labels."""
    backbone: SourceFile | None = None
    """Checkpoint of weights to start from."""
    prior: SourceFile | None = None
    """Weights of the generic lifter, to start from with generic views in every batch."""
