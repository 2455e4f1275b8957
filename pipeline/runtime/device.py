"""Devices on which networks run."""

from __future__ import annotations

import torch

from ..errors import PosepipeError


def check_device(name: str) -> None:
    """Check at the start that a device exists.

    Raises:
        PosepipeError: it does not.
    """
    if name not in ("auto", "cpu"):  # which always exist
        choose_device(name)


def choose_device(name: str) -> torch.device:
    """The device to compute on; ``auto`` is a GPU if there is one.

    Raises:
        PosepipeError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise PosepipeError(f"device {name!r} is not available here; use --device auto or cpu") from error
    return torch.device(name)


def describe_device(name: str) -> str:
    """Name of a device for users: ``cpu``, or that of the GPU."""
    device = choose_device(name)
    return f"{device}: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
