"""Export: existing results in further formats, from their poses.npz alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import PosepipeError
from ..exporters import EXPORTERS, find_format
from ..exporters.npz import read
from ..settings import check_name
from .results import RECORD, about_results, add_results

NPZ = EXPORTERS["npz"].file


def export(
    result: Path | str, formats: Sequence[str], out: Path | str | None = None, frame: str = "world"
) -> list[Path]:
    """Write the poses of results in other formats.

    Args:
        result: a ``poses.npz`` of ``fit`` or ``infer``, or a folder with one or more of them.
        formats: names of ``EXPORTERS``.
        out: folder for the files, with the same subfolders as ``result``; by default beside each ``poses.npz``.
        frame: axes of the files: "world" where that is known, or "camera".

    Raises:
        PosepipeError: unknown formats, those that need the video, or no poses.
    """
    for name in formats:
        if find_format(name).from_video:
            raise PosepipeError(f"{name} needs the video; make it with `posepipe infer CLIP --export {name}`")
    check_name("frame", frame, ("world", "camera"))
    result = Path(result)
    top = result.parent if result.is_file() else result
    files = []
    clips = list(_clips(result))
    if not clips:
        raise PosepipeError(f"{result} holds no {NPZ}; give a results folder of `posepipe fit` or `infer`")
    for people in clips:
        folder = people[0].parent if out is None else Path(out) / people[0].parent.relative_to(top)
        files += add_results(replace(read(people), frame=frame), folder, formats)
    return files


def _clips(result: Path) -> Iterator[list[Path]]:
    """The files of each clip's people: those that the folder's record lists, or what is there if it has none."""
    if result.is_file():
        yield [result]
        return
    found = sorted(path for path in result.rglob(f"{Path(NPZ).stem}*.npz") if "cache" not in path.parts)
    for folder in dict.fromkeys(path.parent for path in found):
        here = [path for path in found if path.parent == folder]
        if (folder / RECORD).exists():
            recorded = about_results(folder)["files"].get("npz", [])
            here = [path for path in here if path.name in recorded]
        if here:
            yield here
