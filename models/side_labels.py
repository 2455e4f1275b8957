"""Which of a person's sides a detector has taken for the other, told by the motion in one view.

Each frame has one of four labels: as detected, legs swapped, upper body swapped, both. Joints that jump across the
body and back accelerate as no person does: the cost of labels is the negative log-likelihood of the accelerations
under Cauchy noise, whose scale is measured, plus that of what other views say. The labels of least cost are found by
the Viterbi algorithm over pairs of frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .skeleton import Skeleton
from .weak_perspective import pose_in_sizes

LEG_WORDS = {"hip", "knee", "ankle", "heel", "foot", "toe"}
LABELS = 4
"""0 as detected, 1 legs swapped, 2 upper body swapped, 3 both: one bit for each part."""
SWITCH_COST = 3.0
"""Of a change of label between two frames, and of a swap in the first one (nats per part)."""
JOINT_SHARE = 1 / 3
"""The three joints of a limb err together: so much of what each of them tells is new."""
SMALLEST_SCALE = 0.005
"""Of the noise, in sizes of the person."""
DECIDED = 2.0
"""By so much (nats) the labels must be better than the best ones with another label in a frame."""


def permutations(skeleton: Skeleton) -> np.ndarray:
    """For each label, which joint stands where (label, joint) int64."""
    legs = np.array([bool(LEG_WORDS & set(joint.split("_"))) for joint in skeleton.joints])
    own = np.arange(len(legs))
    return np.stack(
        [np.where(legs & bool(label & 1) | ~legs & bool(label & 2), skeleton.mirror, own) for label in range(LABELS)]
    )


@dataclass
class SideLabels:
    """One camera's root-relative poses, what time says of their labels, and the labels so far."""

    pose: np.ndarray  # (F, J, 2) in sizes of the person, 0 where missing
    seen: np.ndarray  # (F, J) bool
    motion: np.ndarray  # (F, label before, label, label after) nats
    prior: np.ndarray  # (label) nats per frame
    period: float  # s
    order: np.ndarray  # (label, J)
    label: np.ndarray  # (F) int

    @staticmethod
    def of(keypoint: np.ndarray, time: np.ndarray, skeleton: Skeleton, swap_cost_per_s: float) -> SideLabels:
        """Nothing swapped yet, in a view's poses (F, J, 2) px at times (F) s; a swap costs so many nats a second."""
        pose, seen = pose_in_sizes(keypoint, skeleton)
        period = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
        order = permutations(skeleton)
        parts = np.array([0, 1, 1, 2])
        return SideLabels(
            pose=pose,
            seen=seen,
            motion=_motion_cost(pose, seen, time, period, order),
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
        for start, end in runs_of(path != self.label):
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


def runs_of(mask: np.ndarray) -> list[tuple[int, int]]:
    """Starts and ends (exclusive) of the stretches of a mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _switches(before: Any, after: Any) -> np.ndarray:
    """How many parts of the body change their label."""
    changed = before ^ after
    return (changed & 1) + (changed >> 1)
