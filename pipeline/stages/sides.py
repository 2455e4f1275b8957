"""Left and right: stretches of a view in which the detector swapped the sides, found and corrected.

Detectors swap the sides of a person with full confidence. Two cues show it, neither of which needs a calibration:

* time, by the accelerations of the joints (``models.body.side_labels``);
* the other views: root-relative 2D poses of one instant, stacked as a matrix (2 views, joints), have rank 3 under
  weak perspective (Tomasi and Kanade, IJCV 1992), whether or not cameras move. A swap in one view breaks it.

The labels of a view are those of least cost given the labels of the other views; this is repeated for all views until
nothing changes. A view whose sides are swapped in nearly all frames shows a mirror image: its poses are left as they
are, since other names of the sides do not make a picture of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...models.body.side_labels import DECIDED, JOINT_SHARE, LABELS, SMALLEST_SCALE, SideLabels, permutations, runs_of
from ...models.geometry.weak_perspective import rank_residual
from ...models.skeleton import SKELETONS
from ..arrays import Samples, Swaps, Timeline, Track
from ..runtime.cache import stage
from ..settings import SideSettings

SWAP_COST_PER_S = 4.0
"""Cost of a swap in nats per second and body part: detectors are right most of the time."""
ALONE_COST_PER_S = 10.0
"""The same where there is no other view to compare with: only short swaps are accepted."""
CORRELATION_S = 0.06
"""Correlation time of a view's errors: evidence from other views is not independent in every frame."""
NEARLY_ALL = 0.8
"""Share of the frames with people from which on swapped sides mean a mirrored picture."""
ROUNDS = 20


@stage(version=3)
def find_swaps(tracks: list[Track], timeline: Timeline | None, settings: SideSettings) -> Swaps:
    """Swapped stretches of one person's tracks by the cameras of a take; of one track alone without a timeline."""
    tracks = [track.body for track in tracks]
    skeleton = SKELETONS[tracks[0].skeleton]
    rate = SWAP_COST_PER_S if len(tracks) > 1 else ALONE_COST_PER_S
    views = [SideLabels.of(track.keypoint, track.time, skeleton, rate) for track in tracks]
    instants = np.zeros((0, len(tracks)), int) if timeline is None else timeline.nearest_frame()
    for _ in range(ROUNDS):
        evidence = _evidence(views, instants)
        found = [
            (gain, number, stretch, path)
            for number, (view, emission) in enumerate(zip(views, evidence, strict=True))
            for path in [view.best_path(emission)]
            for stretch, gain in view.changes(emission, path)
        ]
        if not _accept(views, instants, sorted(found, key=lambda change: -change[0])):
            break
    unsettled = _blame(views, instants) if len(views) == 2 else [np.zeros(len(view.label), int) for view in views]
    evidence = _evidence(views, instants)
    doubts = [view.doubtful(emission) for view, emission in zip(views, evidence, strict=True)]
    mirrored = [number for number, view in enumerate(views) if _nearly_all(view.label, view)]
    for number in mirrored:
        views[number].label ^= LABELS - 1  # what is left are swaps in the mirror image
    if any(_nearly_all(doubt, view) for doubt, view in zip(unsettled, views, strict=True)):
        mirrored = [0, 1]
    return _stretches(views, [found | more for found, more in zip(doubts, unsettled, strict=True)], mirrored)


@stage(version=2)
def mend_sides(track: Track, swaps: Swaps, camera: int, settings: SideSettings) -> Track:
    """The track of a camera with its swaps corrected, and half the confidence for paired joints in doubt."""
    skeleton = SKELETONS[track.skeleton]
    keypoint, confidence = np.array(track.keypoint), np.array(track.confidence)
    for row in np.flatnonzero(swaps.camera == camera):
        frames = slice(swaps.start[row], swaps.end[row])
        order = permutations(skeleton)[swaps.part[row]]
        if swaps.doubtful[row]:
            confidence[frames, order != np.arange(len(order))] *= 0.5
        elif settings.repair:
            keypoint[frames], confidence[frames] = keypoint[frames][:, order], confidence[frames][:, order]
    return Track(
        time=track.time,
        keypoint=keypoint,
        confidence=confidence,
        box=track.box,
        skeleton=track.skeleton,
        camera_moves=track.camera_moves,
        dropped=track.dropped,
    )


