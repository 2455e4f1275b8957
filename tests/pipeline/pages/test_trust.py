"""The verdict on a model is as good as its worst finding, and says what to film next time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from posepipe.pipeline.pages.trust import Evidence, judge

GOOD = Evidence(
    handedness="clear", disagreement=[0.006, 0.007], seen=1.0, confidence=0.9, height_px=400, cameras=4,
    seconds=120, sync=["ok"], expected_error=None, supervised=False,
)  # fmt: skip


def test_good_footage_gives_a_good_model_and_no_advice() -> None:
    trust = judge(GOOD)
    assert (trust.level, trust.advice) == ("good", ())
    assert "Poses that the cameras saw alone differ by 0.7% of the body height." in trust.reasons


@pytest.mark.parametrize(
    ("change", "level", "advice"),
    [
        ({"handedness": "thin"}, "doubtful", "bent knees"),
        ({"handedness": "undecided"}, "bad", "bent knees"),
        ({"disagreement": [0.02, np.nan, 0.02]}, "doubtful", "clap"),
        ({"disagreement": [0.05]}, "bad", "clap"),
        ({"disagreement": [np.nan]}, "doubtful", "several cameras"),
        ({"expected_error": 0.07}, "doubtful", "varied movements"),
        ({"expected_error": 0.2}, "bad", "varied movements"),
        ({"seen": 0.7}, "doubtful", "in the picture"),
        ({"seen": 0.3}, "bad", "in the picture"),
        ({"confidence": 0.4}, "doubtful", "better light"),
        ({"height_px": 60}, "doubtful", "Stand closer"),
        ({"cameras": 2}, "doubtful", "three or four"),
        ({"seconds": 5}, "good", "Film longer"),
        ({"sync": ["ok", "unsure"]}, "doubtful", "clap"),
    ],
)
def test_each_weakness_is_named_with_what_helps(change: dict[str, Any], level: str, advice: str) -> None:
    trust = judge(replace(GOOD, **change))
    assert trust.level == level
    assert len(trust.advice) == 1
    assert advice in trust.advice[0]


def test_the_worst_finding_decides_and_advice_is_said_once() -> None:
    trust = judge(replace(GOOD, handedness="mirrored", sync=["unsure", "unsure"], cameras=2))
    assert trust.level == "bad"
    assert len(trust.advice) == len(set(trust.advice)) == 3


def test_expected_errors_are_told_where_they_are_known() -> None:
    told = judge(replace(GOOD, expected_error=0.031)).reasons
    assert "The model expects its joints to be 3.1% of the body height off." in told
    assert not any("expects" in reason for reason in judge(GOOD).reasons)
