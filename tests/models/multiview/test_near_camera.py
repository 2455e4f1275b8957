from __future__ import annotations

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.multiview.near_camera import BEND, PARAMETERS, NearCameras, rotation_by, turn_of

RNG = np.random.default_rng(0)


def near_cameras() -> NearCameras:
    rig = cameras(3)
    return NearCameras.from_pinhole(rig.R, rig.t, rig.K[:, 0, 0])


def test_it_is_the_pinhole_camera() -> None:
    rig, pose = cameras(3), people(4)
    seen = near_cameras().see(pose[:, None])
    assert seen == pytest.approx(rig.project(pose) - rig.K[:, None, :2, 2], abs=1e-9)


def test_focal_length_and_place_come_back() -> None:
    rig = cameras(3)
    assert near_cameras().focal == pytest.approx(rig.K[:, 0, 0])
    assert near_cameras().translation == pytest.approx(rig.t)


def test_at_inverse_depth_zero_it_is_weak_perspective() -> None:
    far = near_cameras()._replace(inverse_depth=np.zeros(3))
    pose = people(2)
    turned = np.einsum("vab,tjb->tvja", far.R, pose)[..., :2] + far.shift[:, None]
    assert far.see(pose[:, None]) == pytest.approx(far.scale[:, None, None] * turned)


def test_the_mirrored_camera_has_negative_inverse_depth_and_sees_the_same() -> None:
    S, rig, pose = np.diag([1.0, 1.0, -1.0]), near_cameras(), people(3)
    twin = rig._replace(R=S @ rig.R @ S, inverse_depth=-rig.inverse_depth)
    assert twin.see((pose @ S)[:, None]) == pytest.approx(rig.see(pose[:, None]), abs=1e-9)


def test_a_lens_of_120_degrees_is_undone_by_one_coefficient() -> None:
    """Equidistant: what a pinhole camera shows at the tangent of an angle is shown at the angle."""
    focal, angle = 600.0, np.radians(np.linspace(0, 60, 13))
    points = np.stack([np.tan(angle), np.zeros(13), np.ones(13)], -1)
    bent = NearCameras.from_pinhole(np.eye(3), np.array([0, 0, 1.0]), np.array(focal))
    bent = bent._replace(bend=np.array(-0.36 / focal**2))
    seen = bent.see(points - [0, 0, 1])
    assert seen[:, 0] == pytest.approx(focal * angle, abs=0.01 * focal)
    r = np.linalg.norm(seen, axis=-1)
    assert r / (1 + bent.bend * r**2) == pytest.approx(focal * np.tan(angle))


@pytest.mark.parametrize("bend", [0.0, -3e-6, 1e-6])
def test_derivatives_are_those_of_small_changes(bend: float) -> None:
    rig, pose, step = near_cameras(), people(2), 1e-6
    rig = rig._replace(bend=np.full(3, bend))
    image, of_point, of_camera = rig.derivatives(pose[:, None])
    assert image == pytest.approx(rig.see(pose[:, None]))
    for parameter in range(PARAMETERS):
        change = np.zeros((3, PARAMETERS))
        by = 1e-10 if parameter == BEND else step
        change[:, parameter] = by
        slope = (rig.moved(change).see(pose[:, None]) - rig.moved(-change).see(pose[:, None])) / (2 * by)
        assert of_camera[..., parameter] == pytest.approx(slope, rel=1e-5, abs=1e-3 if parameter < BEND else 1e3)
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        slope = (rig.see(pose[:, None] + shift) - rig.see(pose[:, None] - shift)) / (2 * step)
        assert of_point[..., axis] == pytest.approx(slope, rel=1e-5, abs=1e-3)


def test_turns_and_rotations_are_each_other() -> None:
    turn = RNG.normal(size=(50, 3))
    turn[0] = 0
    turn[1] *= 1e-7
    R = rotation_by(turn)
    assert R @ np.swapaxes(R, 1, 2) == pytest.approx(np.broadcast_to(np.eye(3), R.shape))
    small = np.linalg.norm(turn, axis=-1) < np.pi
    assert turn_of(R)[small] == pytest.approx(turn[small])
