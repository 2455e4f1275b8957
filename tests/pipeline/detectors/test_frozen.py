"""A compiled backbone gives the same features, whole or in half precision, or says that it cannot."""

from __future__ import annotations

import pytest
import torch
from posepipe.models.networks.precision import has_bf16
from posepipe.pipeline.detectors import frozen
from posepipe.pipeline.detectors.frozen import CannotCompileError, CompiledBackbone, FrozenBackbone
from posepipe.pipeline.detectors.openvino_backbone import OpenVinoBackbone
from posepipe.pipeline.errors import PosepipeError
from torch import Tensor, nn

SIZE = (24, 32)


class Small(nn.Module):
    """Two features of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=torch.Generator().manual_seed(1))
                module.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(2))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        near = self.first(image)
        return near, self.second(near)


class OfTwo(Small):
    """Works for two pictures at a time, once it has been traced with two."""

    def forward(self, image: Tensor) -> Tensor:
        return self.first(image).reshape(len(image), -1)


@pytest.fixture
def network() -> Small:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(params=["PyTorch", "OpenVINO"])
def compiled(request: pytest.FixtureRequest) -> type[CompiledBackbone]:
    if request.param == "PyTorch":
        return FrozenBackbone
    return OpenVinoBackbone


@pytest.mark.parametrize("number", [1, 5])
def test_features_stay_the_same(compiled: type[CompiledBackbone], network: Small, number: int) -> None:
    images = torch.rand(number, 3, SIZE[1], SIZE[0])
    with torch.inference_mode():
        expected = network(images)
        found = compiled(network, SIZE, "fp32")(images)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_half_precision_is_near_and_leaves_in_full(
    compiled: type[CompiledBackbone], network: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled is not FrozenBackbone and not has_bf16(torch.device("cpu")):
        pytest.skip("OpenVINO has no bf16 where the processor has none")
    monkeypatch.setattr(frozen, "has_bf16", lambda device: True)  # slow where it is not, and right all the same
    images = torch.rand(3, 3, SIZE[1], SIZE[0])
    with torch.inference_mode():
        expected = network(images)
        found = compiled(network, SIZE, "bf16")(images)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert 1e-5 < (one - other).abs().max() / other.abs().max() < 0.03


def test_processors_without_it_are_told_so(
    compiled: type[CompiledBackbone], network: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "has_bf16", lambda device: False)
    with pytest.raises(PosepipeError, match=r"cpu has no bf16 arithmetic.*detect\.precision = fp32"):
        compiled(network, SIZE, "bf16")


def test_what_works_for_one_number_of_pictures_only_cannot_be_compiled(compiled: type[CompiledBackbone]) -> None:
    with pytest.raises(CannotCompileError):
        compiled(OfTwo().eval(), SIZE, "fp32")
