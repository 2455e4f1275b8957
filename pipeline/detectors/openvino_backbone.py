"""A network for use only, run by OpenVINO, which is faster than PyTorch on Intel's processors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...models.networks.precision import Precision
from .frozen import CannotCompileError, CompiledBackbone
from .openvino_runtime import RUNTIME, compiled

from openvino.frontend import FrontEndManager, GeneralFailure, OpConversionFailure  # isort: skip  (after ours)
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # isort: skip


class OpenVinoBackbone(CompiledBackbone):
    """A backbone on the processor, with as many threads as PyTorch has."""

    runtime = RUNTIME

    def _compile(self, backbone: nn.Module, probe: Tensor, precision: Precision) -> None:
        traced = torch.jit.trace(backbone, probe, check_trace=False)
        reader = FrontEndManager().load_by_framework("pytorch")
        graph = TorchScriptPythonDecoder(traced, example_input=(probe,))  # has to outlive its conversion
        try:
            model = reader.convert(reader.load(graph))
        except (GeneralFailure, OpConversionFailure) as error:
            raise CannotCompileError(str(error).splitlines()[0]) from error
        model.reshape([-1, *probe.shape[1:]])
        self._network = compiled(model, precision)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of pictures (N, 3, H, W), float32."""
        found = self._network([image.contiguous().numpy()], share_inputs=True)
        return tuple(torch.from_numpy(feature) for feature in found.to_tuple())
