"""``posepipe.toml``: what is known of takes and cameras, in their folder or in the one above it, for all takes.

All of it may be left out:

    moving = false               # do the cameras move? true, false, or leave it out to have it measured
    rig = "hall"                 # takes of one rig were filmed by cameras that stayed where they were
    slow_motion = 1.0            # how many times slower than real time the clips play
    focal_px = 1480              # of the cameras, for the estimate of where the athlete is; else it is assumed
    lens = "wide"                # the cameras bend straight lines, as action cameras do; else that is found
    calibration = "calib.toml"   # in one of the formats of ``calibrations``; else it is looked for beside the
                                 # videos, in the folder above, and in folders there that are called calibration;
                                 # "" for none

    leave_out = ["right"]        # cameras of this take that are not used; in the folder of all takes, takes as well

    [pictures]                   # of cameras that are folders of numbered pictures
    rate_hz = 120

    [keypoints]                  # of files of 2D poses, what they do not say (settings ``keypoints``)
    rate_hz = 59.94

    [people.anna]                # somebody whose size is known, so that results are in metres
    person = "cam1@12.5s:640,360"  # whom a camera shows there then; may be left out of a take's only athlete
    height_m = 1.72              # or [people.anna.segments_m] with thigh = 0.44

    [cameras.left]               # each video is a camera, by default named like the file; those that are not
    video = "GX010042.MP4"       # named here are cameras as well (but for leave_out), in the order of their files
    offset_s = -0.25             # add it to the camera's time to get the take's time; found if left out
    mirrored = true              # its pictures are the mirror image, as webcams and phones may store it
    moving = true                # all of the above but rig and calibration, for this camera alone
    slow_motion = 4.0
    from_s = 12.5                # what is used of its clip, in the clip's own time
    to_s = 40
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ..settings import PeopleSettings, PictureSettings, Place, Segment, StageSettings, read_toml

log = logging.getLogger("posepipe")

DESCRIPTION = "posepipe.toml"

KindOfLens = Literal["pinhole", "wide"]
"""What may be said of a lens without a calibration."""

DAY_S = 86_400.0
"""Clocks of a take that are further apart do not belong together."""


class CameraDescription(StageSettings):
    """What ``[cameras.NAME]`` may say."""

    video: str = Field("", description="file name of the video or of its 2D poses, by default NAME with any suffix")
    offset_s: float | None = Field(
        None,
        ge=-DAY_S,
        le=DAY_S,
        description="add it to the camera's time to get the take's time; found if left out",
    )
    moving: bool | None = Field(None, description="whether this camera moves")
    slow_motion: float | None = Field(
        None, ge=0.01, le=1000, description="how many times slower than real time the clip plays"
    )
    focal_px: float | None = Field(None, gt=0, description="focal length, for the root trajectory")
    from_s: float | None = Field(None, ge=0, description="start of what is used of the clip, in its own time")
    to_s: float | None = Field(None, gt=0, description="end of what is used of the clip, in its own time")
    mirrored: bool = Field(False, description="whether its pictures are the mirror image, as some webcams store it")
    lens: KindOfLens | None = Field(None, description="wide if it bends straight lines, as action cameras do")


class PersonDescription(StageSettings):
    """What ``[people.NAME]`` may say."""

    person: str = Field("", description="a place, as cam1@12.5s:640,360; may be left out of a take's only athlete")
    height_m: float | None = Field(None, gt=0.3, lt=3, description="stature of this person")
    segments_m: dict[Segment, Annotated[float, Field(gt=0.01, lt=3)]] = Field(
        {}, description="lengths of segments of their body, in the place of the stature"
    )

    @field_validator("person")
    @classmethod
    def _is_a_place(cls, person: str) -> str:
        if person and PeopleSettings(person=person).place is None:
            raise PydanticCustomError("person", "say a place where the person is, as cam1@12.5s:640,360")
        return person

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if (self.height_m is None) == (not self.segments_m):
            raise ValueError("give the height or lengths of segments, and not both")
        return self

    @property
    def place(self) -> Place | None:
        """Where the person is, if that is said."""
        return PeopleSettings(person=self.person).place if self.person else None


class TakeDescription(StageSettings):
    """What ``posepipe.toml`` may say."""

    moving: bool | None = Field(None, description="whether the cameras move")
    rig: str = Field("", description="takes of one rig were filmed by cameras that stayed where they were")
    slow_motion: float | None = Field(
        None, ge=0.01, le=1000, description="how many times slower than real time the clips play"
    )
    focal_px: float | None = Field(None, gt=0, description="focal length of the cameras, for the root trajectory")
    lens: KindOfLens | None = Field(None, description="wide if the cameras bend straight lines, as action cameras do")
    calibration: str | None = Field(
        None, description="calibration file; looked for beside the videos if left out, none if empty"
    )
    leave_out: list[str] = Field([], description="cameras, takes, or take/camera, that are not used")
    keypoints: dict[str, Any] = Field({}, description="settings of files of 2D poses")
    pictures: PictureSettings = Field(PictureSettings(), description="settings of folders of pictures")
    people: dict[str, PersonDescription] = Field({}, description="people whose size is known, by name")
    cameras: dict[str, CameraDescription] = Field({}, description="cameras by name")

    def say_what_arrays_leave_out(self, where: Path, arrays: Path) -> None:
        """Warn of a calibration or a lens that is said of a file of arrays, which has its own."""
        if self.calibration or self.lens:
            log.warning(
                "%s names a calibration or a lens, which %s has no use for: K, R, t and distortion are arrays of it",
                where,
                arrays.name,
            )


def read_description(path: Path, outer: dict[str, Any]) -> dict[str, Any]:
    """A ``posepipe.toml``, if there is one, over what the one above it says: word by word, of each camera as well."""
    return _over(outer, read_toml(path)) if path.exists() else dict(outer)


def _over(outer: Any, inner: Any) -> Any:
    """What is said over what is said above it: tables are joined, all else is replaced."""
    if not (isinstance(outer, dict) and isinstance(inner, dict)):
        return inner
    return {**outer, **{name: _over(outer.get(name), said) for name, said in inner.items()}}


def camera_name(source: Path) -> str:
    """What a camera is called after its file or folder: ``cam1_json`` is cam1."""
    return source.name.removesuffix("_json") if source.is_dir() else source.stem
