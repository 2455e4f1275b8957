"""Whether the model of a fit can be trusted, in words, and what to film next time.

The limits are rules of thumb: fits that were accurate against a reference (docs/accuracy.md) are well within them.
They judge only what a fit shows without a reference: it may still be wrong in a way that all its cameras share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...models.body.body import SHORTEST_M, TALLEST_M
from ..footage.camera import LONGEST_FOCAL, SHORTEST_FOCAL

Level = Literal["good", "doubtful", "bad"]

AGREE, DISAGREE = 0.015, 0.03
"""Distances of the 3D poses that two cameras saw alone, in body heights: below the first they agree."""
SEEN, SELDOM = 0.8, 0.5
"""Shares of the frames that show the athlete."""
SURE = 0.6
"""Mean confidence of the 2D joints."""
SMALL_PX = 120
"""Height of a person in the picture below which joints are hard to find."""
NEAR, FAR = 0.05, 0.1
"""Expected errors of a joint, in body heights, if the model can tell."""
NEAR_BY, FAR_OFF = 0.04, 0.08
"""Distances of detections from the skeleton of all views, in body heights: calibrated takes stay within 0.03."""
ODD, IMPOSSIBLE = 1.5, 2.0
"""Factors by which parts of limbs are off their usual lengths."""
FEW_CAMERAS = 3
SHORT_S = 30.0


@dataclass(frozen=True)
class AllViews:
    """What the skeleton of all views of a take tells of itself."""

    residual: Sequence[float]
    """Median distance of each camera's detections from it, in heights of the athlete; NaN if it shows nobody."""
    focal: Sequence[float]
    """Focal length of each camera, in longer sides of its pictures; NaN likewise."""
    stature_m: float | None
    """Of the athlete; None where lengths have no unit."""
    oddest_limb: float
    """By which factor a part of an arm or leg is longer or shorter than usual; NaN without a whole pose."""


@dataclass(frozen=True)
class Evidence:
    """What a fit knows of itself."""

    handedness: str
    """Verdict of ``models.handedness``."""
    disagreement: Sequence[float]
    """Of each view with the others on the 3D poses, in body heights; NaN if alone."""
    seen: float
    """Share of the frames that show the athlete."""
    confidence: float
    """Mean over the joints of those frames."""
    height_px: float
    """Median height of the athlete in the pictures."""
    cameras: int
    """In the take that has the fewest."""
    seconds: float
    """Length of all takes together."""
    sync: Sequence[str]
    """Verdicts of the takes' timelines."""
    all_views: Sequence[AllViews]
    """Of each take of which all views were put together."""
    expected_error: float | None
    """Median over the joints of the lifted poses, in body heights; None of methods that cannot tell."""
    supervised: bool
    """Whether the model learnt from true 3D poses as well."""


@dataclass(frozen=True)
class Trust:
    """A verdict in words."""

    level: Level
    sentence: str
    reasons: tuple[str, ...]
    advice: tuple[str, ...]


def judge(evidence: Evidence) -> Trust:
    """The verdict: as good as the worst finding."""
    findings = list(_findings(evidence))
    levels: tuple[Level, ...] = ("good", "doubtful", "bad")
    worst = max((level for level, *_ in findings), key=levels.index)
    sentence = {
        "good": "Nothing that the fit can see speaks against this model.",
        "doubtful": "Use this model with care: look at its poses beside the videos first.",
        "bad": "Do not rely on this model: its poses are likely to be wrong.",
    }[worst]
    advice = tuple(dict.fromkeys(filter(None, (advice for *_, advice in findings))))
    return Trust(worst, sentence, tuple(reason for _, reason, _ in findings), advice)


def _findings(of: Evidence) -> Iterator[tuple[Level, str, str]]:
    """For each thing that was looked at: how good it is, what was found, and what to film next time, if anything."""
    clear: Level = {"clear": "good", "thin": "doubtful"}.get(of.handedness, "bad")  # type: ignore[assignment]
    yield (
        clear,
        f"Front and back of the body: {of.handedness}.",
        ("" if clear == "good" else "Film movements with clearly bent knees, and faces in view."),
    )
    known = [value for value in of.disagreement if np.isfinite(value)]
    if known:
        typical = float(np.median(known))
        yield (
            _level(typical, AGREE, DISAGREE),
            f"Poses that the cameras saw alone differ by {typical:.1%} of the body height.",
            ""
            if typical <= AGREE
            else "Start the cameras with a clap that all of them hear, and keep them apart by 60° or more.",
        )
    else:
        yield "doubtful", "No two cameras could be compared.", "Let several cameras see the athlete at the same time."
    for one in of.all_views:
        yield from _of_all_views(one)
    if of.expected_error is not None:
        yield (
            _level(of.expected_error, NEAR, FAR),
            f"The model expects its joints to be {of.expected_error:.1%} of the body height off.",
            "" if of.expected_error <= NEAR else "Film longer, with more varied movements, so that it learns more.",
        )
    yield (
        _level(-of.seen, -SEEN, -SELDOM),
        f"The athlete is seen in {of.seen:.0%} of the frames.",
        "" if of.seen >= SEEN else "Keep the athlete in the picture of every camera, with nobody in front.",
    )
    yield (
        "good" if of.confidence >= SURE else "doubtful",
        f"The 2D joints have a mean confidence of {of.confidence:.0%}.",
        "" if of.confidence >= SURE else "Film in better light, with short exposures, and without others close by.",
    )
    if of.height_px < SMALL_PX:
        yield (
            "doubtful",
            f"The athlete is {of.height_px:.0f} px high.",
            "Stand closer or zoom in: 300 px or more are good.",
        )
    if "unsure" in of.sync:
        yield (
            "doubtful",
            "The synchronisation of a take is unsure.",
            "Start the cameras with a clap that all of them hear.",
        )
    if of.cameras < FEW_CAMERAS:
        yield "doubtful", "Two cameras leave a family of solutions.", "Use three or four cameras round the athlete."
    if of.seconds < SHORT_S:
        yield (
            "good",
            f"There are {of.seconds:.0f} s of footage.",
            "Film longer: a minute or more, with varied movements.",
        )
    if of.supervised:
        yield "good", "The model learnt from true 3D poses as well, so it is not self-supervised.", ""


def _of_all_views(of: AllViews) -> Iterator[tuple[Level, str, str]]:
    """Findings on the skeleton of all views of a take, and on its cameras."""
    check = "Check the calibration, if there is one, and that the videos show the same moments."
    residual = np.array([value for value in of.residual if np.isfinite(value)])
    if len(residual):
        level = _level(float(residual.max()), NEAR_BY, FAR_OFF)
        yield (
            level,
            f"The skeleton of all views lies up to {residual.max():.1%} of the body height from what a camera shows.",
            "" if level == "good" else check,
        )
    if of.stature_m is not None and not SHORTEST_M <= of.stature_m <= TALLEST_M:
        yield "bad", f"By the calibration the athlete is {of.stature_m:.3g} m tall.", check
    if of.oddest_limb > ODD:
        level = _level(of.oddest_limb, ODD, IMPOSSIBLE)
        yield level, f"A part of a limb is {of.oddest_limb:.1f} times as long, or as short, as usual.", check
    for focal in of.focal:
        if np.isfinite(focal) and not SHORTEST_FOCAL <= focal <= LONGEST_FOCAL:
            yield "bad", f"A focal length is {focal:.3g} times the width of the picture, as no lens has it.", check


def _level(value: float, good: float, bad: float) -> Level:
    return "good" if value <= good else "bad" if value > bad else "doubtful"
