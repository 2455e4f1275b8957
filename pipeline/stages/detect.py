"""2D detection: who is in each picture, where the joints are, and whether the camera moves."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice

import cv2
import numpy as np

from ...models.body.clothes import colours_worn
from ..arrays import Detections, Frames, Parts
from ..detectors import Detector, People
from ..errors import PosepipeError
from ..footage.video import Reading
from ..runtime.cache import SourceFile, Work, stage
from ..runtime.parts import Part, Task, part_by_part
from ..runtime.progress import Advance
from ..runtime.utilisation import Busy, awaited, measured
from ..settings import DetectSettings

log = logging.getLogger("posepipe")

LOOK_EVERY_S = 0.25
LOOK_WIDTH_PX = 320
MIN_CORNERS = 12


@stage(version=2)
def detect_poses(
    video: SourceFile, frames: Frames, detector: Detector, settings: DetectSettings, *, work: Work
) -> Detections:
    """People in every picture of a video, chunk by chunk; each finished chunk survives a kill.

    This is where a video is decoded, and what the decoder gives is noted: when the pictures were taken, and how many
    are damaged. The detector starts afresh at each chunk, so that a resumed run gives the same bits.

    Raises:
        PosepipeError: no picture can be decoded.
    """
    reading, task = Reading(video, frames), Task(f"detect {video.path.name}", len(frames.time))
    found = _detect_in(reading.pictures(), task, detector, settings, work)
    return replace(found, time=reading.time, damaged=reading.damaged)


@stage(version=2)
def detect_in_parts(
    video: SourceFile, frames: Frames, parts: Parts, detector: Detector, settings: DetectSettings, *, work: Work
) -> Detections:
    """People in the pictures of some parts of a video, as of ``detect_poses``.

    Elsewhere there is nobody, in frames that are hardly decoded and count as they were promised.

    Raises:
        PosepipeError: no picture can be decoded.
    """
    inside = ((parts.time[:, None] >= parts.part[:, 0]) & (parts.time[:, None] <= parts.part[:, 1])).any(1)
    reading, task = Reading(video, frames), Task(f"detect {video.path.name}", int(inside.sum()))
    found = _detect_in(reading.pictures(parts.part.tolist()), task, detector, settings, work)
    others = parts.time[~inside]
    time = np.concatenate([found.time, others])
    order = np.argsort(time, kind="stable")
    place = np.empty(len(time), np.int32)
    place[order] = np.arange(len(time))
    motion = np.concatenate([found.camera_motion, np.full(len(others), np.nan, np.float32)])
    motion = motion[order]
    return replace(found, time=time[order], camera_motion=motion, frame=place[found.frame], damaged=reading.damaged)


def _detect_in(
    frames: Generator[tuple[float, np.ndarray], None, None],
    task: Task,
    detector: Detector,
    settings: DetectSettings,
    work: Work,
) -> Detections:
    """The people in frames (time, picture), chunk by chunk."""
    done = sum(len(part.time) for part in work.parts(Detections))

    def rest(kept: list[Detections], advance: Advance) -> Iterator[Part[Detections]]:
        with closing(frames) as pictures:
            for _ in islice(pictures, done):  # decoded again, because seeking is not exact; that is the cheap part
                advance(1)
            while True:
                chunk = _Chunk(islice(pictures, settings.chunk_frames), advance)
                with measured() as busy:
                    people = [chunk.with_clothes(found, detector) for found in detector.detect(chunk.pictures())]
                if not people:
                    return
                yield _detections(chunk, people, detector), asdict(busy)

    parts = part_by_part(work, Detections, task, rest)
    if not parts:
        raise PosepipeError("none of the pictures to be used can be decoded; is it damaged?")
    found = _joined(parts, detector)
    if len(found.time) > done:
        log.info("%s: %s", task.name.removeprefix("detect "), Busy(**work.seconds_of))
    return found


class _Chunk:
    """Pictures on their way to the detector: notes their times, and small copies for the camera's motion."""

    def __init__(self, pictures: Iterator[tuple[float, np.ndarray]], advance: Advance) -> None:
        self._pictures, self._advance = pictures, advance
        self.times: list[float] = []
        self.looks: list[tuple[int, np.ndarray]] = []  # frame in the chunk, small grey picture
        self.scale = 1.0
        self.colours: list[np.ndarray] = []  # of the people in each picture
        self._waiting: deque[np.ndarray] = deque()  # pictures whose people are not known yet

    def pictures(self) -> Iterator[np.ndarray]:
        for time, picture in awaited(self._pictures):
            if not self.looks or time - self.times[self.looks[-1][0]] >= LOOK_EVERY_S:
                self.scale = LOOK_WIDTH_PX / picture.shape[1]
                small = cv2.resize(picture, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_AREA)
                self.looks.append((len(self.times), cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)))
            self.times.append(time)
            self._waiting.append(picture)
            yield picture
            self._advance(1)

    def with_clothes(self, people: People, detector: Detector) -> People:
        """The people of the next picture, whose clothes are noted."""
        self.colours.append(colours_worn(self._waiting.popleft(), people.keypoint, detector.skeleton))
        return people