@stage(version=3)
def find_swaps_in_samples(samples: Samples, alone: bool, settings: SideSettings) -> Swaps:
    """``find_swaps`` in the takes of a keypoint file; frames are counted in samples.

    Args:
        samples: with their times.
        alone: whether each view is judged without the others.

    Returns:
        Swaps whose ``camera`` is the number of the view, and whose frames are those of the take (``take_members``).
        Of take n, ``camera`` is n times the number of views higher.
    """
    found, views = [], samples.confidence.shape[1]
    for number, members in take_members(samples):
        tracks = [_track_of(samples, members, view) for view in range(views)]
        if alone:
            each = [find_swaps(tracks[view : view + 1], None, settings) for view in range(views)]
            found += [_counted_from(number * views + view, swaps) for view, swaps in enumerate(each)]
        else:
            swaps = find_swaps(tracks, _own_timeline(samples, members), settings)
            found.append(_counted_from(number * views, swaps))
    names = ("camera", "start", "end", "part", "doubtful")
    joined = {name: np.concatenate([getattr(swaps, name) for swaps in found]) for name in names}
    mirrored = [camera for swaps in found for camera in swaps.mirrored]
    return Swaps(
        **{name: array.astype(getattr(found[0], name).dtype) for name, array in joined.items()}, mirrored=mirrored
    )


def _counted_from(first: int, swaps: Swaps) -> Swaps:
    """The same swaps, the first of whose cameras has another number."""
    return replace(swaps, camera=swaps.camera + first, mirrored=[camera + first for camera in swaps.mirrored])


@stage(version=1)
def mend_samples(samples: Samples, swaps: Swaps, settings: SideSettings) -> Samples:
    """The samples of a keypoint file with their swaps corrected, as by ``mend_sides``."""
    views = samples.confidence.shape[1]
    keypoint, confidence = np.array(samples.keypoint), np.array(samples.confidence)
    for number, members in take_members(samples):
        for view in range(views):
            track = mend_sides(_track_of(samples, members, view), swaps, number * views + view, settings)
            keypoint[members, view], confidence[members, view] = np.nan_to_num(track.keypoint), track.confidence
    return replace(samples, keypoint=keypoint, confidence=confidence)


def take_members(samples: Samples) -> Iterator[tuple[int, np.ndarray]]:
    """Number of each take, and its samples (N) in the order of their times."""
    time = samples.instant if samples.time is None else samples.time
    for number in np.unique(samples.take):
        members = np.flatnonzero(samples.take == number)
        yield int(number), members[np.argsort(np.asarray(time)[members], kind="stable")]


def _track_of(samples: Samples, members: np.ndarray, view: int) -> Track:
    """One view of a take as the track of a video."""
    confidence = np.array(samples.confidence[members, view])
    keypoint = np.where(confidence[..., None] > 0, samples.keypoint[members, view], np.float32("nan"))
    return Track(
        time=np.asarray(samples.time)[members],
        keypoint=keypoint,
        confidence=confidence,
        box=np.full((len(members), 4), np.nan, np.float32),
        skeleton=samples.skeleton,
        camera_moves=None,
        dropped=0,
    )


def _own_timeline(samples: Samples, members: np.ndarray) -> Timeline:
    """The timeline of a take whose views all show each of its instants."""
    count, views = len(members), samples.confidence.shape[1]
    return Timeline(
        time=np.asarray(samples.time)[members],
        offset=np.zeros(views),
        rate=np.ones(views),
        frame=np.repeat(np.arange(count, dtype=float)[:, None], views, 1),
        lag=np.full(views, np.nan),
        score=np.zeros(views, np.float32),
        warnings=[],
    )


def swapped_share(swaps: Swaps, camera: int, frames: int) -> float:
    """Share of a camera's frames in which sides of the body are swapped."""
    here = (swaps.camera == camera) & ~swaps.doubtful
    return float((swaps.end - swaps.start)[here].sum()) / max(frames, 1)


def describe_swaps(swaps: Swaps, camera: int, settings: SideSettings) -> str:
    """A sentence on the sides in a camera's 2D poses, for the steps of a motion."""
    here, length = swaps.camera == camera, swaps.end - swaps.start
    swapped, doubtful = (int(length[here & (swaps.doubtful == doubt)].sum()) for doubt in (False, True))
    done = "exchanged" if settings.repair else "swapped, and left so,"
    return f"left and right of 2D poses {done} in {swapped} frames, in doubt in {doubtful}"


