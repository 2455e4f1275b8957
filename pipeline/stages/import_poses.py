"""Reading: 2D poses that were detected elsewhere, in the place of detection."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton, recognise
from ..arrays import POSES_ONLY, Detections, Frames
from ..errors import PosepipeError
from ..footage.joints import declared_mapping, skeleton_of
from ..footage.readers import Found, format_of, read
from ..runtime.cache import SourceFile, stage
from ..settings import KeypointSettings

log = logging.getLogger("posepipe")

MOST_FRAMES = 10_000_000
"""Of a clip: a day at 100 Hz."""
LONG_CLIP, SPARSE = 100_000, 1000
"""A longer clip that shows somebody in fewer than one of so many frames has a wrong number in it."""
FASTEST_HZ = 10_000.0
"""No camera that films people is faster."""
SLOWEST_STEP_S = 2.0
"""Longer steps between frames are no seconds."""
UNITS = {"ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
"""Units of time in s, of which the first counts in which frames follow each other within a second."""
SMALLEST_PX = 3.0
LARGEST_PX = 1e6
"""Coordinates of people that are all smaller, or one of which is larger, are no pixels."""
LEFT_OF_UNIT = -0.25
"""Shares of the picture less than this are none: people are not so far outside of it."""


@stage(version=3)
def read_people(source: SourceFile, mirrored: bool, settings: KeypointSettings) -> Detections:
    """The people in a file of 2D poses, as if they had been detected in a video.

    Args:
        mirrored: whether the pictures were mirror images.

    Raises:
        PosepipeError: no such format, a damaged file, joints, a time base or a unit that nobody says.
    """
    found = _in_pixels(_sure_where_not_estimated(read(source.path)), settings)
    time = _times(found, settings)
    keypoint, confidence, skeleton = _on_skeleton(found, settings)
    confidence = confidence.clip(0, 1).astype(np.float32)
    missing = ~np.isfinite(keypoint).all(-1) | (confidence <= 0)
    keypoint = np.where(missing[..., None], np.nan, keypoint).astype(np.float32)
    confidence[missing] = 0
    keep = np.flatnonzero(~missing.all(1))
    keep = keep[np.argsort(found.frame[keep], kind="stable")]
    if len(keep) == 0:
        raise PosepipeError(f"{source.path} holds nobody in any frame")
    people = Detections(
        time=time,
        camera_motion=np.full(len(time), np.nan, np.float32),
        frame=found.frame[keep].astype(np.int32),
        box=np.concatenate([np.nanmin(keypoint[keep], 1), np.nanmax(keypoint[keep], 1)], 1),
        keypoint=keypoint[keep],
        confidence=confidence[keep],
        skeleton=skeleton.name,
        confidence_kind="as in the file",
        detector=f"{format_of(source.path)} file",
    )
    if not mirrored:
        return people
    return _mirrored(
        people, np.ceil(people.box[:, 2].max()) if settings.image_size_px is None else settings.image_size_px[0]
    )


@stage(version=2)
def frames_of(found: Detections, settings: KeypointSettings) -> Frames:
    """Timestamps of the frames of 2D poses; the pictures' size as stated, else as large as the poses reach."""
    steps = np.diff(found.time)
    period = float(np.median(steps)) if len(steps) else 1.0
    reach = np.ceil(found.box[:, 2:].max(0)).astype(np.int32)
    return Frames(
        time=np.array(found.time),
        image_size=reach if settings.image_size_px is None else np.array(settings.image_size_px, np.int32),
        audio_envelope=None,
        rate=str(Fraction(1 / period).limit_denominator(1001)),
        codec=POSES_ONLY,
        rotation=0,
        missing_s=0.0,
    )


def _mirrored(found: Detections, width: float) -> Detections:
    """2D poses that were detected in the mirror image of pictures of a width (px), as they are in the pictures."""
    mirror, across = SKELETONS[found.skeleton].mirror, np.float32(width - 1)
    keypoint, box = np.array(found.keypoint[:, mirror]), np.array(found.box)
    keypoint[..., 0] = across - keypoint[..., 0]
    box[:, [0, 2]] = across - box[:, [2, 0]]
    return replace(found, keypoint=keypoint, confidence=np.array(found.confidence[:, mirror]), box=box)


def _sure_where_not_estimated(found: Found) -> Found:
    """The same poses, where a joint that somebody placed and nobody estimated (NaN) is sure.

    Trackers without scores write NaN, and so do people who correct a joint by hand.
    """
    placed = np.isfinite(found.keypoint).all(-1)
    return replace(found, confidence=np.where(np.isnan(found.confidence), placed, found.confidence))


