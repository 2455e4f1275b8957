"""Crops: square pictures of the athlete, for methods that learn from pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import numpy as np

from ..arrays import Crops, Pieces, Track
from ..footage.video import read_frames
from ..footage.video.cropping import crop_square
from ..runtime.cache import SourceFile, Work, stage
from ..runtime.progress import progress
from ..settings import CropSettings


@stage(version=1)
def crop_people(video: SourceFile, track: Track, settings: CropSettings, *, work: Work) -> Crops:
    """The athlete in every frame that has a box, chunk by chunk; each finished chunk survives a kill.

    The video is decoded once more: pictures are kept only of the athlete, and only if a method needs them.
    """
    shown = np.flatnonzero(np.isfinite(track.box).all(1))
    done = sum(len(part.frame) for part in work.parts(Crops))
    with progress(f"crop {video.path.name}", len(shown)) as advance:
        advance(done)
        crops = _crops(video, track, shown[done:], settings)
        while chunk := list(islice(crops, settings.chunk_frames)):
            pictures, maps, frames = zip(*chunk, strict=True)
            work.keep(Crops(np.stack(pictures), np.stack(maps), np.array(frames, np.int32)))
            advance(len(chunk))
    parts = work.parts(Crops)
    return Crops(
        picture=Pieces([part.picture for part in parts]),
        crop_from_image=np.concatenate([part.crop_from_image for part in parts]),
        frame=np.concatenate([part.frame for part in parts]),
    )


def _crops(
    video: SourceFile, track: Track, shown: np.ndarray, settings: CropSettings
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Picture, map and frame index of each of the frames ``shown``."""
    wanted = iter(shown.tolist())
    following = next(wanted, None)
    with closing(read_frames(video.path)) as pictures:
        for frame, (_, image) in enumerate(pictures):
            if following is None:
                return
            if frame == following:
                yield *crop_square(image, track.box[frame], settings.size_px, settings.person), frame
                following = next(wanted, None)
