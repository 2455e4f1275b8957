"""Import of keypoint files: 2D poses of several cameras, and true 3D poses, as the stages behind want them."""

from __future__ import annotations

import logging

import numpy as np

from ...models.geometry.lens import COEFFICIENTS
from ...models.skeleton import SKELETONS, Skeleton, mapping_to_h36m17
from ..arrays import Samples, TruePoses
from ..errors import PosepipeError
from ..footage.camera import without_distortion
from ..footage.keypoint_file import KeypointFile, open_keypoints
from ..runtime.cache import SourceFile, stage

log = logging.getLogger("posepipe")


@stage(version=2)
def read_keypoints(
    source: SourceFile, skeleton: str, static_cameras: bool | None, cameras: str, rate_hz: float | None = None
) -> Samples:
    """All samples of a keypoint file, in its order.

    Args:
        skeleton: "h36m17", "h36m17+feet" for its feet as well if it has any, or "native" for the file's own joints.
        static_cameras: True if cameras stay where they are throughout a session (else a take), False if they move,
            None if it is as ``rig`` in the file says; without ``rig`` they count as moving then.
        cameras: which of the arrays K, R and t to read: "", "K" or "KRt".
        rate_hz: instants per second, in the place of the array ``time``.

    Raises:
        PosepipeError: missing or unsuitable arrays.
    """
    with open_keypoints(source.path) as file:
        keypoint, confidence, kind = _poses(file, skeleton)
        samples, views = keypoint.shape[:2]
        take = _labels(file, "take", samples)
        K, R, t = (_camera(file, name, samples, views) if name in cameras else None for name in "KRt")
        if K is not None and "distortion" in file:
            lens = _camera(file, "distortion", samples, views)
            keypoint, confidence = without_distortion(keypoint, confidence, K, lens)
        instant = _instants(file, take)
        return Samples(
            keypoint=keypoint,
            confidence=confidence,
            instant=instant,
            take=take,
            rig=_rigs(file, take, static_cameras),
            K=K,
            R=R,
            t=t,
            skeleton=kind.name,
            takes=_take_names(file, take),
            time=_times(file, take, instant, rate_hz),
        )


@stage(version=1)
def read_true_poses(source: SourceFile, skeleton: str) -> TruePoses:
    """True 3D poses of all samples and views of a keypoint file, in its order.

    Args:
        skeleton: as for ``read_keypoints``.

    Raises:
        PosepipeError: missing or unsuitable arrays.
    """
    with open_keypoints(source.path) as file:
        samples, views, joints, _ = file.array("keypoint", "samples", "views", "joints", 2).shape
        pose = file.array("joint_3d_cam", samples, views, joints, 3).astype(np.float32)
        kind, order = file.joints(joints)
    pose = pose[..., order, :]
    if skeleton != "native":
        mapping = mapping_to_h36m17(kind, SKELETONS[skeleton])
        pose, known = mapping.apply(pose, np.ones(pose.shape[:-1], np.float32))
        kind = mapping.target.shown_by(known)
        pose = kind.pick(pose, mapping.target, -2)
    return TruePoses(joint=pose, skeleton=kind.name, source=source.path.name)


