"""What can run on this machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "posepipe",
    "torch",
    "numpy",
    "av",
    "opencv-python",
    "mmpose",
    "mmengine",
    "mmcv-lite",
    "mmdet",
    "openvino",
)


def examine() -> dict[str, str]:
    """Findings by name, each one line of text."""
    return {
        "python": f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} processors",
        **{name: _version(name) for name in PACKAGES},
        "devices": ", ".join(_devices()),
        "ffmpeg": _ffmpeg(),
        "blazepose detector": _blazepose(),
        "mmpose detector": _mmpose(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    import torch

    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return [*devices, "mps"] if torch.backends.mps.is_available() else devices


def _ffmpeg() -> str:
    import av

    return f"{av.ffmpeg_version_info} (in the av wheel)"


def _blazepose() -> str:
    from ..detectors.choose import settings_class
    from ..errors import PosepipeError

    try:
        detector = settings_class("blazepose")().build("cpu")
    except PosepipeError as error:
        return f"cannot run: {error}"
    return f"can run: {detector.description}"


def _mmpose() -> str:
    from ..detectors import model_zoo

    return model_zoo.status()
