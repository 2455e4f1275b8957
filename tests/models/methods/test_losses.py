"""The shared loss terms against slow, literal forms of their equations."""

import math

import pytest
import torch
from known_scene import people
from posepipe.models.geometry.geometry import rotation_from_axis_angle
from posepipe.models.methods.losses import (
    bone_prior,
    camera_consistency,
    mean_where,
    reprojection,
    rms,
    scale_free_distance,
)
from posepipe.models.skeleton import H36M17


def literal_distance(observed: list, projected: list, confidence: list) -> float:
    """CanonPose, Eq. 5, divided by sqrt(2J): written out joint by joint."""
    joints = len(confidence)

    def size(pose: list) -> float:
        return math.sqrt(sum(x * x + y * y for x, y in pose) / (2 * joints) + 1e-8)

    total = 0.0
    for (px, py), (qx, qy), c in zip(observed, projected, confidence, strict=True):
        total += c * abs(px / size(observed) - qx / size(projected))
        total += c * abs(py / size(observed) - qy / size(projected))
    return total / (2 * joints)


def test_distance_is_the_equation() -> None:
    observed, projected, confidence = _random_poses()
    found = scale_free_distance(observed, projected, confidence)
    for n in range(len(found)):
        expected = literal_distance(observed[n].tolist(), projected[n].tolist(), confidence[n].tolist())
        assert found[n].item() == pytest.approx(expected, abs=1e-9)


def test_distance_is_the_paper_equation_up_to_a_constant() -> None:
    observed, projected, confidence = _random_poses()
    observed = observed / observed.norm(dim=(1, 2), keepdim=True)
    residual = observed - projected / projected.norm(dim=(1, 2), keepdim=True)
    paper = (residual.abs() * confidence[..., None]).sum((1, 2))
    found = scale_free_distance(observed, projected, confidence)
    torch.testing.assert_close(found * math.sqrt(2 * observed.shape[1]), paper, rtol=1e-4, atol=0)


def test_distance_ignores_the_size_of_both() -> None:
    observed, projected, confidence = _random_poses()
    found = scale_free_distance(observed, projected, confidence)
    torch.testing.assert_close(scale_free_distance(7 * observed, 0.3 * projected, confidence), found)
    assert scale_free_distance(observed, 3 * observed, confidence).max() < 1e-7


def test_the_gradient_flows_through_the_size_of_the_projection() -> None:
    observed, projected, confidence = _random_poses()
    projected.requires_grad_()
    assert torch.autograd.gradcheck(lambda q: scale_free_distance(observed, q, confidence), projected)
    scale_free_distance(observed, projected, confidence).sum().backward()
    # As scaling changes nothing, the gradient has no part along the projection; it would have, detached.
    along = (projected.grad * projected.detach()).sum((1, 2))
    assert along.abs().max() < 1e-7
    visible = torch.ones_like(confidence, dtype=torch.bool)
    size = rms(projected, visible).detach()[:, None, None]
    residual = (observed / rms(observed, visible)[:, None, None] - projected / size).abs()
    (detached,) = torch.autograd.grad((residual * confidence[..., None]).sum(), projected)
    assert (detached * projected.detach()).sum((1, 2)).abs().max() > 1e-2


def test_missing_joints_count_in_neither_size() -> None:
    observed, projected, confidence = _random_poses()
    confidence[:, 3] = 0
    observed[:, 3] = 0
    found = scale_free_distance(observed, projected, confidence)
    projected[:, 3] = 1e3
    torch.testing.assert_close(scale_free_distance(observed, projected, confidence), found)
    assert scale_free_distance(observed, observed * 2, confidence).max() < 1e-7


def test_a_pose_of_size_zero_has_a_finite_gradient() -> None:
    projected = torch.zeros(1, 5, 2, requires_grad=True)
    scale_free_distance(torch.rand(1, 5, 2), projected, torch.ones(1, 5)).sum().backward()
    assert projected.grad.isfinite().all()


def test_mean_where_counts_only_the_mask() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 40.0]])
    mask = torch.tensor([[True, True], [True, False]])
    assert mean_where(values, mask, (0, 1)).item() == 2
    assert mean_where(values, mask, (0,)).tolist() == [2, 2]
    assert mean_where(values, torch.zeros_like(mask), (0, 1)).item() == 0


def test_bone_prior_is_its_equation() -> None:
    generator = torch.Generator().manual_seed(2)
    pose = torch.randn(5, 3, 17, 3, generator=generator, dtype=torch.float64)
    seen = torch.rand(5, 3, generator=generator) < 0.7
    lengths = []  # of the seen poses, in mean bones
    for n, v in seen.nonzero().tolist():
        bones = [math.dist(pose[n, v, a].tolist(), pose[n, v, b].tolist()) for a, b in H36M17.bone_indices]
        lengths.append([bone * len(bones) / sum(bones) for bone in bones])
    partner = H36M17.mirror_bones
    expected = 0.0
    for b, other in enumerate(partner):
        middle = [(row[b] + row[other]) / 2 for row in lengths]
        mean = sum(middle) / len(middle)
        expected += sum((row[b] - row[other]) ** 2 for row in lengths) + sum((m - mean) ** 2 for m in middle)
    expected /= len(lengths) * len(partner)
    bones = torch.from_numpy(H36M17.bone_indices), torch.from_numpy(partner)
    assert bone_prior(pose, seen, *bones).item() == pytest.approx(expected, abs=1e-7)
    assert torch.autograd.gradcheck(lambda p: bone_prior(p, seen, *bones), pose.requires_grad_())


def test_bone_prior_forgives_one_person_and_any_size() -> None:
    pose = torch.from_numpy(people(6))[:, None]
    bones = torch.from_numpy(H36M17.bone_indices), torch.from_numpy(H36M17.mirror_bones)
    seen = torch.ones(6, 1, dtype=torch.bool)
    size = torch.rand(6, 1, 1, 1) + 0.5
    assert bone_prior(size * pose, seen, *bones) < 1e-4
    stretched = pose * torch.tensor([1.0, 1.0, 1.5])
    assert bone_prior(stretched, seen, *bones) > 100 * bone_prior(pose, seen, *bones)
    assert bone_prior(pose, ~seen, *bones) == 0


def _random_poses() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Observed and projected poses (4, 9, 2) and confidences (4, 9), float64."""
    generator = torch.Generator().manual_seed(0)
    observed, projected = torch.randn(2, 4, 9, 2, generator=generator, dtype=torch.float64)
    return observed, projected, torch.rand(4, 9, generator=generator, dtype=torch.float64)


def test_gradients_of_the_terms_over_views_are_right() -> None:
    generator = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    observed, pose, axis_angle = normal(4, 3, 5, 2), normal(4, 3, 5, 3), normal(4, 3, 3)
    confidence = torch.rand(4, 3, 5, generator=generator, dtype=torch.float64)
    seen = torch.ones(4, 3, dtype=torch.bool)
    seen[1, 2] = False
    rig = torch.tensor([0, 0, 1, 0])

    def terms(pose: torch.Tensor, axis_angle: torch.Tensor) -> tuple[torch.Tensor, ...]:
        R = rotation_from_axis_angle(axis_angle)
        torch.manual_seed(0)
        camera = camera_consistency(observed, confidence, seen, pose, R, rig)
        return *reprojection(observed, confidence, seen, pose, R), camera

    assert torch.autograd.gradcheck(terms, (pose.requires_grad_(), axis_angle.requires_grad_()))
