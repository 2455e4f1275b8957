"""Lens distortion: OpenCV distorts a known scene, and its pinhole image is recovered."""

import cv2
import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.geometry.lens import distort, undistort, undistort_fisheye

LENSES = [
    (0.0, 0.0, 0.0, 0.0, 0.0),
    (-0.28, 0.09, 0.001, -0.0008, -0.012),  # an action camera's
    (0.12, -0.3, -0.002, 0.003, 0.1),
]


@pytest.mark.parametrize("lens", LENSES, ids=str)
def test_a_distorted_scene_is_recovered(lens: tuple[float, ...]) -> None:
    rig, world = cameras(3), people(20)
    distortion, image = np.array(lens), rig.project(world)
    seen = np.stack([
        cv2.projectPoints(world.reshape(-1, 1, 3), cv2.Rodrigues(R)[0], t, K, distortion)[0].reshape(20, 17, 2)
        for K, R, t in zip(rig.K, rig.R, rig.t, strict=True)
    ], 1)  # fmt: skip
    normalised = (image - rig.K[0, :2, 2]) / rig.K[0, 0, 0]
    ours = distort(normalised, distortion) * rig.K[0, 0, 0] + rig.K[0, :2, 2]
    np.testing.assert_allclose(ours, seen, atol=1e-6)
    np.testing.assert_allclose(undistort(seen, rig.K, distortion), image, atol=1e-4)
    assert any(lens) == (np.abs(seen - image).max() > 0.5)


def test_each_camera_has_its_own_lens() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.4, 0.4, (2, 3, 5, 2))
    lenses = np.stack([np.array(lens) * scale for lens in LENSES for scale in (1, 0.5)]).reshape(2, 3, 5)
    K = np.array([[1000.0, 3, 500], [0, 900, 400], [0, 0, 1]])
    seen = np.einsum("ab,...b->...a", K[:2, :2], distort(points, lenses)) + K[:2, 2]
    expected = np.einsum("ab,...b->...a", K[:2, :2], points) + K[:2, 2]
    np.testing.assert_allclose(undistort(seen, K, lenses), expected, atol=1e-4)


def test_what_no_lens_shows_is_lost() -> None:
    K = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
    found = undistort(np.array([[500.0, 600.0], [9000.0, 500.0]]), K, np.array([-0.3, 0, 0, 0, 0]))
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()


FISHEYES = [(0.0, 0.0, 0.0, 0.0), (-0.02, 0.01, -0.008, 0.001), (0.1, -0.05, 0.02, -0.004)]


@pytest.mark.parametrize("lens", FISHEYES, ids=str)
def test_a_fisheye_that_sees_120_degrees_is_undone(lens: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    K = np.array([[480.0, 0, 500], [0, 470, 380], [0, 0, 1]])
    points = rng.uniform(-1.7, 1.7, (3, 40, 2))  # 60 degrees from the axis and more
    seen = cv2.fisheye.distortPoints(points.reshape(1, -1, 2), K, np.array(lens)).reshape(points.shape)
    expected = points * [480.0, 470.0] + [500.0, 380.0]
    assert np.abs(seen - expected).max() > 300
    np.testing.assert_allclose(undistort_fisheye(seen, K, np.array(lens)), expected, atol=1e-3)
    np.testing.assert_allclose(undistort_fisheye(K[None, :2, 2], K, np.array(lens)), K[None, :2, 2])


def test_what_a_pinhole_camera_cannot_show_is_lost() -> None:
    K = np.array([[400.0, 0, 500], [0, 400, 500], [0, 0, 1]])
    beside, behind = [500 + 400 * 1.4, 500], [500 + 400 * 1.7, 500]  # 80 and 97 degrees from the axis
    found = undistort_fisheye(np.array([beside, behind]), K, np.zeros(4))
    assert found[0, 0] == pytest.approx(500 + 400 * np.tan(1.4))
    assert np.isnan(found[1]).all()
    folded = undistort_fisheye(np.array([[500 + 400 * 0.9, 500.0]]), K, np.array([-0.5, 0, 0, 0]))
    assert np.isnan(folded).all()
