"""What hand-overs have in common: checks, digests, files.

An array field is annotated with its dimensions, dtype and unit; construction refuses anything else.
On disk each is one ``.npy`` file that numpy alone can open; the other fields (names, descriptions)
are plain JSON in the manifest beside them, and construction refuses what JSON cannot hold.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

import numpy as np

FIXED_SIZES = {"xy": 2, "xyz": 3, "corner": 4, "startend": 2}
"""Dimensions that always have the same size; all others must agree within one hand-over."""


@dataclass(frozen=True)
class Dims:
    """What an array field must be: named dimensions, dtype, unit."""

    names: str
    dtype: str
    unit: str


class HandOver:
    """Base of all hand-overs: checked when made, saved field by field, loaded memory-mapped."""

    def __post_init__(self) -> None:
        sizes: dict[str, tuple[int, str]] = {name: (size, "") for name, size in FIXED_SIZES.items()}
        for field, dims in array_fields(type(self)).items():
            array = getattr(self, field)
            if array is not None:
                self._check(field, array if isinstance(array, Pieces) else np.asarray(array), dims, sizes)
        for field, value in self.notes().items():
            object.__setattr__(self, field, plain(value, f"{type(self).__name__}.{field}"))

    def _check(self, field: str, array: Any, dims: Dims, sizes: dict[str, tuple[int, str]]) -> None:
        where, names = f"{type(self).__name__}.{field}", dims.names.split()
        if array.dtype != np.dtype(dims.dtype):
            raise ValueError(f"{where} is {array.dtype}; expected {dims.dtype}")
        if array.ndim != len(names):
            raise ValueError(f"{where} has {array.ndim} dimensions; expected ({', '.join(names)})")
        for name, size in zip(names, array.shape, strict=True):
            expected, first = sizes.setdefault(name, (size, field))
            if size != expected:
                because = f" as in {first}" if first else ""
                raise ValueError(f"{where} has {size} along '{name}'; expected {expected}{because}")
        if dims.unit == "0..1" and not isinstance(array, np.memmap) and array.size:
            low, high = float(array.min()), float(array.max())
            if not (low >= 0 and high <= 1):  # also false for NaN
                raise ValueError(f"{where} runs from {low:g} to {high:g}; expected 0..1 without NaN")

    @cached_property
    def key(self) -> str:
        """Digest that stands for this hand-over in the keys of what is made from it.

        The cache sets it to the key of the stage's run; for arrays made elsewhere it is that of their content.
        """
        digest = hashlib.sha256(json.dumps(self.notes(), sort_keys=True).encode())
        for field in array_fields(type(self)):
            array = getattr(self, field)
            digest.update(b"-" if array is None else np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            resting(array)
        return digest.hexdigest()

    def with_key(self, key: str) -> Self:
        """The same hand-over, with the key of the run that made it."""
        self.__dict__["key"] = key
        return self

    def notes(self) -> dict[str, Any]:
        """All fields that are not arrays."""
        arrays = array_fields(type(self))
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: getattr(self, field.name) for field in fields if field.name not in arrays}

    def save(self, folder: Path) -> None:
        """Write each array as ``<field>.npy``, flushed to the disk."""
        for field in array_fields(type(self)):
            array = getattr(self, field)
            if array is not None:
                with durable(folder / f"{field}.npy") as file:
                    if isinstance(array, Pieces):
                        array.write(file)
                    else:
                        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
                resting(array)

    def rest(self) -> None:
        """Release the memory of memory-mapped arrays; whatever is used again is read again."""
        for field in array_fields(type(self)):
            resting(getattr(self, field))

    @classmethod
    def load(cls, folder: Path, notes: dict[str, Any]) -> Self:
        """Read what ``save`` wrote; arrays are memory-mapped."""
        paths = {field: folder / f"{field}.npy" for field in array_fields(cls)}
        arrays = {
            field: np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None
            for field, path in paths.items()
        }
        return cls(**arrays, **notes)


def plain(value: Any, where: str) -> Any:
    """A value as JSON holds it and gives it back: numpy's numbers as Python's, tuples as lists.

    Args:
        where: what it is a value of, for people.

    Raises:
        ValueError: there is something in it that JSON cannot hold.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, dict):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{where} has the key {strange[0]!r}; expected text")
        return {str(key): plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise ValueError(f"{where} is a {type(value).__name__}, which cannot be stored; expected plain values")


def resting(array: Any) -> None:
    """Release the memory of an array (...) if it is memory-mapped and the system can (Windows has no such call)."""
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


class Pieces:
    """Arrays one after the other along their first dimension: an array to be saved that is never whole in memory."""

    def __init__(self, pieces: Sequence[np.ndarray]) -> None:
        self._pieces = pieces
        self.dtype, self.ndim = pieces[0].dtype, pieces[0].ndim
        self.shape = (sum(len(piece) for piece in pieces), *pieces[0].shape[1:])

    def write(self, file: Any) -> None:
        """Write a ``.npy`` file."""
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for piece in self._pieces:
            file.write(np.ascontiguousarray(piece).data)


def array_fields(kind: type) -> dict[str, Dims]:
    """The array fields of a hand-over class, by name."""
    return dict(_array_fields(kind))


def _array_fields(kind: type) -> Iterator[tuple[str, Dims]]:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is Annotated:
            _, *extras = get_args(hint)
            yield from ((name, extra) for extra in extras if isinstance(extra, Dims))


class durable:  # noqa: N801 - used as a function
    """Open a file for writing; on leaving, its bytes are on the disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
