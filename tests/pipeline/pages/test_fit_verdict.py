"""The verdict on a model is as good as its worst finding, and says what to film next time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from footage import athlete
from posepipe.pipeline.pages.fit_verdict import Evidence, describe_seen, different_poses, judge

GOOD = Evidence(
    handedness="clear", disagreement=[0.006, 0.007], seen=1.0, confidence=0.9, height_px=400, cameras=4,
    seconds=120, variety=100, sync=["ok"], expected_error=None, supervised=False,
)  # fmt: skip


def test_good_footage_gives_a_good_model_and_no_advice() -> None:
    trust = judge(GOOD)
    assert (trust.word, trust.advice) == ("green", ())
    assert "Poses that were lifted from single cameras differ by 0.7% of the body height." in trust.reasons


@pytest.mark.parametrize(
    ("change", "word", "advice"),
    [
        ({"handedness": "thin"}, "doubtful", "bent knees"),
        ({"handedness": "undecided"}, "red", "bent knees"),
        ({"disagreement": [0.02, np.nan, 0.02]}, "doubtful", "clap"),
        ({"disagreement": [0.05]}, "red", "clap"),
        ({"disagreement": [np.nan]}, "doubtful", "several cameras"),
        ({"expected_error": 0.07}, "doubtful", "varied movements"),
        ({"expected_error": 0.2}, "red", "varied movements"),
        ({"seen": 0.7}, "doubtful", "in the picture"),
        ({"seen": 0.3}, "red", "in the picture"),
        ({"confidence": 0.4}, "doubtful", "better light"),
        ({"height_px": 60}, "doubtful", "Stand closer"),
        ({"cameras": 2}, "doubtful", "three or four"),
        ({"seconds": 5}, "green", "Film longer"),
        ({"sync": ["ok", "unsure"]}, "doubtful", "clap"),
    ],
)
def test_each_weakness_is_named_with_what_helps(change: dict[str, Any], word: str, advice: str) -> None:
    trust = judge(replace(GOOD, **change))
    assert trust.word == word
    assert len(trust.advice) == 1
    assert advice in trust.advice[0]


def test_the_worst_finding_decides_and_advice_is_said_once() -> None:
    trust = judge(replace(GOOD, handedness="mirrored", sync=["unsure", "unsure"], cameras=2))
    assert trust.word == "red"
    assert len(trust.advice) == len(set(trust.advice)) == 3


def test_expected_errors_are_told_where_they_are_known() -> None:
    told = judge(replace(GOOD, expected_error=0.031)).reasons
    assert "The expected error of a joint is 3.1% of the body height." in told
    assert not any("expects" in reason for reason in judge(GOOD).reasons)


@pytest.mark.parametrize(
    ("clips", "word"),
    [
        ({"green": 4}, "green"),
        ({"green": 3, "doubtful": 1}, "green"),
        ({"green": 1, "doubtful": 3}, "doubtful"),
        ({"green": 3, "red": 1}, "doubtful"),
        ({"green": 1, "red": 3}, "red"),
    ],
)
def test_what_the_clips_show_themselves_counts(clips: dict[Any, int], word: str) -> None:
    trust = judge(replace(GOOD, clips=clips))
    assert trust.word == word
    assert f"{clips.get('red', 0)} red." in " ".join(trust.reasons)


def test_it_names_what_the_model_has_seen_and_what_the_fit_cannot_know() -> None:
    short = describe_seen(2.0, 4, 4)
    assert short.startswith("It has seen 2 s of one movement (4 different poses) from 4 cameras.")
    assert "other movements, other people and other cameras, a fit cannot know" in short
    long = describe_seen(600.0, 200, 3)
    assert long.startswith("It has seen 10 minutes of varied movements") and "other movements" not in long


def test_poses_are_different_that_differ_in_a_joint() -> None:
    moving = athlete(np.linspace(0, 4, 100), 0)
    assert different_poses([moving[:1], moving[:1]], "h36m17") == 1
    assert different_poses([moving], "h36m17") > 1
    assert different_poses([], "h36m17") == 0
