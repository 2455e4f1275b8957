"""Where somebody was lost the finder looks again, for a while, until somebody is found there."""

from __future__ import annotations

import numpy as np
from posepipe.pipeline.detectors.blazepose.lost import EVERY, LONGEST, LostPeople

HERE, THERE = np.array([[100, 100, 50, 0], [500, 100, 50, 0]], np.float32)


def test_there_is_a_look_at_once_and_then_now_and_then_for_a_while() -> None:
    lost, looks = LostPeople(), []
    lost.add(HERE[None])
    for picture in range(2 * LONGEST):
        if len(lost.due()):
            looks.append(picture)
        lost.wait(1)
    assert looks == list(range(0, LONGEST + 1, EVERY))


def test_places_are_looked_at_each_in_its_turn_and_one_place_once() -> None:
    lost = LostPeople()
    lost.add(HERE[None])
    np.testing.assert_array_equal(lost.due(), [HERE])
    lost.wait(1)
    lost.add(THERE[None])
    np.testing.assert_array_equal(lost.due(), [THERE])
    lost.add(THERE[None] + np.float32([5, 0, 0, 0]))
    np.testing.assert_array_equal(lost.due(), THERE[None] + np.float32([5, 0, 0, 0]))
    lost.wait(EVERY)
    assert len(lost.due()) == 2


def test_who_is_found_nearby_is_the_nearest_of_the_lost() -> None:
    lost = LostPeople()
    lost.add(np.array([HERE, HERE + np.float32([40, 0, 0, 0]), THERE]))
    lost.found(HERE[None] + [30, 0, 0, 0])
    np.testing.assert_array_equal(lost.due(), [HERE, THERE])
    lost.found(HERE[None] + [200, 0, 0, 0])  # somebody else
    lost.wait(EVERY)
    assert len(lost.due()) == 2
