"""What exporters are given: one clip's people and where they come from."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Frames, Pose3D
from ..footage.video import read_clip
from ..runtime.cache import SourceFile

CAMERA_AXES = "camera axes, right-handed: x right, y down, z forward"
Y_UP_AXES = "the camera's axes with y up, right-handed: x right, y up, z towards the camera"
Y_UP = np.array([1.0, -1.0, -1.0])
"""Times a point in camera axes: the same point in ``Y_UP_AXES``, those of OpenSim, BVH and glTF."""

ROOT_TRAJECTORY = "estimate of where the root is in camera coordinates; the attribute root says what it assumes"

ONLY_PERSON = "person0"
"""Name of the person where one person was followed."""


@dataclass(frozen=True)
class Person:
    """One person in a clip."""

    name: str
    pose: Pose3D
    more: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further arrays by name, which only poses files of numpy hold."""


@dataclass(frozen=True)
class Clip:
    """One clip's results, and what they came from. All people share frames, skeleton and unit."""

    people: tuple[Person, ...]
    video: Path
    rate: str
    """The video's average frames per second as an exact fraction."""
    image_size: tuple[int, int]
    """Width and height in px of the upright picture."""
    video_time: np.ndarray
    """Timestamp of each frame (frame) float64 in s; in slow motion it differs from the poses' time."""
    provenance: dict[str, Any]
    """Plain values: posepipe version, digests of model and clip, detector, method, settings."""
    filmed: bool = False
    """Whether its pictures can be read; else there are only the poses of it."""
    frames: Frames | None = None
    """Those of the video, for reading its pictures."""
    source: SourceFile | None = None
    """What its pictures are read from, where that is not the file ``video`` alone."""
    variant: str = ""
    """Marks the names of its files, if they are not of one camera alone: "multiview"."""

    @staticmethod
    def of(pose: Pose3D, frames: Frames, video: Path, provenance: dict[str, Any]) -> Clip:
        """The clip of a video in which one person was followed."""
        return Clip.of_people((Person(ONLY_PERSON, pose),), frames, video, provenance)

    @staticmethod
    def of_people(
        people: tuple[Person, ...],
        frames: Frames,
        video: Path,
        provenance: dict[str, Any],
        source: SourceFile | None = None,
    ) -> Clip:
        """The clip of a video in which these people were followed."""
        return Clip(
            people=people,
            video=video,
            rate=frames.rate,
            image_size=(int(frames.image_size[0]), int(frames.image_size[1])),
            video_time=np.array(frames.time),
            provenance=provenance,
            filmed=frames.filmed,
            frames=frames,
            source=source,
        )

    def pictures(
        self, parts: Sequence[tuple[float, float]] | None = None
    ) -> Generator[tuple[float, np.ndarray], None, None]:
        """Time (s) and picture (H, W, 3) uint8 BGR of each frame of a clip that was filmed.

        Args:
            parts: starts and ends (s) of what is wanted; all by default.

        Raises:
            ValueError: it was read from its poses, so that its frames are not known.
        """
        if self.frames is None:
            raise ValueError(f"there are only poses of {self.video}")
        return read_clip(self.source or SourceFile(self.video, ""), self.frames, parts=parts)

    @property
    def time(self) -> np.ndarray:
        """Time of life of each frame (frame) float64 in s."""
        return self.people[0].pose.time

    @property
    def skeleton(self) -> Skeleton:
        """Joints and bones of all people."""
        return SKELETONS[self.people[0].pose.skeleton]

    @property
    def unit(self) -> str:
        """Unit of all lengths: "m", or "body heights"."""
        return self.people[0].pose.unit

    @property
    def life_rate(self) -> Fraction:
        """Average frames per second of life: the video's rate times its slow motion."""
        video, life = float(np.ptp(self.video_time)), float(np.ptp(self.time))
        slow_motion = Fraction(video / life).limit_denominator(1000) if life > 0 else Fraction(1)
        return Fraction(self.rate) * slow_motion

    def frame_at(self, time: float) -> int:
        """The frame that is nearest to a time (s) of the video."""
        return int(np.abs(self.video_time - time).argmin())

    def file(self, name: str) -> str:
        """Name of this clip's file, given a format's usual name."""
        return marked(name, self.variant) if self.variant else name

    def facts(self, axes: str) -> dict[str, str]:
        """Metadata of every file, as texts; ``provenance`` is JSON."""
        return {
            "skeleton": self.skeleton.name,
            "unit": self.unit,
            "axes": axes,
            "root": root(self.skeleton, self.people[0].pose.root_camera),
            "motion": "; ".join(self.people[0].pose.steps) or "each frame as it was lifted",
            "rate": str(self.life_rate),
            "video": self.video.name,
            "provenance": json.dumps(self.provenance, sort_keys=True, default=str),
        }

    def each(self, path: Path) -> Iterator[tuple[Person, Path]]:
        """Each person and the file for them, where a file holds one: ``poses.trc``, or ``poses_<person>.trc``."""
        for person in self.people:
            alone = len(self.people) == 1
            yield person, path if alone else path.with_name(f"{path.stem}_{person.name}{path.suffix}")


def marked(name: str, variant: str) -> str:
    """A file's name with the mark of a variant: ``poses_multiview.trc`` instead of ``poses.trc``."""
    path = Path(name)
    return f"{path.stem}_{variant}{path.suffix}"


def root(skeleton: Skeleton, camera: str = "") -> str:
    """What poses are relative to, in words, and with which ``root_camera`` it is estimated where that is."""
    joints = " and ".join(skeleton.joints[joint] for joint in skeleton.landmark("pelvis"))
    middle = f"middle between {joints}" if " and " in joints else joints
    where = "where the person stands is not estimated"
    if camera:
        where = f"where that is in camera coordinates is estimated apart (root_trajectory), with a {camera}"
    return f"root-relative: the origin of every pose is its {middle}; {where}"


def root_trajectories(poses: Sequence[Pose3D]) -> np.ndarray | None:
    """Where the root of people of one clip is estimated to be (frame, xyz, person); None if it is not."""
    roots = [np.asarray(pose.root_trajectory) for pose in poses if pose.root_trajectory is not None]
    return np.stack(roots, -1) if len(roots) == len(poses) else None


def marker_name(joint: str) -> str:
    """``right_big_toe`` as biomechanics names it: ``RBigToe``."""
    side = {"left": "L", "right": "R"}
    return "".join(side.get(word, word.capitalize()) for word in joint.split("_"))
