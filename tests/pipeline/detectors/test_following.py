"""People are followed from image to image, and looked for anew when they are lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from posepipe.pipeline.detectors import People
from posepipe.pipeline.detectors.following import follow

SHAPE = np.array([[0, 0], [20, 10], [5, 60], [15, 80]], np.float32)
"""Joints of a person, relative to the first."""


class Look:
    """Finds boxes at given places, and remembers in which images it was asked."""

    description = key = "look"

    def __init__(self, box: list[float]) -> None:
        self.box, self.asked = np.array([box], np.float32), []

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for image in images:
            self.asked.append(int(image[0, 0, 0]))
            yield image, self.box


def images(number: int) -> list[np.ndarray]:
    """Images that know their number."""
    return [np.full((200, 300, 3), i, np.uint8) for i in range(number)]


def walker(image: np.ndarray, boxes: np.ndarray) -> People:
    """Somebody who walks 5 px an image, seen only in boxes that hold all joints, and by nobody from 5 to 8."""
    number = int(image[0, 0, 0])
    pose = SHAPE + np.array([30 + 5 * number, 40])
    seen = [not 5 <= number < 9 and (pose >= box[:2]).all() and (pose <= box[2:]).all() for box in boxes]
    confidence = np.repeat(np.where(seen, 0.8, 0.1)[:, None], len(SHAPE), 1).astype(np.float32)
    return People(boxes, np.repeat(pose[None], len(boxes), 0).astype(np.float32), confidence)


def test_boxes_move_with_the_person_and_are_looked_for_when_lost() -> None:
    look = Look([0, 0, 300, 200])
    people = list(follow(images(12), look, walker, every=3))
    assert look.asked == [0, 6, 9]  # 5 is looked for in the box of 4; then every third while nobody is seen
    sure = [bool(found.confidence.max() > 0.5) for found in people]
    assert sure == [number < 5 or number >= 9 for number in range(12)]
    for number in (1, 2, 3, 4):
        box, before = people[number].box[0], SHAPE + np.array([30 + 5 * (number - 1), 40])
        margin = 0.07 * 80
        np.testing.assert_allclose(box, [*(before.min(0) - margin), *(before.max(0) + margin)], rtol=1e-5)


def test_joints_that_are_not_sure_do_not_widen_the_box() -> None:
    def find(image: np.ndarray, boxes: np.ndarray) -> People:
        pose = np.concatenate([SHAPE + 50, [[290, 190]]]).astype(np.float32)
        return People(boxes, pose[None], np.array([[0.9, 0.9, 0.9, 0.9, 0.05]], np.float32))

    last = list(follow(images(2), Look([0, 0, 300, 200]), find, every=1))[-1]
    assert last.box[0, 2] < 100


def test_nobody_anywhere_is_nobody() -> None:
    def find(image: np.ndarray, boxes: np.ndarray) -> People:
        return People(boxes[:0], np.zeros((0, 4, 2), np.float32), np.zeros((0, 4), np.float32))

    look = Look([0, 0, 300, 200])
    assert all(len(found.box) == 0 for found in follow(images(4), look, find, every=2))
    assert look.asked == [0, 2]
