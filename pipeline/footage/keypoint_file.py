"""Keypoint files: 2D poses of several cameras as plain arrays in one .npz, for fits without video.

S samples (instants), V views (cameras), J joints. View ``v`` is the same camera throughout a take.

    keypoint     (S, V, J, 2)   px, x right, y down; NaN where missing
    confidence   (S, V, J)      0..1, 0 where missing; without it, or where it is NaN, a joint counts as sure
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

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as BadStream  # noqa: N812

import numpy as np

from ...models.skeleton import Skeleton, recognise
from ..errors import PosepipeError

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
        """An array (...) of any shape, or None if the file has none of that name.

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
        """An array (...) of numbers; ``shape`` is checked, where names stand for any size.

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
        """The skeleton, and the index (J) of each of its joints in the file's arrays.

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


def is_keypoint_file(path: Path) -> bool:
    """Whether a path names 2D poses rather than videos."""
    return path.suffix.lower() == KEYPOINT_SUFFIX
