"""The embedded detector finds a drawn person, and nobody on a blank image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from posepipe.pipeline.detectors.mediapipe import MediapipeDetector

SKIN, SHIRT, TROUSERS, HAIR = (130, 160, 210), (60, 60, 170), (90, 50, 40), (30, 40, 60)
LIMBS = [
    ((215, 330), (210, 440), 34, TROUSERS), ((210, 440), (208, 545), 26, TROUSERS),
    ((265, 330), (270, 440), 34, TROUSERS), ((270, 440), (272, 545), 26, TROUSERS),
    ((208, 556), (192, 562), 16, HAIR), ((272, 556), (288, 562), 16, HAIR),
    ((195, 190), (170, 265), 26, SHIRT), ((170, 265), (160, 345), 20, SKIN),
    ((285, 190), (310, 265), 26, SHIRT), ((310, 265), (320, 345), 20, SKIN), ((240, 150), (240, 175), 26, SKIN),
]  # fmt: skip


@pytest.fixture(scope="module")
def person() -> np.ndarray:
    """Someone who stands and looks at the camera (640, 480, 3)."""
    image = np.full((640, 480, 3), (190, 200, 195), np.uint8)
    for start, end, width, colour in LIMBS:
        cv2.line(image, start, end, colour, width, cv2.LINE_AA)
    cv2.fillPoly(image, [np.array([[190, 175], [290, 175], [280, 340], [200, 340]])], SHIRT)
    cv2.ellipse(image, (240, 120), (30, 40), 0, 0, 360, SKIN, -1)
    cv2.ellipse(image, (240, 100), (32, 26), 0, 180, 360, HAIR, -1)
    for eye in (229, 251):
        cv2.circle(image, (eye, 118), 4, (255, 255, 255), -1)
        cv2.circle(image, (eye, 118), 2, HAIR, -1)
    cv2.ellipse(image, (240, 142), (10, 4), 0, 0, 180, SHIRT, 2)
    return cv2.GaussianBlur(image, (3, 3), 0)


def test_finds_a_person_where_there_is_one(person: np.ndarray) -> None:
    detector = MediapipeDetector()
    found, nobody = detector.detect([person, np.full_like(person, 128)])
    joints = dict(zip(detector.skeleton.joints, found.keypoint[0], strict=True))
    for joint, drawn in {"nose": (240, 126), "right_shoulder": (195, 190), "left_ankle": (272, 545)}.items():
        assert np.linalg.norm(joints[joint] - drawn) < 40
    assert found.confidence.shape == (1, 33)
    assert (found.confidence >= 0).all()
    assert (found.confidence <= 1).all()
    np.testing.assert_array_equal(found.box[0, :2], found.keypoint[0].min(0))
    assert (nobody.box.shape, nobody.keypoint.shape, nobody.confidence.shape) == ((0, 4), (0, 33, 2), (0, 33))


def test_keeps_nothing_between_calls(person: np.ndarray) -> None:
    detector = MediapipeDetector()
    first, again = (next(detector.detect([person])) for _ in range(2))
    np.testing.assert_array_equal(first.keypoint, again.keypoint)


def test_anybody_is_seen_wherever_they_are_after_long_apart(person: np.ndarray) -> None:
    blank = np.full((640, 960, 3), 128, np.uint8)
    left, right = blank.copy(), blank.copy()
    left[:, :480], right[:, 480:] = person, person
    assert list(MediapipeDetector().anybody([blank, left, right, blank, left])) == [False, True, True, False, True]
