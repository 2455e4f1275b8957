"""What is assumed of a camera whose calibration nobody knows, for pictures that stand and that lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from footage import FakeDetector, film, picture_size, tag_focal
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
