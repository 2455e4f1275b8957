"""The shared loss terms against slow, literal forms of their equations."""

import math

import pytest
import torch
from posepipe.models.losses import mean_where, rms, scale_free_distance


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


def _random_poses() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Observed and projected poses (4, 9, 2) and confidences (4, 9), float64."""
    generator = torch.Generator().manual_seed(0)
    observed, projected = torch.randn(2, 4, 9, 2, generator=generator, dtype=torch.float64)
    return observed, projected, torch.rand(4, 9, generator=generator, dtype=torch.float64)
