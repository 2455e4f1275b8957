"""Settings of the stages that see all cameras of takes together: time, sides, samples, places, labels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import StageSettings


class SynchronizeSettings(StageSettings):
    """Alignment of the cameras in time."""

    offsets: Literal["auto", "stated"] = Field(
        "auto",
        description="auto: find the offsets that posepipe.toml does not state; "
        "stated: cameras without offset_s start together",
    )
    cues: tuple[Literal["sound", "motion", "geometry", "timecode"], ...] = Field(
        ("sound", "motion", "geometry", "timecode"), min_length=1, description="what offsets are found from"
    )
    max_offset_s: float = Field(60.0, gt=0, description="how far apart cameras may have started")
    sound_path_m: float = Field(
        0.5, gt=0, description="how much longer the sound's way to one camera than to another usually is"
    )
    max_gap_s: float = Field(0.1, gt=0, description="2D poses are interpolated between frames at most this far apart")
    max_lag_s: float = Field(1.0, gt=0, description="how far the check looks for a wrong offset")


class SideSettings(StageSettings):
    """Left and right of the athlete where a detector took one for the other."""

    repair: bool = Field(True, description="exchange the sides where they are swapped; false leaves them")


class SampleSettings(StageSettings):
    """Choice of training instants."""

    static_cameras: bool | None = Field(
        None,
        description="whether relative camera rotations are constant; measured if neither this nor posepipe.toml says",
    )
    min_views: int = Field(2, ge=2, description="cameras that must see the athlete at an instant")
    min_joints: float = Field(0.5, ge=0, le=1, description="share of joints that a view must show")


class CalibrateSettings(StageSettings):
    """Where the cameras stand, for methods that need to know."""

    extrinsics: Literal["auto", "joints"] = Field(
        "auto", description="joints: find them from the athlete's joints even if they are given"
    )
    focal_px: float | None = Field(None, gt=0, description="focal length to assume where no intrinsics are given")
    field_of_view_deg: float | None = Field(
        None,
        gt=0,
        lt=180,
        description="field of view along the longer side of pictures to assume where no intrinsics are given",
    )
    refine_focal: bool = Field(True, description="correct an assumed focal length by what the joints say")
    min_confidence: float = Field(0.3, ge=0, le=1, description="joints below this do not calibrate")
    tolerance: float = Field(0.01, gt=0, description="noise of a detection, in sizes of the person in the picture")
    max_instants: int = Field(100, ge=5, description="instants of a rig that calibrate it, spread over its takes")

    @property
    def assumes_focal(self) -> bool:
        """Whether intrinsics may be assumed where none are given."""
        return self.focal_px is not None or self.field_of_view_deg is not None


class LabelSettings(StageSettings):
    """3D labels by triangulation, for methods that train on them."""

    triangulation: Literal["pairs", "all"] = Field(
        "all",
        description="all: robustly, of all views at once; pairs: vector median over pairs of neighbours, as "
        "published (EpipolarPose)",
    )
    min_confidence: float = Field(0.3, ge=0, le=1, description="joints below this are not triangulated")
    tolerance: float = Field(
        0.03, gt=0, description="all: error at which a view counts half, in sizes of the person in the picture"
    )


class FuseSettings(StageSettings):
    """One 3D skeleton per instant from all views of a take together."""

    enabled: bool = Field(
        True, description="write poses_multiview.npz for every take, and its like; false leaves it out"
    )
