"""Rotations, alignment, projections and normalisation: closed forms, round trips, and the cases that break."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_scene import cameras, people
from posepipe.models.geometry import geometry
from posepipe.models.skeleton import COCO17, H36M17
from scipy.spatial.transform import Rotation

numbers = st.floats(-10, 10, allow_nan=False, width=32)
vectors = st.lists(numbers, min_size=3, max_size=3)


def test_axis_angle_agrees_with_scipy() -> None:
    axis_angle = np.random.default_rng(0).normal(0, 2, (1000, 3))
    expected = Rotation.from_rotvec(axis_angle).as_matrix()
    R = geometry.rotation_from_axis_angle(torch.from_numpy(axis_angle))
    np.testing.assert_allclose(R.numpy(), expected, atol=1e-12)
    R = geometry.rotation_from_axis_angle(torch.from_numpy(axis_angle).float())
    np.testing.assert_allclose(R.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.999e-3, 1.001e-3, math.pi - 1e-6, math.pi])
def test_axis_angle_at_its_delicate_angles(angle: float) -> None:
    axis_angle = angle * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3
    axis_angle.requires_grad_()
    R = geometry.rotation_from_axis_angle(axis_angle)
    np.testing.assert_allclose(R.detach(), Rotation.from_rotvec(axis_angle.detach()).as_matrix(), atol=1e-12)
    (gradient,) = torch.autograd.grad(R[0, 1], axis_angle)
    assert gradient.isfinite().all()
    assert torch.autograd.gradcheck(geometry.rotation_from_axis_angle, axis_angle)


def test_axis_angle_has_a_gradient_at_zero_in_single_precision() -> None:
    axis_angle = torch.zeros(3, requires_grad=True)
    geometry.rotation_from_axis_angle(axis_angle)[1, 0].backward()
    np.testing.assert_array_equal(axis_angle.grad, [0, 0, 1])


@settings(deadline=None, max_examples=50)
@given(vectors, vectors)
def test_cross_product_matrix(a: list[float], b: list[float]) -> None:
    expected = np.cross(a, b)
    product = geometry.cross_product_matrix(torch.tensor(a, dtype=torch.float64)).numpy() @ b
    np.testing.assert_allclose(product, expected, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.lists(numbers, min_size=6, max_size=6))
def test_two_columns_always_give_a_rotation_unless_parallel(values: list[float]) -> None:
    columns = torch.tensor(values, dtype=torch.float64)
    if torch.linalg.cross(columns[:3], columns[3:]).norm() < 1e-3:
        return
    R = geometry.rotation_from_two_columns(columns)
    np.testing.assert_allclose(R.mT @ R, np.eye(3), atol=1e-9)
    assert torch.linalg.det(R).item() == pytest.approx(1)
    np.testing.assert_allclose(R[:, 0], columns[:3] / columns[:3].norm(), atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(vectors, vectors, st.floats(0.1, 10), st.integers(0, 1000))
def test_procrustes_recovers_a_similarity(turn: list[float], shift: list[float], scale: float, seed: int) -> None:
    source = np.random.default_rng(seed).normal(size=(17, 3))
    R = Rotation.from_rotvec(turn).as_matrix()
    found = geometry.procrustes(torch.from_numpy(source), torch.from_numpy(scale * source @ R.T + shift))
    assert found.scale.item() == pytest.approx(scale)
    np.testing.assert_allclose(found.R, R, atol=1e-8)
    np.testing.assert_allclose(found.t, shift, atol=1e-8)


def test_procrustes_never_reflects_and_is_batched() -> None:
    pose = torch.from_numpy(people(6)).reshape(2, 3, 17, 3)
    mirrored = pose * torch.tensor([1.0, 1.0, -1.0])
    found = geometry.procrustes(pose, mirrored)
    np.testing.assert_allclose(torch.linalg.det(found.R), np.ones((2, 3)), atol=1e-9)
    assert (found.apply(pose) - mirrored).norm(dim=-1).mean() > 0.03
    alone = geometry.procrustes(pose[1, 2], mirrored[1, 2])
    np.testing.assert_allclose(alone.apply(pose[1, 2]), found.apply(pose)[1, 2], atol=1e-9)


def test_procrustes_of_a_single_point_is_finite() -> None:
    found = geometry.procrustes(torch.zeros(4, 3), torch.ones(4, 3))
    np.testing.assert_array_equal(found.apply(torch.zeros(4, 3)), np.ones((4, 3)))


def test_projections_agree_with_the_known_scene() -> None:
    pose, scene = people(5), cameras(4)
    seen = torch.from_numpy(scene.see(pose))
    pixel = geometry.project_perspective(seen, torch.from_numpy(scene.K))
    np.testing.assert_allclose(pixel, scene.project(pose), atol=1e-9)
    image = geometry.project_weak_perspective(torch.from_numpy(pose)[:, None], torch.from_numpy(scene.R))
    np.testing.assert_allclose(image, (scene.see(pose) - scene.t[:, None])[..., :2], atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.1, 100), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_normalisation_forgets_place_and_size(scale: float, x: float, y: float) -> None:
    keypoint = torch.from_numpy(cameras(1).project(people(3))[:, 0])
    confidence, root = torch.rand(3, 17, dtype=torch.float64) + 0.1, _root(H36M17)
    moved = scale * keypoint + torch.tensor([x, y])
    expected, _ = geometry.normalise_keypoints(keypoint, confidence, root)
    found, seen = geometry.normalise_keypoints(moved, confidence, root)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.norm(dim=(1, 2)), np.ones(3))
    np.testing.assert_array_equal(found[:, 0], np.zeros((3, 2)))
    assert seen.all()


def test_normalisation_leaves_missing_joints_out() -> None:
    keypoint, confidence = torch.rand(1, 17, 2) * 500, torch.ones(1, 17)
    keypoint[0, 5], confidence[0, 5] = 0, 0
    found, seen = geometry.normalise_keypoints(keypoint, confidence, _root(H36M17).float())
    rest = torch.cat([keypoint[:, :5], keypoint[:, 6:]], 1)
    assert seen.all()
    np.testing.assert_array_equal(found[0, 5], [0, 0])
    norm = (rest - keypoint[:, :1]).norm()
    np.testing.assert_allclose(found[0, 6:], (rest - keypoint[:, :1])[0, 5:] / norm, atol=1e-6)


def test_views_without_root_or_shape_are_dropped() -> None:
    keypoint, confidence = torch.rand(4, 17, 2) * 500, torch.ones(4, 17)
    confidence[1, COCO17.index("left_hip")] = 0
    keypoint[2] = 123.0
    confidence[3] = 0
    found, seen = geometry.normalise_keypoints(keypoint, confidence, _root(COCO17).float())
    assert seen.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(found[1:], np.zeros((3, 17, 2)))


def _root(skeleton) -> torch.Tensor:
    return torch.from_numpy(skeleton.landmark_weights("pelvis")[0]).double()
