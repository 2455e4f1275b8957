"""SLEAP: the HDF5 of its analysis export.

``tracks`` (track, 2, node, frame) and ``point_scores`` (track, node, frame), or (frame, track, node, 2) and (frame,
track, node), and ``node_names`` (node). There is no time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import Found
from .netcdf import holds_dataset


def recognises(path: Path) -> bool:
    """HDF5 with tracks and the names of nodes."""
    return holds_dataset(path, "tracks") and holds_dataset(path, "node_names")


def read(path: Path) -> Found:
    """All tracks of all frames.

    Raises:
        ValueError: arrays of another shape.
    """
    import h5py

    with h5py.File(path) as file:
        tracks, names = file["tracks"][()], file["node_names"].asstr()[()]
        scores = file["point_scores"][()] if "point_scores" in file else None
    if tracks.ndim != 4 or tracks.shape[2] != len(names) or 2 not in (tracks.shape[1], tracks.shape[3]):
        raise ValueError(f"tracks is {tracks.shape} for {len(names)} nodes; expected (tracks, 2, nodes, frames)")
    if tracks.shape[3] != 2:  # as the export arranges its axes for MATLAB, which is its default
        tracks = tracks.transpose(3, 0, 2, 1)
        scores = None if scores is None else scores.transpose(2, 0, 1)
    points, sure = tracks, np.full(tracks.shape[:3], np.nan) if scores is None else scores
    frame, person = np.nonzero(np.isfinite(points).all(-1).any(-1))
    joints = tuple(str(name) for name in names)
    return Found(frame, points[frame, person], sure[frame, person], joints, frames=len(points))
