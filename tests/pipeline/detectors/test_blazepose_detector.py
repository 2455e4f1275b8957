"""The embedded detector finds everybody who is drawn, near and far, and nobody on a blank picture."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from drawn_person import BACKGROUND, HEIGHT, JOINTS, draw_person, place
from posepipe.models.skeleton import BLAZEPOSE33
from posepipe.pipeline.detectors import People
from posepipe.pipeline.detectors.blazepose.detector import BlazePoseDetector

WIDE = (640, 960)


@pytest.fixture(scope="module")
def detector() -> BlazePoseDetector:
    return BlazePoseDetector()


def crowd(size: tuple[int, int], people: list[tuple[tuple[float, float], float]]) -> np.ndarray:
    """Drawn people with their middles at places and scales, later ones in front."""
    image = np.full((*size, 3), BACKGROUND, np.uint8)
    shirts = [(60, 60, 170), (40, 140, 60), (170, 90, 40), (60, 160, 190)]
    for number, (centre, scale) in enumerate(people):
        alone = place(draw_person(shirts[number]), size, centre, scale)
        body = (np.abs(alone.astype(int) - BACKGROUND) > 6).any(-1)
        image[body] = alone[body]
    return image


def error(found: People, centre: tuple[float, float], scale: float) -> np.ndarray:
    """Mean distance (P) of each person's known joints to where a drawn person has them, in heights."""
    where = (np.array(list(JOINTS.values())) - [240, 320]) * scale + centre
    joint = found.keypoint[:, [BLAZEPOSE33.index(name) for name in JOINTS]]
    return np.linalg.norm(joint - where, axis=-1).mean(1) / (scale * HEIGHT)


def test_a_person_and_nobody(detector: BlazePoseDetector) -> None:
    person = draw_person()
    found, nobody = detector.detect([person, np.full_like(person, 128)])
    assert error(found, (240, 320), 1.0).tolist() == pytest.approx([0], abs=0.06)
    assert found.confidence.shape == (1, 33)
    assert (found.confidence >= 0).all() and (found.confidence <= 1).all()
    np.testing.assert_array_equal(found.box[0, :2], found.keypoint[0].min(0))
    assert (nobody.box.shape, nobody.keypoint.shape, nobody.confidence.shape) == ((0, 4), (0, 33, 2), (0, 33))


def test_everybody_near_and_far(detector: BlazePoseDetector) -> None:
    people = [((250, 300), 0.9), ((900, 400), 0.2), ((1150, 500), 0.12), ((620, 350), 0.5)]
    (found,) = detector.detect([crowd((720, 1280), people)])
    assert len(found.box) == len(people)
    for centre, scale in people:
        assert error(found, centre, scale).min() < 0.08


def test_keeps_nothing_between_calls(detector: BlazePoseDetector) -> None:
    images = [crowd(WIDE, [((200 + 9 * number, 320), 0.8)]) for number in range(3)]
    first, again = (list(detector.detect(images))[-1] for _ in range(2))
    np.testing.assert_array_equal(first.keypoint, again.keypoint)


def test_takes_pictures_as_they_are_needed(detector: BlazePoseDetector) -> None:
    images = iter([draw_person()] * 9)
    assert len(list(islice(detector.detect(images), 2))) == 2
    assert len(list(images)) == 7


def test_anybody_is_seen_wherever_they_are_after_long_apart(detector: BlazePoseDetector) -> None:
    blank = np.full((*WIDE, 3), 128, np.uint8)
    left, right = (crowd(WIDE, [((x, 320), 1.0)]) for x in (240, 720))
    assert list(detector.anybody([blank, left, right, blank, left])) == [False, True, True, False, True]


def test_two_people_who_pass_each_other_are_both_there_before_and_after(detector: BlazePoseDetector) -> None:
    places = [((250 + 15 * number, 330), (710 - 15 * number, 320)) for number in range(31)]
    images = [crowd(WIDE, [(far, 0.7), (near, 0.9)]) for near, far in places]
    found = list(detector.detect(images))
    apart = [number for number, (near, far) in enumerate(places) if abs(near[0] - far[0]) > 200]
    assert min(apart) == 0 and max(apart) == 30 and len(apart) > 12
    for number in [*apart[1:6], *apart[-4:]]:
        near, far = places[number]
        assert len(found[number].box) == 2
        assert error(found[number], near, 0.9).min() < 0.08 and error(found[number], far, 0.7).min() < 0.08


def test_somebody_who_jumps_away_is_found_again(detector: BlazePoseDetector) -> None:
    images = [crowd(WIDE, [((200 if number < 8 else 700, 320), 0.6)]) for number in range(26)]
    found = list(detector.detect(images))
    assert error(found[7], (200, 320), 0.6).min() < 0.08
    assert error(found[-1], (700, 320), 0.6).min() < 0.08
    assert len(found[-1].box) == 1
