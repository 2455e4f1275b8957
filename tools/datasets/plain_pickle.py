"""Reads numpy archives that hold pickled dictionaries of arrays, without running anything that they say.

VideoPose3D's archives are such files. A pickle is a program; this reader knows only the few words that
rebuild plain arrays, and refuses all others.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

_ALLOWED = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.core.multiarray._reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): np.core.multiarray.scalar for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # how Python 2 wrote bytes
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which plain arrays do not need")
        return _ALLOWED[module, name]


def read_object(path: Path, name: str) -> Any:
    """A pickled dictionary (of dictionaries, lists) of arrays in an ``.npz`` file."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise SystemExit(f"{path}: {name} has an unknown format {version}")
            np.lib.format.read_array_header_1_0(file)
            return _PlainUnpickler(file).load().item()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{path} is not an archive with {name!r}: {error}") from error
    except pickle.UnpicklingError as error:
        raise SystemExit(f"{path} is not safe to read: {error}; nothing in it was run") from error
