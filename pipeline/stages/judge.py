"""How far a clip's poses can be trusted: evidence, second by second, and the error that it lets expect.

No reference is needed. Poses that are wrong do not fit their own 2D poses, their bones do not keep their lengths, the
fit of the clip has to turn and move them far, the method itself expects errors, and their 2D poses are unlike those
that the model has learnt from. The error that is likely is one formula over these (``likely_mm``), whose numbers
``tools/calibrate_verdict.py`` found on many models and seconds of footage that they were not trained on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...models.blocks import frame_blocks
from ...models.body.body import body_size
from ...models.body.familiar import comparable, distance_to_nearest
from ...models.multiview.near_camera import rotation_by
from ...models.skeleton import SKELETONS
from ..arrays import KnownPoses, Pose3D, Samples, Swaps, ViewPoses
from ..runtime.cache import stage

NONE, RED, DOUBTFUL, GREEN = 0, 1, 2, 3
"""Values of ``trust``."""
LEAST = 0.1
"""Evidence below this says no more: its power would have no limit."""
SECOND = 1.0
"""Length in s of the stretches that are judged as one."""
SOME_FRAMES = 1000
"""Enough to tell how tall somebody is."""


class Evidence(NamedTuple):
    """What speaks against poses (F), in % of the person's height unless it says otherwise; NaN if unknown."""

    lifted: np.ndarray
    """Distance of the images of the lifted joints from the 2D poses."""
    fitted: np.ndarray
    """The same of the joints after the clip's fit."""
    bones: np.ndarray
    """Departure of the lifted bones from their lengths in the clip, in % of these."""
    turn: np.ndarray
    """By how many degrees the fit turned the poses."""
    moved: np.ndarray
    """By what it moved their joints beside that."""
    expected: np.ndarray
    """Errors that the method expects of the joints."""
    unfamiliar: np.ndarray
    """Distance from the nearest 2D pose that the model has learnt from, in % of the size of the 2D pose."""


class Rule(NamedTuple):
    """How the error that is likely follows from evidence, ``usual_mm`` times powers of it, and a level from that."""

    usual_mm: float
    """Error where all evidence is usual."""
    usual: dict[str, float]
    """Evidence of good clips."""
    power: dict[str, float]
    """By what power of it, in units of the usual, the error grows."""
    red_mm: float
    """Likely errors above which poses are red."""
    green_mm: float
    """Likely errors below which they are green."""
    limit: dict[str, float]
    """Evidence, beyond that of nearly all good clips, with which poses are not green in any case."""


RULE = Rule(
    usual_mm=75.9,
    usual={"lifted": 2.5, "fitted": 0.9, "bones": 4.0},
    power={"lifted": 0.31, "fitted": 0.12, "bones": 0.37},
    red_mm=115.9,
    green_mm=81.8,
    limit={"expected": 15.4, "unfamiliar": 35.1},
)
"""Found by ``tools/calibrate_verdict.py``.

*Measured* on 914 seconds of footage lifted by 12 models, each judged by a rule found without it: 88 % of what is red
is off by more than 120 mm, and 3 % of what is green; 72 % of what is off by more than 120 mm is red, 60 % of what is
off by less than 70 mm is green.
"""


@stage(version=1)
def judge_clip(pose: Pose3D, lifted: Pose3D, known: KnownPoses | None, swaps: Swaps, camera: int) -> Pose3D:
    """The poses of a clip with how far to trust each, and with what that is based on.

    Args:
        pose: as a motion; of one that was not fitted as a whole nothing can be said but that it is doubtful.
        lifted: the same poses as the network gave them.
        known: what the model has learnt from, if it says so.
        swaps: of the sides in the 2D poses.
        camera: number of the view in ``swaps``.
    """
    return _judged(replace(pose, joint_lifted=lifted.joint), known, _in_doubt(swaps, camera, len(pose.time)))


