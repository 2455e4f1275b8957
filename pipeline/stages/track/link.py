"""Linking: detections of consecutive frames as pieces of track, each of one person.

Detections are linked to pieces by least total cost (Hungarian assignment): one minus the similarity (OKS) of a
detection to the pose that the piece's motion predicts, plus distance and growth. Where another assignment costs
hardly more, as of people who hide each other, pieces end, and new ones begin: who is who is then decided for all of
the video together (``join``). A piece whose clothes change into those of somebody whom it met is cut there.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from ....models.body.clothes import unlikeness
from ...arrays import Detections

MAX_JUMP = 0.75
"""Largest distance of a person from the predicted position in the next frame, in body heights."""
SPEED = 6.0
"""Largest speed of a person in a gap, in body heights per second."""
MAX_GROWTH = 1.6
"""Largest ratio of a person's sizes before and after a gap."""
SPREAD = 0.1
"""Joint displacement, in body heights, at which the similarity of two poses falls to exp(-1/2)."""
VELOCITY_S = 0.2
"""Interval over which a person's velocity is measured, and longest gap in which it has full weight."""
CLEAR = 0.25
"""By how much the second best assignment must cost more, or else it is not known who is who."""
MET = 0.4
"""Distance of two people's centres, in sizes of the smaller one, below which they meet."""
WORN_S = 1.0
"""Time before and after an instant in which clothes are compared."""
WORN_SIGMA = 0.05
"""Standard deviation of what one person seems to wear (``unlikeness``) from one second to another."""
CHANGED = 2.0
"""By how much (chi-squared) somebody else's clothes must fit better for a piece to be cut."""
LEAST = 3
"""Fewest detections that tell who somebody is."""


def link(found: Detections, gap_s: float) -> list[np.ndarray]:
    """Pieces of track, each as indices (N) of detections in order of time; a gap over ``gap_s`` ends a piece."""
    pieces: list[list[int]] = []
    alive: list[int] = []
    starts = np.searchsorted(found.frame, np.arange(len(found.time) + 1))
    for frame in np.unique(found.frame):
        now = np.arange(starts[frame], starts[frame + 1])
        alive = [piece for piece in alive if found.time[frame] - found.time[found.frame[pieces[piece][-1]]] <= gap_s]
        cost = _cost(found, [pieces[piece] for piece in alive], now)
        successor = assigned(cost)
        sure = gains(cost, successor) >= CLEAR
        taken = {int(now[c]): alive[r] for r, c in enumerate(successor) if c >= 0 and sure[r]}
        alive = [piece for piece, c, known in zip(alive, successor, sure, strict=True) if c < 0 or known]
        for detection in now.tolist():
            if detection in taken:
                pieces[taken[detection]].append(detection)
            else:
                alive.append(len(pieces))
                pieces.append([detection])
    return _cut_where_clothes_change(found, [np.array(piece) for piece in pieces])


def assigned(cost: np.ndarray) -> np.ndarray:
    """For each row of costs (R, C), inf where impossible, the column (R) of least total cost; -1 for none."""
    chosen = np.full(len(cost), -1)
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    possible = np.isfinite(cost[rows, columns])
    chosen[rows[possible]] = columns[possible]
    return chosen


def gains(
    cost: np.ndarray, chosen: np.ndarray, rivals: np.ndarray | None = None, alike: np.ndarray | None = None
) -> np.ndarray:
    """By how much (R) the assignment would cost more if a row had its second best column; inf where it has none.

    Args:
        cost: (R, C), inf where impossible.
        chosen: column (R) of each row; -1 for none.
        rivals: which rows (R, R) could not be one with each other; all if None.
        alike: the same of columns (C, C).
    """
    gain = np.full(len(cost), np.inf)
    free = np.setdiff1d(np.arange(cost.shape[1]), chosen)
    for row, column in enumerate(chosen):
        if column < 0:
            continue
        others = np.arange(len(cost)) != row
        if rivals is not None:
            others &= rivals[row]
        others = np.flatnonzero(others)
        # Somebody else in its column, and it in theirs, or nowhere.
        has = chosen[others] >= 0
        theirs = np.where(has, cost[others, chosen[others]], 0)
        swapped = np.where(has, cost[row, chosen[others]], 0)
        with np.errstate(invalid="ignore"):
            more = cost[others, column] + swapped - theirs - cost[row, column]
        left = free if alike is None else free[alike[column, free]]
        more = np.concatenate([more, cost[row, left] - cost[row, column]])
        gain[row] = np.nanmin(more, initial=np.inf)
    return gain


