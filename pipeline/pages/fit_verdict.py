"""The verdict on the model of a fit in words: what it has seen, what it cannot know, and what to film next time.

The limits are rules of thumb: fits that are accurate against a reference (docs/accuracy.md) are well within them.
The verdict uses no reference, so errors that all cameras share are not detected. It is on the clips of the fit; every
other clip has a verdict of its own (``verdict``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...models.body.angles import joint_angles
from ...models.skeleton import SKELETONS
from .verdict import WORDS, Word

AGREE, DISAGREE = 0.015, 0.03
"""Distances between the 3D poses lifted from two cameras, in body heights: below the first, they agree."""
SEEN, SELDOM = 0.8, 0.5
"""Shares of the frames that show the athlete."""
SURE = 0.6
"""Mean confidence of the 2D joints."""
SMALL_PX = 120
"""Height of a person in the picture below which joints are hard to detect."""
NEAR, FAR = 0.05, 0.1
"""Limits of the expected error of a joint, in body heights."""
FEW_CAMERAS = 3
SHORT_S = 30.0
DIFFERENT_DEG = 30.0
"""Poses count as different if a joint's angle differs by more than this."""
ONE_MOVEMENT, FEW_MOVEMENTS = 10, 40
"""Most numbers of different poses of one movement, and of a few.

*Measured* on the benchmark's motion capture: single sequences of four seconds have 2 to 10, ten of them 22 to 67,
forty 54 to 152.
"""
LOOKED_AT = 600
"""Poses of a clip of which different ones are counted, spread over it."""


@dataclass(frozen=True)
class Evidence:
    """What the verdict is based on."""

    handedness: str
    """Verdict of ``models.body.handedness``."""
    disagreement: Sequence[float]
    """Distance of each view's 3D poses from the others', in body heights; NaN if alone."""
    seen: float
    """Share of the frames that show the athlete."""
    confidence: float
    """Mean over the joints of those frames."""
    height_px: float
    """Median height of the athlete in the pictures."""
    cameras: int
    """Number of cameras in the take that has the fewest."""
    seconds: float
    """Length of all takes together."""
    sync: Sequence[str]
    """Verdicts of the takes' timelines."""
    expected_error: float | None
    """Median over the joints of the lifted poses, in body heights; None for methods without expected errors."""
    supervised: bool
    """Whether the model was trained on true 3D poses as well."""
    placed: bool = False
    """Whether it was given where the cameras stand."""
    variety: int = 0
    """Number of different poses that the fit has lifted (``different_poses``)."""
    clips: Mapping[Word, int] = field(default_factory=dict)
    """How many of its clips are green, doubtful and red by themselves (``verdict``)."""
    impossible: Sequence[str] = ()
    """What cannot be true of the skeletons of all views (``plausibility``), in sentences."""


@dataclass(frozen=True)
class Trust:
    """A verdict in words."""

    word: Word
    sentence: str
    seen: str
    """What the model has seen, and what it cannot know, in a sentence or two."""
    reasons: tuple[str, ...]
    advice: tuple[str, ...]


def judge(evidence: Evidence) -> Trust:
    """The verdict: that of the worst finding."""
    findings = list(_findings(evidence))
    worst = max((word for word, *_ in findings), key=WORDS.index)
    sentence = {
        "green": "Nothing that the fit can see speaks against this model.",
        "doubtful": "Use this model with care: look at its poses beside the videos first.",
        "red": "Do not rely on this model: its poses are likely to be wrong.",
    }[worst]
    advice = tuple(dict.fromkeys(filter(None, (advice for *_, advice in findings))))
    seen = describe_seen(evidence.seconds, evidence.variety, evidence.cameras)
    return Trust(worst, sentence, seen, tuple(reason for _, reason, _ in findings), advice)


