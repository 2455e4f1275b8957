"""Networks for inference only, compiled once for their input size.

TorchScript's ``freeze`` folds normalisation into the convolutions before it, and oneDNN is fastest with channels
last. Half precision (bf16) is for the backbone only: the head has full precision.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ...models.networks.precision import Precision, has_bf16
from ..errors import PosepipeError

_PROBE = 2
"""Pictures with which a network is compiled."""
_TOLERANCE = {"fp32": 1e-3, "bf16": 0.2}
"""Largest change of features from another order of summation or from rounding, as a share of their maximum."""


class CannotCompileError(ValueError):
    """The compiled network differs from the original; the message says how."""


class CompiledBackbone(nn.Module, ABC):
    """A backbone compiled for inference; its features have full precision.

    Args:
        backbone: a network in evaluation mode, pictures (N, 3, H, W) to one or more features; not to be used again.
        size: width and height of its pictures.
        precision: of its sums.

    Raises:
        PosepipeError: the processor has no bf16.
        CannotCompileError: its output depends on more than the pictures' values.
    """

    runtime: str
    """Name of the engine, for users."""

    def __init__(self, backbone: nn.Module, size: tuple[int, int], precision: Precision) -> None:
        super().__init__()
        device = next(backbone.parameters()).device
        if precision == "bf16" and not has_bf16(device):
            raise PosepipeError(
                f"{device} has no bf16 arithmetic, so bf16 would be slower; set detect.precision = fp32"
            )
        probe = torch.rand(_PROBE, 3, size[1], size[0], generator=torch.Generator().manual_seed(0)).to(device)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing: sizes are meant to become constants
            expected = _features(backbone(probe))
            try:
                self._compile(backbone, probe, precision)
                found = self.forward(torch.cat([probe, probe[:1]]))  # another number of pictures
            except RuntimeError as error:
                raise CannotCompileError(str(error).splitlines()[0]) from error
        if not all(
            _alike(one[:_PROBE], other, _TOLERANCE[precision]) for one, other in zip(found, expected, strict=True)
        ):
            raise CannotCompileError("its features change")

    @abstractmethod
    def _compile(self, backbone: nn.Module, probe: Tensor, precision: Precision) -> None:
        """Prepare ``forward`` with example pictures."""

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of pictures (N, 3, H, W), float32."""


class FrozenBackbone(CompiledBackbone):
    """A backbone after TorchScript's ``freeze``."""

    runtime = "PyTorch"

    def _compile(self, backbone: nn.Module, probe: Tensor, precision: Precision) -> None:
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        backbone.to(self._dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._frozen = torch.jit.freeze(torch.jit.trace(backbone, self._fitting(probe), check_trace=False))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of pictures (N, 3, H, W), float32."""
        return tuple(feature.float() for feature in _features(self._frozen(self._fitting(image))))

    def _fitting(self, image: Tensor) -> Tensor:
        return image.to(self._dtype, memory_format=torch.channels_last)


def _features(given: Tensor | tuple[Tensor, ...] | list[Tensor]) -> tuple[Tensor, ...]:
    return (given,) if isinstance(given, Tensor) else tuple(given)


def _alike(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    if found.shape != expected.shape:
        return False
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())
