"""NetCDF in the layout of movement, to which DeepLabCut's and SLEAP's results convert.

``position`` (time, space, keypoint, individual) with space x, y and ``confidence`` (time, keypoint, individual); up
to movement 0.16 the last two dimensions are called keypoints and individuals. ``time`` is in seconds if the attribute
``time_unit`` says so, else it counts frames of ``fps``. NetCDF 3 is read by scipy, NetCDF 4, which is HDF5, by h5py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import netcdf_file

from . import Found

_HDF5 = b"\x89HDF"


def recognises(path: Path) -> bool:
    """NetCDF of either kind, by its first bytes; of HDF5 that is not called so, what has positions."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".h5":
        return holds_dataset(path, "position")
    return path.suffix.lower() == ".nc" and _begin(path) in (b"CDF\x01", b"CDF\x02", _HDF5)


def holds_dataset(path: Path, name: str) -> bool:
    """Whether a file is HDF5 with a dataset of this name; without h5py it counts as if it had one."""
    if not path.is_file() or path.suffix.lower() != ".h5" or _begin(path) != _HDF5:
        return False
    try:
        import h5py
    except ImportError:
        return True
    with h5py.File(path) as file:
        return name in file


def read(path: Path) -> Found:
    """All individuals in all frames that show them.

    Raises:
        ValueError: other dimensions than the layout has, or NetCDF 4 without h5py.
    """
    with path.open("rb") as file:
        four = file.read(4) == _HDF5
    variables, attributes = _hdf5(path) if four else _netcdf3(path)
    axes, position = variables["position"]
    names = [axis.removesuffix("s") for axis in axes]
    if sorted(names) != ["individual", "keypoint", "space", "time"]:
        raise ValueError(f"position has dimensions ({', '.join(axes)}); expected time, space, keypoint, individual")
    position = position.transpose([names.index(axis) for axis in ("time", "individual", "keypoint", "space")])
    if position.shape[-1] != 2:
        raise ValueError(f"position has {position.shape[-1]} coordinates in space; expected x and y")
    if "confidence" in variables:
        axes, confidence = variables["confidence"]
        names = [axis.removesuffix("s") for axis in axes]
        confidence = confidence.transpose([names.index(axis) for axis in ("time", "individual", "keypoint")])
    else:
        confidence = np.full(position.shape[:-1], np.nan)
    labels = next((variables[name][1] for name in ("keypoint", "keypoints") if name in variables), np.array([], str))
    frame, person = np.nonzero(np.isfinite(position).all(-1).any(-1))
    fps = attributes.get("fps")
    seconds = attributes.get("time_unit", "seconds") == "seconds" and "time" in variables
    return Found(
        frame=frame,
        keypoint=position[frame, person],
        confidence=confidence[frame, person],
        joints=tuple(str(label) for label in labels),
        time=variables["time"][1].astype(float) if seconds else None,
        rate=None if fps is None else float(np.asarray(fps).item()),
        frames=len(position),
    )


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


_Contents = tuple[dict[str, tuple[tuple[str, ...], np.ndarray]], dict[str, Any]]
"""Variables with the names of their dimensions, and attributes."""


def _netcdf3(path: Path) -> _Contents:
    with netcdf_file(str(path), "r", mmap=False) as file:
        variables = {
            name: (variable.dimensions, _plain(variable[:].copy())) for name, variable in file.variables.items()
        }
        return variables, {name: _text(value) for name, value in file._attributes.items()}


def _hdf5(path: Path) -> _Contents:
    try:
        import h5py
    except ImportError as error:
        raise ValueError("NetCDF 4 needs h5py: pip install h5py, or save it as NetCDF 3") from error
    with h5py.File(path) as file:
        data = {name: file[name] for name in file if isinstance(file[name], h5py.Dataset) and file[name].shape}
        texts = {name for name in data if h5py.check_string_dtype(data[name].dtype) is not None}
        values = {name: data[name].asstr()[()] if name in texts else data[name][()] for name in data}
        axes = {name: tuple(_dimension(dimension) for dimension in data[name].dims) for name in data}
        variables = {name: (axes[name], _plain(values[name])) for name in data}
        return variables, {name: _text(value) for name, value in file.attrs.items()}


def _dimension(dimension: Any) -> str:
    """The name of a dimension: that of the variable that is its scale."""
    return dimension[0].name.rsplit("/", 1)[-1] if len(dimension) else dimension.label


def _plain(values: np.ndarray) -> np.ndarray:
    """Numbers as they are; rows of letters as words."""
    if values.dtype.kind == "S" and values.ndim == 2 and values.dtype.itemsize == 1:
        return np.array([b"".join(row).decode().strip("\0 ") for row in values])
    return np.array([_text(value) for value in values]) if values.dtype.kind in "SO" else values


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
