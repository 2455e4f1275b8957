"""A clip's frames fitted together: lifted poses that agree with each other and with the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...models.blocks import frame_blocks
from ...models.body.body import body_size
from ...models.geometry.epipolar import normalise_by_intrinsics
from ...models.multiview.near_camera import rotation_by
from ...models.multiview.one_view import adjust_clip as adjust_poses
from ...models.multiview.one_view_window import NEAREST, Lifted
from ...models.multiview.start import body_of
from ...models.skeleton import SKELETONS
from ..arrays import Pose3D, Samples, ViewPoses
from ..footage.camera import Camera
from ..runtime.cache import stage

EXPECTED, LEAST_EXPECTED = 0.03, 0.005
"""Expected error of a joint in statures where the method tells none, and the least that it is taken to be."""
SOME_FRAMES = 1000
"""Enough to tell how tall somebody is."""

_CHANGED = ("joint", "canonical", "camera_from_canonical", "root_trajectory")
"""Arrays that the fit changes."""

LARGE_TURN_DEG = 25.0
"""Networks are seldom further off; a wrong principal point or focal length turns poses as well (*measured* on drawn
people: a principal point 0.3 or 1.0 focal lengths off turned them by 15 and 39 degrees, away from the truth)."""

Rays = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Gives 2D poses (N, J, 2) on the image plane at depth 1, and their confidences (N, J), by the numbers of frames."""


