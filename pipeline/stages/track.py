"""Tracking: identities of people in a video, from frame to frame and over gaps, and the choice of the athlete.

Detections are linked from frame to frame into pieces of track by least total cost (Hungarian assignment): one minus
the similarity (OKS) of a detection to the pose that the piece's motion predicts, plus distance and growth. So people
who cross keep their identities. Pieces of one person are joined over longer gaps where position and size allow it.

People are ranked by score: frames seen x median height x (1 + motion). ``person`` chooses the athlete:
main, the first of that ranking; largest, by median height; longest, by frames; or a number in that ranking, 0 first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..arrays import Detections, Frames, Identities, Track
from ..errors import PosepipeError
from ..runtime.cache import stage
from ..settings import TrackSettings

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
MOVING = 0.005
"""Smallest background displacement of a moving camera, in image widths per second."""
PRESENT = 0.2
"""Smallest number of frames of a person, as a share of the main person's frames."""
MAX_PEOPLE = 12


@stage(version=1)
def track_people(frames: Frames, found: Detections, settings: TrackSettings) -> Identities:
    """Identity of each detection; people are in order of their score.

    Raises:
        PosepipeError: nobody in the whole clip.
    """
    if len(found.frame) == 0:
        raise PosepipeError(
            "no person was found in any frame; is the athlete in the picture, and at least "
            "a twentieth of its height tall? If so, try another --detector"
        )
    people = people_from(found, link(found, settings.gap_s))
    people = [one for one in people if len(one) >= PRESENT * len(people[0])][:MAX_PEOPLE]
    person = np.full(len(found.frame), -1, np.int32)
    for number, detections in enumerate(people):
        person[detections] = number
    _, height = _centre_and_height(found.box)
    return Identities(
        person=person,
        score=np.array([score_of(found, one) for one in people]),
        height=np.array([np.median(height[one]) for one in people], np.float32),
        frames=np.array([len(one) for one in people], np.int32),
    )


@stage(version=2)
def track_athlete(found: Detections, people: Identities, number: int, settings: TrackSettings) -> Track:
    """A person's 2D poses (F, J, 2) in every frame of a video; NaN with confidence 0 where missing.

    Args:
        number: of the person, from 0.
    """
    athlete = np.flatnonzero(people.person == number)
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


def shares(people: Identities, person: str) -> np.ndarray:
    """Merit (P) of each identity under the criterion ``person``, relative to the best one."""
    ranking = {"largest": people.height, "longest": people.frames}.get(person, people.score)
    return ranking / ranking.max()


def choose(merit: np.ndarray, person: str) -> int:
    """Index of the person that ``main``, ``largest``, ``longest`` or a number chooses.

    Args:
        merit: (P) of each person under the criterion (``shares``), in order of their score.

    Raises:
        PosepipeError: a number that does not exist.
    """
    if not person.isdecimal():
        return int(np.argmax(merit))
    if int(person) >= len(merit):
        there = "there is only person 0" if len(merit) == 1 else f"the people found are 0 to {len(merit) - 1}"
        raise PosepipeError(f"there is no person {person}; {there}, in order of their score")
    return int(person)


def link(found: Detections, gap_s: float) -> list[np.ndarray]:
    """Pieces of track, each as indices (N) of detections in order of time; a gap over ``gap_s`` ends a piece."""
    pieces: list[list[int]] = []
    alive: list[int] = []
    starts = np.searchsorted(found.frame, np.arange(len(found.time) + 1))
    for frame in np.unique(found.frame):
        now = np.arange(starts[frame], starts[frame + 1])
        alive = [piece for piece in alive if found.time[frame] - found.time[found.frame[pieces[piece][-1]]] <= gap_s]
        cost = _link_cost(found, [pieces[piece] for piece in alive], now)
        rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
        taken = {int(now[c]): alive[r] for r, c in zip(rows, columns, strict=True) if np.isfinite(cost[r, c])}
        for detection in now.tolist():
            if detection in taken:
                pieces[taken[detection]].append(detection)
            else:
                alive.append(len(pieces))
                pieces.append([detection])
    return [np.array(piece) for piece in pieces]


def people_from(found: Detections, pieces: list[np.ndarray]) -> list[np.ndarray]:
    """People, best score first, each as indices (N) of detections in order of time: pieces joined over gaps.

    The best piece is joined with those that continue it before or after a gap at a plausible place and size; then
    the best of the rest is.
    """
    left = sorted(pieces, key=lambda piece: score_of(found, piece), reverse=True)
    people = []
    while left:
        person, others = left[0], []
        for piece in left[1:]:
            if _continues(found, person, piece):
                person = np.sort(np.concatenate([person, piece]))
            else:
                others.append(piece)
        people.append(person)
        left = others
    return sorted(people, key=lambda person: score_of(found, person), reverse=True)


