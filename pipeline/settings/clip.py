"""Settings of the stages that see one clip at a time: from pictures to 2D poses of the athlete."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...models.skeleton import SKELETONS
from .base import UNKEYED, StageSettings


class DetectSettings(StageSettings):
    """2D detection. What identifies the detector counts in keys by the detector's own digest."""

    detector: str = Field(
        "auto",
        description="auto: mmpose if a checkpoint is configured or on disk, else mediapipe",
        json_schema_extra=UNKEYED,
    )
    mmpose_config: str = Field(
        "",
        description="MMPose top-down config: a file, a name that MMPose knows, or one of posepipe models list",
        json_schema_extra=UNKEYED,
    )
    mmpose_checkpoint: str = Field("", description="local MMPose checkpoint file", json_schema_extra=UNKEYED)
    box_every: int = Field(
        5, ge=1, description="mmpose: look for people's boxes in every n-th frame", json_schema_extra=UNKEYED
    )
    boxes_config: str = Field(
        "",
        description="mmpose: config of a model that finds the boxes of several people: a file of MMDetection's, or a "
        "one-stage model of MMPose's such as RTMO; without one boxes come from mediapipe",
        json_schema_extra=UNKEYED,
    )
    boxes_checkpoint: str = Field(
        "",
        description="mmpose: its local checkpoint file; or an ONNX file of such a model, which needs no config",
        json_schema_extra=UNKEYED,
    )
    h36m17: dict[str, list[str]] = Field(
        {},
        description="mmpose, for a model of joints of your own: of which a joint of h36m17 is the middle",
        json_schema_extra=UNKEYED,
    )
    follow_poses: bool = Field(
        False,
        description="mmpose: look for people where they were in the frame before, and for boxes when they are lost",
        json_schema_extra=UNKEYED,
    )
    batch_size: int = Field(16, ge=1, description="mmpose: crops in one network pass", json_schema_extra=UNKEYED)
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="mmpose: sums of the backbone; bf16 is faster on processors that have it, and rounds more",
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
    slow_motion: float = Field(1.0, gt=0, description="how many times slower than life the clip plays")


class PeopleSettings(StageSettings):
    """Whose poses are wanted."""

    person: str = Field(
        "main",
        pattern="^(main|largest|longest|[0-9]+)$",
        coerce_numbers_to_str=True,
        description="the athlete: main, largest, longest, or a number, 0 being main",
    )
    everybody: bool = Field(False, description="poses of all people who are tracked, not of the athlete only")


class CropSettings(StageSettings):
    """Pictures of the athlete, for methods that learn from pictures."""

    size_px: int = Field(256, ge=32, multiple_of=32, description="width and height")
    person: float = Field(0.75, gt=0.1, le=1, description="share of the picture's side that the person takes up")
    chunk_frames: int = Field(
        300, ge=1, description="pictures in a stored chunk, which a kill can lose", json_schema_extra=UNKEYED
    )


class MorphSettings(StageSettings):
    """Skeleton of the results."""

    skeleton: Literal["h36m17", "native"] = Field(
        "h36m17", description="h36m17, or native: the detector's own joints, feet included"
    )
    network: str = Field(
        "",
        description="file of posepipe morph fit, which moves joints to where a reference has them; without one they "
        "stay where the detector puts them",
        json_schema_extra=UNKEYED,
    )
