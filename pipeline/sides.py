"""Left and right: stretches of a view in which a detector took one side for the other, found and put right.

Detectors swap the sides of a person with full confidence. Two things tell, neither of which needs a calibration:

* time: joints that jump across the body and back accelerate as no person does;
* the other views: root-relative 2D poses of one instant, stacked as a matrix (2 views, joints), have rank 3 under
  weak perspective (Tomasi and Kanade, IJCV 1992), whether or not cameras move. A swap in one view breaks it.

Each frame of a view has one of four labels: as detected, legs swapped, upper body swapped, both. The labels of a view
are those of least cost given the labels of the other views, by the Viterbi algorithm over pairs of frames; views are
gone through until nothing changes. Costs are negative log-likelihoods under Cauchy noise, whose scales are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.skeleton import SKELETONS, Skeleton
from ..models.weak_perspective import pose_in_sizes, rank_residual
from .arrays import Swaps, Timeline, Track
from .cache import stage
from .settings import SideSettings

LEG_WORDS = {"hip", "knee", "ankle", "heel", "foot", "toe"}
LABELS = 4
"""0 as detected, 1 legs swapped, 2 upper body swapped, 3 both: one bit for each part."""
SWITCH_COST = 3.0
"""Of a change of label between two frames, and of a swap in the first one (nats per part)."""
SWAP_COST_PER_S = 4.0
"""Of a swap that lasts (nats per second and part): detectors are right most of the time."""
ALONE_COST_PER_S = 10.0
"""The same where there is no other view to ask: only short swaps are believed."""
CORRELATION_S = 0.06
"""For about so long the errors of a view stay the same: evidence from other views is not new in every frame."""
JOINT_SHARE = 1 / 3
"""The three joints of a limb err together: so much of what each of them tells is new."""
SMALLEST_SCALE = 0.005
"""Of the noise, in sizes of the person."""
DECIDED = 2.0
"""By so much (nats) the labels must be better than the best ones with another label in a frame."""
ROUNDS = 20


@stage(version=1)
def find_swaps(tracks: list[Track], timeline: Timeline | None, settings: SideSettings) -> Swaps:
    """Swapped stretches of one person's tracks by the cameras of a take; of one track alone without a timeline."""
    skeleton = SKELETONS[tracks[0].skeleton]
    rate = SWAP_COST_PER_S if len(tracks) > 1 else ALONE_COST_PER_S
    views = [_View.of(track, skeleton, rate) for track in tracks]
    instants = np.zeros((0, len(tracks)), int) if timeline is None else _nearest_frames(timeline)
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
    return _stretches(views, [found | more for found, more in zip(doubts, unsettled, strict=True)])


@stage(version=1)
def mend_sides(track: Track, swaps: Swaps, camera: int, settings: SideSettings) -> Track:
    """The track of a camera with its swaps undone, and paired joints that are in doubt at half their confidence."""
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


def swapped_share(swaps: Swaps, camera: int, frames: int) -> float:
    """Share of a camera's frames in which sides of the body are swapped."""
    here = (swaps.camera == camera) & ~swaps.doubtful
    return float((swaps.end - swaps.start)[here].sum()) / max(frames, 1)


def permutations(skeleton: Skeleton) -> np.ndarray:
    """For each label, which joint stands where (label, joint) int64."""
    legs = np.array([bool(LEG_WORDS & set(joint.split("_"))) for joint in skeleton.joints])
    own = np.arange(len(legs))
    return np.stack(
        [np.where(legs & bool(label & 1) | ~legs & bool(label & 2), skeleton.mirror, own) for label in range(LABELS)]
    )