@stage(version=2)
def adjust_clip(pose: Pose3D, camera: Camera) -> Pose3D:
    """The poses of a clip and where their root is, made consistent with each other and with the 2D poses.

    Found together (``models.multiview.one_view``): a rotation of all poses, the lengths of bones, the root of every
    frame, and small displacements of the joints. Frames without a pose stay without one; where no frame tells where
    the root is, all stay as lifted.

    Args:
        pose: with the root trajectory of ``place_root``.
        camera: with K, and perhaps a lens.

    Raises:
        ValueError: a camera without K, or poses without places.
    """
    K = camera.K
    if K is None:
        raise ValueError("to fit a clip takes K")

    def rays(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keypoint, confidence = np.asarray(pose.keypoint[frames]), np.asarray(pose.confidence[frames])
        keypoint, confidence = camera.without_distortion(keypoint, confidence)
        return normalise_by_intrinsics(keypoint.astype(np.float64), K), confidence

    return _adjusted(pose, rays)


@stage(version=2)
def adjust_views(pose: ViewPoses, samples: Samples) -> ViewPoses:
    """``adjust_clip`` for every view of every take of a keypoint file that says its times.

    Args:
        samples: the lifted samples, undistorted, with K.

    Raises:
        ValueError: samples without K or times, or poses without places.
    """
    if samples.K is None or pose.time is None:
        raise ValueError("to fit clips takes K and times")
    K, time = samples.K, pose.time
    made = _nothing_left(pose.confidence.shape[:2])
    made |= {name: np.array(getattr(pose, name)) for name in _CHANGED}
    for take in np.unique(pose.take):
        members = np.flatnonzero(pose.take == take)
        members = members[np.argsort(time[members], kind="stable")]
        for view in range(pose.confidence.shape[1]):
            keypoint, confidence = samples.keypoint[members, view], samples.confidence[members, view]
            point = normalise_by_intrinsics(keypoint.astype(np.float64), K[members, view].astype(np.float64))
            adjusted = _adjusted(pose.of_view(members, view, keypoint), partial(_rows, point, confidence))
            if adjusted.turn is not None:
                for name, array in made.items():
                    array[members, view] = getattr(adjusted, name)
    return replace(pose, **made)


def _rows(point: np.ndarray, confidence: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those rows (N) of 2D poses (F, J, 2) and their confidences (F, J)."""
    return point[rows], confidence[rows]


class LeftOver(NamedTuple):
    """What the fit of a clip had to do, and leaves over: the less, the more the poses can be trusted."""

    lifted: float
    """Median distance of the images of the lifted joints from the 2D poses, in % of the person's height."""
    worst_second: float
    """The same in the second of the clip in which it is largest."""
    fitted: float
    """The same of the fitted joints, over the whole clip."""
    bones: float
    """Median departure of the lifted poses' bones from the lengths that they have in the clip, in % of these."""
    turn_deg: float
    """Median rotation from the lifted poses."""


def left_over(pose: Pose3D) -> LeftOver | None:
    """What the fit left over; None of poses that were not fitted together."""
    if pose.turn is None or pose.reprojection_lifted is None:
        return None
    there = np.isfinite(pose.reprojection_lifted)
    if not there.any():
        return None
    share, second = pose.reprojection_lifted[there], np.floor(pose.time[there] - pose.time[0])
    seconds = np.split(share, np.flatnonzero(np.diff(second)) + 1)
    return LeftOver(
        lifted=100 * float(np.median(share)),
        worst_second=100 * max(float(np.median(one)) for one in seconds),
        fitted=100 * float(np.nanmedian(np.asarray(pose.reprojection))),
        bones=100 * float(np.nanmedian(np.asarray(pose.bone_departure))),
        turn_deg=float(np.degrees(np.nanmedian(np.linalg.norm(pose.turn, axis=-1)))),
    )


def describe_fit(pose: Pose3D) -> list[str]:
    """What was done, in a sentence, if anything was."""
    left = left_over(pose)
    if left is None:
        return []
    doubt = "; so large a turn may come from a wrong focal length, or from pictures that were cropped"
    return [
        f"all frames fitted together: poses turned by {left.turn_deg:.1f} degrees; off their 2D poses by "
        f"{left.fitted:.1f} % of the height ({left.lifted:.1f} % as lifted; {left.worst_second:.1f} % in the worst "
        f"second){doubt if left.turn_deg > LARGE_TURN_DEG else ''}"
    ]


def _adjusted(pose: Pose3D, rays: Rays) -> Pose3D:
    """The poses of a clip fitted together."""
    if pose.root_trajectory is None:
        raise ValueError("to fit a clip takes places of the root")
    skeleton = SKELETONS[pose.skeleton]
    shown = np.flatnonzero(np.isfinite(pose.joint).all(2).any(1))
    if not len(shown):
        return pose
    size = _stature(pose, shown)
    root = np.asarray(pose.root_trajectory[shown], np.float64) / size
    told = np.isfinite(root).all(1) & (root[:, 2] > NEAREST)
    if not told.any():
        return pose
    time = np.asarray(pose.time)[shown]
    root = np.stack([np.interp(time, time[told], axis[told]) for axis in root.T], -1)

    def read(rows: np.ndarray) -> Lifted:
        joint = np.asarray(pose.joint[shown[rows]], np.float64) / size
        there = np.all(np.isfinite(joint), -1)
        point, confidence = rays(shown[rows])
        seen = there & (confidence > 0) & np.isfinite(point).all(-1)
        expected = np.full(there.shape, EXPECTED)
        if pose.expected_error is not None:
            told_error = np.asarray(pose.expected_error[shown[rows]], np.float64) / size
            expected = np.where(np.isfinite(told_error), np.maximum(told_error, LEAST_EXPECTED), EXPECTED)
        return Lifted(
            joint=np.where(there[..., None], joint, 0),
            expected=np.where(there, expected, np.inf),
            point=np.where(seen[..., None], point, 0),
            confidence=np.where(seen, confidence, 0.0),
            root=root[rows],
            time=time[rows],
        )

    body = body_of(skeleton)
    fit = adjust_poses(time, read, body)
    made = _nothing_left(pose.confidence.shape[:1])
    made["turn"][shown] = fit.turn
    made |= {name: np.array(getattr(pose, name)) for name in _CHANGED}
    for rows in frame_blocks(0, len(shown)):
        frames, lifted = shown[rows], read(np.arange(rows.start, rows.stop))
        missing = np.isnan(pose.joint[frames])
        made["joint"][frames] = np.where(missing, np.nan, size * fit.joint[rows])
        made["root_trajectory"][frames] = size * fit.root[rows]
        turned = rotation_by(fit.turn[rows].astype(np.float64)) @ pose.camera_from_canonical[frames]
        made["camera_from_canonical"][frames] = turned
        made["canonical"][frames] = made["joint"][frames] @ turned
        made["reprojection"][frames] = _off(fit.joint[rows], fit.root[rows], lifted)
        made["reprojection_lifted"][frames] = _off(lifted.joint, lifted.root, lifted)
        made["bone_departure"][frames] = _bones_off(lifted, body.bones, fit.length[body.kind])
    return replace(pose, **made)


def _nothing_left(shape: tuple[int, ...]) -> dict[str, Any]:
    """Arrays (*shape, ...) for what a fit leaves over, NaN still, by the names of fields."""
    of: dict[str, tuple[int, ...]] = {
        "turn": (3,),
        "reprojection": (),
        "reprojection_lifted": (),
        "bone_departure": (),
    }
    return {name: np.full((*shape, *rest), np.nan, np.float32) for name, rest in of.items()}


def _stature(pose: Pose3D, shown: np.ndarray) -> float:
    """The person's stature, in the unit of the poses."""
    some = shown[np.linspace(0, len(shown) - 1, min(len(shown), SOME_FRAMES)).astype(int)]
    size = body_size(np.asarray(pose.joint[some], np.float64), SKELETONS[pose.skeleton])
    return float(np.nanmedian(size)) if np.isfinite(size).any() else 1.0


def _off(joint: np.ndarray, root: np.ndarray, lifted: Lifted) -> np.ndarray:
    """Median distance (N) of the images of joints from the 2D poses, in statures at the depth of the root."""
    place = joint + root[:, None]
    depth = np.maximum(place[..., 2:], NEAREST)
    off = np.linalg.norm(place[..., :2] / depth - lifted.point, axis=-1) * root[:, 2:]
    return _median(off, lifted.confidence > 0)


def _bones_off(lifted: Lifted, bones: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Median departure (N) of bones from their lengths (bone), as a share of these."""
    along = lifted.joint[:, bones[:, 0]] - lifted.joint[:, bones[:, 1]]
    off = np.abs(np.linalg.norm(along, axis=-1) / length - 1)
    return _median(off, np.all(np.isfinite(lifted.expected)[:, bones], -1))


def _median(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Medians (N) of values (N, C) that are there (N, C); NaN of none."""
    some = there.any(1)
    medians = np.full(len(values), np.nan)
    medians[some] = np.nanmedian(np.where(there, values, np.nan)[some], 1)
    return medians
