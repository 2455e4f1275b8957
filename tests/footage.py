"""Small footage of the known scene, and a detector that reads it exactly.

Every picture carries the number of its camera and instant as blocks of black and white, before a background of
random blocks that a still camera leaves where it is. ``FakeDetector`` reads the number and answers with the
joints that the scene has there, so that everything behind detection works on poses that are known.
Method "sure" trains on them in a few steps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from known_scene import Array, Cameras, cameras, people
from posepipe.models import METHODS
from posepipe.models.method import Prediction, View
from posepipe.models.methods.canonpose import CanonPose
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Detections, Frames, Track
from posepipe.pipeline.detectors import People
from posepipe.pipeline.footage.video import FOCAL_35MM, Reading, as_decoded, probe_clip, write_video
from posepipe.pipeline.runtime.cache import SourceFile

METHODS["sure"] = "footage:SurePose"

SHORT, LONG = 128, 160
"""Sides of the pictures in px: the first and third camera stand upright, the others lie."""
RATE = 25
CAMERAS, INSTANTS = 4, 1000
_BITS, _BLOCK = 14, 8  # two marks, two bits of camera, ten of instant, in blocks of 8 px
_KEY_POSES, _KEY_POSES_PER_S = 100, 2


def decoded(source: Path | SourceFile) -> tuple[Frames, list[np.ndarray]]:
    """The frames of a clip and its pictures, as of its first reading."""
    video = SourceFile(source, "") if isinstance(source, Path) else source
    frames = probe_clip(video)
    reading = Reading(video, frames)
    pictures = [picture for _, picture in reading.pictures()]
    return as_decoded(frames, reading.time, reading.damaged), pictures


def picture_size(camera: int) -> tuple[int, int]:
    """Width and height (px) of a camera's pictures."""
    return (LONG, SHORT) if camera % 2 else (SHORT, LONG)


def scene_cameras(count: int = CAMERAS) -> Cameras:
    """Cameras around the athlete, which look at the athlete with the middle of their pictures."""
    around = cameras(count, seed=3)
    K = around.K * np.array([SHORT / 1000, SHORT / 1000, 1.0])[:, None]
    K[:, :2, 2] = [[side / 2 for side in picture_size(camera)] for camera in range(count)]
    return replace(around, K=K)


def athlete(time: Array, seed: int = 0) -> Array:
    """A person (T, 17, 3) who moves smoothly through random poses and turns slowly, in metres, for 49 s."""
    time = np.asarray(time, float)
    step = time * _KEY_POSES_PER_S
    low = np.floor(step).astype(int)
    poses = people(_KEY_POSES, seed, turn=False)
    share = (0.5 - 0.5 * np.cos(np.pi * (step - low)))[:, None, None]
    pose = (1 - share) * poses[low] + share * poses[low + 1]
    turn = 0.8 * time
    zero, one = np.zeros_like(turn), np.ones_like(turn)
    rows = [np.cos(turn), -np.sin(turn), zero, np.sin(turn), np.cos(turn), zero, zero, zero, one]
    return np.einsum("tij,tnj->tni", np.stack(rows, -1).reshape(-1, 3, 3), pose)


_SEEN = scene_cameras().project(athlete(np.arange(INSTANTS) / RATE)).astype(np.float32)  # (T, V, 17, 2)
_BACKGROUNDS = [
    cv2.resize(
        np.random.default_rng(camera).integers(60, 200, (16, 16, 3), np.uint8), picture_size(camera), None, 0, 0, 0
    )
    for camera in range(CAMERAS)
]


def seen(camera: int, instants: Sequence[int] | np.ndarray) -> np.ndarray:
    """What the fake detector answers (F, 17, 2) px for a camera at instants of 1 / RATE."""
    return _SEEN[np.asarray(instants), camera]


def picture(camera: int, instant: int) -> np.ndarray:
    """The picture (height, width, 3) that shows the athlete to a camera at an instant."""
    drawn = _BACKGROUNDS[camera].copy()
    number = 0b10 << (_BITS - 2) | camera << 10 | instant
    bits = [number >> place & 1 for place in reversed(range(_BITS))]
    drawn[:_BLOCK, : _BITS * _BLOCK] = np.repeat(np.array(bits, np.uint8) * 255, _BLOCK)[None, :, None]
    return drawn


def empty_picture(camera: int = 0) -> np.ndarray:
    """A picture without anybody."""
    return _BACKGROUNDS[camera].copy()


def film(path: Path, camera: int, instants: Iterable[int], rate: Fraction | int = RATE) -> Path:
    """A video of these instants."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, Fraction(rate), (picture(camera, instant) for instant in instants))
    return path


def tag_focal(path: Path, said: str) -> None:
    """Write a focal length into a video's metadata, as phones do."""
    whole = path.with_name(f"whole_{path.name}")
    path.replace(whole)
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        made.metadata[FOCAL_35MM] = said
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)


