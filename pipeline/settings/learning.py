"""Settings of training; those of a method stand beside it, in its class ``Settings``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import UNKEYED, StageSettings

Prior = Literal["generic", "none"]
"""What a training starts from."""


class SharedSettings(StageSettings):
    """What all trainings share."""

    method: str = Field("posepipe", description="training method")
    seed: int = Field(0, ge=0, description="seed of all random draws")


class TrainSettings(SharedSettings):
    """The group ``[train]``: what all training methods share."""

    prior: Prior | None = Field(
        None,
        description="generic: start from the lifter that posepipe brings, which has learnt from motions of other "
        "people; none: learn from this footage alone. By default generic where method and skeleton have it",
    )


class TrainModelSettings(SharedSettings):
    """What the stage ``train_model`` is given: the shared settings, and the method's own as plain values."""

    options: dict[str, Any]
    device: str = Field("auto", json_schema_extra=UNKEYED)


class RefineSettings(StageSettings):
    """The group ``[refine]``: EpipolarPose's refinement unit, which learns from true 3D poses."""

    reference: str = Field(
        "",
        description="keypoint file with true poses (joint_3d_cam) to train it on; results are then not "
        "self-supervised any more. Without one there is no unit",
    )
    epochs: int = Field(200, ge=1, description="passes over the pairs of lifted and true poses")


class RefineModelSettings(StageSettings):
    """What the stage ``refine_model`` is given."""

    epochs: int
    seed: int
    device: str = Field("auto", json_schema_extra=UNKEYED)
