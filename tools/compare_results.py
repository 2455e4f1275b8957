"""Compares two results folders array by array: ``python tools/compare_results.py A B``.

Prints a table with a line for each file: equal bit by bit, the largest difference of its numbers, or on which side it
is missing. Exit code 1 if anything differs but what ``--ignore`` names. Of JSON files digests, times, paths and
versions do not count; of C3D files the points and their residuals do; pages, caches and logs are not looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

VOLATILE = ("*sha256*", "*digest*", "seconds*", "*_s_elapsed", "posepipe", "created", "path", "poses", "samples",
            "request", "reached", "earlier", "device", "fused")  # fmt: skip
"""Names in JSON and model files, and in provenance, of what may differ between equal results."""
LEFT_OUT = ("cache", "run.json", "report.html", "*.log", "*.done", "summary", ".*", "*.mp4", "*.html")
"""Names of files and folders that are not compared."""

Leaves = dict[str, Any]
"""Arrays, numbers and texts of a file, by their places in it."""


def leaves(value: Any, name: str = "") -> Leaves:
    """Numbers, texts and arrays in nested dicts and lists, without what is volatile."""
    if isinstance(value, Mapping):
        kept = {str(key): inner for key, inner in value.items()
                if not any(fnmatch(str(key), pattern) for pattern in VOLATILE)}  # fmt: skip
        return {place: leaf for key, inner in kept.items() for place, leaf in leaves(inner, f"{name}/{key}").items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, int | float) for one in value):
            return {name: np.array(value, float)}
        return {
            place: leaf for key, inner in enumerate(value) for place, leaf in leaves(inner, f"{name}/{key}").items()
        }
    return {name: value}


def read_npz(path: Path) -> Leaves:
    """Arrays by name; JSON texts in them as in a JSON file."""
    with np.load(path, allow_pickle=False) as file:
        found: Leaves = {}
        for name in file.files:
            array = file[name]
            if array.dtype.kind == "U" and array.ndim == 0 and str(array).startswith("{"):
                found |= leaves(json.loads(str(array)), name)
            else:
                found[name] = array
        return found


def read_json(path: Path) -> Leaves:
    """What a JSON file says."""
    return leaves(json.loads(path.read_text(encoding="utf-8")))


def read_lines(path: Path) -> Leaves:
    """What each line of a file of JSON lines says."""
    return leaves([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])


def read_model(path: Path) -> Leaves:
    """Weights and plain values of a model file; nothing in it is executed."""
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    found = leaves(content)
    return {name: leaf.numpy() if isinstance(leaf, torch.Tensor) else leaf for name, leaf in found.items()}


def read_c3d(path: Path) -> Leaves:
    """Points and residuals."""
    import ezc3d

    data = ezc3d.c3d(str(path))["data"]
    return {"points": np.array(data["points"]), "residuals": np.array(data["meta_points"]["residuals"])}


def read_table(path: Path) -> Leaves:
    """The numbers of a text file as one array, and its words."""
    text = path.read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()) if path.suffix == ".csv" else [line.split() for line in text.splitlines()]
    numbers, words = [], []
    for row in rows:
        for cell in row:
            try:
                numbers.append(float(cell))
            except ValueError:
                words.append(cell)
    return {"numbers": np.array(numbers), "words": " ".join(words)}


READERS: dict[str, Callable[[Path], Leaves]] = {
    ".npz": read_npz, ".json": read_json, ".jsonl": read_lines, ".pt": read_model, ".c3d": read_c3d,
    ".csv": read_table, ".trc": read_table, ".bvh": read_table,
    ".npy": lambda path: {"array": np.load(path, allow_pickle=False)},
}  # fmt: skip
"""How to read the files that are compared by their content; others are compared as they are."""


def difference(one: Any, other: Any) -> str:
    """What differs between two leaves, in words; empty if nothing does."""
    numbers = [np.asarray(leaf) for leaf in (one, other)]
    if any(array.dtype.kind not in "fiub" for array in numbers):
        same = one.dtype == other.dtype and np.array_equal(one, other) if hasattr(one, "dtype") else one == other
        return "" if same else f"{str(one)[:40]!r} and {str(other)[:40]!r}"
    if numbers[0].shape != numbers[1].shape:
        return f"shapes {numbers[0].shape} and {numbers[1].shape}"
    if numbers[0].dtype != numbers[1].dtype:
        return f"{numbers[0].dtype} and {numbers[1].dtype}"
    if numbers[0].tobytes() == numbers[1].tobytes():
        return ""
    gaps = [~np.isfinite(array.astype(float)) for array in numbers]
    away = int((gaps[0] != gaps[1]).sum())
    off = np.abs(numbers[0].astype(float) - numbers[1].astype(float))
    largest = float(np.max(off[~(gaps[0] | gaps[1])], initial=0.0))
    return f"largest difference {largest:.3g}" + (f", {away} numbers on one side only" if away else "")


def compare_files(one: Path, other: Path, ignored: Callable[[str], bool]) -> list[str]:
    """What differs between two files: names of leaves and how; nothing if they are equal."""
    if one.read_bytes() == other.read_bytes():
        return []
    if one.suffix not in READERS:
        return ["other bytes"]
    found = [READERS[path.suffix](path) for path in (one, other)]
    said = []
    for name in sorted({*found[0], *found[1]}):
        if ignored(name):
            continue
        if missing := [side for side, leaves_of in zip("AB", found, strict=True) if name not in leaves_of]:
            said.append(f"{name}: missing in {missing[0]}")
        elif what := difference(found[0][name], found[1][name]):
            said.append(f"{name}: {what}")
    return said


def files_of(folder: Path) -> dict[str, Path]:
    """Files to compare, by their places in the folder."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = path.relative_to(folder)
        if not any(fnmatch(part, pattern) for part in place.parts for pattern in LEFT_OUT):
            found[place.as_posix()] = path
    return found


