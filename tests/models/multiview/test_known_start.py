"""In known cameras joints start where a person can be, also where rays do not meet."""

from __future__ import annotations

import numpy as np
from footage import RATE, athlete
from known_scene import cameras
from posepipe.models.geometry.epipolar import project, triangulate_robustly
from posepipe.models.multiview.known_start import start_in_known_cameras

NOISE, COUNT = 0.01, 40
RIG, JOINT = cameras(2), athlete(np.arange(COUNT) / RATE)
R, T = np.tile(RIG.R, (COUNT, 1, 1, 1)), np.tile(RIG.t, (COUNT, 1, 1))
SEEN = RIG.see(JOINT)
POINTS, SIZE = SEEN[..., :2] / SEEN[..., 2:], np.full((COUNT, 2), 0.3)


def test_what_can_be_triangulated_is() -> None:
    found = start_in_known_cameras(POINTS, np.ones(POINTS.shape[:3]), R, T, SIZE, NOISE)
    np.testing.assert_allclose(found, JOINT, atol=1e-6)


def test_joints_whose_rays_meet_nowhere_near_come_from_the_instants_around() -> None:
    points, confidence = POINTS.copy(), np.ones(POINTS.shape[:3])
    wrong = np.arange(10, 14)
    points[wrong, 1, 13] += [0.6, 0.0]
    points[wrong, 0, 16] -= [0.5, 0.0]
    confidence[wrong, 0, 3] = 0
    triangulated = triangulate_robustly(points, R, T, confidence, 3 * NOISE * SIZE)
    assert np.linalg.norm(triangulated - JOINT, axis=-1)[wrong][:, [13, 16]].max() > 2
    found = start_in_known_cameras(points, confidence, R, T, SIZE, NOISE)
    assert (project(found, R, T)[1] > 0).all()
    assert np.linalg.norm(found - JOINT, axis=-1).max() < 0.5


def test_joints_and_instants_that_nobody_shows_are_where_the_body_is() -> None:
    confidence = np.ones(POINTS.shape[:3])
    confidence[:, :, 9] = 0
    confidence[5:9] = 0
    found = start_in_known_cameras(np.where(confidence[..., None] > 0, POINTS, 0), confidence, R, T, SIZE, NOISE)
    assert np.linalg.norm(found - JOINT, axis=-1).max() < 1.0
    nothing = start_in_known_cameras(POINTS, np.zeros_like(confidence), R, T, SIZE, NOISE)
    assert np.isfinite(nothing).all()
