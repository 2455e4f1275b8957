"""Keypoint files: 2D poses of several cameras as plain arrays in one .npz, for fits without video.

S samples (instants), V views (cameras), J joints. View ``v`` is the same camera throughout a take.

    keypoint     (S, V, J, 2)   px, x right, y down; NaN where missing
    confidence   (S, V, J)      0..1, 0 where missing; without it, what is not NaN counts as sure
    joint_names  (J) str        any order; they must include all joints of a skeleton of ours (``SKELETONS``)
    take         (S) int        optional: which samples belong together in time; all by default
    instant      (S) int        optional: the sample's place in its take; by default they follow each other
    time         (S) float      optional: in s, rising with the instants of a take; else keypoints.rate_hz tells it.
                                Without times sides are not checked, nothing is smoothed or exported
    rig          (S) int        optional: samples of one number were filmed by cameras that did not move between
                                them, -1 by cameras that moved; without it see setting ``samples.static_cameras``
    take_names   (T) str        optional: ``take_names[take]``
    K, R, t      (S, V, 3, 3), (S, V, 3, 3), (S, V, 3)    optional calibration (px, camera from world, m), for
                                methods that need it; without S where cameras never move
    distortion   (S, V, 5)      optional beside K: k1, k2, p1, p2, k3 of the lenses, likewise
    image_size   (V, 2)         optional: width and height in px, where a focal length is to be assumed
                                (K, or this, also serves to estimate where people stand: ``root_trajectory``)

Files for evaluation (``evaluate``), and for the refinement unit (setting ``refine.reference``), also hold

    joint_3d_cam (S, V, J, 3)   m, axes of each camera, relative to the pelvis
    action       (S) str        what is being done

A benchmark's files are read as well, by these names: poses_2d, confidences, sequence_id, frame_index, clip_name,
camera_K, camera_R, camera_t, poses_3d_cam, and subject_id as the session in which static cameras stay where they are.

Training and prediction never open the arrays for evaluation (but for the refinement unit, which is off by default),
and K, distortion, R and t only if the method needs them; what has been lifted is placed in space by K.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as BadStream  # noqa: N812

import numpy as np

from ...models.geometry.lens import COEFFICIENTS
from ...models.skeleton import Skeleton, mapping_to_h36m17, recognise
from ..arrays import Samples, TruePoses
from ..errors import PosepipeError
from ..runtime.cache import SourceFile, stage
from .lenses import without_distortion

log = logging.getLogger("posepipe")

KEYPOINT_SUFFIX = ".npz"
_UNREADABLE = (OSError, ValueError, EOFError, BadZipFile, BadStream)

NAMES: dict[str, tuple[str, ...]] = {
    "keypoint": ("keypoint", "poses_2d"),
    "confidence": ("confidence", "confidences"),
    "take": ("take", "sequence_id"),
    "instant": ("instant", "frame_index"),
    "session": ("subject_id",),
    "take_names": ("take_names", "clip_name"),
    "K": ("K", "camera_K"),
    "R": ("R", "camera_R"),
    "t": ("t", "camera_t"),
    "joint_3d_cam": ("joint_3d_cam", "poses_3d_cam"),
}
"""What arrays are called, ours first."""


class KeypointFile:
    """An open keypoint file; an array is read when it is asked for, by our name."""

    def __init__(self, path: Path, archive: Mapping[str, np.ndarray]) -> None:
        self.path, self._archive = path, archive

    def __contains__(self, name: str) -> bool:
        return any(spelling in self._archive for spelling in NAMES.get(name, (name,)))

    def get(self, name: str) -> np.ndarray | None:
        """An array, or None if the file has none of that name.

        Raises:
            PosepipeError: it is damaged, or not a plain array of numbers or texts.
        """
        for spelling in NAMES.get(name, (name,)):
            if spelling in self._archive:
                try:
                    return self._archive[spelling]
                except _UNREADABLE as error:
                    raise PosepipeError(
                        f"{self.path}: {spelling!r} is damaged, or a pickled object, which is never opened"
                    ) from error
        return None

    def array(self, name: str, *shape: int | str) -> np.ndarray:
        """An array of numbers of this shape; words in it stand for any size.

        Raises:
            PosepipeError: there is none, or its shape is another.
        """
        array = self.get(name)
        wanted = f"{name} ({', '.join(map(str, shape))})"
        if array is None:
            raise PosepipeError(f"{self.path} has no array {wanted}; it holds {', '.join(self._archive)}")
        sizes = [size if isinstance(size, int) else actual for size, actual in zip(shape, array.shape, strict=False)]
        if array.shape != tuple(sizes) or array.ndim != len(shape) or array.dtype.kind not in "fiub":
            raise PosepipeError(f"{self.path}: expected {wanted} of numbers, found {array.dtype} {array.shape}")
        return array

    def joints(self, count: int) -> tuple[Skeleton, np.ndarray]:
        """The skeleton, and where each of its joints stands in the file's arrays.

        Raises:
            PosepipeError: no names, not as many as joints, or none that we know.
        """
        names = self.get("joint_names")
        if names is None or names.shape != (count,):
            found = "none" if names is None else f"{names.size}"
            raise PosepipeError(f"{self.path}: expected joint_names, one for each of {count} joints, found {found}")
        try:
            return recognise([str(name) for name in names])
        except ValueError as error:
            raise PosepipeError(f"{self.path}: {error}") from error


@contextmanager
def open_keypoints(path: Path) -> Iterator[KeypointFile]:
    """Open a keypoint file; nothing in it is executed.

    Raises:
        PosepipeError: missing, or not an .npz file.
    """
    try:
        archive = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except _UNREADABLE as error:
        raise PosepipeError(f"{path} is not an .npz file of plain arrays") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise PosepipeError(f"{path} is a single array; expected an .npz file of named arrays")
    with archive:
        yield KeypointFile(path, archive)


@stage(version=1)
def read_keypoints(
    source: SourceFile, skeleton: str, static_cameras: bool | None, cameras: str, rate_hz: float | None = None
) -> Samples:
    """All samples of a keypoint file, in its order.

    Args:
        skeleton: "h36m17", or "native" for the file's own joints.
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
        skeleton: "h36m17", or "native" for the file's own joints.

    Raises:
        PosepipeError: missing or unsuitable arrays.
    """
    with open_keypoints(source.path) as file:
        samples, views, joints, _ = file.array("keypoint", "samples", "views", "joints", 2).shape
        pose = file.array("joint_3d_cam", samples, views, joints, 3).astype(np.float32)
        kind, order = file.joints(joints)
    pose = pose[..., order, :]
    if skeleton != "native":
        mapping = mapping_to_h36m17(kind)
        (pose, _), kind = mapping.apply(pose, np.ones(pose.shape[:-1], np.float32)), mapping.target
    return TruePoses(joint=pose, skeleton=kind.name, source=source.path.name)


def _poses(file: KeypointFile, wanted: str) -> tuple[np.ndarray, np.ndarray, Skeleton]:
    """Keypoints (S, V, J, 2) and confidences (S, V, J) of a skeleton, 0 where missing."""
    keypoint = file.array("keypoint", "samples", "views", "joints", 2).astype(np.float32)
    found = np.isfinite(keypoint).all(-1)
    confidence = found.astype(np.float32)
    if "confidence" in file:
        confidence = np.nan_to_num(file.array("confidence", *found.shape).astype(np.float32)) * found
    if confidence.size and not 0 <= confidence.min() <= confidence.max() <= 1:
        low, high = confidence.min(), confidence.max()
        raise PosepipeError(f"{file.path}: confidence runs from {low:g} to {high:g}; expected 0..1, 0 where missing")
    skeleton, order = file.joints(keypoint.shape[2])
    keypoint = np.where(confidence[..., None] > 0, keypoint, np.nan)[..., order, :]
    confidence = confidence[..., order]
    if wanted != "native":
        mapping = mapping_to_h36m17(skeleton)
        (keypoint, confidence), skeleton = mapping.apply(keypoint, confidence), mapping.target
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


def is_keypoint_file(path: Path) -> bool:
    """Whether a path names 2D poses rather than videos."""
    return path.suffix.lower() == KEYPOINT_SUFFIX