def _in_pixels(found: Found, settings: KeypointSettings) -> Found:
    """The same poses in pixels, if their coordinates are shares of the picture's width and height.

    Raises:
        PosepipeError: no pixels, where it is not certain how to make such of them.
    """
    known = found.keypoint[np.isfinite(found.keypoint).all(-1) & (found.confidence > 0)]
    if not len(known) or SMALLEST_PX <= np.abs(known).max() <= LARGEST_PX:
        return found
    span = f"from {known.min():.2g} to {known.max():.2g}"
    if known.min() < LEFT_OF_UNIT or known.max() > SMALLEST_PX:
        raise PosepipeError(f"its coordinates go {span}, which are no pixels; save them in pixels")
    if settings.image_size_px is None:
        raise PosepipeError(
            f"its coordinates go {span}, shares of the picture and no pixels: say how large the pictures are, "
            "image_size_px = [1920, 1080] under [keypoints] in posepipe.toml, or --set keypoints.image_size_px=..."
        )
    width, height = settings.image_size_px
    log.warning("coordinates %s are shares of the picture; brought to pixels of %dx%d", span, width, height)
    return replace(found, keypoint=found.keypoint * np.array([width, height], float))


def _times(found: Found, settings: KeypointSettings) -> np.ndarray:
    """Time of each frame (F) float64 s, as stated, else as the file says."""
    if found.frame.min() < 0:
        raise PosepipeError("it counts frames below 0")
    frames = max(found.frames, int(found.frame.max()) + 1)
    if frames > MOST_FRAMES or frames > LONG_CLIP + SPARSE * len(found.frame):
        raise PosepipeError(f"it has a frame of number {frames - 1}, which is that of no clip")
    if found.time is not None and settings.rate_hz is None:
        if len(found.time) < frames or not (np.diff(found.time) > 0).all():
            raise PosepipeError("its times do not rise, or are fewer than its frames; say keypoints.rate_hz instead")
        return _in_seconds(found.time)
    rate = settings.rate_hz or found.rate
    if rate is None:
        raise PosepipeError(
            "it does not say its frames per second: add rate_hz = 60 under [keypoints] in posepipe.toml, "
            "or --set keypoints.rate_hz=60"
        )
    if not 0 < rate <= FASTEST_HZ:
        raise PosepipeError(f"its rate is {rate:g} frames per second, which cannot be; say keypoints.rate_hz instead")
    return np.arange(frames) / rate


def _in_seconds(time: np.ndarray) -> np.ndarray:
    """Times (F) in s, which the file may have in another unit.

    Raises:
        PosepipeError: times of no unit, or numbers of frames.
    """
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    if len(time) > 2 and (np.diff(time) == 1).all():
        raise PosepipeError("its times count frames; say how many there are per second with keypoints.rate_hz")
    if step <= SLOWEST_STEP_S:
        return time
    for unit, seconds in UNITS.items():
        if step * seconds <= 1:
            log.warning("times with steps of %.4g are in %s; brought to seconds", step, unit)
            return time * seconds
    raise PosepipeError(f"its times have steps of {step:.4g}, which are no seconds; say keypoints.rate_hz instead")


def _on_skeleton(found: Found, settings: KeypointSettings) -> tuple[np.ndarray, np.ndarray, Skeleton]:
    """Keypoints (P, J, 2) and confidences (P, J) on a skeleton of ours."""
    count, names = found.keypoint.shape[1], tuple(settings.joints) or found.joints
    if names and len(names) != count:
        raise PosepipeError(f"it has {count} joints, but {len(names)} names of joints were given")
    if settings.h36m17:
        if not names:
            raise PosepipeError("keypoints.h36m17 needs names of the joints: say keypoints.joints")
        mapping = declared_mapping(names, settings.h36m17, "keypoints")
        keypoint, confidence = mapping.apply(found.keypoint, found.confidence)
        return keypoint, confidence, mapping.target
    if settings.skeleton or not names:
        skeleton = skeleton_of(found.keypoint, found.confidence, settings.skeleton)
        order = np.arange(len(skeleton.joints))
    else:
        try:
            skeleton, order = recognise(names)
        except ValueError as error:
            raise PosepipeError(f"{error}; say how h36m17 is made of them under [keypoints.h36m17]") from error
    return found.keypoint[:, order], found.confidence[:, order], skeleton
