"""Crops: square pictures of the athlete, and of labelled people, for methods that learn from pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from ...models.skeleton import H36M17
from ..arrays import Crops, Frames, LabelledPictures, Pieces, Track
from ..errors import PosepipeError
from ..footage.annotations import Person, PictureFolder, read_annotations
from ..footage.video import read_clip
from ..footage.video.cropping import crop_square
from ..runtime.cache import SourceFile, Work, stage
from ..runtime.parts import Part, Task, in_chunks, part_by_part
from ..runtime.progress import Advance
from ..settings import CropSettings


@stage(version=1)
def crop_people(video: SourceFile, frames: Frames, track: Track, settings: CropSettings, *, work: Work) -> Crops:
    """The athlete in every frame that has a box, chunk by chunk; each finished chunk survives a kill.

    The video is decoded once more: pictures are kept only of the athlete, and only if a method needs them.
    """
    shown = np.flatnonzero(np.isfinite(track.box).all(1))

    def rest(kept: list[Crops], advance: Advance) -> Iterator[Part[Crops]]:
        done = sum(len(part.frame) for part in kept)
        advance(done)
        crops = _crops(_numbered(video, frames), track, shown[done:], settings)
        return in_chunks(crops, settings.chunk_frames, _together, advance)

    parts = part_by_part(work, Crops, Task(f"crop {video.path.name}", len(shown)), rest)
    return Crops(
        picture=Pieces([part.picture for part in parts]),
        crop_from_image=np.concatenate([part.crop_from_image for part in parts]),
        frame=np.concatenate([part.frame for part in parts]),
    )


@stage(version=1)
def crop_labelled(
    annotations: SourceFile, pictures: PictureFolder, settings: CropSettings, *, work: Work
) -> LabelledPictures:
    """All labelled people, as crops like those of the athlete; each finished chunk survives a kill.

    Raises:
        PosepipeError: a picture that cannot be read.
    """
    people = sorted(read_annotations(annotations.path), key=lambda person: person.picture)

    def rest(kept: list[LabelledPictures], advance: Advance) -> Iterator[Part[LabelledPictures]]:
        done = sum(len(part.picture) for part in kept)
        advance(done)
        crops = _labelled_crops(people[done:], pictures.path, settings)
        return in_chunks(crops, settings.chunk_frames, _labelled_together, advance)

    parts = part_by_part(work, LabelledPictures, Task("crop labelled people", len(people)), rest)
    return LabelledPictures(
        picture=Pieces([part.picture for part in parts]),
        keypoint=np.concatenate([part.keypoint for part in parts]),
        confidence=np.concatenate([part.confidence for part in parts]),
        skeleton=H36M17.name,
    )


def _together(crops: list[tuple[np.ndarray, np.ndarray, int]]) -> Crops:
    pictures, maps, frames = zip(*crops, strict=True)
    return Crops(np.stack(pictures), np.stack(maps), np.array(frames, np.int32))


def _labelled_together(crops: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> LabelledPictures:
    picture, keypoint, confidence = (np.stack(part) for part in zip(*crops, strict=True))
    return LabelledPictures(picture, keypoint, confidence, H36M17.name)


def _numbered(video: SourceFile, frames: Frames) -> Generator[tuple[int, np.ndarray], None, None]:
    """The index of each frame and its picture."""
    with closing(read_clip(video, frames)) as pictures:
        yield from ((int(np.abs(frames.time - time).argmin()), image) for time, image in pictures)


def _crops(
    frames: Generator[tuple[int, np.ndarray], None, None], track: Track, shown: np.ndarray, settings: CropSettings
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Picture, map and frame index of each of the frames ``shown``."""
    wanted = iter(shown.tolist())
    following = next(wanted, None)
    with closing(frames) as pictures:
        for frame, image in pictures:
            if following is None:
                return
            if frame == following:
                yield *crop_square(image, track.box[frame], settings.size_px, settings.person), frame
                following = next(wanted, None)


def _labelled_crops(
    people: list[Person], folder: Path, settings: CropSettings
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Crop, joints in it and their confidences, person by person; each picture is read once."""
    for name, group in groupby(people, key=lambda person: person.picture):
        image = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
        if image is None:
            raise PosepipeError(f"{folder / name} cannot be read as a picture")
        for person in group:
            crop, crop_from_image = crop_square(image, person.box, settings.size_px, settings.person)
            keypoint = person.keypoint @ crop_from_image[:, :2].T + crop_from_image[:, 2]
            yield crop, keypoint.astype(np.float32), person.confidence
