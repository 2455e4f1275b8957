"""Tracking: which of the people in a video is the athlete.

Detections are linked from frame to frame into pieces of track while box and size change smoothly.
The athlete's piece has the largest score: frames seen x mean height x (1 + motion). Other pieces
that continue it before or after a gap, at a plausible place and size, are joined to it; the rest are
other people.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from .arrays import Detections, Frames, Track
from .cache import stage
from .errors import PosepipeError
from .settings import TrackSettings

MAX_JUMP = 0.75
"""How far a person may move from one frame to the next, in body heights; more after a gap."""
SPEED = 6.0
"""Body heights per second that a person may move in a gap."""
MAX_GROWTH = 1.6
"""How much larger or smaller a person may look after a gap."""
MOVING = 0.005
"""Background displacement in image widths per second from which on a camera counts as moving."""


@stage(version=1)
def track_athlete(frames: Frames, found: Detections, settings: TrackSettings) -> Track:
    """The athlete's 2D poses in every frame of a video; NaN with confidence 0 where there are none.

    Raises:
        PosepipeError: nobody in the whole clip.
    """
    if len(found.frame) == 0:
        raise PosepipeError(
            "no person was found in any frame; is the athlete in the picture, upright and at least "
            "a tenth of its height tall? If so, try another --detector"
        )
    pieces = link(found, settings.gap_s)
    athlete = choose(found, pieces)
    count, joints = len(found.time), found.keypoint.shape[1]
    keypoint = np.full((count, joints, 2), np.nan, np.float32)
    confidence = np.zeros((count, joints), np.float32)
    box = np.full((count, 4), np.nan, np.float32)
    where = found.frame[athlete]
    keypoint[where], confidence[where], box[where] = (
        found.keypoint[athlete],
        found.confidence[athlete],
        found.box[athlete],
    )
    missing = ~(confidence >= settings.min_confidence) | np.isnan(keypoint).any(-1)
    keypoint[missing], confidence[missing] = np.nan, 0
    return Track(
        time=found.time / settings.slow_motion,
        keypoint=keypoint,
        confidence=confidence,
        box=box,
        skeleton=found.skeleton,
        camera_moves=camera_moves(found.camera_motion),
        dropped=len(found.frame) - len(athlete),
    )


def link(found: Detections, gap_s: float) -> list[np.ndarray]:
    """Pieces of track as arrays of detection indices, in time order."""
    centre, height = _centre_and_height(found.box)
    pieces: list[list[int]] = []
    alive: list[int] = []
    starts = np.searchsorted(found.frame, np.arange(len(found.time) + 1))
    for frame in np.unique(found.frame):
        now = np.arange(starts[frame], starts[frame + 1])
        alive = [piece for piece in alive if found.time[frame] - found.time[found.frame[pieces[piece][-1]]] <= gap_s]
        last = np.array([pieces[piece][-1] for piece in alive], int)
        cost = _step_cost(centre, height, found.time[found.frame], last, now)
        rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
        taken = {int(now[c]): alive[r] for r, c in zip(rows, columns, strict=True) if np.isfinite(cost[r, c])}
        for detection in now:
            if detection in taken:
                pieces[taken[detection]].append(detection)
            else:
                alive.append(len(pieces))
                pieces.append([detection])
    return [np.array(piece) for piece in pieces]


def choose(found: Detections, pieces: list[np.ndarray]) -> np.ndarray:
    """Detection indices of the athlete, in time order."""
    centre, height = _centre_and_height(found.box)
    time = found.time[found.frame]

    def score(piece: np.ndarray) -> float:
        size = float(np.median(height[piece]))
        travelled = np.linalg.norm(np.diff(centre[piece], axis=0), axis=1).sum() / max(size, 1)
        # Motion counts as joints moving about the body, which a panning camera does not change, or as travel.
        pose = (found.keypoint[piece] - centre[piece][:, None]) / max(size, 1)
        swing = np.abs(np.diff(pose, axis=0)).mean() if len(piece) > 1 else 0.0
        seconds = max(float(time[piece[-1]] - time[piece[0]]), 1e-3)
        return len(piece) * size * (1 + min(travelled / seconds, 2.0) + min(swing * len(piece) / seconds, 2.0))

    ranked = sorted(pieces, key=score, reverse=True)
    athlete = ranked[0]
    for piece in ranked[1:]:
        before, after = athlete[time[athlete] < time[piece[0]]], athlete[time[athlete] > time[piece[-1]]]
        if len(before) + len(after) < len(athlete) or np.isin(found.frame[piece], found.frame[athlete]).any():
            continue  # somebody else, at the same time
        ends = ([(before[-1], piece[0])] if len(before) else []) + ([(piece[-1], after[0])] if len(after) else [])
        costs = [_step_cost(centre, height, time, np.array([a]), np.array([b]))[0, 0] for a, b in ends]
        if np.isfinite(costs).all():
            athlete = np.sort(np.concatenate([athlete, piece]))
    return athlete


def camera_moves(motion: np.ndarray) -> bool | None:
    """Whether a camera moves: its background does in more than a tenth of the looks at it.

    Args:
        motion: (F) displacement in image widths per second, NaN where there was no look.
    """
    looks = motion[np.isfinite(motion)]
    return None if len(looks) < 4 else bool(np.mean(looks > MOVING) > 0.1)


def _centre_and_height(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # A crouching athlete is wide rather than tall: the larger side stands for the size.
    return (box[:, :2] + box[:, 2:]) / 2, np.maximum(box[:, 3] - box[:, 1], box[:, 2] - box[:, 0])


def _step_cost(
    centre: np.ndarray, height: np.ndarray, time: np.ndarray, last: np.ndarray, now: np.ndarray
) -> np.ndarray:
    """Distance in body heights plus growth from detections ``last`` to ``now`` (last, now); inf where impossible."""
    size = np.minimum(height[last][:, None], height[now][None])
    size = np.maximum(size, 1.0)
    distance = np.linalg.norm(centre[last][:, None] - centre[now][None], axis=-1) / size
    growth = np.abs(np.log(np.maximum(height[now][None], 1.0) / np.maximum(height[last][:, None], 1.0)))
    elapsed = np.abs(time[now][None] - time[last][:, None])
    possible = (distance <= np.maximum(MAX_JUMP, SPEED * elapsed)) & (growth <= np.log(MAX_GROWTH) + elapsed)
    return np.where(possible, distance + growth, np.inf)
