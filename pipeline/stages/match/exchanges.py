"""Exchanges: where a camera takes people for each other, by what the other cameras show at the time.

People who cross hide each other, and a track may go on as somebody else's. Whom a camera shows is told by the poses
of the other cameras at the same instant: heights of joints above the pelvis are alike in all level cameras, and the
two root-relative poses have rank 3 under weak perspective. Of all stretches in which two people of a camera, or
somebody and nobody, may be exchanged, the one is exchanged first whose exchange makes most of a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from ....models.geometry.weak_perspective import rank_residual
from ...arrays import Exchanges, Timeline, Track
from ...runtime.cache import stage
from .views import MIN_JOINTS, SAME, View, disagreement, seen_at

NEAR = 0.6
"""Distance of two people's boxes, in sizes of the smaller one, below which a camera may take them for each other."""
HEIGHTS, RANK = 0.12, 0.08
"""Differences of heights, and residuals of rank 3, in sizes of the person, that count as 1."""
NOBODY = 2.3
"""Misfit as of poses that may be one person's or two people's."""
LARGEST = 2.0
"""By how much a misfit of an instant counts as larger than another at most, as poses of an instant may be wrong."""
UNSURE = 0.3
"""Difference of misfits below which neither of two people fits better."""
LEAST_GAIN, LEAST_S = 0.5, 0.4
"""What an exchange must gain, seconds times misfit, and how long it must last: what is shorter may be chance."""
MOST_EXCHANGES = 50
BEFORE_S = 0.4
"""Before and after people are near each other it may not be clear for so long who is who,"""
AROUND_S = 0.4
"""and is not, where somebody else fits better in the mean of so long before and after an instant."""
UNKNOWN = -1
"""Whose a stretch is of which it cannot be told."""


@stage(version=4)
def find_exchanges(tracks: list[list[Track]], timeline: Timeline) -> Exchanges:
    """Stretches in which one camera takes two people of a take for each other, or may.

    Left out are instants after which, and before, two people are near each other and each fits the other as well.

    Two other cameras at least must show somebody, as two cameras that disagree do not tell which of them is wrong.

    Args:
        tracks: of each person in each camera, also of those whom one camera shows only.
    """
    views = {
        (person, camera): seen_at(track.body, timeline, camera)
        for person, each in enumerate(tracks)
        for camera, track in enumerate(each)
    }
    frames = timeline.nearest_frame()
    period = float(np.median(np.diff(timeline.time))) if len(timeline.time) > 1 else 1.0
    known = [sum(track.confidence.any() for track in each) > 1 for each in tracks]
    meeting = [
        (camera, one, other)
        for camera in range(frames.shape[1])
        for one, other in combinations(range(len(tracks)), 2)
        if frames.shape[1] > 2 and (known[one] or known[other]) and _meet(tracks[one][camera], tracks[other][camera])
    ]
    rows: list[tuple[int, int, int, int, int]] = []
    stretches = {pair: _best_stretch(views, pair, period) for pair in meeting}
    while stretches and len(rows) < MOST_EXCHANGES:
        camera, one, other = pair = max(stretches, key=stretches.__getitem__)
        gain, start, end = stretches[pair]
        if gain < LEAST_GAIN:
            break
        stretch = slice(start, end)
        # what would be exchanged with somebody unknown, who is not there, would only be lost
        shown = [known[each] or views[each, camera][1][stretch].any() for each in pair[1:]]
        may_be = [_may_be(views, camera, *each, stretch, timeline.time) for each in (pair[1:], pair[:0:-1])]
        if (end - start) * period < LEAST_S or not all(shown) or not all(may_be):
            del stretches[pair]
            continue
        for first, second in zip(views[one, camera], views[other, camera], strict=True):
            first[stretch], second[stretch] = second[stretch].copy(), first[stretch].copy()
        rows.append((camera, *_frames_of(frames[stretch, camera]), one, other))
        for changed in (each for each in stretches if {one, other} & set(each[1:])):
            stretches[changed] = _best_stretch(views, changed, period)
    doubt = np.zeros((len(tracks), *frames.shape), bool)
    for camera, one, other in (each for each in meeting if known[each[1]] and known[each[2]]):
        near = _apart(tracks[one][camera], tracks[other][camera]) < NEAR
        near = near[frames[:, camera]] & (frames[:, camera] >= 0)
        doubt[[one, other], :, camera] |= _doubtful(views, (camera, one, other), near, period)
    doubt &= frames >= 0
    for person, camera in np.argwhere(doubt.any(1)).tolist():
        ends = np.flatnonzero(np.diff(doubt[person, :, camera].astype(int), prepend=0, append=0))
        for start, end in ends.reshape(-1, 2).tolist():
            rows.append((camera, *_frames_of(frames[start:end, camera]), person, UNKNOWN))
    return Exchanges(*np.array(rows, np.int32).reshape(-1, 5).T)


def exchange_tracks(tracks: list[Track], exchanges: Exchanges, camera: int, athlete: int) -> Track:
    """An athlete's track in a camera, of which stretches are exchanged with the tracks of the other athletes."""
    frame = np.arange(len(tracks[0].time))
    owner = np.repeat(np.arange(len(tracks))[:, None], len(frame), 1)  # (athlete, frame): in whose track they are
    for row in np.flatnonzero(exchanges.camera == camera):
        pair, stretch = [exchanges.one[row], exchanges.other[row]], slice(exchanges.start[row], exchanges.end[row])
        if exchanges.other[row] == UNKNOWN:
            owner[pair[0], stretch] = UNKNOWN
        else:
            owner[pair, stretch] = owner[pair[::-1], stretch]
    arrays = {name: np.stack([getattr(track, name) for track in tracks])[owner[athlete], frame]
              for name in ("keypoint", "confidence", "box")}  # fmt: skip
    for name, array in arrays.items():
        array[owner[athlete] == UNKNOWN] = 0 if name == "confidence" else np.nan
    return replace(tracks[athlete], **arrays)


