"""One human is found in all cameras, in whatever order these show people, and whenever they started."""

from __future__ import annotations

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.pipeline.arrays import Track
from posepipe.pipeline.settings import SynchronizeSettings
from posepipe.pipeline.stages.synchronize.agree import agree_on_person
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
