"""The refinement unit: its layers against a slow literal form, its sizes, and what it keeps of a pose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_scene import people
from posepipe.models.method import Prediction
from posepipe.models.networks import refinement
from posepipe.models.networks.refinement import RefinementUnit
from posepipe.models.skeleton import COCO17, H36M17, MPII16, Skeleton
from torch import Tensor, nn


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> RefinementUnit:
    """A narrow unit in the middle of its life: no number in it is that of its start."""
    monkeypatch.setattr(refinement, "WIDTH", 12)
    torch.manual_seed(0)
    unit = RefinementUnit(H36M17)
    unit.standardise(known_poses(50), known_poses(50, seed=1))
    for layer in unit.modules():
        if isinstance(layer, nn.BatchNorm1d):
            for values in (layer.weight, layer.bias, layer.running_mean):
                assert values is not None
                nn.init.normal_(values)
            assert layer.running_var is not None
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return unit.eval()


def known_poses(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(people(count, seed)).float()


def literal_layer(x: np.ndarray, linear: nn.Linear, norm: nn.BatchNorm1d) -> np.ndarray:
    """max(0, norm(W x + b)), number by number."""
    made = np.zeros(len(linear.weight))
    for row, weights in enumerate(linear.weight.tolist()):
        value = sum(w * number for w, number in zip(weights, x, strict=True)) + linear.bias[row].item()
        assert norm.running_mean is not None and norm.running_var is not None
        value = (value - norm.running_mean[row].item()) / (norm.running_var[row].item() + norm.eps) ** 0.5
        made[row] = max(0.0, norm.weight[row].item() * value + norm.bias[row].item())
    return made


def literal_stage(x: np.ndarray, stage: nn.Sequential) -> np.ndarray:
    for block in stage:
        layers = list(block.layers)  # linear, norm, rectifier, dropout, twice
        x = x + literal_layer(literal_layer(x, *layers[0:2]), *layers[4:6])
    return x


def linear(x: np.ndarray, layer: nn.Linear) -> np.ndarray:
    return layer.weight.detach().numpy() @ x + layer.bias.detach().numpy()


def literal_refined(pose: np.ndarray, unit: RefinementUnit) -> np.ndarray:
    """One pose (17, 3), as the paper's Fig. 4 and the released refiner have it."""
    lengths = [np.linalg.norm(pose[a] - pose[b]) for a, b in H36M17.bone_indices]
    size = sum(lengths) / len(lengths)
    numbers = np.array([(pose[joint, axis] - pose[0, axis]) / size for joint in range(1, 17) for axis in range(3)])
    x = (numbers - unit.lifted_mean.numpy()) / unit.lifted_deviation.numpy()
    features = literal_layer(x, *unit.features[:2])
    staged = literal_stage(features, unit.first_stage)
    again = literal_layer(linear(staged, unit.first_estimate), *unit.features_of_first[:2])
    second = linear(features + literal_stage(again + staged + features, unit.second_stage), unit.second_estimate)
    answer = second * unit.true_deviation.numpy() + unit.true_mean.numpy()
    return np.concatenate([np.zeros((1, 3)), answer.reshape(16, 3)]) * size


def test_the_network_is_the_literal_one(unit: RefinementUnit) -> None:
    poses = 3 * known_poses(4) + torch.tensor([5.0, 0, 1])
    with torch.no_grad():
        found = unit(poses).numpy()
    for pose, refined in zip(poses.double().numpy(), found, strict=True):
        np.testing.assert_allclose(refined, literal_refined(pose, unit), rtol=1e-4, atol=1e-4)


def test_the_losses_are_mean_squares_of_both_estimates(unit: RefinementUnit) -> None:
    lifted, true = known_poses(5), 2 * known_poses(5, seed=3)
    size = (true[:, H36M17.bone_indices[:, 0]] - true[:, H36M17.bone_indices[:, 1]]).norm(dim=-1).mean(-1)
    target = (true / size[:, None, None])[:, 1:].flatten(1)
    target = (target - unit.true_mean) / unit.true_deviation
    size = (lifted[:, H36M17.bone_indices[:, 0]] - lifted[:, H36M17.bone_indices[:, 1]]).norm(dim=-1).mean(-1)
    estimates = unit.estimates((lifted / size[:, None, None])[:, 1:].flatten(1))
    losses = unit.losses(lifted, true)
    for name, estimate in zip(("first_estimate", "second_estimate"), estimates, strict=True):
        assert losses[name].item() == pytest.approx(((estimate - target) ** 2).mean().item(), rel=1e-4)


def test_the_losses_have_the_gradients_of_their_finite_differences(unit: RefinementUnit) -> None:
    unit.double()
    lifted, true = known_poses(2).double(), 2 * known_poses(2, seed=3).double()
    assert torch.autograd.gradcheck(lambda pose: tuple(unit.losses(pose, true).values()), lifted.requires_grad_())


@pytest.mark.parametrize(
    ("skeleton", "numbers"), [(MPII16, 45), (H36M17, 48), (COCO17, 51)], ids=["mpii16", "h36m17", "coco17"]
)
def test_the_sizes_are_the_papers(skeleton: Skeleton, numbers: int) -> None:
    unit = RefinementUnit(skeleton)
    shapes = [tuple(layer.weight.shape) for layer in unit.modules() if isinstance(layer, nn.Linear)]
    narrow = [(1024, numbers), (numbers, 1024)]
    assert shapes == [narrow[0], *4 * [(1024, 1024)], *narrow[::-1], *4 * [(1024, 1024)], narrow[1]]
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in unit.modules()) == 2 + 8
    assert {layer.p for layer in unit.modules() if isinstance(layer, nn.Dropout)} == {0.5}


def test_size_place_and_missing_poses_are_kept(unit: RefinementUnit) -> None:
    pose = known_poses(6)
    pose[2] = torch.nan
    with torch.no_grad():
        once, larger = unit(pose), unit(7 * pose + 1)
    good = [0, 1, 3, 4, 5]
    assert once[2].isnan().all()
    torch.testing.assert_close(larger[good], 7 * once[good], rtol=1e-4, atol=1e-4)
    assert once[good, 0].abs().max() < 1e-6


def test_a_skeleton_without_a_pelvis_stays_between_its_hips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "WIDTH", 8)
    refined = RefinementUnit(COCO17).eval()(torch.randn(5, 17, 3))
    hips = [COCO17.index("left_hip"), COCO17.index("right_hip")]
    assert refined[:, hips].mean(1).abs().max() < 1e-5


def test_predictions_turn_as_before_whatever_the_batch(unit: RefinementUnit) -> None:
    joint = known_poses(70)
    turn = torch.linalg.qr(torch.randn(70, 3, 3))[0]
    made = unit.refine(Prediction(joint, joint @ turn, turn, torch.ones(70)))
    torch.testing.assert_close(made.canonical @ turn.mT, made.joint, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(made.joint, joint, atol=0.1)
    alone = unit.refine(Prediction(joint[66:], joint[66:] @ turn[66:], turn[66:], torch.ones(4)))
    assert torch.equal(alone.joint, made.joint[66:])
