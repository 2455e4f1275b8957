"""The verdict on the poses of a clip: green, doubtful or red, one sentence, and which stretches it concerns.

``stages.judge`` says how far to trust each frame. What it cannot know is said with the verdict on a fit
(``fit_verdict``): an error that the clip itself does not show, such as a pose in front of which the camera's height
is taken for the pitch of the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arrays import Pose3D, ViewPoses
from ..stages.judge import DOUBTFUL, GREEN, RED, RULE, Evidence, causes, evidence_of, seconds_of, unplaced

Word = Literal["green", "doubtful", "red"]

WORDS: tuple[Word, ...] = ("green", "doubtful", "red")
"""From the best to the worst."""
WORD_OF: dict[int, Word] = {GREEN: "green", DOUBTFUL: "doubtful", RED: "red"}
MOSTLY, FEW = 0.8, 0.1
"""A clip is green if this share of its poses is, and no more than a few are red; it is red if half of them are."""
SELDOM = 0.5
"""Share of the frames with a pose below which a clip is not green."""
SMALL_PX = 60
"""Height of a person in the picture below which 2D joints, and so 3D ones, are vague."""
CAUSES = {
    "lifted": "the 3D poses miss their own 2D poses by {:.1f} % of the person's height",
    "fitted": "even fitted together, the 3D poses miss their own 2D poses by {:.1f} % of the person's height",
    "bones": "bones change their lengths by {:.0f} % from frame to frame",
    "expected": "the model itself expects errors of {:.0f} % of the person's height",
    "unfamiliar": "the model has not learnt from poses like these, or from a camera that stands like this one "
    "({:.0f} % of their size off the nearest)",
}
"""What evidence means, with its value."""
FACTS = (
    "3D poses off their own 2D poses, in % of the person's height: {lifted:.1f} as lifted, {lifted_worst_second:.1f} "
    "in the worst second, {fitted:.1f} with all frames fitted together",
    "bones off their lengths by {bones:.1f} %; all poses turned by {turn:.0f}°, and joints moved by {moved:.1f} % of "
    "the height",
    "errors that the model expects: {expected:.1f} % of the height",
    "2D poses off the nearest that the model has learnt from: {unfamiliar:.0f} % of their size",
    "a pose in {frames_with_pose:.0%} of the frames, the longest gap {longest_gap_s:.1f} s; the person "
    "{height_px:.0f} px high; left and right in doubt in {sides_in_doubt:.0%} of the frames",
)
"""What the verdict is based on."""
BEGINNINGS = {
    "green": "Nothing in the clip speaks against these poses",
    "doubtful": "Look at these poses beside the video before you use them",
    "red": "Do not rely on these poses",
}


class Verdict(NamedTuple):
    """How far to trust the poses of one person in a clip."""

    word: Word
    sentence: str
    likely_mm: float | None
    """Median error that is likely, for a person of 1.7 m; None where too little is known."""
    red: float
    """Share of the poses that are red."""
    doubtful: float
    """Share of the poses that are doubtful."""
    stretches: list[list[float]]
    """Starts and ends in s of what is red in a clip that is, else of what is not green."""
    evidence: dict[str, float | None]
    """Medians over the clip, of the worst second as well, by name; None where nothing is known."""

    @property
    def reasons(self) -> list[str]:
        """The evidence in words."""
        return [words.format(**self.evidence) for words in FACTS if _all_known(words, self.evidence)]


def verdict_of(pose: Pose3D) -> Verdict | None:
    """The verdict on a person's poses; None of poses that were not judged, such as those of several views."""
    if pose.trust is None or pose.likely_mm is None:
        return None
    trust, there, time = np.asarray(pose.trust), pose.there, np.asarray(pose.time)
    shown = _Shown(float(there.mean()), _height_px(pose))
    red, doubtful = (float((trust == level)[there].mean()) if there.any() else 0.0 for level in (RED, DOUBTFUL))
    word: Word = "doubtful"
    if red >= 0.5:
        word = "red"
    elif there.any() and red <= FEW and red + doubtful <= 1 - MOSTLY and not shown.too_little:
        word = "green"
    concerned = there & (trust == RED if word == "red" else trust < GREEN)
    stretches, evidence = list(_stretches(time, concerned)), evidence_of(pose)
    known = np.asarray(pose.likely_mm)[there & np.isfinite(pose.likely_mm)]
    error = float(np.median(known)) if len(known) else None
    cause = "" if word == "green" else _cause(pose, evidence, word, concerned, shown)
    when = _when(stretches) if stretches and concerned.sum() < there.sum() else ""
    sentence = f"{BEGINNINGS[word]}{cause and f': {cause}'}{when and f', {when}'}"
    sentence += "." if error is None else f"; joints are likely to be off by {error / 10:.0f} cm."
    facts: dict[str, float | None] = {
        "frames_with_pose": shown.share,
        "height_px": shown.height_px,
        "longest_gap_s": _longest_gap(time, there),
        "sides_in_doubt": 0.0 if pose.sides_in_doubt is None else float(np.asarray(pose.sides_in_doubt).mean()),
    }
    return Verdict(word, sentence, error, red, doubtful, stretches, facts | _numbers(pose, evidence))


