"""Where a pose stands follows from how it looks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from known_scene import people
from posepipe.models.geometry.root import locate_root

POSES = people(20, turn=True) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # z up becomes y down
POSES = POSES - POSES[:, :1]


def image(poses: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Points (..., J, 2) at depth 1 of poses that stand at a root (..., 3)."""
    seen = poses + root[..., None, :]
    return seen[..., :2] / seen[..., 2:]


@given(st.floats(-8, 8), st.floats(-3, 3), st.floats(3, 60), st.floats(0.1, 3))
def test_a_known_place_is_found_in_any_unit(x: float, y: float, z: float, size: float) -> None:
    root = np.tile([x, y, z], (len(POSES), 1))
    found = locate_root(size * POSES, image(POSES, root), np.ones(POSES.shape[:2]))
    np.testing.assert_allclose(found, size * root, rtol=1e-6, atol=1e-6)


def test_it_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    root = rng.uniform((-3, -1, 4), (3, 1, 30), (len(POSES), 3))
    point = image(POSES, root) + rng.normal(0, 0.001, (*POSES.shape[:2], 2))
    weight = rng.uniform(0, 1, POSES.shape[:2])
    found = locate_root(POSES, point, weight)
    for number, (pose, seen, sure) in enumerate(zip(POSES, point, weight, strict=True)):
        rows, values = [], []
        for (X, Y, Z), (u, v), w in zip(pose, seen, sure, strict=True):  # one equation after the other
            rows += [np.sqrt(w) * np.array([1, 0, -u]), np.sqrt(w) * np.array([0, 1, -v])]
            values += [np.sqrt(w) * (u * Z - X), np.sqrt(w) * (v * Z - Y)]
        expected = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
        np.testing.assert_allclose(found[number], expected, atol=1e-9)
    assert np.median(np.linalg.norm(found - root, axis=-1) / root[:, 2]) < 0.02


def test_joints_that_are_not_seen_do_not_count() -> None:
    root = np.tile([1.0, 0.5, 10], (len(POSES), 1))
    point, weight = image(POSES, root), np.ones(POSES.shape[:2])
    point[:, 3], weight[:, 3] = 7, 0
    point[:, 4] = np.nan
    np.testing.assert_allclose(locate_root(POSES, point, weight), root, atol=1e-9)


def test_what_does_not_tell_is_nan() -> None:
    root = np.tile([1.0, 0.5, 10], (len(POSES), 1))
    point, weight = image(POSES, root), np.ones(POSES.shape[:2])
    weight[0] = 0
    weight[1, 1:] = 0
    point[2] = 0.1  # all joints at one point
    point[3] *= -1  # upside down: behind the camera
    poses = POSES.copy()
    poses[4] = np.nan
    found = np.isfinite(locate_root(poses, point, weight)).all(-1)
    assert np.flatnonzero(~found).tolist() == [0, 1, 2, 3, 4]


def test_a_person_far_away_is_more_than_a_point() -> None:
    root = np.tile([3.0, 2.0, 900.0], (len(POSES), 1))
    np.testing.assert_allclose(locate_root(POSES, image(POSES, root), np.ones(POSES.shape[:2])), root, rtol=1e-6)
