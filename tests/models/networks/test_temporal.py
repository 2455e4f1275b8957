"""The temporal network against convolutions written out frame by frame, and the frames that it sees."""

from math import prod

import pytest
import torch
from posepipe.models.networks.temporal import TemporalDilated
from torch import Tensor, nn


def small(frames: tuple[int, ...], dropout: float = 0.25) -> TemporalDilated:
    """A network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = TemporalDilated(4, 6, 3, frames, dropout)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d):
            for values in (layer.running_mean, layer.bias.data):
                values.normal_(0, 0.3)
            for values in (layer.running_var, layer.weight.data):
                values.uniform_(0.5, 2)
    return network.double().eval()


def literal(network: TemporalDilated, sequence: Tensor) -> Tensor:
    """Output (O) for the middle of a sequence (W, I): dilated convolutions of Pavllo et al., Sec. 3, one by one."""
    layers = [(module[0], module[1]) for module in network.modules()
              if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv1d)]  # fmt: skip

    def convolved(features: list[Tensor], layer: tuple[nn.Conv1d, nn.BatchNorm1d], dilation: int) -> list[Tensor]:
        convolution, norm = layer
        taps, made = convolution.kernel_size[0], []
        for start in range(len(features) - dilation * (taps - 1)):
            value = sum(convolution.weight[..., tap] @ features[start + dilation * tap] for tap in range(taps))
            value = (value - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
            made.append(value.clamp_min(0))
        return made

    features, dilation = convolved(list(sequence), layers[0], 1), network.frames[0]
    for block, joined in enumerate(network.frames[1:]):
        inside = convolved(features, layers[1 + 2 * block], dilation)
        inside = convolved(inside, layers[2 + 2 * block], 1)
        margin = dilation * (joined // 2)
        features = [old + new for old, new in zip(features[margin : len(features) - margin], inside, strict=True)]
        dilation *= joined
    (only,) = features
    return network.last.weight[..., 0] @ only + network.last.bias


@pytest.mark.parametrize("frames", [(3, 3, 3), (3, 5, 3), (5,), (1, 3)], ids=str)
def test_it_is_the_dilated_convolutions_one_by_one(frames: tuple[int, ...]) -> None:
    network = small(frames)
    windows = torch.randn(2, prod(frames), 4, dtype=torch.float64)
    found = network(windows)
    assert found.shape == (2, 6)
    torch.testing.assert_close(found[1], literal(network, windows[1]))


@pytest.mark.parametrize("frames", [(3, 3, 3, 3, 3), (3, 5)], ids=str)
def test_every_frame_of_the_window_counts(frames: tuple[int, ...]) -> None:
    network = small(frames)
    for layer in list(network.modules()):  # a rectifier might be shut by chance
        if isinstance(layer, nn.Sequential) and isinstance(layer[0], nn.Conv1d):
            layer[2] = nn.Identity()
    window = torch.randn(1, network.window, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(window).sum(), window)
    assert network.window == prod(frames)
    assert (gradient.abs().sum(-1) > 0).all()


def test_the_papers_network() -> None:
    network = TemporalDilated(34, 51, 1024, (3, 3, 3, 3, 3), 0.25)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    convolutions = [shape for shape in shapes.values() if len(shape) == 3]
    assert convolutions == [(1024, 34, 3), *[(1024, 1024, 3), (1024, 1024, 1)] * 4, (51, 1024, 1)]
    assert network.window == 243
    bias = [
        name for name, module in network.named_modules() if isinstance(module, nn.Conv1d) and module.bias is not None
    ]
    assert bias == ["last"]  # batch norm follows all others
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.25] * 9


def test_gradients_are_those_of_finite_differences() -> None:
    network = small((3, 3))
    windows = torch.randn(2, 9, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, windows)
