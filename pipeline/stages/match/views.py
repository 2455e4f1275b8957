"""People as the cameras of a take see them at its instants."""

from __future__ import annotations

import numpy as np

from ....models.geometry.weak_perspective import pose_in_sizes, rank_residual
from ....models.skeleton import SKELETONS
from ...arrays import Timeline, Track

MIN_JOINTS = 0.5
"""Smallest share of joints that both cameras must see at an instant."""
UNRELATED = 0.1
"""Residual of rank 3 of two unrelated poses, in sizes of the person."""
SAME = 0.75
"""Disagreement below which two people may be one."""
MOTION_S = 0.16
"""Interval over which the joints' motion is computed."""
MIN_SHARED_S = 0.5
"""Shortest time for which two cameras must see a person at the same time."""
MAX_INSTANTS = 600
"""Instants that are compared, spread over the take."""

View = tuple[np.ndarray, np.ndarray]
"""Poses (T, J, 2) in sizes of the person, and which joints are seen (T, J)."""


def seen_at(track: Track, timeline: Timeline, camera: int) -> View:
    """What a camera shows of somebody in the frames nearest to the instants (T)."""
    frame = timeline.nearest_frame()[:, camera]
    shown = frame >= 0
    pose, seen = pose_in_sizes(track.keypoint[np.where(shown, frame, 0)], SKELETONS[track.skeleton])
    return pose, seen & shown[:, None]


def disagreement(first: View, second: View, time: np.ndarray) -> float:
    """Disagreement of two views of people: about 0.3 for the same person, about 1 for others; NaN if unknown.

    Half of it is the residual of rank 3, as a share of that of unrelated poses; half is one minus the correlation of
    the joints' vertical motion about the pelvis.

    Args:
        first, second: at the same instants (T).
        time: (T) s.
    """
    pose, seen = (np.stack(arrays, 1) for arrays in zip(first, second, strict=True))
    both = np.all(seen, 1)
    shared = np.flatnonzero(both.mean(1) >= MIN_JOINTS)
    period = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    if len(shared) < 5 or len(shared) * period < MIN_SHARED_S:
        return float("nan")
    some = shared[:: -(-len(shared) // MAX_INSTANTS)]
    residual = rank_residual(pose[some], both[some][:, None].repeat(2, 1))
    typical = float(np.sqrt(np.median(np.square(residual).sum(1) / both[some].sum(1))))
    step = max(1, round(MOTION_S / 2 / period))
    moves = pose[2 * step :, ..., 1] - pose[: -2 * step, ..., 1]
    known = both[2 * step :] & both[: -2 * step]
    one, other = (np.where(known, moves[:, view], 0) for view in (0, 1))
    together = float((one * other).sum() / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-9))
    return 0.5 * typical / UNRELATED + 0.5 * (1 - together)
