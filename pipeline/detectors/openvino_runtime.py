"""OpenVINO, which runs networks on every processor, and faster than PyTorch on Intel's.

OpenVINO would tell its makers over the internet that it was imported; without the package ``openvino_telemetry`` it
does not, so that package is hidden from it. Import OpenVINO after this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ...models.networks.precision import Precision
from ..errors import PosepipeError

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # which makes its import fail
try:
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor
except ImportError as error:
    raise PosepipeError(
        f"openvino cannot be used ({error}); repair it: pip install --force-reinstall openvino"
    ) from error

RUNTIME = f"OpenVINO {openvino.get_version().partition('-')[0]}"


def compiled(model: openvino.Model, precision: Precision = "fp32") -> openvino.CompiledModel:
    """A network on the processor, with as many threads as PyTorch has."""
    options = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],  # else bf16 wherever there is AMX
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # one batch at a time
        "ENABLE_CPU_PINNING": False,  # else processes of a batch of clips share the first cores
    }
    return openvino.Core().compile_model(model, "CPU", options)


def network_of_pictures(
    file: Path, *, mean: float, scale: float, channels_last: bool, without: Sequence[str] = ()
) -> openvino.CompiledModel:
    """A network from a file, which then takes any number of pictures (N, H, W, 3) uint8 BGR.

    Args:
        file: in a format that OpenVINO reads; its network takes float32 RGB.
        mean, scale: the network's values are (value - mean) / scale.
        channels_last: whether the network's pictures are (N, H, W, 3), not (N, 3, H, W).
        without: names of outputs that are not wanted, and so need not be computed.
    """
    model = openvino.Core().read_model(file)
    for result in model.get_results():
        if result.output(0).get_names() & set(without):
            model.remove_result(result)
    model.reshape([-1, *model.input().partial_shape[1:]])
    steps = PrePostProcessor(model)
    tensor = steps.input().tensor().set_element_type(openvino.Type.u8).set_color_format(ColorFormat.BGR)
    tensor.set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NHWC" if channels_last else "NCHW"))
    values = steps.input().preprocess().convert_element_type(openvino.Type.f32).convert_color(ColorFormat.RGB)
    values.mean(mean).scale(scale)
    return compiled(steps.build())
