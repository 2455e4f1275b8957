"""Boxes between the images that were looked at, and where nobody was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from posepipe.models.skeleton import COCO17
from posepipe.pipeline.detectors import People
from posepipe.pipeline.detectors.boxes import MARGIN, BoxesFromPoses
from posepipe.pipeline.errors import PosepipeError

HEIGHT, WIDTH = 400, 300


class Walker:
    """A person whose box moves by 2 px per image; the image's first pixel is its number, or 255 for nobody."""

    skeleton = COCO17
    confidence_kind = "visibility"
    description = "a walker"
    key = "walker"

    def __init__(self) -> None:
        self.seen: list[int] = []

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        for image in images:
            self.seen.append(int(image[0, 0, 0]))
            yield self._person(self.seen[-1])

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        return (len(people.box) > 0 for people in self.detect(images))

    def _person(self, number: int) -> People:
        box = np.array([[50 + 2 * number, 100, 100 + 2 * number, 200]], np.float32)[: number != 255]
        return People(box, np.zeros((len(box), 17, 2), np.float32), np.zeros((len(box), 17), np.float32))


def walk(count: int, absent: tuple[int, ...] = ()) -> list[np.ndarray]:
    numbers = [255 if index in absent else index for index in range(count)]
    return [np.full((HEIGHT, WIDTH, 3), number, np.uint8) for number in numbers]


def expected(index: int) -> list[float]:
    margin = 100 * MARGIN
    return [50 + 2 * index - margin, 100 - margin, 100 + 2 * index + margin, 200 + margin]


def boxes_of(every: int, images: list[np.ndarray]) -> np.ndarray:
    """The box of each image (F, 4), NaN where there is none, after a look at the form of what comes."""
    boxed = list(BoxesFromPoses(Walker(), every).boxes(iter(images)))
    assert all(given is image for (given, _), image in zip(boxed, images, strict=True))
    assert all(box.shape in ((0, 4), (1, 4)) and box.dtype == np.float32 for _, box in boxed)
    return np.stack([box[0] if len(box) else np.full(4, np.nan) for _, box in boxed])


def test_a_steady_walk_is_recovered_from_every_fifth_image() -> None:
    walker = Walker()
    list(BoxesFromPoses(walker, every=5).boxes(walk(13)))
    assert walker.seen == [0, 5, 10, 12]
    np.testing.assert_allclose(boxes_of(5, walk(13)), [expected(index) for index in range(13)], atol=1e-4)


def test_a_box_stays_until_the_look_at_which_nobody_is_found() -> None:
    boxes = boxes_of(4, walk(21, absent=(8, 12)))
    np.testing.assert_allclose(boxes[:5], [expected(index) for index in range(5)], atol=1e-4)
    np.testing.assert_allclose(boxes[5:8], [expected(4)] * 3, atol=1e-4)
    assert np.isnan(boxes[8:13]).all()
    np.testing.assert_allclose(boxes[13:17], [expected(16)] * 4, atol=1e-4)
    np.testing.assert_allclose(boxes[17:], [expected(index) for index in range(17, 21)], atol=1e-4)


def test_nobody_anywhere_gives_no_boxes() -> None:
    assert np.isnan(boxes_of(2, walk(3, absent=(0, 1, 2)))).all()
    assert list(BoxesFromPoses(Walker()).boxes([])) == []


def test_takes_images_as_they_are_needed() -> None:
    images = iter(walk(100))
    boxed = BoxesFromPoses(Walker(), every=5).boxes(images)
    for _ in range(7):
        next(boxed)
    assert len(list(images)) == 100 - 11


def test_boxes_stay_within_the_image() -> None:
    boxes = boxes_of(1, walk(140))
    assert np.nanmax(boxes[:, 2]) == WIDTH
    there = np.isfinite(boxes[:, 0])
    assert (boxes[there, 2] > boxes[there, 0]).all()
    assert not there[-1]  # by then the walker has left it


def test_everybody_has_a_box() -> None:
    class Pair(Walker):
        def _person(self, number: int) -> People:
            box = np.array([[50 + 2 * number, 100, 100 + 2 * number, 200], [150, 100, 200, 200]], np.float32)
            return People(box, np.zeros((2, 17, 2), np.float32), np.zeros((2, 17), np.float32))

    boxed = [box for _, box in BoxesFromPoses(Pair(), 5).boxes(walk(11))]
    assert all(len(box) == 2 for box in boxed)
    np.testing.assert_allclose([box[0] for box in boxed], [expected(index) for index in range(11)], atol=1e-4)


def test_every_counts_in_the_key_and_must_be_positive() -> None:
    assert BoxesFromPoses(Walker(), 5).key != BoxesFromPoses(Walker(), 6).key
    with pytest.raises(PosepipeError, match="box_every is 0"):
        BoxesFromPoses(Walker(), 0)


def test_anybody_is_whom_the_other_detector_finds_in_each_image_by_itself() -> None:
    walker = Walker()
    assert list(BoxesFromPoses(walker, 5).anybody(walk(4, absent=(1, 2)))) == [True, False, False, True]
    assert walker.seen == [0, 255, 255, 3]
