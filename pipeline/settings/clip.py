"""Settings of the stages that see one clip at a time: from pictures to 2D poses of the athlete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from ...models.skeleton import SKELETONS
from .base import UNKEYED, StageSettings

_NUMBER = r"\d+(?:\.\d+)?"
_WORD = re.compile("main|largest|longest|[0-9]+")
_PLACE = re.compile(rf"(?:(?P<camera>.+)@)?(?P<time>{_NUMBER})s:(?P<x>-?{_NUMBER}),(?P<y>-?{_NUMBER})")


class DetectSettings(StageSettings):
    """2D detection. What identifies the detector counts in keys by the detector's own digest.

    Beside these stand the options of the detector itself, as plain values; its own class of settings checks them
    (``pipeline/detectors/choose.py``).
    """

    model_config = ConfigDict(extra="allow")

    detector: str = Field(
        "auto",
        description="auto: mmpose if a checkpoint is configured or on disk, else blazepose",
        json_schema_extra=UNKEYED,
    )
    first_look_s: float = Field(
        300.0,
        ge=0,
        description="in clips longer than this people are looked for in key frames first, and then only around those",
        json_schema_extra=UNKEYED,
    )
    chunk_frames: int = Field(
        120, ge=1, description="frames in a stored chunk, which a kill can lose; the detector starts afresh at each"
    )

    @property
    def options(self) -> dict[str, Any]:
        """Options of the detector, by name."""
        return dict(self.model_extra or {})


def changed_detection(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of detection as plain values, some of them changed.

    Where the changes name another detector, the options of the one before are left out.
    """
    default = DetectSettings.model_fields["detector"].default
    same = changes.get("detector", before.get("detector", default)) == before.get("detector", default)
    kept = {name: value for name, value in before.items() if same or name in DetectSettings.model_fields}
    return kept | dict(changes)


class PictureSettings(StageSettings):
    """Folders of numbered pictures in the place of videos: what they do not say."""

    rate_hz: float | None = Field(None, gt=0, description="pictures per second")


class KeypointSettings(StageSettings):
    """2D poses that were detected elsewhere: what their files do not say."""

    rate_hz: float | None = Field(None, gt=0, description="frames per second")
    skeleton: str = Field("", description=f"skeleton whose joints are meant, in its order: {', '.join(SKELETONS)}")
    joints: list[str] = Field([], description="names of the joints in the file's order")
    h36m17: dict[str, list[str]] = Field(
        {}, description="of which joints a joint of h36m17 is the middle; those of its own name need not be said"
    )
    image_size_px: tuple[int, int] | None = Field(None, description="width and height of the pictures")


class TrackSettings(StageSettings):
    """Which of the people is the athlete."""

    gap_s: float = Field(0.5, gt=0, description="a person who vanishes for longer starts a new piece of track")
    min_confidence: float = Field(0.1, ge=0, le=1, description="joints below this count as missing")
    slow_motion: float = Field(1.0, ge=0.01, le=1000, description="how many times slower than life the clip plays")


@dataclass(frozen=True)
class Place:
    """Where somebody is at a moment: at a point of a camera's pictures."""

    camera: str
    """Its name; empty for that of the only clip."""
    time_s: float
    """In the clip's own time."""
    x: float
    y: float

    @property
    def words(self) -> str:
        """The place without the camera."""
        return f"{self.x:g},{self.y:g} at {self.time_s:g} s"


class PeopleSettings(StageSettings):
    """Whose poses are wanted."""

    person: str = Field(
        "main",
        coerce_numbers_to_str=True,
        description="the athlete: main, largest, longest, a number, 0 being main, or a place: whoever is there then, "
        "as cam1@12.5s:640,360 in px of the camera's pictures",
    )
    everybody: bool = Field(False, description="poses of all people who are tracked, not of the athlete only")

    @field_validator("person")
    @classmethod
    def _is_known(cls, person: str) -> str:
        if not (_WORD.fullmatch(person) or _PLACE.fullmatch(person)):
            raise PydanticCustomError(
                "person", "say main, largest, longest, a number, or a place as cam1@12.5s:640,360"
            )
        return person

    @property
    def place(self) -> Place | None:
        """The place where the athlete is, if that is how the athlete is told."""
        if not (said := _PLACE.fullmatch(self.person)):
            return None
        return Place(said["camera"] or "", float(said["time"]), float(said["x"]), float(said["y"]))


class CropSettings(StageSettings):
    """Pictures of the athlete, for methods that learn from pictures."""

    size_px: int = Field(256, ge=32, multiple_of=32, description="width and height")
    person: float = Field(0.75, gt=0.1, le=1, description="share of the picture's side that the person takes up")
    chunk_frames: int = Field(
        300, ge=1, description="pictures in a stored chunk, which a kill can lose", json_schema_extra=UNKEYED
    )


class MorphSettings(StageSettings):
    """Skeleton of the results."""

    skeleton: Literal["h36m17+feet", "h36m17", "native"] = Field(
        "h36m17+feet",
        description="h36m17+feet: Human3.6M-17 with heels and big toes, which are NaN where the detector has none; "
        "h36m17; or native: the detector's own joints",
    )
    network: str = Field(
        "",
        description="file of posepipe morph fit, which moves joints to where a reference has them; without one they "
        "stay where the detector puts them",
        json_schema_extra=UNKEYED,
    )
