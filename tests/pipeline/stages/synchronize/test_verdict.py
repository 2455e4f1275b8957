"""What is said of offsets: which cues are clear, which contradict, and what is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.pipeline.stages.synchronize.clocks import Clocks
from posepipe.pipeline.stages.synchronize.matching import Cue
from posepipe.pipeline.stages.synchronize.verdict import (
    Finding,
    complaints,
    findings,
    resting_on_timecode,
    uncertain,
)

NAMES = ["a", "b", "c"]
LAG = np.arange(-100, 101)


def clocks(*offset: float, deviation: float = 0.0) -> Clocks:
    return Clocks(np.array(offset), np.ones(len(offset)), np.full(len(offset), deviation))


def found_of(peaks: dict[int, float], start: int = 0) -> Finding:
    """What one cue says of the second of two cameras that starts a step or some after the first."""
    cue = Cue(LAG, np.array([peaks.get(int(lag), 0.0) for lag in LAG]))
    (found,) = findings({"motion": {(0, 1): cue}}, np.array([0, start]), clocks(0.0, 0.123), [1])
    return found


def test_a_cue_that_fits_says_what_the_clocks_say() -> None:
    found = found_of({-20: 9.0, 30: 6.0}, start=20)
    assert found == Finding("motion", 1, 0.123, 1.5, True, True)


def test_a_cue_that_wants_another_start_says_which() -> None:
    assert found_of({-26: 9.0}, start=20) == Finding("motion", 1, 26 / 50, None, True, True)  # 0.12 s are near enough
    assert found_of({-27: 9.0}, start=20) == Finding("motion", 1, 27 / 50, None, True, False)
    assert found_of({-13: 9.0}, start=20) == Finding("motion", 1, 13 / 50, None, True, False)


@pytest.mark.parametrize(
    ("best", "second", "clear"), [(8.0, 5.0, True), (7.9, 1.0, False), (9.0, 6.0, True), (9.0, 6.1, False)]
)
def test_clear_is_what_has_evidence_and_stands_out(best: float, second: float, clear: bool) -> None:
    assert found_of({0: best, 40: second}).clear is clear


def test_only_cameras_that_a_cue_shows_have_a_finding() -> None:
    cue = Cue(LAG, np.where(LAG == 0, 9.0, 0))
    found = findings({"sound": {(0, 1): cue}, "motion": {(0, 1): cue, (0, 2): cue, (1, 2): cue}},
                     np.zeros(3, int), clocks(0, 0, 0), [1, 2])  # fmt: skip
    assert [(each.cue, each.camera) for each in found] == [("sound", 1), ("motion", 1), ("motion", 2)]


def test_a_clear_cue_that_disagrees_is_named_with_those_that_agree() -> None:
    found = [
        Finding("sound", 1, 2.5, 4.0, True, False),
        Finding("motion", 1, 0.25, 4.0, True, True),
        Finding("geometry", 1, 0.75, 1.0, False, True),
        Finding("motion", 2, 0.5, 4.0, True, True),
        Finding("geometry", 2, 9.0, 1.0, False, False),
    ]
    assert list(complaints(NAMES, found, {1: 9.0, 2: 9.0})) == [
        "the cues contradict each other about camera b: sound puts its start at +2.50 s, motion +0.25 s"
    ]
    (said,) = complaints(NAMES, found[:1], {1: 9.0})
    assert said.endswith("sound puts its start at +2.50 s, all together otherwise")


def test_cameras_that_fit_nowhere_clearly_are_named_weakest_first() -> None:
    said = list(complaints(NAMES, [], {0: np.inf, 1: 1.49, 2: 1.2}))
    assert [sentence[:8] for sentence in said] == ["camera c", "camera b"]
    assert said[0].endswith("(peak ratio 1.20, needed 1.5)")
    assert list(complaints(NAMES, [], {1: 1.5})) == []


def test_a_timecode_that_agrees_vouches_for_a_weak_peak() -> None:
    agrees, differs = (Finding("timecode", 1, 0.0, None, False, agreed) for agreed in (True, False))
    assert list(complaints(NAMES, [agrees], {1: 1.1})) == []
    assert len(list(complaints(NAMES, [agrees], {1: 1.09}))) == 1
    assert len(list(complaints(NAMES, [differs], {1: 1.4}))) == 1
    assert len(list(complaints(NAMES, [agrees], {2: 1.4}))) == 1
    (said,) = resting_on_timecode(NAMES, [agrees], {0: 1.2, 1: 1.2, 2: 9.0})
    assert said.startswith("camera b fits the others hardly better")
    assert resting_on_timecode(NAMES, [agrees], {1: 1.5}) == []


def test_an_offset_is_uncertain_if_its_error_may_be_more_than_a_frame() -> None:
    (said,) = uncertain(NAMES, clocks(0, 0, 0, deviation=0.02), [0.06, 0.04, 0.05])
    assert said.startswith("the offset of camera b was found to ±50 ms only, more than a frame; state offset_s")