def _all_known(words: str, evidence: dict[str, float | None]) -> bool:
    """Whether everything is known of which a sentence speaks."""
    return all(evidence[name] is not None for _, name, *_ in Formatter().parse(words) if name)


class _Shown(NamedTuple):
    """How well a clip shows somebody."""

    share: float
    """Of the frames that have a pose."""
    height_px: float

    @property
    def too_little(self) -> str:
        """Why that is too little for a green clip, in words; empty if it is not."""
        if self.share < SELDOM:
            return f"the athlete is found in {self.share:.0%} of the frames only"
        return f"the athlete is only {self.height_px:.0f} px high" if self.height_px < SMALL_PX else ""


def _cause(pose: Pose3D, evidence: Evidence, word: Word, concerned: np.ndarray, shown: _Shown) -> str:
    """What is behind a verdict that is not green, in words; empty if nothing stands out."""
    if (unplaced(pose) & concerned).sum() > 0.5 * concerned.sum():
        return "nobody can stand before the camera so that they look as in the picture"
    if pose.turn is None:
        return "nothing tells the camera's angle of view, so that they could not be checked against the picture"
    if word == "doubtful" and shown.too_little:
        return shown.too_little
    likely = np.asarray(pose.likely_mm)
    sides = np.asarray(pose.sides_in_doubt) & concerned
    if word == "doubtful" and sides.sum() > 0.5 * max(concerned.sum(), 1):
        return "it is not clear which side of the 2D poses is the left one"
    for name, limit in RULE.limit.items():
        values = getattr(evidence, name)[concerned]
        if word == "doubtful" and (values > limit).sum() > 0.5 * len(values):
            return CAUSES[name].format(float(np.nanmedian(values)))
    here = concerned & np.isfinite(likely)
    added = {name: float(np.median(each[here])) if here.any() else 0.0 for name, each in causes(evidence).items()}
    main = max(added, key=lambda name: added[name])
    return CAUSES[main].format(float(np.nanmedian(getattr(evidence, main)[here]))) if added[main] > 0 else ""


def _numbers(pose: Pose3D, evidence: Evidence) -> dict[str, float | None]:
    """Medians of all evidence over the clip and, of distances from the 2D poses, of the worst second."""
    found: dict[str, float | None] = {}
    for name, values in evidence._asdict().items():
        known = values[np.isfinite(values)]
        found[name] = float(np.median(known)) if len(known) else None
    seconds = [evidence.lifted[second] for second in seconds_of(np.asarray(pose.time))]
    worst = [float(np.median(known)) for each in seconds if len(known := each[np.isfinite(each)])]
    return found | {"lifted_worst_second": max(worst) if worst else None}


def _stretches(time: np.ndarray, concerned: np.ndarray) -> Iterator[list[float]]:
    """Starts and ends in s of the runs of frames that are concerned."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], concerned, [False]]).astype(int)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield [round(float(time[start]), 3), round(float(time[min(end, len(time) - 1)]), 3)]


def _when(stretches: list[list[float]]) -> str:
    """The longest stretches in words."""
    longest = sorted(sorted(stretches, key=lambda one: one[0] - one[1])[:3])
    named = " and ".join(f"from {start:.1f} to {end:.1f} s" for start, end in longest)
    more = len(stretches) - len(longest)
    return f"{named}{f', and in {more} shorter stretches' if more else ''}"


def _height_px(pose: Pose3D) -> float:
    """Median extent of the person in the picture, upright or lying; 0 of nobody."""
    shown = np.asarray(pose.keypoint)[pose.there]
    if not len(shown):
        return 0.0
    return float(np.nanmedian((np.nanmax(shown, 1) - np.nanmin(shown, 1)).max(-1)))


def _longest_gap(time: np.ndarray, there: np.ndarray) -> float:
    """Longest time in s without a pose between two poses."""
    shown = time[there]
    usual = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    gap = float(np.diff(shown).max()) - usual if len(shown) > 1 else 0.0
    return gap if gap > 0.5 * usual else 0.0


def as_plain(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values, for ``result.json``."""
    evidence = {name: None if value is None else round(value, 3) for name, value in verdict.evidence.items()}
    rounded = {"red": round(verdict.red, 4), "doubtful": round(verdict.doubtful, 4)}
    likely = {"likely_mm": None if verdict.likely_mm is None else round(verdict.likely_mm, 1)}
    return verdict._asdict() | rounded | likely | {"evidence": evidence}


def describe_views(pose: ViewPoses) -> list[str]:
    """How far the poses of a keypoint file's views are to be trusted, in a sentence, if they were judged."""
    if pose.trust is None:
        return []
    trust = np.asarray(pose.trust)[pose.there]
    shares = ", ".join(f"{(trust == level).mean():.0%} {WORD_OF[level]}" for level in (GREEN, DOUBTFUL, RED))
    return [f"how far to trust its poses: {shares}"] if len(trust) else []