def _poses(file: KeypointFile, wanted: str) -> tuple[np.ndarray, np.ndarray, Skeleton]:
    """Keypoints (S, V, J, 2) and confidences (S, V, J) of a skeleton, 0 where missing."""
    keypoint = file.array("keypoint", "samples", "views", "joints", 2).astype(np.float32)
    found = np.all(np.isfinite(keypoint), -1)
    confidence = found.astype(np.float32)
    if "confidence" in file:
        said = file.array("confidence", *found.shape).astype(np.float32)
        confidence = np.where(np.isnan(said), 1, said) * found  # nobody estimated what somebody placed: it is sure
    if confidence.size and not 0 <= confidence.min() <= confidence.max() <= 1:
        low, high = confidence.min(), confidence.max()
        raise PosepipeError(f"{file.path}: confidence runs from {low:g} to {high:g}; expected 0..1, 0 where missing")
    skeleton, order = file.joints(keypoint.shape[2])
    keypoint = np.where(confidence[..., None] > 0, keypoint, np.nan)[..., order, :]
    confidence = confidence[..., order]
    if wanted != "native":
        mapping = mapping_to_h36m17(skeleton, SKELETONS[wanted])
        keypoint, confidence = mapping.apply(keypoint, confidence)
        skeleton = mapping.target.shown_by(confidence)
        keypoint = skeleton.pick(keypoint, mapping.target, -2)
        confidence = skeleton.pick(confidence, mapping.target, -1)
    return np.where(confidence[..., None] > 0, keypoint, 0).astype(np.float32), confidence, skeleton


def _labels(file: KeypointFile, name: str, samples: int) -> np.ndarray:
    """Labels as numbers 0, 1, ... in the order of the file's (S) int64; all 0 if it has none."""
    if name not in file:
        return np.zeros(samples, np.int64)
    return np.unique(file.array(name, samples), return_inverse=True)[1].astype(np.int64)


def _instants(file: KeypointFile, take: np.ndarray) -> np.ndarray:
    """Each sample's place in its take (S) int64."""
    if "instant" in file:
        return file.array("instant", len(take)).astype(np.int64)
    places = np.zeros(len(take), np.int64)
    for label in np.unique(take):
        places[take == label] = np.arange((take == label).sum())
    return places


def _times(file: KeypointFile, take: np.ndarray, instant: np.ndarray, rate_hz: float | None) -> np.ndarray | None:
    """Time of each sample (S) float64 s, as stated, else as the file says, if it does."""
    if rate_hz is not None:
        return instant / rate_hz
    if "time" not in file:
        return None
    time = file.array("time", len(take)).astype(np.float64)
    for label in np.unique(take):
        here = np.flatnonzero(take == label)
        if not (np.diff(time[here][np.argsort(instant[here], kind="stable")]) > 0).all():
            raise PosepipeError(
                f"{file.path}: the array time does not rise with the instants of a take; "
                "say keypoints.rate_hz instead"
            )
    return time


def _rigs(file: KeypointFile, take: np.ndarray, static_cameras: bool | None) -> np.ndarray:
    """Rig of each sample (S) int64, -1 where cameras move."""
    if static_cameras is False:
        return np.full(len(take), -1, np.int64)
    if "rig" in file:
        return file.array("rig", len(take)).astype(np.int64)
    if static_cameras:
        return _labels(file, "session", len(take)) if "session" in file else take
    log.info(
        "%s does not say whether its cameras move, so they count as moving; "
        "if they stand still, say so with --set samples.static_cameras=true",
        file.path,
    )
    return np.full(len(take), -1, np.int64)


def _camera(file: KeypointFile, name: str, samples: int, views: int) -> np.ndarray:
    """K or R (S, V, 3, 3), t (S, V, 3), or distortion (S, V, 5), float32."""
    inner = {"t": (3,), "distortion": (COEFFICIENTS,)}.get(name, (3, 3))
    given = file.get(name)
    if given is not None and given.ndim == len(inner) + 1:  # cameras that never move
        fixed = file.array(name, views, *inner)
        return np.broadcast_to(fixed.astype(np.float32), (samples, *fixed.shape)).copy()
    return file.array(name, samples, views, *inner).astype(np.float32)


def _take_names(file: KeypointFile, take: np.ndarray) -> list[str]:
    """Names of the takes, by default their numbers."""
    labels = np.unique(file.array("take", len(take))) if "take" in file else np.array([0])
    names = file.get("take_names")
    if names is not None and names.ndim == 1 and labels.size and len(names) > labels.max() and labels.min() >= 0:
        return [str(names[label]) for label in labels]
    return [f"take {label}" for label in labels]
