"""Whether the model of a fit can be trusted, in words, and what to film next time.

The limits are rules of thumb: fits that were accurate against a reference (docs/accuracy.md) are well within them.
They judge only what a fit shows without a reference: it may still be wrong in a way that all its cameras share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

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
FEW_CAMERAS = 3
SHORT_S = 30.0


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


def _level(value: float, good: float, bad: float) -> Level:
    return "good" if value <= good else "bad" if value > bad else "doubtful"
