"""Matching: people across cameras, without calibration.

Two views of one person agree in two ways, even with moving cameras: their root-relative poses at the same instant,
stacked as a (4, joints) matrix, have rank 3 under weak perspective, and their joints move up and down together.
``disagreement`` measures both. People are merged, the best pairs first, into athletes of at most one person per
camera; those without a match remain alone.
"""

from __future__ import annotations

import numpy as np

from ...models.geometry.weak_perspective import pose_in_sizes, rank_residual
from ...models.skeleton import SKELETONS
from ..arrays import Athletes, Identities, Timeline, Track
from ..runtime.cache import stage

UNRELATED = 0.1
"""Residual of rank 3 of two unrelated poses, in sizes of the person."""
SAME = 0.75
"""Disagreement below which two people may be one."""
MOTION_S = 0.16
"""Interval over which the joints' motion is computed."""
MIN_JOINTS = 0.5
"""Smallest share of joints that both cameras must see at an instant."""
MIN_SHARED_S = 0.5
"""Shortest time for which two cameras must see a person at the same time."""
MAX_INSTANTS = 600
"""Instants that are compared, spread over the take."""


@stage(version=1)
def match_people(tracks: list[list[Track]], people: list[Identities], timeline: Timeline) -> Athletes:
    """Athletes of a take from the tracks of all people in each camera; single people in each are the same."""
    cameras = [(camera, person) for camera, each in enumerate(tracks) for person in range(len(each))]
    views = [_seen_at(tracks[camera][person], timeline, camera) for camera, person in cameras]
    cost = np.full((len(views), len(views)), np.nan)
    for a in range(len(views)):
        for b in range(a + 1, len(views)):
            if cameras[a][0] != cameras[b][0]:
                cost[a, b] = cost[b, a] = disagreement(views[a], views[b], timeline.time)
    single = all(len(each) == 1 for each in tracks)
    groups = [list(range(len(views)))] if single else _merge(cost, [camera for camera, _ in cameras])
    share = [people[camera].score[person] / people[camera].score.max() for camera, person in cameras]
    groups.sort(key=lambda group: -sum(share[member] for member in group))
    person = np.full((len(groups), len(tracks)), -1, np.int32)
    agreement = np.full((len(groups), len(tracks)), np.nan, np.float32)
    for row, group in enumerate(groups):
        for member in group:
            camera, number = cameras[member]
            others = [cost[member, other] for other in group if np.isfinite(cost[member, other])]
            person[row, camera] = number
            agreement[row, camera] = 1 - np.median(others) if others else np.nan
    return Athletes(person=person, agreement=agreement)


def disagreement(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], time: np.ndarray
) -> float:
    """Disagreement of two views of people: about 0.3 for the same person, about 1 for others; NaN if unknown.

    Half of it is the residual of rank 3, as a share of that of unrelated poses; half is one minus the correlation of
    the joints' vertical motion about the pelvis.

    Args:
        first, second: poses (T, J, 2) in sizes of the person and which joints are seen (T, J), at the same instants.
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


def _merge(cost: np.ndarray, camera: list[int]) -> list[list[int]]:
    """Groups of members of different cameras: average linkage, the two groups that agree best first."""
    groups = [[member] for member in range(len(camera))]
    while True:
        best, pair = SAME, None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if {camera[member] for member in groups[a]} & {camera[member] for member in groups[b]}:
                    continue
                between = cost[np.ix_(groups[a], groups[b])]
                mean = float(np.nanmean(between)) if np.isfinite(between).any() else np.inf
                if mean < best:
                    best, pair = mean, (a, b)
        if pair is None:
            return groups
        groups[pair[0]] += groups.pop(pair[1])


def _seen_at(track: Track, timeline: Timeline, camera: int) -> tuple[np.ndarray, np.ndarray]:
    """Poses (T, J, 2) in sizes of the person, in the frames nearest to the instants, and joints seen (T, J)."""
    frame = timeline.nearest_frame()[:, camera]
    shown = frame >= 0
    pose, seen = pose_in_sizes(track.keypoint[np.where(shown, frame, 0)], SKELETONS[track.skeleton])
    return pose, seen & shown[:, None]
