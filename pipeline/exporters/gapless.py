"""Poses for formats without missing values: trimmed and interpolated, with a warning."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Pose3D
from ..errors import PosepipeError
from .clip import Clip, Person

log = logging.getLogger("posepipe")

QUIET_GAP_S = 0.25
"""Longest gap that is interpolated without a warning."""


@dataclass(frozen=True)
class Gapless:
    """A person's poses from the first to the last complete one; gaps are interpolated over time."""

    frame: np.ndarray
    """Index of each kept frame in the clip (kept) int64, without holes."""
    time: np.ndarray
    """(kept) float64 s."""
    joint: np.ndarray
    """(kept, joint, 3) float64, root-relative camera axes, without NaN."""
    skeleton: Skeleton
    """Its joints; without feet if the person has none in any frame."""


def gapless(clip: Clip, person: Person, name: str) -> Gapless:
    """A person's poses without NaN.

    Args:
        name: of the format, for messages.

    Raises:
        PosepipeError: no frame has a complete pose.
    """
    pose = person.pose.without_missing_feet
    whole = np.flatnonzero(pose.there)
    if len(whole) == 0:
        raise PosepipeError(f"{clip.video.name} has no frame with a 3D pose; leave out the format {name} for it")
    kept = np.arange(whole[0], whole[-1] + 1)
    longest = float(np.diff(pose.time[whole]).max(initial=0))
    if longest > QUIET_GAP_S:
        log.warning(
            "%s: %s cannot hold gaps; they are interpolated linearly, and the longest is %.1f s",
            clip.video.name, name, longest,
        )  # fmt: skip
    return Gapless(kept, np.array(pose.time[kept]), _bridged(pose, kept), SKELETONS[pose.skeleton])


def _bridged(pose: Pose3D, kept: np.ndarray) -> np.ndarray:
    time, joint = pose.time[kept], pose.joint[kept].astype(np.float64)
    for positions in joint.swapaxes(0, 1):  # (kept, 3), a view
        missing = np.isnan(positions).any(-1)
        if missing.any():
            for axis in positions.T:
                axis[missing] = np.interp(time[missing], time[~missing], axis[~missing])
    return joint
