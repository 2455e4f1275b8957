"""Which packages MMPose consists of, and whether they are here; imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

PINNED = ("mmpose==1.3.2", "mmengine==0.10.7", "mmcv-lite==2.1.0")
"""OpenMMLab's packages. Their metadata ask for more than MMPose imports, and for some that newer Pythons lack."""

IMPORTED = ("addict", "packaging", "pillow", "platformdirs", "pycocotools", "six", "termcolor", "yapf")
"""What they import beside our own dependencies."""

INSTALL = "posepipe models install-mmpose"
"""The command that installs both."""

_MODULES = ("mmpose", "mmengine", "mmcv", *("PIL" if name == "pillow" else name for name in IMPORTED))


def why_not() -> str | None:
    """Why MMPose cannot be imported here, with the command that mends it, or None if it can."""
    missing = [name for name in _MODULES if find_spec(name) is None]
    return f"not installed: {', '.join(missing)} ({INSTALL} installs them)" if missing else None
