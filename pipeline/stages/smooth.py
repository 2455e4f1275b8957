"""From single poses to motion: outliers removed, short gaps filled, trajectories smoothed; raw poses are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from scipy.interpolate import PchipInterpolator

from ...models.body.body import body_size
from ...models.body.smoothing import SMOOTHERS, outliers
from ...models.skeleton import SKELETONS
from ..arrays import Pose3D, ViewPoses
from ..runtime.cache import stage
from ..settings import MotionSettings

SHORTEST_S = 0.1
"""Shorter runs of poses are not smoothed, as their noise cannot be estimated."""
OUTLIER_WINDOW_S = 0.1
"""With a longer window, turning points of fast movement would be outliers."""
OUTLIER_FLOOR = 0.04
"""Smallest distance of an outlier from its neighbours, in body heights."""


SURE = 0.5
"""Share of a joint's median expected error below which its weight does not grow."""


Poses = TypeVar("Poses", Pose3D, ViewPoses)


@stage(version=5)
def make_motion(pose: Pose3D, settings: MotionSettings) -> Pose3D:
    """The poses of a clip as a motion: ``joint`` and ``canonical`` (F, J, 3) filtered, ``joint_raw`` as given.

    ``filled`` marks joints that were missing, or rejected as outliers, and were interpolated over at most
    ``max_gap_s``; longer gaps stay NaN. ``steps`` lists the processing, with numbers. A root trajectory is treated
    like a joint. With the filter "none" all poses stay as they are.
    """
    if settings.filter == "none":
        return unfiltered(pose)
    given, pose = pose, pose.without_missing_feet
    there = pose.there
    size = float(np.median(body_size(np.asarray(pose.joint)[there], SKELETONS[pose.skeleton]))) if there.any() else 0
    joint, rejected, filled, smoothed = _moving(pose, pose.joint, _weight(pose), size, settings)
    if pose.root_trajectory is not None:
        sure = pose.confidence.mean(1, keepdims=True)
        root, *_ = _moving(pose, pose.root_trajectory[:, None], sure, size, settings)
        pose = replace(pose, root_trajectory=root[:, 0], root_trajectory_raw=pose.root_trajectory)
    motion = replace(
        pose,
        joint=joint,
        joint_raw=pose.joint,
        canonical=joint @ pose.camera_from_canonical,
        filled=filled,
        steps=_steps(settings, there, rejected, filled, smoothed, replace(pose, joint=joint)),
    )
    return replace(motion.on(given.skeleton), keypoint=given.keypoint, confidence=given.confidence)


@stage(version=2)
def make_motion_of_views(pose: ViewPoses, settings: MotionSettings) -> ViewPoses:
    """``make_motion`` for every view of every take of a keypoint file that says its times.

    Raises:
        ValueError: poses without times.
    """
    if pose.time is None:
        raise ValueError("a motion takes the times of its poses")
    time, pose = pose.time, unfiltered(pose)
    if settings.filter == "none":
        return pose
    names = ["joint", "canonical", "filled", *(["root_trajectory"] if pose.root_trajectory is not None else [])]
    made: dict[str, Any] = {name: np.array(getattr(pose, name)) for name in names}
    for number in np.unique(pose.take):
        members = np.flatnonzero(pose.take == number)
        members = members[np.argsort(time[members], kind="stable")]
        for view in range(pose.confidence.shape[1]):
            unseen = np.full((*pose.confidence[members, view].shape, 2), np.nan, np.float32)
            motion = make_motion(pose.of_view(members, view, unseen), settings)
            for name, array in made.items():
                array[members, view] = getattr(motion, name)
    return replace(pose, **made)


def unfiltered(pose: Poses) -> Poses:
    """Poses that no filter changes, which are their own raw ones."""
    filled = np.zeros(pose.confidence.shape, bool)
    return replace(pose, joint_raw=pose.joint, filled=filled, root_trajectory_raw=pose.root_trajectory)


def _weight(pose: Pose3D) -> np.ndarray:
    """Weights (frame, joint) in 0..1: by the square of the expected error, otherwise the confidence."""
    if pose.expected_error is None:
        return np.asarray(pose.confidence)
    expected = np.asarray(pose.expected_error, np.float64)
    there = np.isfinite(expected).all(1)
    typical = np.median(expected[there], 0) if there.any() else 0.0
    least = np.maximum(SURE * typical, np.finfo(np.float32).tiny)
    return np.nan_to_num((least / np.maximum(expected, least)) ** 2)