def describe_seen(seconds: float, variety: int, cameras: int) -> str:
    """What a model has seen, and what its fit cannot know.

    Args:
        seconds: of footage.
        variety: number of ``different_poses``.
        cameras: at the same time.
    """
    movement, unknown = "varied movements", ""
    if variety <= FEW_MOVEMENTS:
        movement, unknown = "a few movements", "many other movements, "
    if variety <= ONE_MOVEMENT:
        movement, unknown = "one movement", "other movements, "
    return (
        f"It has seen {_duration(seconds)} of {movement} ({variety} different poses) from {cameras} cameras. What "
        f"it makes of {unknown}other people and other cameras, a fit cannot know: every clip that is lifted says how "
        "far to trust it."
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def different_poses(clips: Sequence[np.ndarray], skeleton: str) -> int:
    """Number of poses each of which differs from the others in some joint by more than ``DIFFERENT_DEG``.

    Args:
        clips: poses (frame, joint, 3) of each, in the axes of its camera.
    """
    angles, body = [], SKELETONS[skeleton].body
    for joint in clips:
        shown = np.flatnonzero(np.isfinite(joint[:, : len(body.joints)]).all((1, 2)))
        some = shown[np.linspace(0, len(shown) - 1, min(len(shown), LOOKED_AT)).astype(int)]
        pose = np.asarray(joint[some, : len(body.joints)], np.float64)
        angles.append(np.stack(list(joint_angles(pose, body).values()), -1))
    left, count = np.concatenate(angles) if angles else np.zeros((0, 1)), 0
    while len(left):
        left, count = left[(np.abs(left - left[0]) > DIFFERENT_DEG).any(-1)], count + 1
    return count


def _findings(of: Evidence) -> Iterator[tuple[Word, str, str]]:
    """For each criterion its level, the finding, and advice on filming, if any."""
    clear: Word = {"clear": "green", "thin": "doubtful"}.get(of.handedness, "red")  # type: ignore[assignment]
    yield (
        clear,
        f"Front and back of the body: {of.handedness}.",
        ("" if clear == "green" else "Film movements with clearly bent knees, and faces in view."),
    )
    known = [value for value in of.disagreement if np.isfinite(value)]
    if known:
        typical = float(np.median(known))
        yield (
            _level(typical, AGREE, DISAGREE),
            f"Poses that were lifted from single cameras differ by {typical:.1%} of the body height.",
            ""
            if typical <= AGREE
            else "Start the cameras with a clap that all of them hear, and keep them apart by 60° or more.",
        )
    else:
        yield "doubtful", "No two cameras could be compared.", "Let several cameras see the athlete at the same time."
    if of.expected_error is not None:
        yield (
            _level(of.expected_error, NEAR, FAR),
            f"The expected error of a joint is {of.expected_error:.1%} of the body height.",
            "" if of.expected_error <= NEAR else "Film longer, with more varied movements, so that it learns more.",
        )
    judged = sum(of.clips.values())
    if judged:
        red, green = of.clips.get("red", 0), of.clips.get("green", 0)
        yield (
            "red" if red > judged / 2 else "green" if green > judged / 2 and not red else "doubtful",
            f"By what they show themselves, {green} of the {judged} clips are green, "
            f"{of.clips.get('doubtful', 0)} doubtful, {red} red.",
            "",
        )
    yield (
        _level(-of.seen, -SEEN, -SELDOM),
        f"The athlete is seen in {of.seen:.0%} of the frames.",
        "" if of.seen >= SEEN else "Keep the athlete in the picture of every camera, with nobody in front.",
    )
    yield (
        "green" if of.confidence >= SURE else "doubtful",
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
    for sentence in of.impossible:
        yield "red", f"{sentence[0].upper()}{sentence[1:]}.", ""
    if of.cameras < FEW_CAMERAS and not of.placed:
        yield "doubtful", "Poses from two cameras are not unique.", "Use three or four cameras around the athlete."
    if of.seconds < SHORT_S:
        yield (
            "green",
            f"There are {of.seconds:.0f} s of footage.",
            "Film longer: a minute or more, with varied movements.",
        )
    if of.supervised:
        yield "green", "The model was trained on true 3D poses as well, so it is not self-supervised.", ""


def _level(value: float, good: float, bad: float) -> Word:
    return "green" if value <= good else "red" if value > bad else "doubtful"
