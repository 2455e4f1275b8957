"""A network for inference only, run by OpenVINO, which is faster than PyTorch on Intel's processors.

OpenVINO sends usage data over the internet when it is imported, unless the package ``openvino_telemetry`` is missing;
so that package is hidden from it.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

from ...models.networks.precision import Precision
from ..errors import PosepipeError
from .frozen import CannotCompileError, CompiledBackbone

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # which makes its import fail
try:
    import openvino
    from openvino.frontend import FrontEndManager, GeneralFailure, OpConversionFailure
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
except ImportError as error:
    raise PosepipeError(f"openvino is installed, but cannot be used ({error}); repair or uninstall it") from error


class OpenVinoBackbone(CompiledBackbone):
    """A backbone on the processor, with as many threads as PyTorch has."""

    runtime = f"OpenVINO {openvino.get_version().partition('-')[0]}"

    def _compile(self, backbone: nn.Module, probe: Tensor, precision: Precision) -> None:
        traced = torch.jit.trace(backbone, probe, check_trace=False)
        reader = FrontEndManager().load_by_framework("pytorch")
        graph = TorchScriptPythonDecoder(traced, example_input=(probe,))  # has to outlive its conversion
        try:
            model = reader.convert(reader.load(graph))
        except (GeneralFailure, OpConversionFailure) as error:
            raise CannotCompileError(str(error).splitlines()[0]) from error
        model.reshape([-1, *probe.shape[1:]])
        options = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],  # else bf16 wherever there is AMX
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time
            "ENABLE_CPU_PINNING": False,  # else processes of a batch of clips share the first cores
        }
        self._network = openvino.Core().compile_model(model, "CPU", options)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of pictures (N, 3, H, W), float32."""
        found = self._network([image.contiguous().numpy()], share_inputs=True)
        return tuple(torch.from_numpy(feature) for feature in found.to_tuple())
