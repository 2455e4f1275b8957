"""Matching: people across cameras, without calibration.

Two views of one person agree in two ways, even with moving cameras: their root-relative poses at the same instant,
stacked as a (4, joints) matrix, have rank 3 under weak perspective, and their joints move up and down together.
``disagreement`` measures both. People are merged, the best pairs first, into athletes of at most one person per
camera; then those pieces of a track are added that a camera has of them at other times, where it was not clear
whose they are. Whoever is left remains alone: a camera may show somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ...models.geometry.weak_perspective import pose_in_sizes, rank_residual
from ...models.skeleton import SKELETONS
from ..arrays import Athletes, Exchanges, Identities, Timeline, Track
from ..runtime.cache import stage

UNRELATED = 0.1
"""Residual of rank 3 of two unrelated poses, in sizes of the person."""
SAME = 0.75
"""Disagreement below which two people may be one."""
SAME_ALONE = 0.9
"""The same where each camera shows one person only, who is the same in most takes."""
CLEAR = 0.15
"""By how much a piece of a track must agree better with one person than with others."""
MOTION_S = 0.16
"""Interval over which the joints' motion is computed."""
MIN_JOINTS = 0.5
"""Smallest share of joints that both cameras must see at an instant."""
MIN_SHARED_S = 0.5
"""Shortest time for which two cameras must see a person at the same time."""
MAX_INSTANTS = 600
"""Instants that are compared, spread over the take."""
NEAR = 0.6
"""Distance of two people's boxes, in sizes of the smaller one, below which a camera may take them for each other."""
UNSURE = 0.02
"""Difference of residuals below which neither of two people fits better."""
LEAST_GAIN = 0.4
"""What an exchange must gain, in seconds of a difference as between related and unrelated poses."""
MOST_EXCHANGES = 50


@stage(version=2)
def match_people(tracks: list[list[Track]], people: list[Identities], timeline: Timeline) -> Athletes:
    """Athletes of a take from the tracks of all people in each camera."""
    cameras = [(camera, person) for camera, each in enumerate(tracks) for person in range(len(each))]
    camera = np.array([camera for camera, _ in cameras])
    views = [_seen_at(tracks[camera][person].body, timeline, camera) for camera, person in cameras]
    cost, at_once = np.full((len(views), len(views)), np.nan), np.zeros((len(views), len(views)), bool)
    for a, b in combinations(range(len(views)), 2):
        if camera[a] != camera[b]:
            cost[a, b] = cost[b, a] = disagreement(views[a], views[b], timeline.time)
        else:
            at_once[a, b] = at_once[b, a] = (views[a][1].any(1) & views[b][1].any(1)).any()
    groups = _merge(cost, camera, SAME)
    if len(groups) == len(views) == len(tracks):  # one person in each camera, who is the same in most takes
        groups = _merge(np.nan_to_num(cost, nan=SAME), camera, SAME_ALONE)
    groups = _completed(groups, cost, at_once)
    share = np.array([people[camera].score[person] / people[camera].score.max() for camera, person in cameras])
    groups.sort(key=lambda group: -share[group].sum())
    pieces = max(int(np.bincount(camera[group]).max()) for group in groups)
    person = np.full((len(groups), len(tracks), pieces), -1, np.int32)
    agreement = np.full((len(groups), len(tracks)), np.nan, np.float32)
    for row, group in enumerate(groups):
        for number in range(len(tracks)):
            here = [member for member in group if camera[member] == number]
            person[row, number, : len(here)] = sorted(cameras[member][1] for member in here)
            others = cost[np.ix_(here, group)]
            if np.isfinite(others).any():
                agreement[row, number] = 1 - np.nanmedian(others)
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


def _merge(cost: np.ndarray, camera: Sequence[int] | np.ndarray, most: float) -> list[list[int]]:
    """Groups of members of different cameras: average linkage up to ``most``, the two that agree best first."""
    groups = [[member] for member in range(len(camera))]
    while True:
        best, pair = most, None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if {camera[member] for member in groups[a]} & {camera[member] for member in groups[b]}:
                    continue
                mean = _mean(cost[np.ix_(groups[a], groups[b])])
                if mean < best:
                    best, pair = mean, (a, b)
        if pair is None:
            return groups
        groups[pair[0]] += groups.pop(pair[1])


def _completed(groups: list[list[int]], cost: np.ndarray, at_once: np.ndarray) -> list[list[int]]:
    """Groups, those joined that show one person at different times, if it is clear with which group one belongs.

    Args:
        at_once: which members (N, N) one camera sees at the same time.
    """
    done: list[list[int]] = []
    for group in sorted(groups, key=len, reverse=True):
        others = [other for other in done if not at_once[np.ix_(group, other)].any()]
        means = np.array([_mean(cost[np.ix_(group, other)]) for other in others])
        order = np.argsort(means)
        if len(means) and means[order[0]] < SAME and (len(means) == 1 or np.diff(means[order[:2]])[0] > CLEAR):
            others[order[0]].extend(group)
        else:
            done.append(list(group))
    return done


def _mean(cost: np.ndarray) -> float:
    """The mean of those costs that are known; infinite if none is."""
    return float(np.nanmean(cost)) if np.isfinite(cost).any() else np.inf


