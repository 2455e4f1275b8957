"""Installs MMPose beside this posepipe, also where pip cannot resolve what MMPose's metadata asks for."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from importlib.util import find_spec

from ...models.networks.openmmlab_packages import IMPORTED, PINNED
from ..errors import PosepipeError


def install_mmpose() -> None:
    """Install tested versions of MMPose's packages, and what they import, into the running Python's environment.

    What is there already and not pinned stays as it is.

    Raises:
        PosepipeError: there is neither uv nor pip, or it could not install them.
    """
    if uv := shutil.which("uv"):
        installer = [uv, "pip", "install", "--python", sys.executable]
    elif find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "install"]
    else:
        raise PosepipeError(f"{sys.executable} has no pip, and there is no uv; install one of them, then try again")
    done = subprocess.run([*installer, "--quiet", "--no-deps", *PINNED, *IMPORTED], check=False)  # noqa: S603
    if done.returncode:
        raise PosepipeError(f"{installer[0]} could not install {', '.join(PINNED)}; its message is above")
    importlib.invalidate_caches()
