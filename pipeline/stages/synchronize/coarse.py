"""Which offsets explain what all pairs of cameras and all cues say, to a step of the signals, and how surely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .matching import Cue
from .signals import RATE

Pair = tuple[int, int]
APART_S = 0.3
"""Another peak is one that is at least so far from the best."""
ROUNDS = 10


@dataclass(frozen=True)
class Choice:
    """The likeliest shift of some cameras against the others."""

    shift: int  # steps by which they should be moved later
    evidence: float
    ratio: float  # to the best other peak; infinite if there is none


def likeliest_starts(cues: Mapping[Pair, Cue], cameras: int, fixed: Mapping[int, int]) -> np.ndarray:
    """Start (C) of each camera in steps of the signals: those at which the evidence of all pairs adds up to most.

    Cameras are joined along their surest pairs and then moved one by one until nothing gets better.

    Args:
        cues: evidence of all pairs.
        fixed: known starts of some cameras; without any, the first camera starts at 0.
    """
    start = np.zeros(cameras, int)
    known = dict(fixed) or {0: 0}
    for camera, value in known.items():
        start[camera] = value
    placed = set(known)
    while len(placed) < cameras:  # the surest of those that are left, against all that are placed
        left = [camera for camera in range(cameras) if camera not in placed]
        choices = {camera: best_shift(cues, start, {camera}, placed) for camera in left}
        camera = max(left, key=lambda camera: choices[camera].evidence)
        start[camera] += choices[camera].shift
        placed.add(camera)
    everyone = set(range(cameras))
    for _ in range(ROUNDS):
        before = start.copy()
        for camera in everyone - set(known):
            start[camera] += best_shift(cues, start, {camera}, everyone - {camera}).shift
        if (start == before).all():
            break
    return start


def best_shift(cues: Mapping[Pair, Cue], start: np.ndarray, some: set[int], others: set[int]) -> Choice:
    """The shift of some cameras together against the others that has most evidence; ``start`` (C) is in steps."""
    lag, total = evidence_of_shifts(cues, start, some, others)
    if total.max() <= 0:
        return Choice(0, 0.0, 0.0)
    best = int(total.argmax())
    far = np.abs(lag - lag[best]) >= APART_S * RATE
    second = float(total[far].max(initial=0))
    return Choice(int(lag[best]), float(total[best]), float(total[best]) / second if second > 0 else np.inf)


def evidence_of_shifts(
    cues: Mapping[Pair, Cue], start: np.ndarray, some: set[int], others: set[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (L) in steps, and the evidence (L) for moving some cameras by them against others."""
    lag = next(iter(cues.values())).lag
    reach = int(np.abs(start[:, None] - start[None]).max())
    shifts = np.arange(lag[0] - reach, lag[-1] + reach + 1)
    total = np.zeros(len(shifts))
    for (first, second), cue in cues.items():
        # the second camera shows at its step t + lag what the first does at t: lag = start_first - start_second
        now = start[first] - start[second]
        if first in some and second in others:
            total += np.interp(now + shifts, lag, cue.evidence, 0, 0)
        elif second in some and first in others:
            total += np.interp(now - shifts, lag, cue.evidence, 0, 0)
    return shifts, total


def weakest_cut(cues: Mapping[Pair, Cue], start: np.ndarray, fixed: set[int]) -> dict[int, float]:
    """For each camera, the smallest peak ratio of all groups with it that might be shifted against the others.

    Groups are single cameras, and the two parts of the tree of the surest pairs when one of its edges is cut.

    Args:
        cues: evidence of all pairs.
        start: (C) steps, where the cameras were found.
        fixed: cameras whose starts are known; the peak ratios are those of the side without them.
    """
    cameras = len(start)
    everyone = set(range(cameras))
    ratios = {camera: np.inf for camera in range(cameras)}
    for group in _groups(cues, start):
        if fixed <= group or not fixed & group:
            rest = everyone - group
            moving = group if not fixed & group else rest
            choice = best_shift(cues, start, moving, everyone - moving)
            ratio = choice.ratio if abs(choice.shift) <= APART_S * RATE else 0.0
            for camera in moving:
                ratios[camera] = min(ratios[camera], ratio)
    return ratios


def _groups(cues: Mapping[Pair, Cue], start: np.ndarray) -> list[set[int]]:
    cameras = len(start)
    weight = {pair: np.interp(start[pair[0]] - start[pair[1]], cue.lag, cue.evidence) for pair, cue in cues.items()}
    tree: list[Pair] = []
    group = list(range(cameras))
    for first, second in sorted(weight, key=lambda pair: -weight[pair]):  # Kruskal
        if group[first] != group[second]:
            tree.append((first, second))
            group = [group[first] if member == group[second] else member for member in group]
    groups = [{camera} for camera in range(cameras)]
    for cut in tree:
        part, grew = {cut[0]}, True
        while grew:
            reached = {c for edge in tree if edge != cut and set(edge) & part for c in edge}
            grew = not reached <= part
            part |= reached
        groups.append(part)
    return groups


def total_of(kinds: list[Mapping[Pair, Cue]]) -> dict[Pair, Cue]:
    """All cues' evidence together."""
    summed: dict[Pair, Cue] = {}
    for cues in kinds:
        for pair, cue in cues.items():
            before = summed[pair].evidence if pair in summed else 0
            summed[pair] = Cue(cue.lag, before + cue.evidence)
    return summed
