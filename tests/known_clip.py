"""A small clip made by hand: numbers one can check, and a video that can be decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from footage import athlete
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Frames, Pose3D
from posepipe.pipeline.exporters import npz
from posepipe.pipeline.exporters.clip import Clip, Person
from posepipe.pipeline.footage.video import probe

JOINTS = len(H36M17.joints)


def a_pose(time: np.ndarray, unit: str = "m") -> Pose3D:
    """A standing person in front of a level camera, who raises the left hand by 1 unit per second.

    Joint j is at x = j / 100 but for the pelvis, at y = minus its height, at z = -j / 100. The root walks to the
    right by 1 unit per second, 5 units away.
    """
    frames = len(time)
    height = {"head": 0.8, "nose": 0.7, "thorax": 0.5, "spine": 0.25, "hip": 0.0, "knee": -0.45, "ankle": -0.9,
              "shoulder": 0.5, "elbow": 0.2, "wrist": 0.0, "pelvis": 0.0}  # fmt: skip
    number = np.arange(JOINTS) / 100
    up = np.array([height[joint.split("_")[-1]] for joint in H36M17.joints])
    joint = np.tile(np.stack([number, -up, -number], -1), (frames, 1, 1))
    joint[:, H36M17.index("left_wrist"), 1] -= time - time[0]
    confidence = np.full((frames, JOINTS), 0.75, np.float32)
    return Pose3D(
        time=np.asarray(time, float),
        joint=joint.astype(np.float32),
        canonical=joint.astype(np.float32),
        camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)),
        confidence=confidence,
        keypoint=(joint[..., :2] * 80 + (100, 100)).astype(np.float32),
        skeleton="h36m17",
        unit=unit,
        root_trajectory=np.stack([np.asarray(time), np.zeros(frames), np.full(frames, 5)], -1).astype(np.float32),
        root_camera="focal length of 1000 px, given",
    )


def without(pose: Pose3D, *frames: int) -> Pose3D:
    """The same poses, but nobody there in some frames."""
    for field in (pose.joint, pose.canonical, pose.camera_from_canonical, pose.keypoint, pose.root_trajectory):
        field[list(frames)] = np.nan
    pose.confidence[list(frames)] = 0
    return pose


def some_frames(time: np.ndarray, rate: str = "30", size: tuple[int, int] = (200, 220)) -> Frames:
    """What a video with these timestamps says of itself."""
    return Frames(
        time=np.asarray(time, float),
        image_size=np.array(size, np.int32),
        audio_envelope=None,
        rate=rate,
        codec="h264",
        rotation=0,
        missing_s=0.0,
    )


def a_clip(frames: int = 10, rate: str = "30", unit: str = "m", video: Path = Path("ski run.mp4")) -> Clip:
    """A clip with a constant rate, whose video is usually not there."""
    time = np.arange(frames) / float(Fraction(rate))
    clip = Clip.of(a_pose(time, unit), some_frames(time, rate), video, {"posepipe": "0", "model": "abc"})
    return replace(clip, frames=probe(video) if video.exists() else None)


def the_pose(clip: Clip) -> Pose3D:
    """The poses of a clip's only person."""
    (person,) = clip.people
    return person.pose


def two_people(frames: int = 10, rate: str = "30") -> Clip:
    """A clip of two people, of whom the second stands 1 unit further to the right and is missing in frame 1."""
    clip = a_clip(frames, rate)
    other = a_pose(the_pose(clip).time)
    other.joint[..., 0] += 1
    return replace(clip, people=(Person("ann", the_pose(clip)), Person("bob", without(other, 1))))


def film(path: Path, time: np.ndarray, size: tuple[int, int] = (200, 220)) -> Path:
    """A grey video with these timestamps, whose brightness tells the frame: 40 + 10 * frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, width=size[0], height=size[1], pix_fmt="yuv420p")
        stream.codec_context.time_base = Fraction(1, 90000)
        for number, seconds in enumerate(time):
            picture = np.full((size[1], size[0], 3), 40 + 10 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(seconds * 90000), Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def a_slowing_clip() -> Clip:
    """A clip of a phone that films at 60 Hz for half a second, then at 20 Hz for a second."""
    time = np.concatenate([np.arange(30) / 60, 0.5 + np.arange(21) / 20])
    rate = str(Fraction(50 / 1.5).limit_denominator(1001))
    clip = Clip.of(a_pose(time), some_frames(time, rate), Path("phone.mp4"), {})
    x, y, z = np.moveaxis(athlete(time), -1, 0)
    the_pose(clip).joint[...] = np.stack([x, -z, y], -1)
    return replace(clip, frames=None)


def awkward_clips() -> dict[str, Clip]:
    """Clips of a person who moves, with what makes formats stumble; true results as well if a folder is named."""
    moving = a_moving_clip()
    far = a_moving_clip()
    far.people[0].pose.joint[...] += (45, -3, 61)
    gaps = a_moving_clip()
    without(the_pose(gaps), 0, 7, 8, 20, 39)
    return {
        "60 fps": moving,
        "59.94 fps": a_moving_clip(rate="60000/1001"),
        "missing frames": gaps,
        "two people": two_people(40, "60000/1001"),
        "beyond 40 m": far,
        "body heights": a_moving_clip(unit="body heights"),
        "joints not seen": _with_unseen_joints(),
        "all views": replace(a_moving_clip(), video=Path("ski run"), variant="multiview"),
        **dict(_results()),
    }


def _with_unseen_joints() -> Clip:
    """A clip with 3D joints that no picture shows: one throughout, a few, and all where a gap was filled."""
    clip = a_moving_clip()
    pose = the_pose(clip)
    pose.keypoint[:, 3] = pose.keypoint[10:20, 12:] = pose.keypoint[25] = np.nan
    pose.confidence[np.isnan(pose.keypoint).any(-1)] = 0
    return clip


def _results() -> Iterator[tuple[str, Clip]]:
    """Clips of the results folder that POSEPIPE_TEST_RESULTS names, by their places in it."""
    folder = os.environ.get("POSEPIPE_TEST_RESULTS")
    for path in sorted(Path(folder).rglob("poses*.npz")) if folder else ():
        if "cache" not in path.parts:
            yield str(path.parent.relative_to(folder) / path.stem), npz.read([path])


def a_moving_clip(frames: int = 40, rate: str = "60", unit: str = "m") -> Clip:
    """A clip of the known scene's athlete, whose bones all differ, in camera axes."""
    clip = a_clip(frames, rate, unit)
    x, y, z = np.moveaxis(athlete(the_pose(clip).time), -1, 0)
    the_pose(clip).joint[...] = np.stack([x, -z, y], -1)
    return clip