def _may_be(
    views: Mapping[tuple[int, int], View], camera: int, shown: int, meant: int, stretch: slice, time: np.ndarray
) -> bool:
    """Whether a camera may show, as somebody whom other cameras do not show at the time, somebody whom they show."""
    here = {each: (pose[stretch], seen[stretch]) for each, (pose, seen) in views.items()}
    rivals = {each for _, each in views} - {camera}
    if not here[shown, camera][1].any() or any(here[shown, rival][1].any() for rival in rivals):
        return True
    apart = [disagreement(here[shown, camera], here[meant, rival], time[stretch]) for rival in rivals]
    return bool(np.isfinite(apart).any() and np.nanmedian(apart) < SAME)


def _frames_of(shown: np.ndarray) -> tuple[int, int]:
    """The first of some frames, of which those below 0 do not count, and the one behind the last."""
    shown = shown[shown >= 0]
    return int(shown[0]), int(shown[-1]) + 1


def _meet(one: Track, other: Track) -> bool:
    """Whether a video shows somebody, and two people so near each other that it may take one for the other."""
    return bool((one.confidence.any() or other.confidence.any()) and (_apart(one, other) < NEAR).any())


def _apart(one: Track, other: Track) -> np.ndarray:
    """Distance (F) of two people in a video, in sizes of the smaller one.

    Somebody who is hidden is where the frames before and after say; somebody who is never seen may be anywhere.
    """
    middle, size = [], []
    for track in (one, other):
        seen = np.flatnonzero(track.confidence.any(1))
        if not len(seen):
            return np.zeros(len(track.time))
        box = np.array([np.interp(np.arange(len(track.time)), seen, side[seen]) for side in track.box.T]).T
        middle.append((box[:, :2] + box[:, 2:]) / 2)
        size.append((box[:, 2:] - box[:, :2]).max(1))
    return np.linalg.norm(middle[0] - middle[1], axis=1) / np.minimum(*size)


def _best_stretch(
    views: Mapping[tuple[int, int], View], meeting: tuple[int, int, int], period: float
) -> tuple[float, int, int]:
    """What is gained (s) by exchanging two people in a camera in the best stretch of instants, and its ends."""
    camera, one, other = meeting
    gain = np.zeros(len(views[one, camera][1]))
    for first, second in ((one, other), (other, one)):
        gain -= np.nan_to_num(_advantage(views, camera, first, second))
    total = np.concatenate([[0], np.cumsum(gain - UNSURE)])
    end = int(np.argmax(total - np.minimum.accumulate(total)))
    start = int(np.argmin(total[: end + 1]))
    return float(total[end] - total[start]) * period, start, end


def _doubtful(
    views: Mapping[tuple[int, int], View], meeting: tuple[int, int, int], near: np.ndarray, period: float
) -> np.ndarray:
    """At which instants (T) two people in a camera who are near each other may as well be exchanged.

    Args:
        near: (T) whether the two are near each other.
    """
    camera, one, other = meeting
    advantage = np.stack([_advantage(views, camera, *pair) for pair in ((one, other), (other, one))])
    known = np.isfinite(advantage).any(0)
    around, before = (2 * round(seconds / period) + 1 for seconds in (AROUND_S, BEFORE_S))
    total = uniform_filter1d(np.nansum(advantage, 0), around, mode="constant")
    return known & maximum_filter1d(near, before, mode="constant") & (total < 0)


def _advantage(views: Mapping[tuple[int, int], View], camera: int, shown: int, other: int) -> np.ndarray:
    """How much better (T) whom a camera shows fits what others show of the same person than of another; or NaN."""
    mine, theirs = (_misfit(views, camera, shown, meant) for meant in (shown, other))
    there = np.isfinite(mine) | np.isfinite(theirs)
    mine, theirs = (np.nan_to_num(misfit, nan=NOBODY) for misfit in (mine, theirs))
    return np.where(there, np.clip(theirs - mine, -LARGEST, LARGEST), np.nan)


def _misfit(views: Mapping[tuple[int, int], View], camera: int, shown: int, meant: int) -> np.ndarray:
    """How badly (T) what a camera shows of somebody fits what two other cameras or more show of somebody; or NaN."""
    others = {each for _, each in views} - {camera}
    each = np.stack([_difference(views[shown, camera], views[meant, other]) for other in others])
    enough = np.isfinite(each).sum(0) >= 2
    return np.where(enough, np.nanmedian(np.where(enough, each, 0), axis=0), np.nan)


def _difference(first: View, second: View) -> np.ndarray:
    """How badly (T) two views of people fit each other at each instant; NaN where either sees too little."""
    both = first[1] & second[1]
    seen = np.maximum(both.sum(1), 1)
    residual = rank_residual(np.stack([first[0], second[0]], 1), both[:, None].repeat(2, 1))
    rank = np.sqrt(np.square(residual).sum(1) / seen)
    heights = np.sqrt(np.square((first[0] - second[0])[..., 1]).sum(1, where=both) / seen)
    return np.where(both.mean(1) >= MIN_JOINTS, heights / HEIGHTS + rank / RANK, np.nan)