@dataclass
class _View:
    """One camera's root-relative poses, what time says of their labels, and the labels so far."""

    pose: np.ndarray  # (F, J, 2) in sizes of the person, 0 where missing
    seen: np.ndarray  # (F, J) bool
    motion: np.ndarray  # (F, label before, label, label after) nats
    prior: np.ndarray  # (label) nats per frame
    period: float  # s
    order: np.ndarray  # (label, J)
    label: np.ndarray  # (F) int

    @staticmethod
    def of(track: Track, skeleton: Skeleton, swap_cost_per_s: float) -> _View:
        pose, seen = pose_in_sizes(track.keypoint, skeleton)
        period = float(np.median(np.diff(track.time))) if len(track.time) > 1 else 1.0
        order = permutations(skeleton)
        parts = np.array([0, 1, 1, 2])
        return _View(
            pose=pose,
            seen=seen,
            motion=_motion_cost(pose, seen, track.time, period, order),
            prior=swap_cost_per_s * period * parts,
            period=period,
            order=order,
            label=np.zeros(len(pose), int),
        )

    def labelled(self, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Poses (F, J, 2) and joints seen (F, J) under labels (F)."""
        order = self.order[label]
        return np.take_along_axis(self.pose, order[..., None], 1), np.take_along_axis(self.seen, order, 1)

    def best_path(self, emission: np.ndarray) -> np.ndarray:
        """Labels (F) of least cost, given evidence (F, label)."""
        forward, backward = self._least_costs(emission)
        path = np.empty(len(self.label), int)
        before, path[0] = 0, int(np.argmin((forward[0] + backward[0]).min(0)))
        for frame in range(1, len(path)):  # state: labels of the frame before and of this one
            before = path[frame - 1]
            path[frame] = int(np.argmin((forward[frame] + backward[frame])[before]))
        return path

    def doubtful(self, emission: np.ndarray) -> np.ndarray:
        """Which parts (F) of the body, as bits, could nearly as well be swapped."""
        forward, backward = self._least_costs(emission)
        margin = (forward + backward).min(1)  # (F, label): least cost of all paths through a label
        doubt = np.zeros(len(self.label), int)
        here = np.take_along_axis(margin, self.label[:, None], 1)[:, 0]
        for bit in (1, 2):
            other = np.where((np.arange(LABELS) & bit)[None] != (self.label & bit)[:, None], margin, np.inf).min(1)
            moved = self.order[bit] != np.arange(len(self.order[bit]))
            apart = np.linalg.norm(self.pose - self.pose[:, self.order[bit]], axis=-1)[:, moved]
            matters = (apart.max(1, initial=0) > 0.5) & self.seen[:, moved].any(1)
            doubt |= np.where((other - here < DECIDED) & matters, bit, 0)
        return doubt

    def changes(self, emission: np.ndarray, path: np.ndarray) -> list[tuple[slice, float]]:
        """Stretches in which a path differs from the labels, each with what it alone would gain (nats)."""
        changed = []
        for start, end in _runs(path != self.label):
            around = slice(max(start - 2, 0), min(end + 2, len(path)))
            proposed = self.label.copy()
            proposed[start:end] = path[start:end]
            gain = self._costs(emission, self.label)[around].sum() - self._costs(emission, proposed)[around].sum()
            changed.append((slice(start, end), float(gain)))
        return changed

    def alone(self, label: np.ndarray) -> float:
        """Cost of labels (F) without the other views."""
        return float(self._costs(np.zeros((len(label), LABELS)), label).sum())

    def _costs(self, emission: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Cost (F) of labels; that of a triple of frames counts at its last."""
        frames = np.arange(len(label))
        costs = emission[frames, label] + self.prior[label]
        costs[0] += SWITCH_COST * _switches(0, label[0])
        costs[1:] += SWITCH_COST * _switches(label[:-1], label[1:])
        costs[2:] += self.motion[frames[2:], label[:-2], label[1:-1], label[2:]]
        return costs

    def _least_costs(self, emission: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least costs up to and from states (F, label before, label); in the first frame both labels are one."""
        count, labels = len(emission), np.arange(LABELS)
        unary = emission + self.prior
        switch = SWITCH_COST * _switches(labels[:, None], labels[None])
        forward, backward = np.empty((count, LABELS, LABELS)), np.zeros((count, LABELS, LABELS))
        forward[0] = np.where(np.eye(LABELS, dtype=bool), unary[0] + SWITCH_COST * _switches(0, labels), np.inf)
        for frame in range(1, count):
            step = forward[frame - 1][:, :, None] + (self.motion[frame] if frame > 1 else 0)
            forward[frame] = step.min(0) + switch + unary[frame]
        for frame in range(count - 2, -1, -1):
            onwards = backward[frame + 1] + switch + unary[frame + 1]
            motion = self.motion[frame + 1] if frame else 0
            backward[frame] = (onwards[None] + motion).min(2)
        return forward, backward


def _motion_cost(
    pose: np.ndarray, seen: np.ndarray, time: np.ndarray, period: float, order: np.ndarray
) -> np.ndarray:
    """Cost (F, label, label, label) of the accelerations in each frame and the two before it."""
    cost = np.zeros((len(pose), LABELS, LABELS, LABELS))
    if len(pose) < 3:
        return cost
    known = seen[2:] & seen[1:-1] & seen[:-2] & (np.diff(time)[1:] + np.diff(time)[:-1] < 3 * period)[:, None]
    steady = np.linalg.norm(pose[2:] - 2 * pose[1:-1] + pose[:-2], axis=-1)
    scale = max(1.5 * float(np.median(steady[known])) if known.any() else 0.0, SMALLEST_SCALE)
    for part in (1, 2):
        own = np.arange(pose.shape[1])
        pair = order[part] != own
        first, middle, last = ([frames[:, order[part * bit]][:, pair] for bit in (0, 1)]
                               for frames in (pose[:-2], pose[1:-1], pose[2:]))  # fmt: skip
        for a in (0, 1):
            for b in (0, 1):
                for c in (0, 1):
                    jump = np.linalg.norm(last[c] - 2 * middle[b] + first[a], axis=-1)
                    both = known[:, pair] & known[:, order[part]][:, pair]
                    nats = JOINT_SHARE * 1.5 * (np.log1p(np.square(jump / scale)) * both).sum(1)
                    rows = [np.flatnonzero((np.arange(LABELS) & part > 0) == bool(bit)) for bit in (a, b, c)]
                    cost[np.ix_(np.arange(2, len(pose)), *rows)] += nats[:, None, None, None]
    return cost


def _evidence(views: list[_View], instants: np.ndarray) -> list[np.ndarray]:
    """What the other views say of each view's labels: cost (F, label) for each view, given the others' labels."""
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


def _accept(views: list[_View], instants: np.ndarray, changes: list[tuple[float, int, slice, np.ndarray]]) -> bool:
    """Make the changes that gain most, at any moment in one view only: the next round judges the others anew."""
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


def _blame(views: list[_View], instants: np.ndarray) -> list[np.ndarray]:
    """Two views only tell that they differ: which one is swapped, time must say. Undoes what it does not say.

    Returns:
        For each view the parts (F) in doubt, as bits.
    """
    doubts = [np.zeros(len(view.label), int) for view in views]
    for one, other in ((0, 1), (1, 0)):
        view, rival = views[one], views[other]
        for start, end in _runs(view.label > 0):
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


def _stretches(views: list[_View], doubts: list[np.ndarray]) -> Swaps:
    rows = [
        (camera, start, end, part, doubtful)
        for camera, (view, doubt) in enumerate(zip(views, doubts, strict=True))
        for labels, doubtful in ((view.label, 0), (doubt, 1))
        for part in range(1, LABELS)
        for start, end in _runs(labels == part)
    ]
    columns = np.array(rows, np.int32).reshape(-1, 5).T
    return Swaps(
        camera=columns[0], start=columns[1], end=columns[2], part=columns[3], doubtful=columns[4].astype(bool)
    )


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Starts and ends (exclusive) of the stretches of a mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _switches(before: Any, after: Any) -> np.ndarray:
    """How many parts of the body change their label."""
    changed = before ^ after
    return (changed & 1) + (changed >> 1)


def _nearest_frames(timeline: Timeline) -> np.ndarray:
    """Frame of each camera nearest to each instant (T, V) int; -1 where it shows nothing."""
    return np.where(np.isfinite(timeline.frame), np.rint(np.nan_to_num(timeline.frame)), -1).astype(int)
