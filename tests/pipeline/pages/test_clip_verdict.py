"""The verdict on a clip: a word, a sentence that names the cause and when, and what it is based on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from known_clip import a_pose, without
from posepipe.pipeline.arrays import Pose3D, ViewPoses
from posepipe.pipeline.pages.verdict import WORDS, Verdict, as_plain, describe_views, verdict_of
from posepipe.pipeline.stages.judge import DOUBTFUL, GREEN, NONE, RED, RULE

FRAMES, RATE = 120, 30.0
UNKNOWN = {"likely_mm": np.full(FRAMES, np.nan, np.float32), "trust": np.full(FRAMES, DOUBTFUL, np.int8)}


def judged(*trust: tuple[int, int, int], **evidence: Any) -> Pose3D:
    """Four seconds of poses as good as usual, but for some evidence, of levels as said."""
    pose = a_pose(np.arange(FRAMES) / RATE)
    level = np.full(FRAMES, GREEN, np.int8)
    for start, end, value in trust:
        level[start:end] = value
    share = {"lifted": "reprojection_lifted", "fitted": "reprojection", "bones": "bone_departure"}
    arrays: dict[str, Any] = {
        field: np.full(FRAMES, evidence.get(name, RULE.usual[name]) / 100, np.float32)
        for name, field in share.items()
    }
    arrays["unfamiliar"] = np.full(FRAMES, evidence.get("unfamiliar", 15.0) / 100, np.float32)
    return replace(
        pose,
        keypoint=4 * pose.keypoint,
        joint_raw=pose.joint.copy(),
        joint_lifted=pose.joint.copy(),
        turn=np.zeros((FRAMES, 3), np.float32),
        sides_in_doubt=np.full(FRAMES, evidence.get("doubt", False)),
        likely_mm=np.full(FRAMES, evidence.get("likely_mm", 50.0), np.float32),
        trust=level,
        **arrays,
    )


def said(pose: Pose3D) -> Verdict:
    verdict = verdict_of(pose)
    assert verdict is not None
    json.dumps(as_plain(verdict), allow_nan=False)
    return verdict


def test_a_clip_of_green_poses_is_green_and_says_what_that_means() -> None:
    verdict = said(judged())
    assert verdict.word == "green"
    assert verdict.sentence == (
        "Nothing in the clip speaks against these poses; joints are likely to be off by 5 cm."
    )
    assert (verdict.red, verdict.doubtful, verdict.stretches) == (0.0, 0.0, [])
    assert len(verdict.reasons) == 4, "of expected errors nothing is known"


def test_a_red_stretch_is_named_with_its_cause() -> None:
    verdict = said(judged((0, 75, RED), lifted=9.0, likely_mm=150.0))
    assert verdict.word == "red"
    assert verdict.stretches == [[0.0, 2.5]]
    assert verdict.sentence == (
        "Do not rely on these poses: the 3D poses miss their own 2D poses by 9.0 % of the person's height, from 0.0 "
        "to 2.5 s; joints are likely to be off by 15 cm."
    )
    assert verdict.evidence["lifted"] == verdict.evidence["lifted_worst_second"] == pytest.approx(9.0)


def test_poses_unlike_those_learnt_are_named() -> None:
    verdict = said(judged((0, FRAMES, DOUBTFUL), unfamiliar=90.0))
    assert (
        verdict.word == "doubtful"
        and "has not learnt from poses like these, or from a camera that stands like this one" in verdict.sentence
    )
    assert " s;" not in verdict.sentence, "it is all of the clip"


@pytest.mark.parametrize(
    ("trust", "word"),
    [
        ((0, 10, DOUBTFUL), "green"),
        ((0, 40, DOUBTFUL), "doubtful"),
        ((0, 10, RED), "green"),
        ((0, 20, RED), "doubtful"),
        ((0, 59, RED), "doubtful"),
        ((0, 60, RED), "red"),
    ],
)
def test_most_poses_decide(trust: tuple[int, int, int], word: str) -> None:
    verdict = said(judged(trust))
    assert verdict.word == word
    assert verdict.stretches, "what is not green is named in any case"


def test_what_is_concerned_is_listed_and_the_longest_said() -> None:
    trust = [(0, 9, DOUBTFUL), (30, 36, DOUBTFUL), (60, 72, DOUBTFUL), (90, 93, DOUBTFUL), (100, 115, DOUBTFUL)]
    verdict = said(judged(*trust, lifted=3.0))
    assert len(verdict.stretches) == 5
    assert (
        "from 0.0 to 0.3 s and from 2.0 to 2.4 s and from 3.3 to 3.8 s, and in 2 shorter stretches"
        in verdict.sentence
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"keypoint": np.zeros((FRAMES, 17, 2), np.float32) + np.arange(17, dtype=np.float32)[:, None]},
            "only 16 px",
        ),
        ({"turn": None, **UNKNOWN}, "nothing tells the camera's angle of view"),
        ({"sides_in_doubt": np.ones(FRAMES, bool), "trust": np.full(FRAMES, DOUBTFUL, np.int8)}, "which side"),
    ],
)
def test_what_else_makes_a_clip_doubtful(change: dict[str, Any], words: str) -> None:
    verdict = said(replace(judged(), **change))
    assert verdict.word == "doubtful" and words in verdict.sentence


def test_a_clip_that_seldom_shows_anybody_is_doubtful_and_its_gap_is_told() -> None:
    pose = judged((20, 110, NONE))
    verdict = said(without(pose, *range(20, 110)))
    assert verdict.word == "doubtful" and "in 25% of the frames only" in verdict.sentence
    assert verdict.evidence["longest_gap_s"] == pytest.approx(3.0)
    assert verdict.evidence["frames_with_pose"] == pytest.approx(0.25)
    empty = said(without(judged((0, FRAMES, NONE)), *range(FRAMES)))
    assert empty.word == "doubtful" and empty.likely_mm is None


def test_poses_that_were_not_judged_have_no_verdict() -> None:
    assert verdict_of(a_pose(np.arange(3) / RATE)) is None
    assert list(WORDS) == ["green", "doubtful", "red"]


def test_of_the_views_of_a_file_shares_are_said() -> None:
    joint = np.zeros((4, 1, 17, 3), np.float32)
    poses = ViewPoses(
        joint=joint, canonical=joint, camera_from_canonical=np.zeros((4, 1, 3, 3), np.float32),
        confidence=np.ones((4, 1, 17), np.float32), take=np.zeros(4, np.int64), instant=np.arange(4),
        skeleton="h36m17", unit="m", takes=["a"], trust=np.array([[GREEN], [GREEN], [RED], [DOUBTFUL]], np.int8),
    )  # fmt: skip
    assert describe_views(poses) == ["how far to trust its poses: 50% green, 25% doubtful, 25% red"]
    assert describe_views(replace(poses, trust=None)) == []