def _moving(
    pose: Pose3D, points: np.ndarray, weight: np.ndarray, size: float, settings: MotionSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points (frame, point, 3) as a motion; which of them (frame, point) were outliers, and which are filled.

    Last, which frames (frame) the filter smoothed: of short or slow stretches it makes nothing.

    Args:
        weight: (frame, point) in 0..1.
        size: the person's height, in the unit of the points.
    """
    near = _near(np.asarray(pose.time), np.isfinite(points).all((1, 2)), settings.max_gap_s)
    raw, time = np.asarray(points[near], np.float64), np.asarray(pose.time[near])
    there = np.all(np.isfinite(raw), (1, 2))
    outlying = _rejected(time, raw, there, OUTLIER_FLOOR * size, settings)
    moving, new = _filled(time, raw, there[:, None] & ~outlying, settings.max_gap_s)
    weight = np.where(new, 0, weight[near]).astype(np.float64)
    smooth = np.zeros(len(time), bool)
    for run in _runs(np.isfinite(moving).all((1, 2))):
        if time[run][-1] - time[run][0] >= SHORTEST_S:
            flat = moving[run].reshape(len(time[run]), -1)
            made = SMOOTHERS[settings.filter](time[run], flat, np.repeat(weight[run], 3, 1), settings.cutoff_hz)
            smooth[run] = made is not flat
            moving[run] = made.reshape(moving[run].shape)
    motion, rejected, filled = np.array(points), np.zeros(points.shape[:2], bool), np.zeros(points.shape[:2], bool)
    smoothed = np.zeros(len(points), bool)
    motion[near], rejected[near], filled[near], smoothed[near] = moving, outlying, new, smooth
    return motion, rejected, filled, smoothed


def _near(time: np.ndarray, there: np.ndarray, gap_s: float) -> np.ndarray:
    """Frames (frame) that are there, beside one that is, or no further in time: only they can become motion.

    The others, of a long clip often nearly all, take part in nothing; one that is left out always has one that is
    kept on either side, so that stretches stay apart.
    """
    places = np.flatnonzero(there)
    if len(places) == 0:
        return there
    frames = np.arange(len(time))
    after = np.searchsorted(places, frames)
    before, after = places[(after - 1).clip(0)], places[after.clip(0, len(places) - 1)]
    beside = np.minimum(np.abs(frames - before), np.abs(frames - after)) <= 1
    return beside | (np.minimum(np.abs(time - time[before]), np.abs(time - time[after])) <= gap_s)


def _rejected(
    time: np.ndarray, raw: np.ndarray, there: np.ndarray, floor: float, settings: MotionSettings
) -> np.ndarray:
    """Outliers (frame, point)."""
    rejected = np.zeros(raw.shape[:2], bool)
    for run in _runs(there):
        steps = np.diff(time[run])
        window = 2 * round(OUTLIER_WINDOW_S / 2 / steps.mean()) + 1 if len(steps) else 1
        if 3 <= window < len(raw[run]):
            rejected[run] = outliers(raw[run], window, settings.outlier_deviations, floor)
    return rejected


def _filled(time: np.ndarray, raw: np.ndarray, known: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Poses (frame, joint, 3) in which what is not ``known`` (frame, joint) has been filled, and where.

    Only between known places at most ``max_gap_s`` apart, by monotone cubics (PCHIP), which do not overshoot; what
    cannot be filled stays as it was.
    """
    joint, filled = raw.copy(), np.zeros(known.shape, bool)
    for number, mine in enumerate(known.T):
        if mine.sum() < 2 or mine.all():
            continue
        places = np.flatnonzero(mine)
        after = np.searchsorted(places, np.arange(len(mine))).clip(1, len(places) - 1)
        gap = time[places[after]] - time[places[after - 1]]
        inside = (np.arange(len(mine)) > places[0]) & (np.arange(len(mine)) < places[-1])
        filled[:, number] = ~mine & inside & (gap <= max_gap_s)
        between = PchipInterpolator(time[places], raw[places, number])
        joint[filled[:, number], number] = between(time[filled[:, number]])
    return joint, filled


def _runs(there: np.ndarray) -> Iterator[slice]:
    """Stretches of frames that are there."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return (slice(int(start), int(end)) for start, end in edges.reshape(-1, 2))


def _steps(
    settings: MotionSettings,
    there: np.ndarray,
    rejected: np.ndarray,
    filled: np.ndarray,
    smoothed: np.ndarray,
    motion: Pose3D,
) -> list[str]:
    """What was done, in sentences.

    Args:
        there: frames (frame) that were lifted; the other masks are those of ``_moving``.
        motion: what became of them.
    """
    left = int(np.isnan(motion.joint).any((1, 2)).sum())
    return [
        f"outliers beyond {settings.outlier_deviations:g} deviations replaced: {int((rejected & filled).sum())}",
        f"gaps up to {settings.max_gap_s:g} s filled: {int((filled.any(1) & ~there).sum())} frames; "
        f"left missing: {left} frames",
        _smoothing(settings, smoothed, motion),
    ]


def _smoothing(settings: MotionSettings, smoothed: np.ndarray, motion: Pose3D) -> str:
    """Whether the filter did anything, and how."""
    known = np.isfinite(motion.joint).all((1, 2))
    if not smoothed.any():
        step = float(np.median(np.diff(motion.time))) if len(motion.time) > 1 else 0.0
        rate = f" at {1 / step:.4g} frames per second" if step else ""
        return f"nothing was smoothed: {settings.filter} cannot be applied to {int(known.sum())} poses{rate}"
    weight = "confidence" if motion.expected_error is None else "expected error"
    how = "found by cross-validation" if settings.filter == "gcv-spline" else f"{settings.cutoff_hz:g} Hz"
    short = int((known & ~smoothed).sum())
    but = f"; {short} frames are in stretches too short for it" if short else ""
    return f"smoothed: {settings.filter}, cutoff {how}, weighted by {weight}{but}"