def _evidence(views: list[SideLabels], instants: np.ndarray) -> list[np.ndarray]:
    """Evidence of the other views: cost (F, label) for each view, given the others' labels."""
    evidence = [np.zeros((len(view.pose), LABELS)) for view in views]
    if len(views) < 2 or len(instants) == 0:
        return evidence
    shown = instants >= 0
    frames = np.where(shown, instants, 0)
    stack, seen = (np.stack(arrays, 1) for arrays in zip(
        *([array[frames[:, number]] for array in view.labelled(view.label)] for number, view in enumerate(views)),
        strict=True))  # fmt: skip
    seen = seen & shown[..., None]
    now = rank_residual(stack, seen)
    scale = max(float(np.median(now[now > 0])) if (now > 0).any() else 0.0, SMALLEST_SCALE)
    for number, view in enumerate(views):
        here = shown[:, number]
        # Multivariate Cauchy noise in the 2V - 3 dimensions that the body leaves free: (1 + 2V - 3) / 2 = V - 1.
        weight = JOINT_SHARE * min(1.0, view.period / CORRELATION_S) * (shown.sum(1) - 1)
        for label in range(LABELS):
            order = view.order[view.label[frames[:, number]] ^ label]
            changed, visible = stack.copy(), seen.copy()
            changed[:, number] = np.take_along_axis(stack[:, number], order[..., None], 1)
            visible[:, number] = np.take_along_axis(seen[:, number], order, 1)
            nats = np.log1p(np.square(rank_residual(changed, visible) / scale)).sum(1)
            np.add.at(evidence[number][:, label], frames[here, number], (weight * nats)[here])
    return evidence


def _accept(
    views: list[SideLabels], instants: np.ndarray, changes: list[tuple[float, int, slice, np.ndarray]]
) -> bool:
    """Apply the changes of largest gain, in one view only at any instant; the next round checks the others again."""
    taken = np.zeros(len(instants), bool)
    made = False
    for gain, number, stretch, path in changes:
        frame = instants[:, number] if len(instants) else np.zeros(0, int)
        moments = (frame >= stretch.start - 1) & (frame <= stretch.stop)
        if gain <= 0 or taken[moments].any():
            continue
        taken |= moments
        views[number].label[stretch] = path[stretch]
        made = True
    return made


def _blame(views: list[SideLabels], instants: np.ndarray) -> list[np.ndarray]:
    """Two views only tell that they differ: which one is swapped, time must say. Undoes what it does not say.

    Returns:
        For each view the parts (F) in doubt, as bits.
    """
    doubts = [np.zeros(len(view.label), int) for view in views]
    for one, other in ((0, 1), (1, 0)):
        view, rival = views[one], views[other]
        for start, end in runs_of(view.label > 0):
            here = (instants[:, one] >= start) & (instants[:, one] < end) & (instants[:, other] >= 0)
            moved = rival.label.copy()
            moved[instants[here, other]] ^= view.label[instants[here, one]]
            cleared = view.label.copy()
            cleared[start:end] = 0
            gain = view.alone(view.label) + rival.alone(rival.label) - view.alone(cleared) - rival.alone(moved)
            if abs(gain) < DECIDED:
                doubts[one][start:end] |= view.label[start:end]
                doubts[other] |= moved ^ rival.label
            elif gain > 0:
                rival.label = moved
            if gain > -DECIDED:
                view.label = cleared
    return doubts


def _nearly_all(label: np.ndarray, view: SideLabels) -> bool:
    """Whether both parts of the body have a label (F) in nearly all frames in which somebody is seen."""
    there = view.seen.any(1)
    return bool((label[there] == LABELS - 1).sum() > NEARLY_ALL * max(there.sum(), 1))


def _stretches(views: list[SideLabels], doubts: list[np.ndarray], mirrored: list[int]) -> Swaps:
    rows = [
        (camera, start, end, part, doubtful)
        for camera, (view, doubt) in enumerate(zip(views, doubts, strict=True))
        for labels, doubtful in ((view.label, 0), (doubt, 1))
        for part in range(1, LABELS)
        for start, end in runs_of(labels == part)
    ]
    columns = np.array(rows, np.int32).reshape(-1, 5).T
    return Swaps(
        camera=columns[0],
        start=columns[1],
        end=columns[2],
        part=columns[3],
        doubtful=columns[4].astype(bool),
        mirrored=mirrored,
    )