@stage(version=1)
def judge_views(
    pose: ViewPoses, lifted: ViewPoses, samples: Samples, known: KnownPoses | None, swaps: Swaps
) -> ViewPoses:
    """``judge_clip`` for every view of every take of a keypoint file that says its times.

    Args:
        samples: the lifted samples.

    Raises:
        ValueError: poses without times.
    """
    if pose.time is None:
        raise ValueError("to judge clips takes the times of their poses")
    pose, shape = replace(pose, joint_lifted=lifted.joint), pose.confidence.shape[:2]
    made: dict[str, Any] = {name: np.full(shape, np.nan, np.float32) for name in ("unfamiliar", "likely_mm")}
    made |= {"sides_in_doubt": np.zeros(shape, bool), "trust": np.zeros(shape, np.int8)}
    for take in np.unique(pose.take):
        members = np.flatnonzero(pose.take == take)
        members = members[np.argsort(np.asarray(pose.time)[members], kind="stable")]
        for view in range(shape[1]):
            shown = samples.confidence[members, view, :, None] > 0
            keypoint = np.where(shown, samples.keypoint[members, view], np.float32("nan"))
            doubt = _in_doubt(swaps, int(take) * shape[1] + view, len(members))
            judged = _judged(pose.of_view(members, view, keypoint), known, doubt)
            for name, array in made.items():
                array[members, view] = getattr(judged, name)
    return replace(pose, **made)


def _in_doubt(swaps: Swaps, camera: int, frames: int) -> np.ndarray:
    """Where (F) it is not clear which side of a view's 2D poses is the left one: everywhere in a mirror image."""
    doubt = np.full(frames, camera in swaps.mirrored)
    for row in np.flatnonzero((swaps.camera == camera) & swaps.doubtful):
        doubt[swaps.start[row] : swaps.end[row]] = True
    return doubt


def _judged(pose: Pose3D, known: KnownPoses | None, doubt: np.ndarray) -> Pose3D:
    """Poses with evidence, the error that is likely, and how far to trust them."""
    unfamiliar = np.full(len(pose.time), np.nan, np.float32)
    if known is not None:
        for part in frame_blocks(0, len(pose.time)):
            unfamiliar[part] = _unfamiliar(pose, known, part)
    pose = replace(pose, unfamiliar=unfamiliar, sides_in_doubt=doubt)
    of_seconds = Evidence(*(in_seconds(each, pose.time) for each in evidence_of(pose)))
    likely, trust, there = likely_mm(of_seconds), levels(of_seconds), pose.there
    trust = np.where(doubt, np.minimum(trust, DOUBTFUL), trust)
    trust = np.where(unplaced(pose), RED, trust)
    return replace(
        pose,
        likely_mm=np.where(there, likely, np.nan).astype(np.float32),
        trust=np.where(there, trust, NONE).astype(np.int8),
    )


def evidence_of(pose: Pose3D) -> Evidence:
    """Evidence of every frame (F) of poses that were judged, or are about to be."""
    stature, frames = stature_of(pose), len(pose.time)
    moved, expected = np.full(frames, np.nan), np.full(frames, np.nan)
    for part in frame_blocks(0, frames):
        if pose.turn is not None and pose.joint_raw is not None:
            turn = rotation_by(np.asarray(pose.turn[part], np.float64))
            turned = np.einsum("nab,njb->nja", turn, pose.as_lifted[part])
            moved[part] = _median(np.linalg.norm(pose.joint_raw[part] - turned, axis=-1)) / stature
        if pose.expected_error is not None:
            expected[part] = _median(np.asarray(pose.expected_error[part])) / stature

    def percent(share: np.ndarray | None) -> np.ndarray:
        return np.full(frames, np.nan) if share is None else 100 * np.asarray(share, np.float64)

    return Evidence(
        lifted=percent(pose.reprojection_lifted),
        fitted=percent(pose.reprojection),
        bones=percent(pose.bone_departure),
        turn=np.full(frames, np.nan) if pose.turn is None else np.degrees(np.linalg.norm(pose.turn, axis=-1)),
        moved=percent(moved),
        expected=percent(expected),
        unfamiliar=percent(pose.unfamiliar),
    )


