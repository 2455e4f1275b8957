"""Crops: square pictures of the athlete, for methods that learn from pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import cv2
import numpy as np

from .arrays import Crops, Pieces, Track
from .cache import SourceFile, Work, stage
from .progress import progress
from .settings import CropSettings
from .video import read_frames


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


def crop_square(image: np.ndarray, box: np.ndarray, size: int, person: float) -> tuple[np.ndarray, np.ndarray]:
    """A square crop (size, size, 3) uint8 RGB round a box, and the affine map (2, 3) float32 from the image to it.

    Args:
        image: (H, W, 3) uint8 BGR.
        box: (4) px: left, top, right, bottom.
        person: share of the crop's side that the larger side of the box takes up.
    """
    side = max(round(float(max(box[2] - box[0], box[3] - box[1])) / person), 2)
    left, top = (round(float(low + high - side) / 2) for low, high in ((box[0], box[2]), (box[1], box[3])))
    window = np.zeros((side, side, 3), np.uint8)
    height, width = image.shape[:2]
    rows, columns = (slice(max(low, 0), max(min(low + side, end), 0)) for low, end in ((top, height), (left, width)))
    inside = image[rows, columns]
    if inside.size:
        down, right = rows.start - top, columns.start - left
        window[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR  # without aliasing where it gets smaller
    crop = cv2.cvtColor(cv2.resize(window, (size, size), interpolation=way), cv2.COLOR_BGR2RGB)
    scale = size / side
    # resize keeps the corners of pixels: x + 1/2 -> scale (x + 1/2 - left).
    shift = [scale * (0.5 - low) - 0.5 for low in (left, top)]
    return crop, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