def _seen_at(track: Track, timeline: Timeline, camera: int) -> tuple[np.ndarray, np.ndarray]:
    """Poses (T, J, 2) in sizes of the person, in the frames nearest to the instants, and joints seen (T, J)."""
    frame = timeline.nearest_frame()[:, camera]
    shown = frame >= 0
    pose, seen = pose_in_sizes(track.keypoint[np.where(shown, frame, 0)], SKELETONS[track.skeleton])
    return pose, seen & shown[:, None]


@stage(version=1)
def find_exchanges(tracks: list[list[Track]], timeline: Timeline) -> Exchanges:
    """Stretches in which one camera takes two athletes for each other, by what the other cameras show at the time.

    Somebody in one camera is compared with each of the two in the other cameras, at every instant; the stretch whose
    exchange makes most of a difference is exchanged first. Two other cameras at least must show the athletes, as two
    cameras that disagree do not tell which of them is wrong.

    Args:
        tracks: of each athlete in each camera.
    """
    views = {
        (athlete, camera): _seen_at(track.body, timeline, camera)
        for athlete, each in enumerate(tracks)
        for camera, track in enumerate(each)
    }
    frames = timeline.nearest_frame()
    period = float(np.median(np.diff(timeline.time))) if len(timeline.time) > 1 else 1.0
    meeting = [
        (camera, one, other)
        for camera in range(frames.shape[1])
        for one, other in combinations(range(len(tracks)), 2)
        if frames.shape[1] > 2 and _meet(tracks[one][camera], tracks[other][camera])
    ]
    rows: list[tuple[int, int, int, int, int]] = []
    while meeting and len(rows) < MOST_EXCHANGES:
        stretches = [_best_stretch(views, each, period) for each in meeting]
        gain, start, end = max(stretches)
        if gain < LEAST_GAIN:
            break
        camera, one, other = meeting[stretches.index((gain, start, end))]
        for first, second in zip(views[one, camera], views[other, camera], strict=True):
            first[start:end], second[start:end] = second[start:end].copy(), first[start:end].copy()
        shown = frames[start:end, camera]
        shown = shown[shown >= 0]
        rows.append((camera, int(shown[0]), int(shown[-1]) + 1, one, other))
    columns = np.array(rows, np.int32).reshape(-1, 5).T
    return Exchanges(*columns)


def exchange_tracks(tracks: list[Track], exchanges: Exchanges, camera: int, athlete: int) -> Track:
    """An athlete's track in a camera, of which stretches are exchanged with the tracks of the other athletes."""
    frame = np.arange(len(tracks[0].time))
    owner = np.repeat(np.arange(len(tracks))[:, None], len(frame), 1)  # (athlete, frame): in whose track they are
    for row in np.flatnonzero(exchanges.camera == camera):
        pair, stretch = [exchanges.one[row], exchanges.other[row]], slice(exchanges.start[row], exchanges.end[row])
        owner[pair, stretch] = owner[pair[::-1], stretch]
    arrays = {name: np.stack([getattr(track, name) for track in tracks])[owner[athlete], frame]
              for name in ("keypoint", "confidence", "box")}  # fmt: skip
    return replace(tracks[athlete], **arrays)


def _meet(one: Track, other: Track) -> bool:
    """Whether two people in a video come so near each other that it may take one for the other.

    Somebody who is hidden is where the frames before and after say.
    """
    middle, size = [], []
    for track in (one, other):
        seen = np.flatnonzero(track.confidence.any(1))
        if not len(seen):
            return False
        box = np.array([np.interp(np.arange(len(track.time)), seen, side[seen]) for side in track.box.T]).T
        middle.append((box[:, :2] + box[:, 2:]) / 2)
        size.append((box[:, 2:] - box[:, :2]).max(1))
    return bool((np.linalg.norm(middle[0] - middle[1], axis=1) < NEAR * np.minimum(*size)).any())


def _best_stretch(
    views: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]], meeting: tuple[int, int, int], period: float
) -> tuple[float, int, int]:
    """What is gained (s) by exchanging two athletes in a camera in the best stretch of instants, and its ends."""
    camera, one, other = meeting
    others = {each for _, each in views} - {camera}

    def unfit(shown: int, meant: int) -> np.ndarray:
        """How badly (T) what the camera shows of an athlete fits what the other cameras show of one."""
        each = np.stack([_residual(views[shown, camera], views[meant, rival]) for rival in others])
        enough = np.isfinite(each).sum(0) >= 2
        return np.where(enough, np.nanmedian(np.where(enough, each, 0), axis=0), np.nan)

    gain = np.zeros(len(views[one, camera][1]))
    for first, second in ((one, other), (other, one)):
        gain += np.nan_to_num(unfit(first, first) - unfit(first, second))
    total = np.concatenate([[0], np.cumsum(np.clip(gain, -UNRELATED, UNRELATED) - UNSURE)])
    end = int(np.argmax(total - np.minimum.accumulate(total)))
    start = int(np.argmin(total[: end + 1]))
    return float(total[end] - total[start]) * period / UNRELATED, start, end


def _residual(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Residual (T) of rank 3 of two views of people at each instant; NaN where either sees too little."""
    both = first[1] & second[1]
    residual = rank_residual(np.stack([first[0], second[0]], 1), both[:, None].repeat(2, 1))
    seen = both.sum(1)
    return np.where(both.mean(1) >= MIN_JOINTS, np.sqrt(np.square(residual).sum(1) / np.maximum(seen, 1)), np.nan)
