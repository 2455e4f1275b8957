"""Result files: the formats there are, by name. Nothing heavy is imported until a format is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .clip import Clip

Exporter = Callable[["Clip", Path], None]
"""Writes a clip's file, or folder, at a path in an empty folder; further files in that folder are kept as well.

The caller makes this atomic: nothing appears in the results unless the exporter returns.
"""


class Format(NamedTuple):
    """A format: the name of its file, and "module:function" of its ``Exporter``."""

    file: str
    function: str
    from_video: bool = False
    """Whether it needs the video itself, not only its poses."""
    one_name: bool = False
    """Whether its file has the same name of a single camera and of all views together."""


EXPORTERS: dict[str, Format] = {
    "npz": Format("poses.npz", "posepipe.pipeline.exporters.npz:write"),
    "csv": Format("poses.csv", "posepipe.pipeline.exporters.csv:write"),
    "parquet": Format("poses.parquet", "posepipe.pipeline.exporters.parquet:write"),
    "netcdf": Format("poses.nc", "posepipe.pipeline.exporters.netcdf:write"),
    "trc": Format("poses.trc", "posepipe.pipeline.exporters.trc:write"),
    "angles": Format("angles.csv", "posepipe.pipeline.exporters.angles:write"),
    "segments": Format("segments.csv", "posepipe.pipeline.exporters.angles:write_segments"),
    "events": Format("events.csv", "posepipe.pipeline.exporters.gait:write_events", one_name=True),
    "measures": Format("measures.csv", "posepipe.pipeline.exporters.gait:write_measures", one_name=True),
    "root": Format("root.csv", "posepipe.pipeline.exporters.root:write"),
    "mot": Format("angles.mot", "posepipe.pipeline.exporters.angles:write_mot"),
    "c3d": Format("poses.c3d", "posepipe.pipeline.exporters.c3d:write"),
    "bvh": Format("poses.bvh", "posepipe.pipeline.exporters.bvh:write"),
    "gltf": Format("poses.glb", "posepipe.pipeline.exporters.gltf:write"),
    "openpose": Format("openpose", "posepipe.pipeline.exporters.openpose:write"),
    "mmpose": Format("mmpose.json", "posepipe.pipeline.exporters.mmpose:write"),
    "mmpose-demo": Format("mmpose_demo.json", "posepipe.pipeline.exporters.mmpose:write_demo"),
    "rerun": Format("poses.rrd", "posepipe.pipeline.exporters.rerun:write"),
    "view": Format("view.html", "posepipe.pipeline.exporters.view:write"),
    "overlay": Format("overlay.mp4", "posepipe.pipeline.exporters.overlay:write", from_video=True),
}
"""Built-in formats by name; a module is imported only when it is used."""

DEFAULT_EXPORTS = ("npz", "csv", "trc", "angles", "view", "overlay")
"""Result files if none are named."""


def find_format(name: str) -> Format:
    """A format by name: a built-in one, or one that another package registers (``posepipe.exporters``).

    Raises:
        PosepipeError: unknown format (with the nearest valid name), or one of another package that cannot be used.
    """
    from ..settings.extensions import check_extension, find_extension, load_place  # imports numpy

    place = find_extension("export", name, EXPORTERS)
    if isinstance(place, Format):
        return place
    found = load_place(place)
    check_extension(place, isinstance(found, Format), "a posepipe.pipeline.exporters.Format")
    return found


def without_video(names: Iterable[str]) -> list[str]:
    """Those of these formats that can be made of poses alone.

    Raises:
        PosepipeError: as ``find_format``.
    """
    return [name for name in names if not find_format(name).from_video]


def exporter(name: str) -> Exporter:
    """The function of a format.

    Raises:
        PosepipeError: unknown format, or one of another package that cannot be used.
    """
    from ..settings.extensions import load_place

    return load_place(find_format(name).function)