def score_of(found: Detections, piece: np.ndarray) -> float:
    """Frames seen x median height (px) x (1 + motion) of detections in time order."""
    centre, height = _centre_and_height(found.box[piece])
    time = found.time[found.frame[piece]]
    size = max(float(np.median(height)), 1.0)
    travelled = np.linalg.norm(np.diff(centre, axis=0), axis=1).sum() / size
    # Motion counts as joints moving about the body, which a panning camera does not change, or as travel.
    pose = (found.keypoint[piece] - centre[:, None]) / size
    swing = np.abs(np.diff(pose, axis=0)).mean() if len(piece) > 1 else 0.0
    seconds = max(float(time[-1] - time[0]), 1e-3)
    return float(len(piece) * size * (1 + min(travelled / seconds, 2.0) + min(swing * len(piece) / seconds, 2.0)))


def similarity(first: np.ndarray, second: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Object keypoint similarity (...) of poses (..., J, 2): 1 for equal poses, near 0 for distant ones.

    As in COCO, but with one spread for all joints, as most of the difference is motion; missing joints do not count.

    Args:
        height: (...) of the person, px.
    """
    square = np.square(first - second).sum(-1) / np.square(SPREAD * height)[..., None]
    known = np.isfinite(square)
    return np.where(known, np.exp(-np.where(known, square, 0) / 2), 0).sum(-1) / np.maximum(known.sum(-1), 1)


def without_anybody(track: Track) -> Track:
    """A track of the same video in which nobody is seen."""
    nothing = {name: np.full_like(getattr(track, name), np.nan) for name in ("keypoint", "box")}
    return replace(track, **nothing, confidence=np.zeros_like(track.confidence))


def camera_moves(motion: np.ndarray) -> bool | None:
    """Whether a camera moves: its background does in more than a tenth of the measurements; None if unknown.

    Args:
        motion: (F) displacement in image widths per second, NaN where it was not measured.
    """
    looks = motion[np.isfinite(motion)]
    return None if len(looks) < 4 else bool(np.mean(looks > MOVING) > 0.1)


def _centre_and_height(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # A crouching athlete is wide rather than tall: the larger side stands for the size.
    return (box[:, :2] + box[:, 2:]) / 2, np.maximum(np.maximum(box[:, 3] - box[:, 1], box[:, 2] - box[:, 0]), 1.0)


def _velocity(found: Detections, piece: list[int]) -> np.ndarray:
    """Velocity (2) px/s at the end of a piece: the median of its joints' displacement over a moment."""
    last = piece[-1]
    moment = [d for d in piece[-8:] if found.time[found.frame[last]] - found.time[found.frame[d]] <= VELOCITY_S]
    if len(moment) < 2:
        return np.zeros(2)
    elapsed = found.time[found.frame[last]] - found.time[found.frame[moment[0]]]
    moved = found.keypoint[last] - found.keypoint[moment[0]]
    moved = moved[np.isfinite(moved).all(-1)]
    return np.median(moved, axis=0) / elapsed if len(moved) else np.zeros(2)


def _link_cost(found: Detections, pieces: list[list[int]], now: np.ndarray) -> np.ndarray:
    """Cost (piece, now) of going on from pieces with detections of one frame; inf where impossible."""
    last = np.array([piece[-1] for piece in pieces], int)
    elapsed = found.time[found.frame[now[0]]] - found.time[found.frame[last]]
    # A velocity tells where somebody is after a moment; after longer it tells ever less.
    reach = VELOCITY_S * (1 - np.exp(-elapsed / VELOCITY_S))
    velocity = np.array([_velocity(found, piece) for piece in pieces]).reshape(-1, 2)
    shift = velocity * reach[:, None]
    centre, height = _centre_and_height(found.box)
    size = np.minimum(height[last][:, None], height[now][None])
    distance = np.linalg.norm(centre[last][:, None] + shift[:, None] - centre[now][None], axis=-1) / size
    growth = np.abs(np.log(height[now][None] / height[last][:, None]))
    predicted = found.keypoint[last] + shift[:, None]
    alike = similarity(predicted[:, None], found.keypoint[now][None], np.sqrt(height[last][:, None] * height[now]))
    possible = (distance <= np.maximum(MAX_JUMP, SPEED * elapsed[:, None])) & (
        growth <= np.log(MAX_GROWTH) + elapsed[:, None]
    )
    return np.where(possible, 1 - alike + distance + growth, np.inf)


def _continues(found: Detections, person: np.ndarray, piece: np.ndarray) -> bool:
    """Whether a piece may be the same person: never at the same time, and in reach before and after it."""
    time = found.time[found.frame]
    before, after = person[time[person] < time[piece[0]]], person[time[person] > time[piece[-1]]]
    if len(before) + len(after) < len(person) or np.isin(found.frame[piece], found.frame[person]).any():
        return False  # somebody else, at the same time
    ends = ([(before[-1], piece[0])] if len(before) else []) + ([(piece[-1], after[0])] if len(after) else [])
    centre, height = _centre_and_height(found.box)
    for a, b in ends:
        elapsed = abs(time[b] - time[a])
        distance = np.linalg.norm(centre[a] - centre[b]) / min(height[a], height[b])
        growth = abs(np.log(height[b] / height[a]))
        if distance > max(MAX_JUMP, SPEED * elapsed) or growth > np.log(MAX_GROWTH) + elapsed:
            return False
    return True
