"""Arithmetic of the hidden layers in training: single precision, or bfloat16 where the processor is made for it."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]


def fastest_precision() -> Precision:
    """bfloat16 where the CPU multiplies matrices of it in hardware (AMX), which halves the time; else float32."""
    return "bfloat16" if torch.cpu._is_amx_tile_supported() else "float32"


def hidden_layers(precision: Precision, training: bool, device: torch.device) -> torch.autocast:
    """Context for hidden layers: weights, first and last layers and all prediction stay in single precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=training and precision == "bfloat16")
