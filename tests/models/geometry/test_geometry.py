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


def test_the_mirror_negates_x_and_exchanges_sides() -> None:
    mirror = torch.tensor([0, 2, 1])
    points = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    expected = [[-1.0, 2, 3], [-7, 8, 9], [-4, 5, 6]]
    np.testing.assert_array_equal(geometry.mirrored(points, mirror), expected)
    np.testing.assert_array_equal(geometry.mirrored(points[None, :, :2], mirror), np.array(expected)[None, :, :2])


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4)])
def test_rows_are_chosen_whole(shape: tuple[int, ...]) -> None:
    chosen, other = torch.ones(shape), torch.zeros(shape)
    found = geometry.where_rows(torch.tensor([True, False, True]), chosen, other)
    assert found.shape == shape
    assert [float(row.sum()) for row in found] == [chosen[0].numel(), 0, chosen[0].numel()]


def test_alignment_without_scale_is_that_of_weighted_least_squares() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 4, 9, 3))
    weight = rng.uniform(size=(4, 9))
    weight[:, 2] = 0
    target[:2] = 2 * source[:2] @ Rotation.random(2, random_state=0).as_matrix() + rng.normal(size=(2, 1, 3))
    found = geometry.rigid_alignment(*map(torch.from_numpy, (source, target, weight)))
    for number in range(4):
        share = weight[number] / weight[number].sum()
        middles = share @ source[number], share @ target[number]
        R, _ = Rotation.align_vectors(target[number] - middles[1], source[number] - middles[0], weights=share)
        expected = (source[number] - middles[0]) @ R.as_matrix().T + middles[1]
        np.testing.assert_allclose(found[number], expected, atol=1e-6)
    R = Rotation.random(random_state=1).as_matrix()
    known = geometry.rigid_alignment(*map(torch.from_numpy, (source[0], target[0], weight[0], R)))
    share = (weight[0] / weight[0].sum())[:, None]
    np.testing.assert_allclose(known, source[0] @ R.T + (share * (target[0] - source[0] @ R.T)).sum(0), atol=1e-9)
    nothing = geometry.rigid_alignment(*map(torch.from_numpy, (source[0], target[0], 0 * weight[0], R)))
    np.testing.assert_allclose(nothing, source[0] @ R.T, atol=1e-9)


def test_alignment_never_reflects_and_has_the_gradient_of_the_points_alone() -> None:
    source = torch.from_numpy(people(1)[0]).requires_grad_()
    mirrored = source.detach() * torch.tensor([-1.0, 1, 1])
    R = geometry.rotation_towards(source.detach() - source.detach().mean(0), mirrored - mirrored.mean(0))
    assert torch.linalg.det(R).item() == pytest.approx(1)
    aligned = geometry.rigid_alignment(source, mirrored, torch.ones(17, dtype=torch.float64))
    assert (aligned - mirrored).norm(dim=-1).max() > 0.03
    (gradient,) = torch.autograd.grad(aligned[3, 0], source)
    assert gradient.norm().item() == pytest.approx(1)
    assert (gradient.norm(dim=-1) > 0).tolist() == [joint == 3 for joint in range(17)]


def test_intrinsics_are_undone_skew_included() -> None:
    K = torch.tensor([[900.0, 12, 310], [0, 800, 250], [0, 0, 1]], dtype=torch.float64).repeat(2, 1, 1)
    K[1, 0, 0] = 700
    image = torch.randn(2, 5, 2, dtype=torch.float64)
    points = torch.cat([image, torch.ones(2, 5, 1, dtype=torch.float64)], -1)
    np.testing.assert_allclose(
        geometry.normalise_by_intrinsics(geometry.project_perspective(points, K), K), image, atol=1e-12
    )


def test_a_camera_that_looks_at_the_root_was_turned_by_the_shortest_way() -> None:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.uniform(-0.6, 0.6, (5, 17, 2)))
    turned, turn = geometry.look_at_root(image, _root(COCO17))
    np.testing.assert_allclose((_root(COCO17) @ turned)[:, :], 0, atol=0.05)
    rays = torch.cat([image, torch.ones(5, 17, 1, dtype=torch.float64)], -1)
    np.testing.assert_allclose(
        turned, geometry.project_perspective(rays @ turn.mT, torch.eye(3).double()), atol=1e-12
    )
    middle = (_root(COCO17) @ rays).numpy()
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turn, middle), np.tile([0.0, 0, 1], (5, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(Rotation.from_matrix(turn).as_rotvec(), axis=-1),
                               np.arccos(middle[:, 2]), atol=1e-9)  # fmt: skip


def test_what_lies_behind_the_turned_camera_is_kept_at_a_tenth_of_its_distance() -> None:
    image = torch.tensor([[10.0, 0], [-10.0, 0]], dtype=torch.float64)
    turned, _ = geometry.look_at_root(image, torch.tensor([1.0, 0], dtype=torch.float64))
    assert turned[0].tolist() == pytest.approx([0, 0])
    # 10 (x) and 1 (z) of the second, turned by arctan 10: its x is -20 / sqrt(101), and it lies behind.
    assert turned[1].tolist() == pytest.approx([-20 / np.sqrt(101) / 0.1, 0])


def test_the_smallest_pose_that_has_a_shape_is_a_millionth_of_a_pixel() -> None:
    confidence, root = torch.ones(1, 17, dtype=torch.float64), _root(H36M17)
    for size, there in ((0.99e-6, False), (1.01e-6, True)):
        keypoint = torch.zeros(1, 17, 2, dtype=torch.float64)
        keypoint[0, 5, 1] = size
        found, seen = geometry.normalise_keypoints(keypoint, confidence, root)
        assert seen.item() is there
        assert found.norm().item() == pytest.approx(float(there))
        pose = geometry.unit_norm(keypoint)
        assert pose.norm().item() == pytest.approx(1 if there else 0.99)
    poses = geometry.unit_norm(torch.randn(3, 4, 5, 3))
    np.testing.assert_allclose(poses.norm(dim=(2, 3)), 1, atol=1e-6)


def _root(skeleton) -> torch.Tensor:
    return torch.from_numpy(skeleton.landmark_weights("pelvis")[0]).double()