def similarity(first: np.ndarray, second: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Object keypoint similarity (...) of poses (..., J, 2): 1 for equal poses, near 0 for distant ones.

    As in COCO, but with one spread for all joints, as most of the difference is motion; missing joints do not count.

    Args:
        height: (...) of the person, px.
    """
    square = np.square(first - second).sum(-1) / np.square(SPREAD * height)[..., None]
    known = np.isfinite(square)
    return np.where(known, np.exp(-np.where(known, square, 0) / 2), 0).sum(-1) / np.maximum(known.sum(-1), 1)


def centre_and_height(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) and sizes (N) in px of people in boxes (N, 4)."""
    # A crouching athlete is wide rather than tall: the larger side stands for the size.
    return (box[:, :2] + box[:, 2:]) / 2, np.maximum(np.maximum(box[:, 3] - box[:, 1], box[:, 2] - box[:, 0]), 1.0)


def velocity(found: Detections, moment: np.ndarray | list[int]) -> np.ndarray:
    """Velocity (2) px/s of a person in detections (N) in order of time: the median of the joints' displacement."""
    moment = [d for d in moment if found.time[found.frame[moment[-1]]] - found.time[found.frame[d]] <= VELOCITY_S]
    if len(moment) < 2:
        return np.zeros(2)
    elapsed = found.time[found.frame[moment[-1]]] - found.time[found.frame[moment[0]]]
    moved = found.keypoint[moment[-1]] - found.keypoint[moment[0]]
    moved = moved[np.isfinite(moved).all(-1)]
    return np.median(moved, axis=0) / elapsed if len(moved) else np.zeros(2)


def worn(colours: np.ndarray, detections: np.ndarray) -> np.ndarray:
    """What somebody wears (colour) in the mean of detections, as indices (N) of ``colours``; NaN where unknown."""
    seen = np.asarray(colours[detections])
    seen = seen[np.isfinite(seen).all(1)]
    return seen.mean(0) if len(seen) else np.full(colours.shape[1], np.nan)


def meetings(found: Detections) -> np.ndarray:
    """Which detections (N) are so near to another one that the one may hide the other."""
    centre, height = centre_and_height(found.box)
    near = np.zeros(len(found.frame), bool)
    starts = np.searchsorted(found.frame, np.arange(len(found.time) + 1))
    for start, stop in pairwise(starts):
        here = np.arange(start, stop)
        distance = np.linalg.norm(centre[here, None] - centre[None, here], axis=-1)
        np.fill_diagonal(distance, np.inf)
        near[here] = (distance < MET * np.minimum(height[here, None], height[None, here])).any(1)
    return near


def _cost(found: Detections, pieces: list[list[int]], now: np.ndarray) -> np.ndarray:
    """Cost (piece, now) of going on from pieces with detections of one frame; inf where impossible."""
    last = np.array([piece[-1] for piece in pieces], int)
    elapsed = found.time[found.frame[now[0]]] - found.time[found.frame[last]]
    # A velocity tells where somebody is after a moment; after longer it tells ever less.
    reach = VELOCITY_S * (1 - np.exp(-elapsed / VELOCITY_S))
    shift = np.array([velocity(found, piece[-8:]) for piece in pieces]).reshape(-1, 2) * reach[:, None]
    (left, height), (centre, height_now) = (centre_and_height(found.box[each]) for each in (last, now))
    size = np.minimum(height[:, None], height_now)
    distance = np.linalg.norm((left + shift)[:, None] - centre, axis=-1) / size
    growth = np.abs(np.log(height_now / height[:, None]))
    predicted = found.keypoint[last] + shift[:, None]
    alike = similarity(predicted[:, None], found.keypoint[now][None], np.sqrt(height[:, None] * height_now))
    possible = (distance <= np.maximum(MAX_JUMP, SPEED * elapsed[:, None])) & (
        growth <= np.log(MAX_GROWTH) + elapsed[:, None]
    )
    return np.where(possible, 1 - alike + distance + growth, np.inf)


def _cut_where_clothes_change(found: Detections, pieces: list[np.ndarray]) -> list[np.ndarray]:
    """The pieces, cut where somebody else's clothes fit what follows, or was before, much better than its own."""
    if found.colours is None:
        return pieces
    alone = ~meetings(found)
    dress = np.array([worn(found.colours, piece[alone[piece]]) for piece in pieces])
    cut = []
    for number, piece in enumerate(pieces):
        if len(piece) < 2 * LEAST:  # too few before or after every place
            cut.append(piece)
            continue
        others = dress[np.isfinite(dress).all(1) & (np.arange(len(pieces)) != number)]
        colours, time = found.colours[piece], found.time[found.frame[piece]]
        before = _mean_within(colours, np.searchsorted(time, time - WORN_S), np.arange(len(piece)))
        after = _mean_within(colours, np.arange(len(piece)), np.searchsorted(time, time + WORN_S))
        theirs = np.fmin(_least_misfit(before, others), _least_misfit(after, others))
        gain = misfit(before, after) - theirs
        places = []
        while len(gain) and (place := int(np.argmax(np.nan_to_num(gain)))) and gain[place] > CHANGED:
            places.append(place)
            gain[np.abs(time - time[place]) < WORN_S] = 0
        cut += np.split(piece, sorted(places))
    return cut


def _least_misfit(seen: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The least misfit (N) of what is seen (N, colour) to one of others (P, colour); inf where none is known."""
    least = np.full(len(seen), np.inf)
    for other in others:
        least = np.fmin(least, misfit(seen, other))
    return least


def _mean_within(rows: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Means (N, ...) of the rows (N, ...) from ``start`` to ``stop`` (N); NaN of fewer than ``LEAST``."""
    known = np.isfinite(rows).all(1)
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(np.where(known[:, None], rows, 0), 0)])
    count = np.concatenate([[0], np.cumsum(known)])
    seen = count[stop] - count[start]
    return np.where((seen < LEAST)[:, None], np.nan, (total[stop] - total[start]) / np.maximum(seen, 1)[:, None])


def misfit(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Chi-squared (...) of two people who wear ``one`` and ``other`` (..., colour) being one; NaN where unknown."""
    return np.square(unlikeness(one, other) / WORN_SIGMA)
