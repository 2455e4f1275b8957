"""The input of exporters: one clip's people and their provenance."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Frames, Pose3D, WorldPoses
from ..footage.video import read_clip
from ..runtime.cache import SourceFile

CAMERA_AXES = "camera axes, right-handed: x right, y down, z forward"
Y_UP_AXES = "the camera's axes with y up, right-handed: x right, y up, z towards the camera"
Y_UP = np.array([1.0, -1.0, -1.0])
"""Factor from camera axes to ``Y_UP_AXES``, which OpenSim, BVH and glTF use."""
WORLD_AXES = "world axes, right-handed: x and y level, z up; not root-relative"
Y_UP_WORLD_AXES = "world axes with y up, right-handed: x and z level, y up; not root-relative"

ROOT_TRAJECTORY = "estimate of where the root is in camera coordinates; the attribute root says what it assumes"

ONLY_PERSON = "person0"
"""Name of the person where one person was tracked."""


@dataclass(frozen=True)
class Person:
    """One person in a clip."""

    name: str
    pose: Pose3D
    more: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further arrays by name, which only poses.npz holds."""
    world: WorldPoses | None = None
    """The same person in the world, where that is known."""


@dataclass(frozen=True)
class Clip:
    """One clip's results and provenance. All people share frames, skeleton and unit."""

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
    frames: Frames | None = None
    """How its pictures are read; None if they cannot be, as only its poses exist."""
    source: SourceFile | None = None
    """What its pictures are read from, where that is not the file ``video`` alone."""
    part: str = ""
    """Which part of the video was used, in words; empty if all of it was."""
    frame: str = "world"
    """Axes of its files: "world" where that is known, or "camera"."""
    variant: str = ""
    """Suffix of its file names if they are not of a single camera: "multiview"."""

    @staticmethod
    def of(pose: Pose3D, frames: Frames, video: Path, provenance: dict[str, Any]) -> Clip:
        """The clip of a video in which one person was tracked."""
        return Clip.of_people((Person(ONLY_PERSON, pose),), frames, video, provenance)

    @staticmethod
    def of_people(
        people: tuple[Person, ...],
        frames: Frames,
        video: Path,
        provenance: dict[str, Any],
        source: SourceFile | None = None,
    ) -> Clip:
        """The clip of a video in which these people were tracked."""
        return Clip(
            people=people,
            video=video,
            rate=frames.rate,
            image_size=(int(frames.image_size[0]), int(frames.image_size[1])),
            video_time=np.array(frames.time),
            provenance=provenance,
            frames=frames if frames.filmed else None,
            source=source,
            part=frames.part,
        )

    def pictures(
        self, parts: Sequence[tuple[float, float]] | None = None
    ) -> Generator[tuple[float, np.ndarray], None, None]:
        """Time (s) and picture (H, W, 3) uint8 BGR of each frame.

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
        """Real time of each frame (frame) float64 in s, with slow motion undone."""
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
    def in_world(self) -> bool:
        """Whether its files are in world axes, with travel."""
        return self.frame == "world" and all(person.world is not None for person in self.people)

    @property
    def axes(self) -> str:
        """Axes of ``positions``, in words."""
        return WORLD_AXES if self.in_world else CAMERA_AXES

    @property
    def y_up_axes(self) -> str:
        """Axes of ``y_up``, in words."""
        return Y_UP_WORLD_AXES if self.in_world else Y_UP_AXES

    def positions(self, person: Person) -> np.ndarray:
        """Joints (frame, joint, xyz) of a person in the axes of its files."""
        return np.asarray(person.world.joint_world if self.in_world and person.world else person.pose.joint)

    def whole(self, person: Person) -> tuple[np.ndarray, Skeleton]:
        """``positions`` (frame, joint, xyz), and their joints, without feet that the person lacks in all frames."""
        skeleton = SKELETONS[person.pose.without_missing_feet.skeleton]
        return self.positions(person)[:, : len(skeleton.joints)], skeleton

    def y_up(self, points: np.ndarray) -> np.ndarray:
        """Points (..., xyz) of the axes of its files in axes whose y is up."""
        return points[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0]) if self.in_world else points * Y_UP

    def level(self, points: np.ndarray) -> np.ndarray:
        """Points (..., xyz) of the axes of its files in those of a camera that is level, as far as that is known."""
        return self.y_up(points) * Y_UP if self.in_world else points

    @property
    def life_rate(self) -> Fraction:
        """Average frames per second of real time: the video's rate times its slow motion."""
        video, life = float(np.ptp(self.video_time)), float(np.ptp(self.time))
        slow_motion = Fraction(video / life).limit_denominator(1000) if life > 0 else Fraction(1)
        return Fraction(self.rate) * slow_motion

    def frame_at(self, time: float) -> int:
        """Index of the frame nearest to a time (s) of the video."""
        return int(np.abs(self.video_time - time).argmin())

    def file(self, name: str) -> str:
        """Name of this clip's file in a format, given the format's usual name."""
        return marked(name, self.variant) if self.variant else name

    def facts(self, axes: str) -> dict[str, str]:
        """Metadata of every file, as texts; ``provenance`` is JSON."""
        return {
            "skeleton": self.skeleton.name,
            "unit": self.unit,
            "axes": axes,
            "root": self._root,
            "world": "; ".join(world.notes_on_world) if (world := self.people[0].world) else "not known",
            "motion": "; ".join(self.people[0].pose.steps) or "each frame as it was lifted",
            "rate": str(self.life_rate),
            "video": self.video.name,
            "provenance": json.dumps(self.provenance, sort_keys=True, default=str),
        }

    @property
    def _root(self) -> str:
        """The origin of poses in words."""
        if self.in_world:
            return "positions in the world, whose origin is on the floor below the first stance, or as calibrated"
        return root(self.skeleton, self.people[0].pose.root_camera)

    def each(self, path: Path) -> Iterator[tuple[Person, Path]]:
        """Each person and their file, for formats of one person per file: ``poses.trc`` or ``poses_person0.trc``."""
        for person in self.people:
            alone = len(self.people) == 1
            yield person, path if alone else path.with_name(f"{path.stem}_{person.name}{path.suffix}")


def marked(name: str, variant: str) -> str:
    """A file name with the suffix of a variant: ``poses_multiview.trc`` instead of ``poses.trc``."""
    path = Path(name)
    return f"{path.stem}_{variant}{path.suffix}"


def root(skeleton: Skeleton, camera: str = "") -> str:
    """The origin of poses in words, and the ``root_camera`` with which its position is estimated."""
    joints = " and ".join(skeleton.joints[joint] for joint in skeleton.landmark("pelvis"))
    middle = f"middle between {joints}" if " and " in joints else joints
    where = "where the person stands is not estimated"
    if camera:
        where = f"where that is in camera coordinates is estimated apart (root_trajectory), with a {camera}"
    return f"root-relative: the origin of every pose is its {middle}; {where}"


def root_trajectories(poses: Sequence[Pose3D]) -> np.ndarray | None:
    """Estimated root positions (frame, xyz, person) of people of one clip; None if they are not estimated."""
    roots = [np.asarray(pose.root_trajectory) for pose in poses if pose.root_trajectory is not None]
    return np.stack(roots, -1) if len(roots) == len(poses) else None


def marker_name(joint: str) -> str:
    """Marker name of a joint: ``RBigToe`` for ``right_big_toe``."""
    side = {"left": "L", "right": "R"}
    return "".join(side.get(word, word.capitalize()) for word in joint.split("_"))
