"""The embedded detector finds a drawn person, and nobody on a blank image."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_person import JOINTS, draw_person
from posepipe.pipeline.detectors.mediapipe import MediapipeDetector


@pytest.fixture(scope="module")
def person() -> np.ndarray:
    """Someone who stands and looks at the camera (640, 480, 3)."""
    return draw_person()


def test_finds_a_person_where_there_is_one(person: np.ndarray) -> None:
    detector = MediapipeDetector()
    found, nobody = detector.detect([person, np.full_like(person, 128)])
    joints = dict(zip(detector.skeleton.joints, found.keypoint[0], strict=True))
    for joint, drawn in JOINTS.items():
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
