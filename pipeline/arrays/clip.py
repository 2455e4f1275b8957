"""What is known of one video: its frames, who is in them, pictures of the athlete."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np

from ...models.skeleton import SKELETONS
from .hand_over import Dims, HandOver
from .on_joints import OnJoints

POSES_ONLY = "2D poses"
"""The codec of frames that were never seen, as their 2D poses were detected elsewhere."""


@dataclass(frozen=True)
class Frames(HandOver):
    """One video's pictures: when each was taken, and how it is to be shown.

    Before the video is decoded these are the times that its packets promise, afterwards those of the pictures that
    the decoder gave.
    """

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    image_size: Annotated[np.ndarray, Dims("xy", "int32", "px")]
    """Width and height as displayed: upright, of square pixels."""
    audio_envelope: Annotated[np.ndarray | None, Dims("audio", "float32", "1")]
    """Root mean square of the sound in steps of 2 ms from time 0, if there is sound."""
    rate: str
    """Frames per second of the timestamps as an exact fraction."""
    codec: str
    rotation: int
    """Clockwise rotation in degrees of the stored pictures for display."""
    missing_s: float
    """Seconds that the container promises but the file does not hold (a truncated file)."""
    timecode_s: float | None = None
    """Time of day of the first picture in s, if the container has a timecode."""
    chapter_starts: list[float] = field(default_factory=list)
    """Of a recording in several files, when each of them begins in s."""
    whole_time: Annotated[np.ndarray | None, Dims("whole", "float64", "s")] = None
    """Of all frames of the clip, where these are a part of it; the sound is that of all of it."""
    mirrored: bool = False
    """Whether the stored pictures, once rotated, are to be mirrored for display."""
    field_order: str = ""
    """Of interlaced pictures, each of which gives two frames: "tff", "bff", or "auto", as flagged."""
    own_times: bool = True
    """Whether ``time`` is as the container has it, so that each picture's stamp tells its time.

    Else pictures are counted, so that all before one have to be decoded to know when it was taken.
    """
    lost: list[str] = field(default_factory=list)
    """What the file lacks or does not let be decoded, in sentences about it."""
    changed: list[str] = field(default_factory=list)
    """What was done to its pictures or left aside, in sentences about it."""

    @property
    def is_part(self) -> bool:
        """Whether these are not all frames of the clip."""
        return self.whole_time is not None

    @property
    def reach_the_end(self) -> bool:
        """Whether the clip does not go on after them."""
        return self.whole_time is None or bool(self.time[-1] >= self.whole_time[-1])

    @property
    def part(self) -> str:
        """Which part of the clip these are, such as "0.5 s to 1.5 s of 7.0 s"; empty if they are all of it."""
        if self.whole_time is None:
            return ""
        period = float(np.median(np.diff(self.whole_time)))
        start, end, length = float(self.time[0]), float(self.time[-1]) + period, float(self.whole_time[-1]) + period
        return f"{start:.1f} s to {end:.1f} s of {length:.1f} s"

    @property
    def filmed(self) -> bool:
        """Whether there are pictures, and not 2D poses only."""
        return self.codec != POSES_ONLY


@dataclass(frozen=True)
class Parts(HandOver):
    """Where in a long video there may be somebody."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    """All timestamps of the video."""
    part: Annotated[np.ndarray, Dims("part startend", "float64", "s")]
    """Start and end of each part, in order and apart."""


@dataclass(frozen=True)
class Detections(HandOver):
    """All people found in one video; a person refers to its frame."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    camera_motion: Annotated[np.ndarray, Dims("frame", "float32", "1")]
    """Displacement of the background per second in image widths; NaN where it was not measured."""
    frame: Annotated[np.ndarray, Dims("person", "int32", "frame index")]
    box: Annotated[np.ndarray, Dims("person corner", "float32", "px")]
    keypoint: Annotated[np.ndarray, Dims("person joint xy", "float32", "px")]
    confidence: Annotated[np.ndarray, Dims("person joint", "float32", "0..1")]
    skeleton: str
    confidence_kind: str
    detector: str
    damaged: int = 0
    """Pictures that the decoder found damaged or missing."""
    colours: Annotated[np.ndarray | None, Dims("person colour", "float32", "1")] = None
    """Histograms of what each wears (``models.body.clothes``), NaN where it cannot be seen; None without pictures."""


@dataclass(frozen=True)
class Identities(HandOver):
    """Who is who among the detections of one video; identities in order of their score."""

    person: Annotated[np.ndarray, Dims("person", "int32", "identity")]
    """The identity of each detection; -1 for people who are hardly ever seen."""
    score: Annotated[np.ndarray, Dims("identity", "float64", "1")]
    """Evidence that each is the main person (``track``)."""
    height: Annotated[np.ndarray, Dims("identity", "float32", "px")]
    """Median size in the picture."""
    frames: Annotated[np.ndarray, Dims("identity", "int32", "1")]
    """In how many frames each is seen."""


@dataclass(frozen=True)
class Track(OnJoints):
    """One athlete in one video."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    keypoint: Annotated[np.ndarray, Dims("frame joint xy", "float32", "px")]
    confidence: Annotated[np.ndarray, Dims("frame joint", "float32", "0..1")]
    box: Annotated[np.ndarray, Dims("frame corner", "float32", "px")]
    skeleton: str
    camera_moves: bool | None
    """Whether the background moves in the picture; None if that is unknown."""
    dropped: int
    """Detections of other people that were left out."""

    @property
    def without_missing_feet(self) -> Track:
        """The track without feet that no frame shows."""
        return self.on(SKELETONS[self.skeleton].shown_by(self.confidence).name)

    @property
    def exchanged(self) -> Track:
        """The track with the names of left and right exchanged in all frames."""
        mirror = SKELETONS[self.skeleton].mirror
        return replace(self, keypoint=self.keypoint[:, mirror], confidence=self.confidence[:, mirror])


@dataclass(frozen=True)
class Crops(HandOver):
    """Square pictures of the athlete in one video, for methods that learn from pictures."""

    picture: Annotated[Any, Dims("crop row column rgb", "uint8", "0..255")]
    """Black where the crop reaches beyond the image."""
    crop_from_image: Annotated[np.ndarray, Dims("crop xy xyz", "float32", "px")]
    """Affine map from (x, y, 1) px of the image, whose first pixel is centred at (0, 0), to pixels of the crop."""
    frame: Annotated[np.ndarray, Dims("crop", "int32", "frame index")]
    """In rising order; frames that do not show the athlete have no crop."""

    def at(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (N, H, W, 3) uint8 of frames (N), and their maps (N, 2, 3); black where there is none."""
        place = np.searchsorted(self.frame, frame).clip(0, len(self.frame) - 1)
        found = self.frame[place] == frame
        picture = np.zeros((len(frame), *self.picture.shape[1:]), np.uint8)
        picture[found] = self.picture[place[found]]
        return picture, np.where(found[:, None, None], self.crop_from_image[place], np.eye(2, 3, dtype=np.float32))


@dataclass(frozen=True)
class LabelledPictures(OnJoints):
    """Crops of people with 2D labels, for methods that are also trained on those; a missing joint is NaN."""

    picture: Annotated[Any, Dims("crop row column rgb", "uint8", "0..255")]
    keypoint: Annotated[np.ndarray, Dims("crop joint xy", "float32", "px")]
    """In the crop."""
    confidence: Annotated[np.ndarray, Dims("crop joint", "float32", "0..1")]
    """1 where labelled, less where derived from labelled joints, 0 where missing."""
    skeleton: str