def film_nobody(path: Path, frames: int = RATE) -> Path:
    """A video without anybody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, Fraction(RATE), (empty_picture() for _ in range(frames)))
    return path


def film_take(folder: Path, count: int = 3, instants: Iterable[int] = range(40)) -> Path:
    """A take ``cam0.mp4`` ... of the same instants."""
    frames = list(instants)
    for camera in range(count):
        film(folder / f"cam{camera}.mp4", camera, frames)
    return folder


def detected(path: Path, camera: int, instants: Iterable[int] = range(40), nobody: Collection[int] = ()) -> Path:
    """What a camera saw at these instants as MMPose's Inferencer writes it; at some of them nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [
        {
            "frame_id": frame,
            "instances": []
            if instant in nobody
            else [{"keypoints": seen(camera, [instant])[0].tolist(), "keypoint_scores": [0.9] * 17}],
        }
        for frame, instant in enumerate(instants)
    ]
    path.write_text(json.dumps(frames))
    return path


def detected_take(
    folder: Path, count: int = 3, instants: Iterable[int] = range(40), nobody: Collection[int] = ()
) -> Path:
    """A take ``cam0.json`` ... of still cameras, and what has to be said of it."""
    for camera in range(count):
        detected(folder / f"cam{camera}.json", camera, list(instants), nobody)
    (folder / "posepipe.toml").write_text(f'moving = false\n[keypoints]\nrate_hz = {RATE}\nskeleton = "h36m17"\n')
    return folder


class FakeDetector:
    """Finds the athlete of ``picture`` exactly; ``looked_at`` counts pictures, and is not part of the answer."""

    skeleton = H36M17
    confidence_kind = "certainty"
    description = "fake detector"
    key = hashlib.sha256(b"fake detector").hexdigest()

    def __init__(self) -> None:
        self.looked_at = 0

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """The athlete where the picture says so, else nobody."""
        for image in images:
            self.looked_at += 1
            yield self._read(image)

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether each picture shows the athlete."""
        return (len(people.box) > 0 for people in self.detect(images))

    def _read(self, image: np.ndarray) -> People:
        number = self.number(image)
        if number is None:
            return people_at(np.zeros((0, len(H36M17.joints), 2), np.float32))
        camera, instant = number
        return people_at(seen(camera, [instant]))

    @staticmethod
    def number(image: np.ndarray) -> tuple[int, int] | None:
        """Camera and instant that a picture shows, in a mirror as well; None if it shows nobody."""
        middle = _BLOCK // 2
        row = image[middle - 1 : middle + 2].mean((0, 2))
        for line in (row, row[::-1]):
            values = line[middle : _BITS * _BLOCK : _BLOCK]
            bits = values > 128
            if len(values) == _BITS and np.abs(values - 128).min() >= 40 and bits[0] and not bits[1]:
                number = int("".join("1" if bit else "0" for bit in bits[2:]), 2)
                return number >> 10, number & 0b1111111111
        return None


class SurePose(CanonPose):
    """CanonPose for trainings of a few steps: sure of its handedness, which takes longer to learn."""

    def predict(self, view: View) -> Prediction:
        """What CanonPose predicts, with another parity."""
        predicted = super().predict(view)
        return replace(predicted, parity=torch.ones_like(predicted.parity))


def people_at(keypoint: np.ndarray, confidence: float = 0.9) -> People:
    """People (P, J, 2) with boxes around their joints."""
    low, high = keypoint.min(1, initial=np.inf), keypoint.max(1, initial=-np.inf)
    box = np.concatenate([low, high], -1).reshape(-1, 4).astype(np.float32)
    return People(box, keypoint, np.full(keypoint.shape[:2], confidence, np.float32))


def a_track(keypoint: np.ndarray, time: np.ndarray, skeleton: str = "h36m17", moves: bool | None = False) -> Track:
    """A track of joints (F, J, 2); NaN is missing."""
    keypoint = np.asarray(keypoint, np.float32)
    return Track(
        time=np.asarray(time, float),
        keypoint=keypoint,
        confidence=np.where(np.isnan(keypoint).any(-1), 0, 0.9).astype(np.float32),
        box=np.zeros((len(time), 4), np.float32),
        skeleton=skeleton,
        camera_moves=moves,
        dropped=0,
    )


def found_people(pictures: Sequence[np.ndarray], time: np.ndarray, moves: float = 0.0) -> Detections:
    """Detections of people: joints (P, J, 2) for each picture."""
    found = [people_at(np.asarray(joints, np.float32)) for joints in pictures]
    return Detections(
        time=np.asarray(time, float),
        camera_motion=np.full(len(time), moves, np.float32),
        frame=np.repeat(np.arange(len(found), dtype=np.int32), [len(people.box) for people in found]),
        box=np.concatenate([people.box for people in found]),
        keypoint=np.concatenate([people.keypoint for people in found]),
        confidence=np.concatenate([people.confidence for people in found]),
        skeleton="h36m17",
        confidence_kind="certainty",
        detector="by hand",
    )


def some_frames(time: np.ndarray) -> Frames:
    """What a video with these timestamps says of itself."""
    return Frames(
        time=np.asarray(time, float),
        image_size=np.array(picture_size(0), np.int32),
        audio_envelope=None,
        rate=str(RATE),
        codec="h264",
        rotation=0,
        missing_s=0.0,
    )