def likely_mm(evidence: Evidence, rule: Rule = RULE) -> np.ndarray:
    """NMPJPE (F) in mm, of a person of 1.7 m, that the evidence of a second lets expect.

    NaN of poses that were not fitted as a whole, of which too little is known.
    """
    likely = rule.usual_mm * np.exp(sum(causes(evidence, rule).values()))
    return np.where(np.isfinite(evidence.lifted), likely, np.nan)


def levels(evidence: Evidence, rule: Rule = RULE) -> np.ndarray:
    """How far to trust poses (F) by the evidence of their second; doubtful if too little is known."""
    likely = likely_mm(evidence, rule)
    level = np.where(likely > rule.red_mm, RED, np.where(likely < rule.green_mm, GREEN, DOUBTFUL))
    beyond = np.any([getattr(evidence, name) > limit for name, limit in rule.limit.items()], 0)
    return np.where(beyond, np.minimum(level, DOUBTFUL), level)


def unplaced(pose: Pose3D) -> np.ndarray:
    """Where (F) poses cannot stand anywhere before their camera so that they look as in the picture."""
    root = pose.root_trajectory if pose.root_trajectory_raw is None else pose.root_trajectory_raw
    return np.zeros(len(pose.time), bool) if root is None else np.isnan(root).any(-1) & pose.there


def causes(evidence: Evidence, rule: Rule = RULE) -> dict[str, np.ndarray]:
    """By the names of evidence what (F) it adds to the logarithm of the likely error; nothing where it is unknown."""
    return {
        name: rule.power[name] * np.nan_to_num(np.log(np.maximum(getattr(evidence, name), LEAST) / usual))
        for name, usual in rule.usual.items()
    }


def _unfamiliar(pose: Pose3D, known: KnownPoses, part: slice) -> np.ndarray:
    """Distances (N) of 2D poses from the nearest that the model has learnt from; NaN of frames without a pose."""
    source, target = SKELETONS[pose.skeleton], SKELETONS[known.skeleton]
    keypoint = target.pick(np.asarray(pose.keypoint[part]), source, -2)
    confidence = target.pick(np.asarray(pose.confidence[part]), source, -1)
    return distance_to_nearest(comparable(keypoint, confidence, target), np.asarray(known.pose))


def _median(values: np.ndarray) -> np.ndarray:
    """Medians (N) of the values (N, C) that are known; NaN of none."""
    some = np.isfinite(values).any(1)
    medians = np.full(len(values), np.nan)
    medians[some] = np.nanmedian(values[some], 1)
    return medians


def stature_of(pose: Pose3D) -> float:
    """The person's stature, in the unit of the poses."""
    shown = np.flatnonzero(pose.there)
    some = shown[np.linspace(0, len(shown) - 1, min(len(shown), SOME_FRAMES)).astype(int)]
    size = body_size(np.asarray(pose.joint[some], np.float64), SKELETONS[pose.skeleton])
    return float(np.nanmedian(size)) if np.isfinite(size).any() else 1.0


def seconds_of(time: np.ndarray) -> list[slice]:
    """Frames (F) second by second; what is left at the end joins the second before."""
    count = max(1, round(float(time[-1] - time[0]) / SECOND))
    starts = np.searchsorted(time, time[0] + SECOND * np.arange(count))
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(time)], strict=True)]


def in_seconds(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Of every frame (F) the median of the values (F) in its second; NaN where none is known."""
    found = np.full(len(values), np.nan)
    for second in seconds_of(time):
        known = values[second][np.isfinite(values[second])]
        if len(known):
            found[second] = np.median(known)
    return found
