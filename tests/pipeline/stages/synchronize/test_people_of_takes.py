"""One human is found in all cameras, in whatever order these show people, and whenever they started."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.pipeline.arrays import Track
from posepipe.pipeline.settings import SynchronizeSettings
from posepipe.pipeline.stages.synchronize import agree, people
from posepipe.pipeline.stages.synchronize.agree import agree_on_person
from posepipe.pipeline.stages.synchronize.matching import Cue
from posepipe.pipeline.stages.synchronize.people import same_person

RATE, SECONDS = 25, 8
CAMERAS = scene_cameras(3)
OFFSETS = [0.0, 0.6, 1.4]
ORDER = [(0, 1), (1, 0), (1, 0)]
"""Who is the main person of each camera, and who is the other one."""


def seen(person: int, camera: int, still: bool = False) -> Track:
    """A person as a camera shows them that started late."""
    time = np.arange(RATE * SECONDS) / RATE
    joint = athlete(time + OFFSETS[camera], seed=person)
    if still:
        joint = np.repeat(joint[:1], len(time), 0)
    noise = np.random.default_rng([person, camera]).normal(0, 0.5, (len(time), 17, 2))
    return a_track(CAMERAS.project(joint)[:, camera] + noise, time)


TRACKS = [[seen(person, camera) for person in people] for camera, people in enumerate(ORDER)]


def human(choice: list[int]) -> set[int]:
    return {people[number] for people, number in zip(ORDER, choice, strict=True)}


@pytest.mark.parametrize("given", [{}, {0: 0.0}, dict(enumerate(OFFSETS)), {1: 0.6, 2: 1.4}])
def test_it_is_the_same_human_everywhere(given: dict[int, float]) -> None:
    assert len(human(same_person(TRACKS, given, 5.0))) == 1


def test_of_a_human_who_moves_and_one_who_does_not_it_is_the_one_who_moves() -> None:
    tracks = [[seen(person, camera, still=person == 0) for person in people] for camera, people in enumerate(ORDER)]
    assert human(same_person(tracks, {}, 5.0)) == {1}


def test_a_camera_that_shows_one_of_them_decides() -> None:
    for person in (0, 1):
        alone = [[track for track, who in zip(TRACKS[0], ORDER[0], strict=True) if who == person], *TRACKS[1:]]
        choice = same_person(alone, {}, 5.0)
        assert choice[0] == 0
        assert {people[number] for people, number in zip(ORDER[1:], choice[1:], strict=True)} == {person}


def test_cameras_whose_offsets_nobody_states_start_together_if_so_wished() -> None:
    together = SynchronizeSettings(offsets="stated")
    agreed = agree_on_person(TRACKS, [None, *OFFSETS[1:]], together)
    assert agreed.person.dtype == np.int32
    assert len(human(agreed.person.tolist())) == 1


@pytest.mark.parametrize(("offsets", "given"), [("stated", {0: 0.0, 1: 0.6, 2: 0.0}), ("auto", {1: 0.6})])
def test_offsets_are_known_if_stated_or_if_all_are_to_count_as_stated(
    offsets: Any, given: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(agree, "same_person", lambda *each: asked.append(each) or [1, 0, 2])
    settings = SynchronizeSettings(offsets=offsets, max_offset_s=7.0)
    assert agree_on_person(TRACKS, [None, 0.6, None], settings).person.tolist() == [1, 0, 2]
    assert asked == [(TRACKS, given, 7.0)]


Evidence = dict[tuple[str, str], dict[int, float]]


def chosen(monkeypatch: pytest.MonkeyPatch, shown: list[str], evidence: Evidence, **known: Any) -> list[int]:
    """Who is followed, of people who are letters, and of evidence by pair of camera and person, at lags in steps."""

    def compare(kind: str, first: list[str], second: list[str], max_lag: int) -> Cue:
        lag = np.arange(-max_lag, max_lag + 1)
        peaks = evidence.get((first[0], second[0]), {}) if kind == "geometry" else {}
        slight = 0.1 if kind == "motion" and (first[0], second[0]) in evidence else 0.0
        return Cue(lag, np.array([peaks.get(int(each), 0.0) + slight for each in lag]))

    monkeypatch.setattr(people, "pose_signals", lambda track: ([track], track))
    monkeypatch.setattr(people, "compare", compare)
    tracks: Any = [[f"{letter}{camera}" for letter in letters] for camera, letters in enumerate(shown)]
    return same_person(tracks, known.get("given", {}), known.get("max_offset_s", 2.0))


def test_three_people_of_each_camera_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence: Evidence = {("c0", "z1"): {0: 5.0}, ("d0", "z1"): {0: 9.0}}
    assert chosen(monkeypatch, ["abcd", "xyz"], evidence) == [2, 2]
    assert chosen(monkeypatch, ["abd", "xyz"], evidence) == [2, 2]
    assert chosen(monkeypatch, ["abed", "xyz"], evidence)[0] != 3


def test_cameras_agree_at_any_lag_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    for lag, found in ((100, [1, 1]), (-100, [1, 1]), (101, [0, 0])):
        evidence: Evidence = {("a0", "x1"): {0: 2.0}, ("b0", "y1"): {lag: 9.0}}
        assert chosen(monkeypatch, ["ab", "xy"], evidence) == found
        assert chosen(monkeypatch, ["ab", "xy"], evidence, given={1: 0.5}) == found  # the other one is not known


@pytest.mark.parametrize(("lag", "found"), [(35, [1, 1]), (25, [1, 1]), (36, [0, 0]), (24, [0, 0]), (-30, [0, 0])])
def test_cameras_whose_offsets_are_known_agree_near_them(
    lag: int, found: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence: Evidence = {("a0", "x1"): {30: 2.0}, ("b0", "y1"): {lag: 9.0}}
    assert chosen(monkeypatch, ["ab", "xy"], evidence, given={0: 1.0, 1: 0.4}) == found


def test_of_several_humans_it_is_the_one_on_whom_all_cameras_agree_most(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence: Evidence = {
        ("a0", "a1"): {0: 9.0}, ("a0", "a2"): {0: 1.0}, ("a1", "a2"): {0: 1.0},
        ("b0", "b1"): {0: 5.0}, ("b0", "b2"): {0: 5.0}, ("b1", "b2"): {0: 5.0},
    }  # fmt: skip
    assert chosen(monkeypatch, ["ab", "ab", "ab"], evidence) == [1, 1, 1]
    evidence["a1", "a2"] = {0: 6.0}
    assert chosen(monkeypatch, ["ab", "ba", "ab"], evidence) == [0, 1, 0]
