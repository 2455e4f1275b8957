"""What the pipeline expects of every detector: people of its skeleton, an answer for each image, nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_person import draw_person
from posepipe.models.skeleton import SKELETONS
from posepipe.pipeline.detectors import DETECTORS, Detector, People
from posepipe.pipeline.detectors.choose import settings_class
from posepipe.pipeline.errors import PosepipeError

OURS = [name for name, place in DETECTORS.items() if place.startswith("posepipe.")]


def untrained(folder: Path) -> dict[str, Any]:
    """A model of MMPose with random weights."""
    test_mmpose = pytest.importorskip("test_mmpose")
    model = test_mmpose.random_model(test_mmpose.write_config(folder / "small.py"), folder)
    return {"mmpose_config": str(model.config), "mmpose_checkpoint": str(model.checkpoint)}


OPTIONS: dict[str, Callable[[Path], dict[str, Any]]] = {"mmpose": untrained}
"""What detectors need to be told that cannot do with their defaults."""


@pytest.fixture(scope="module", params=OURS)
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    name = request.param
    options = OPTIONS[name](tmp_path_factory.mktemp(name)) if name in OPTIONS else {}
    try:
        return settings_class(name).model_validate(options).build("cpu")
    except PosepipeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """Someone who stands, nobody, and the first again (640, 480, 3)."""
    person = draw_person()
    return [person, np.full_like(person, 128), person.copy()]


def same(one: list[People], other: list[People]) -> bool:
    pairs = [(vars(first), vars(second)) for first, second in zip(one, other, strict=True)]
    return all(np.array_equal(first[name], second[name]) for first, second in pairs for name in first)


def test_a_detector_says_what_it_is(detector: Detector) -> None:
    assert SKELETONS[detector.skeleton.name] == detector.skeleton
    for text in (detector.confidence_kind, detector.description, detector.key):
        assert text and isinstance(text, str)


def test_every_image_has_people_as_they_are_described(detector: Detector, images: list[np.ndarray]) -> None:
    found = list(detector.detect(images))
    assert len(found) == len(images)
    joints = len(detector.skeleton.joints)
    for people in found:
        number = len(people.box)
        shapes = people.box.shape, people.keypoint.shape, people.confidence.shape
        assert shapes == ((number, 4), (number, joints, 2), (number, joints))
        assert {array.dtype for array in vars(people).values()} == {np.dtype(np.float32)}
        assert np.isfinite(people.box).all() and np.isfinite(people.keypoint).all()
        assert ((people.confidence >= 0) & (people.confidence <= 1)).all()
        assert (people.box[:, 2:] > people.box[:, :2]).all()
    assert len(found[0].box) == 1, "a person is found"


def test_the_same_images_give_the_same_people_whatever_came_before(
    detector: Detector, images: list[np.ndarray]
) -> None:
    whole = list(detector.detect(images))
    list(detector.detect(images[1:2]))
    assert same(list(detector.detect(images)), whole)
    assert same(list(detector.detect(images[:1])), whole[:1])


def test_images_are_taken_as_they_are_needed(detector: Detector, images: list[np.ndarray]) -> None:
    taken = count()

    def endless() -> Iterator[np.ndarray]:
        while True:
            assert next(taken) < 100, "a detector must not read a whole video before its first answer"
            yield images[0]

    assert len(next(iter(detector.detect(endless()))).box)
    assert next(iter(detector.anybody(endless())))


def test_one_answer_for_each_image_that_is_looked_through(detector: Detector, images: list[np.ndarray]) -> None:
    found = list(detector.anybody(images))
    assert found == [True, False, True]