def compare(one: Path, other: Path, ignore: list[str]) -> list[tuple[str, list[str]]]:
    """Files of two results folders, and what differs in each.

    Args:
        ignore: patterns of files (``*/cam1/*``), or of files and names in them (``*.npz:time``), that may differ.

    Raises:
        FileNotFoundError: one of the folders is not there, or nothing is in either.
    """
    if lost := [folder for folder in (one, other) if not folder.is_dir()]:
        raise FileNotFoundError(f"there is no folder {lost[0]}")
    sides = files_of(one), files_of(other)
    if not sides[0] and not sides[1]:
        raise FileNotFoundError(f"there are no results in {one} and {other}")
    rows = []
    for place in sorted({*sides[0], *sides[1]}):
        if any(fnmatch(place, pattern) for pattern in ignore):
            continue
        if missing := [side for side, files in zip("AB", sides, strict=True) if place not in files]:
            rows.append((place, [f"missing in {missing[0]}"]))
            continue
        inner = [pattern.partition(":") for pattern in ignore if ":" in pattern]
        here = [name for file, _, name in inner if fnmatch(place, file)]
        said = compare_files(
            sides[0][place], sides[1][place], lambda name, here=here: any(fnmatch(name, each) for each in here)
        )
        rows.append((place, said))
    return rows


def main(words: list[str] | None = None) -> int:
    """Print the table; 1 if anything differs, 2 if there is nothing to compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", metavar="A", type=Path)
    parser.add_argument("other", metavar="B", type=Path)
    parser.add_argument(
        "--ignore", action="append", default=[], help="pattern of files, or FILES:NAMES of what is in them"
    )
    parser.add_argument("--most", type=int, default=6, help="lines for each file")
    said = parser.parse_args(words)
    try:
        rows = compare(said.one, said.other, said.ignore)
    except FileNotFoundError as error:
        print(error)
        return 2
    for place, differences in rows:
        print(f"{place:60} {'equal bit by bit' if not differences else f'{len(differences)} differences'}")
        for each in differences[: said.most]:
            print(f"    {each}")
        if len(differences) > said.most:
            print(f"    and {len(differences) - said.most} more")
    different = sum(bool(differences) for _, differences in rows)
    print(f"{len(rows)} files: {len(rows) - different} equal, {different} different")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
