"""poses.parquet: the rows of poses.csv for pandas, polars, DuckDB and Arrow; needs the package pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PosepipeError
from .clip import Clip

CHUNK_FRAMES = 8192


def write(clip: Clip, path: Path) -> None:
    """Write the columns of ``poses.csv``; unknown numbers are null.

    Unit, axes, root, rate and provenance are in the metadata of the schema.

    Raises:
        PosepipeError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise PosepipeError("the format parquet needs pyarrow: pip install 'posepipe[parquet]'") from error
    numbers = [(name, pa.float32()) for name in ("x", "y", "z", "confidence", "x_px", "y_px")]
    words = [(name, pa.dictionary(pa.int32(), pa.string())) for name in ("person", "joint")]
    schema = pa.schema([("frame", pa.int32()), ("time", pa.float64()), *words, *numbers])
    schema = schema.with_metadata(clip.facts(clip.axes))
    with parquet.ParquetWriter(path, schema) as file:
        for columns in _chunks(clip):
            arrays = [pa.array(values, from_pandas=True) for values in columns]
            for place in (2, 3):
                arrays[place] = arrays[place].dictionary_encode()
            file.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _chunks(clip: Clip) -> Iterator[list[np.ndarray]]:
    """Columns in the order of the schema, person by person."""
    names = np.array(clip.skeleton.joints)
    for person in clip.people:
        for start in range(0, len(clip.time), CHUNK_FRAMES):
            part = slice(start, start + CHUNK_FRAMES)
            pose, joint, time = person.pose, clip.positions(person), clip.time[part]
            frame = np.arange(start, start + len(time), dtype=np.int32)
            columns: list[Any] = [np.repeat(frame, len(names)), np.repeat(time, len(names))]
            columns += [np.full(len(time) * len(names), person.name), np.tile(names, len(time))]
            columns += [joint[part, :, axis].ravel() for axis in range(3)]
            columns += [pose.confidence[part].ravel()]
            columns += [pose.keypoint[part, :, axis].ravel() for axis in range(2)]
            yield columns
