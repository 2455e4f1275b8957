"""Poses for formats without missing values: trimmed and interpolated, with a warning."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from ...models.skeleton import Skeleton
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
    """(kept, joint, 3) float64, in the axes of the clip's files, without NaN."""
    skeleton: Skeleton
    """Its joints; without feet if the person has none in any frame."""


def gapless(clip: Clip, person: Person, name: str) -> Gapless:
    """A person's poses without NaN.

    Args:
        name: of the format, for messages.

    Raises:
        PosepipeError: no frame has a complete pose.
    """
    joint, skeleton = clip.whole(person)
    whole = np.flatnonzero(np.all(np.isfinite(joint[:, : len(skeleton.body.joints)]), (1, 2)))
    if len(whole) == 0:
        raise PosepipeError(f"{clip.video.name} has no frame with a 3D pose; leave out the format {name} for it")
    kept = np.arange(whole[0], whole[-1] + 1)
    longest = float(np.diff(clip.time[whole]).max(initial=0))
    if longest > QUIET_GAP_S:
        log.warning(
            "%s: %s cannot hold gaps; they are interpolated linearly, and the longest is %.1f s",
            clip.video.name, name, longest,
        )  # fmt: skip
    time = np.array(clip.time[kept])
    return Gapless(kept, time, _bridged(time, joint[kept].astype(np.float64)), skeleton)


def _bridged(time: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Joints (kept, joint, 3) with gaps interpolated."""
    for positions in joint.swapaxes(0, 1):  # (kept, 3), a view
        missing = np.isnan(positions).any(-1)
        if missing.any():
            for axis in positions.T:
                axis[missing] = np.interp(time[missing], time[~missing], axis[~missing])
    return joint
