"""What is assumed of a camera whose calibration nobody knows, for pictures that stand and that lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from footage import FakeDetector, film, picture_size, tag_focal
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runs.infer import infer
from quick_fit import Fitted

STANDS, LIES = 2, 3
"""Cameras."""


def root_and_pixels(file: Path) -> tuple[str, np.ndarray, np.ndarray]:
    """What results say of the camera, where they place the pelvis (F, 3), and where it was seen (F, 2) px."""
    with np.load(file) as poses:
        return str(poses["root_camera"]), poses["root_trajectory"], poses["keypoint"][:, 0]


@pytest.mark.parametrize("camera", [STANDS, LIES])
@pytest.mark.parametrize(
    ("said", "focal_of"),
    [
        (None, lambda width, height: max(width, height) / 2 / np.tan(np.radians(30))),  # 60 degrees, longer side
        ("26.00mm", lambda width, height: 26 / np.hypot(36, 24) * np.hypot(width, height)),  # by diagonals
    ],
    ids=["assumed", "on 35 mm film"],
)
def test_the_focal_length_of_pictures_that_stand_and_that_lie(
    camera: int, said: str | None, focal_of, finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    clip = film(tmp_path / "new.mp4", camera, range(100, 108))
    if said:
        tag_focal(clip, said)
    made = infer(
        clip, model=finished.out / "model.pt", exports=["npz"], overrides={"motion": {"filter": "none"}}, height_m=1.7
    )
    words, root, pixel = root_and_pixels(made.files[0])
    width, height = picture_size(camera)
    assert words.startswith(f"focal length of {focal_of(width, height):.0f} px, ")
    assert words.endswith("; principal point in the middle")
    # The ray through the root meets the picture near the pelvis: with width and height exchanged it misses by 16 px.
    seen = focal_of(width, height) * root[:, :2] / root[:, 2:] + np.array([width, height]) / 2
    assert np.abs(np.median(seen - pixel, 0)).max() < 10


GIVEN = Camera(np.eye(3), (640, 480), np.full(5, 0.1), np.eye(3), np.zeros(3), "given")


@pytest.mark.parametrize(
    "change",
    [
        {"K": 2 * np.eye(3)},
        {"K": None},
        {"size_px": (480, 640)},
        {"size_px": None},
        {"distortion": np.zeros(5)},
        {"distortion": None},
        {"R": -np.eye(3)},
        {"R": None},
        {"t": np.ones(3)},
        {"t": None},
        {"source": "assumed"},
        {"lens": "fisheye"},
    ],
)
def test_all_that_is_known_of_a_camera_is_in_its_key(change: dict[str, Any]) -> None:
    assert replace(GIVEN).key == GIVEN.key
    assert replace(GIVEN, **change).key != GIVEN.key


def test_what_is_left_out_of_a_camera_does_not_count() -> None:
    other = replace(GIVEN, distortion=np.zeros(5))
    assert other.pinhole.key == GIVEN.pinhole.key
    assert not other.is_bent and GIVEN.is_bent
    moved = replace(GIVEN, t=np.ones(3))
    assert moved.anywhere.key == GIVEN.anywhere.key
    assert GIVEN.anywhere.distortion is GIVEN.distortion and other.anywhere.distortion is None


def test_a_fisheye_bends_without_coefficients_as_well() -> None:
    equidistant = Camera.given(np.diag([400.0, 400, 1]), np.zeros(4), lens="fisheye")
    assert equidistant.is_bent
    assert not equidistant.pinhole.is_bent
    assert equidistant.anywhere.lens == "fisheye"
    keypoint, confidence = np.array([[[400 * 0.7, 0], [400 * 1.6, 0]]]), np.ones((1, 2))
    free, sure = equidistant.without_distortion(keypoint, confidence)
    np.testing.assert_allclose(free[0], [[400 * np.tan(0.7), 0], [0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(sure, [[1, 0]])


def test_a_camera_of_a_focal_length_has_its_principal_point_in_the_middle() -> None:
    camera = Camera.of_focal_length((640, 480), 700.0, "given")
    np.testing.assert_array_equal(camera.K, [[700, 0, 320], [0, 700, 240], [0, 0, 1]])
    assert (camera.focal_px, camera.size_px) == (700, (640, 480))
    assert camera.source == "focal length of 700 px, given; principal point in the middle"
