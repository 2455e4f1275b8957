"""Settings of what becomes of 3D poses: their size, where they are, their filter."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import UNKEYED, StageSettings

Segment = Literal[
    "thigh", "shank", "upper_arm", "forearm", "left_thigh", "left_shank", "left_upper_arm", "left_forearm",
    "right_thigh", "right_shank", "right_upper_arm", "right_forearm", "trunk", "shoulder_width", "hip_width",
]  # fmt: skip
"""Segments of a body whose lengths can be given; without a side, the mean of both is meant."""


class LiftSettings(StageSettings):
    """Size of the results."""

    height_m: float | None = Field(None, gt=0.3, lt=3, description="the athlete's stature; without it it counts as 1")
    segments_m: dict[Segment, Annotated[float, Field(gt=0.01, lt=3)]] = Field(
        {}, description="lengths of segments of the athlete's body, in the place of the stature"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps", json_schema_extra=UNKEYED)

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.height_m is not None and self.segments_m:
            raise ValueError("give the height or lengths of segments, not both")
        return self

    @property
    def unit(self) -> str:
        """Unit of lengths."""
        return "m" if self.height_m is not None or self.segments_m else "body heights"


class WorldSettings(StageSettings):
    """Where people are in the world, as far as all views of a take together tell it."""

    height_m: float | None = Field(
        None, gt=0.3, lt=3, description="stature of the athletes of a fit; without it a flight may tell metres"
    )
    segments_m: dict[Segment, Annotated[float, Field(gt=0.01, lt=3)]] = Field(
        {}, description="lengths of segments of their bodies, in the place of the stature"
    )
    frame: Literal["world", "camera"] = Field(
        "world",
        description="axes of result files: world, with travel, where it is known where up is; camera: those of the "
        "camera, root-relative",
    )

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.height_m is not None and self.segments_m:
            raise ValueError("give the height or lengths of segments, not both")
        return self


class AdjustSettings(StageSettings):
    """All frames of a clip together, before they are filtered."""

    enabled: bool = Field(
        True,
        description="fit the poses of a clip together, so that they agree with each other and with its 2D poses; "
        "false: each stays as it was lifted",
    )


class MotionSettings(StageSettings):
    """From single poses to motion."""

    filter: Literal["butterworth", "savitzky-golay", "one-euro", "gcv-spline", "none"] = Field(
        "gcv-spline", description="how trajectories are smoothed; none: poses stay as they are"
    )
    cutoff_hz: float = Field(6.0, gt=0, description="movements faster than this count as noise (not for gcv-spline)")
    max_gap_s: float = Field(0.2, ge=0, description="poses missing for longer stay missing")
    outlier_deviations: float = Field(
        6.0,
        gt=0,
        description="joints off their neighbours in time by more robust standard deviations are replaced",
    )


class RootSettings(StageSettings):
    """Where the root is in camera coordinates, which is estimated beside the root-relative poses."""

    field_of_view_deg: float = Field(
        60.0,
        gt=0,
        lt=180,
        description="field of view along the longer side of pictures to assume where nothing tells the focal length",
    )
