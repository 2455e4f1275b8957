"""Reading: 2D poses that were detected elsewhere, in the place of detection."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...models.skeleton import H36M17, SKELETONS, Skeleton, recognise
from ..arrays import POSES_ONLY, Detections, Frames
from ..errors import PosepipeError
from ..footage.joints import declared_mapping
from ..footage.readers import Found, format_of, read
from ..runtime.cache import SourceFile, stage
from ..settings import KeypointSettings, check_name

log = logging.getLogger("posepipe")

WHOLE_BODY = 133
"""Joints of COCO-WholeBody, of which the first 17 are COCO's."""
BY_COUNT = {16: "mpii16", 17: "coco17", 18: "openpose18", 25: "body25", 26: "halpe26", 33: "blazepose33",
            WHOLE_BODY: "coco17"}  # fmt: skip
"""What so many joints without names are taken to be."""


@stage(version=2)
def read_people(source: SourceFile, mirrored: bool, settings: KeypointSettings) -> Detections:
    """The people in a file of 2D poses, as if they had been detected in a video.

    Args:
        mirrored: whether the pictures were mirror images.

    Raises:
        PosepipeError: no such format, a damaged file, joints or a time base that nobody says.
    """
    found = read(source.path)
    time = _times(found, settings)
    keypoint, confidence, skeleton = _on_skeleton(found, settings)
    confidence = np.nan_to_num(confidence).clip(0, 1).astype(np.float32)
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


def _times(found: Found, settings: KeypointSettings) -> np.ndarray:
    """Time of each frame (F) float64 s, as stated, else as the file says."""
    if found.frame.min() < 0:
        raise PosepipeError("it counts frames below 0")
    frames = max(found.frames, int(found.frame.max()) + 1)
    if found.time is not None and settings.rate_hz is None:
        if len(found.time) < frames or not (np.diff(found.time) > 0).all():
            raise PosepipeError("its times do not rise, or are fewer than its frames; say keypoints.rate_hz instead")
        return found.time
    rate = settings.rate_hz or found.rate
    if rate is None:
        raise PosepipeError(
            "it does not say its frames per second: add rate_hz = 60 under [keypoints] in posepipe.toml, "
            "or --set keypoints.rate_hz=60"
        )
    return np.arange(frames) / rate


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
        return keypoint, confidence, H36M17
    if settings.skeleton or not names:
        skeleton = _skeleton_of(count, settings.skeleton)
        order = np.arange(len(skeleton.joints))
    else:
        try:
            skeleton, order = recognise(names)
        except ValueError as error:
            raise PosepipeError(f"{error}; say how h36m17 is made of them under [keypoints.h36m17]") from error
    return found.keypoint[:, order], found.confidence[:, order], skeleton


def _skeleton_of(count: int, stated: str) -> Skeleton:
    """The skeleton that is stated, else the usual one of so many joints."""
    name = stated or BY_COUNT.get(count, "")
    if not name:
        raise PosepipeError(
            f"it has {count} joints and does not say which: say keypoints.skeleton or keypoints.joints"
        )
    check_name("skeleton", name, SKELETONS)
    skeleton = SKELETONS[name]
    if len(skeleton.joints) != count and (count, name) != (WHOLE_BODY, "coco17"):
        raise PosepipeError(f"it has {count} joints, but {name} has {len(skeleton.joints)}")
    if not stated:
        log.info("%d joints without names are taken to be those of %s (keypoints.skeleton)", count, name)
    return skeleton
