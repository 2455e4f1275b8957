"""poses.nc: named dimensions in the layout of the package movement, for movement and xarray.

NetCDF 3, which scipy writes: ``xarray.open_dataset("poses.nc")`` gives a movement data set (version 0.17 and later).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import netcdf_file

from .clip import ROOT_TRAJECTORY, Clip, root_trajectories


def write(clip: Clip, path: Path) -> None:
    """Write ``position`` (time, space, keypoint, individual) and ``confidence`` (time, keypoint, individual).

    ``root_trajectory`` (time, space, individual) holds estimated root positions. Missing positions are NaN.
    ``time`` is in seconds. Attributes state unit, axes, root, exact rate and provenance.
    """
    joint = np.stack([clip.positions(person) for person in clip.people], -1)  # (frame, joint, xyz, person)
    confidence = np.stack([np.asarray(person.pose.confidence) for person in clip.people], -1)
    with netcdf_file(str(path), "w", version=2) as file:
        _coordinate(file, "time", np.asarray(clip.time, np.float64))
        _names(file, "space", ["x", "y", "z"])
        _names(file, "keypoint", clip.skeleton.joints)
        _names(file, "individual", [person.name for person in clip.people])
        _variable(file, "position", joint.swapaxes(1, 2), ("time", "space", "keypoint", "individual"))
        _variable(file, "confidence", confidence, ("time", "keypoint", "individual"))
        file.variables["position"].units = clip.unit
        if (root := root_trajectories([person.pose for person in clip.people])) is not None:
            _variable(file, "root_trajectory", root, ("time", "space", "individual"))
            file.variables["root_trajectory"].units = clip.unit
            file.variables["root_trajectory"].long_name = ROOT_TRAJECTORY
        attributes = {
            "fps": np.float64(clip.life_rate),  # a plain float would be stored in 32 bits
            "time_unit": "seconds",
            "source_software": "posepipe",
            "source_file": clip.video.name,
            "ds_type": "poses",
            **clip.facts(clip.axes),
        }
        for name, value in attributes.items():
            setattr(file, name, value.encode() if isinstance(value, str) else value)


def _coordinate(file: netcdf_file, name: str, values: np.ndarray) -> None:
    file.createDimension(name, len(values))
    _variable(file, name, values, (name,))


def _names(file: netcdf_file, name: str, values: tuple[str, ...] | list[str]) -> None:
    """A coordinate of strings, stored as characters, as NetCDF 3 has no strings; xarray joins them."""
    encoded = np.array([value.encode() for value in values])
    letters = encoded.view("S1").reshape(len(values), -1)
    length = f"{name}_letters"
    file.createDimension(name, len(values))
    file.createDimension(length, letters.shape[1])
    _variable(file, name, letters, (name, length))
    file.variables[name]._Encoding = "utf-8"


def _variable(file: netcdf_file, name: str, values: np.ndarray, dimensions: tuple[str, ...]) -> None:
    kind = "c" if values.dtype.kind == "S" else values.dtype.newbyteorder("=").char
    file.createVariable(name, kind, dimensions)[:] = values