def _detections(chunk: _Chunk, people: list[People], detector: Detector) -> Detections:
    motion = np.full(len(people), np.nan, np.float32)
    for (before, grey), (now, next_grey) in zip(chunk.looks, chunk.looks[1:], strict=False):
        shift = background_shift(grey, next_grey, np.concatenate([people[before].box, people[now].box]) * chunk.scale)
        motion[now] = shift / LOOK_WIDTH_PX / (chunk.times[now] - chunk.times[before])
    return Detections(
        time=np.array(chunk.times[: len(people)]),
        camera_motion=motion,
        frame=np.repeat(np.arange(len(people), dtype=np.int32), [len(found.box) for found in people]),
        box=np.concatenate([found.box for found in people]),
        keypoint=np.concatenate([found.keypoint for found in people]),
        confidence=np.concatenate([found.confidence for found in people]),
        skeleton=detector.skeleton.name,
        confidence_kind=detector.confidence_kind,
        detector=detector.description,
        colours=np.concatenate(chunk.colours),
    )


def background_shift(before: np.ndarray, after: np.ndarray, people: np.ndarray) -> float:
    """Median displacement in px of the corners outside people's boxes; NaN where too few can be followed.

    Args:
        before, after: grey pictures (H, W) uint8.
        people: boxes (P, 4) px in which corners do not count.
    """
    mask = np.full(before.shape, 255, np.uint8)
    for left, top, right, bottom in people:
        pad = 0.15 * (bottom - top)
        area = np.array([top - pad, bottom + pad, left - pad, right + pad]).clip(0).astype(int)
        mask[area[0] : area[1], area[2] : area[3]] = 0
    corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 6, mask=mask)
    if corners is None or len(corners) < MIN_CORNERS:
        return float("nan")
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, corners.copy())
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, corners.copy())
    returned = np.linalg.norm(back - corners, axis=-1)[:, 0] < 0.5
    good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & returned
    if good.sum() < MIN_CORNERS:
        return float("nan")
    return float(np.median(np.linalg.norm(moved - corners, axis=-1)[good]))


def _joined(parts: list[Detections], detector: Detector) -> Detections:
    first = np.cumsum([0, *(len(part.time) for part in parts)])
    return Detections(
        time=np.concatenate([part.time for part in parts]),
        camera_motion=np.concatenate([part.camera_motion for part in parts]),
        frame=np.concatenate([part.frame + np.int32(start) for part, start in zip(parts, first, strict=False)]),
        box=np.concatenate([part.box for part in parts]),
        keypoint=np.concatenate([part.keypoint for part in parts]),
        confidence=np.concatenate([part.confidence for part in parts]),
        skeleton=detector.skeleton.name,
        confidence_kind=detector.confidence_kind,
        detector=detector.description,
        colours=np.concatenate([part.colours for part in parts]),
    )
