"""Arithmetic of hidden layers: single precision, or bf16 where the processor has instructions for it."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


def has_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bf16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    processor = torch.cpu.get_capabilities()
    return bool(processor.get("avx512_bf16") or processor.get("amx_bf16"))


def fastest_precision() -> Precision:
    """bf16 where the CPU multiplies bf16 matrices in hardware (AMX), which halves the training time; else fp32."""
    return "bf16" if torch.cpu.get_capabilities().get("amx_bf16") else "fp32"


def hidden_layers(precision: Precision, training: bool, device: torch.device) -> torch.autocast:
    """Context for hidden layers: weights, first and last layers and all prediction stay in single precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=training and precision == "bf16")
