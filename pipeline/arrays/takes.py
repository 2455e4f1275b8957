"""What is known of the cameras of takes together: time, people, sides, samples, where they stand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from .hand_over import Dims, HandOver
from .on_joints import OnJoints


@dataclass(frozen=True)
class Followed(HandOver):
    """The person whose motion synchronises the cameras of a take."""

    person: Annotated[np.ndarray, Dims("camera", "int32", "identity")]
    """The same human's number among the people of each camera."""


@dataclass(frozen=True)
class Timeline(HandOver):
    """Common instants of one take, and which frame of each camera shows each of them."""

    time: Annotated[np.ndarray, Dims("instant", "float64", "s")]
    offset: Annotated[np.ndarray, Dims("camera", "float64", "s")]
    """Add it to a camera's own time to get the take's time."""
    rate: Annotated[np.ndarray, Dims("camera", "float64", "1")]
    """Seconds of the take's time per second of the camera's clock."""
    frame: Annotated[np.ndarray, Dims("instant camera", "float64", "frame index")]
    """Fractional frame index; NaN where the camera shows nothing."""
    lag: Annotated[np.ndarray, Dims("camera", "float64", "s")]
    """Remaining lag that the motion of the 2D poses suggests; NaN if unknown."""
    score: Annotated[np.ndarray, Dims("camera", "float32", "0..1")]
    """Correlation of the motion with that of the other cameras at that lag."""
    warnings: list[str]
    verdict: str = "stated"
    """"ok" if found and sure, "unsure" if found with a warning, "stated" if all offsets were given."""
    cues: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """The result of each cue for each camera: fields of ``stages.synchronize.verdict.Finding``."""

    def nearest_frame(self) -> np.ndarray:
        """Index (instant, camera) int32 of the frames that show the instants best; -1 where a camera shows none."""
        return np.where(np.isfinite(self.frame), np.rint(np.nan_to_num(self.frame)), -1).astype(np.int32)


@dataclass(frozen=True)
class Athletes(HandOver):
    """Who is who across the cameras of a take; in order of their scores in all cameras together."""

    person: Annotated[np.ndarray, Dims("athlete camera piece", "int32", "identity")]
    """The identities that each camera's ``Identities`` give, several where it lost sight of somebody; -1 for none."""
    agreement: Annotated[np.ndarray, Dims("athlete camera", "float32", "1")]
    """How well a camera agrees that it shows the same person as the others (``match_people``); NaN if alone."""


@dataclass(frozen=True)
class Exchanges(HandOver):
    """Stretches in which a camera takes two athletes of a take for each other, or may, one after the other."""

    camera: Annotated[np.ndarray, Dims("stretch", "int32", "camera index")]
    start: Annotated[np.ndarray, Dims("stretch", "int32", "frame index")]
    end: Annotated[np.ndarray, Dims("stretch", "int32", "frame index, exclusive")]
    one: Annotated[np.ndarray, Dims("stretch", "int32", "athlete index")]
    other: Annotated[np.ndarray, Dims("stretch", "int32", "athlete index")]
    """-1 where it cannot be told whether the camera shows ``one``, and nobody is to be seen."""


@dataclass(frozen=True)
class Swaps(HandOver):
    """Stretches of a take's views in which left and right of a person are swapped, or may be."""

    camera: Annotated[np.ndarray, Dims("stretch", "int32", "camera index")]
    start: Annotated[np.ndarray, Dims("stretch", "int32", "frame index")]
    end: Annotated[np.ndarray, Dims("stretch", "int32", "frame index, exclusive")]
    part: Annotated[np.ndarray, Dims("stretch", "int32", "1 legs, 2 upper body, 3 both")]
    doubtful: Annotated[np.ndarray, Dims("stretch", "bool", "1")]
    """Where neither way of naming the sides is clearly the right one."""
    mirrored: list[int] = field(default_factory=list)
    """Cameras whose pictures seem to be mirror images; of a take of two both, as it cannot be told which one is."""


@dataclass(frozen=True)
class Samples(OnJoints):
    """Synchronised instants of all takes, as the training methods see them; missing is 0, never NaN."""

    keypoint: Annotated[np.ndarray, Dims("sample view joint xy", "float32", "px")]
    confidence: Annotated[np.ndarray, Dims("sample view joint", "float32", "0..1")]
    instant: Annotated[np.ndarray, Dims("sample", "int64", "instant index in its take")]
    take: Annotated[np.ndarray, Dims("sample", "int64", "take index")]
    rig: Annotated[np.ndarray, Dims("sample", "int64", "rig index, -1 if cameras move")]
    K: Annotated[np.ndarray | None, Dims("sample view xyz xyz", "float32", "px")]
    R: Annotated[np.ndarray | None, Dims("sample view xyz xyz", "float32", "1")]
    t: Annotated[np.ndarray | None, Dims("sample view xyz", "float32", "m")]
    skeleton: str
    takes: list[str]
    frame: Annotated[np.ndarray | None, Dims("sample view", "int32", "frame index, -1 if missing")] = None
    """The nearest frame of each view's video, where samples come from videos."""
    time: Annotated[np.ndarray | None, Dims("sample", "float64", "s")] = None
    """In the take's time; None where only the order of the instants is known."""


@dataclass(frozen=True)
class Rig(HandOver):
    """Where the cameras of all samples stand: X_camera = R X_world + t."""

    K: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "px")]
    R: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "1")]
    t: Annotated[np.ndarray, Dims("sample view xyz", "float32", "m")]
    """If found from joints, in the axes of the first camera, and scaled to a mean bone length of 0.25."""
    residual: Annotated[np.ndarray, Dims("sample view", "float32", "px")]
    """Median distance of the detections from the images of the joints triangulated from all views; NaN if missing."""
    source: str
    """"given" or "from joints"."""
    intrinsics: str
    """"given" or "assumed"."""


@dataclass(frozen=True)
class Labels(HandOver):
    """3D poses that all views agree on, for training; missing is 0, never NaN."""

    joint: Annotated[np.ndarray, Dims("sample view joint xyz", "float32", "m")]
    """In each camera's axes and in the rig's unit of length, seen from the camera (not root-relative)."""
    confidence: Annotated[np.ndarray, Dims("sample view joint", "float32", "0..1")]
    """Mean confidence of the views for a triangulated joint, certainty for a fused one; 0 where there is no label."""
    residual: Annotated[np.ndarray, Dims("sample view joint", "float32", "px")]
    """Distance of the detection from the label's image; NaN where either is missing."""


@dataclass(frozen=True)
class TruePoses(OnJoints):
    """True 3D poses of a keypoint file, which only the refinement unit is trained on."""

    joint: Annotated[np.ndarray, Dims("sample view joint xyz", "float32", "m")]
    """Root-relative, axes of each camera; NaN where unknown."""
    skeleton: str
    source: str
    """Name of the file."""
