"""Atomic writes: a file on the disk is always complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..arrays import durable
from ..errors import PosepipeError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: it has either its old or its new content."""
    making = path.with_name(f".{path.name}.making")
    with writing_to(path):
        try:
            with durable(making) as file:
                file.write(content)
            making.replace(path)
        except BaseException:
            making.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn a failed write into an error of one sentence.

    Raises:
        PosepipeError: no permission, a read-only place, a full disk, one that is broken or gone.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "free some space and run the same command again; what is finished is kept"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "choose a folder that you may write to with --out"
        elif error.errno in (errno.EIO, errno.ENXIO, errno.ESTALE):
            advice = "look whether the disk is sound and connected, and run the same command again"
        else:
            raise
        raise PosepipeError(f"cannot write {path}: {os.strerror(error.errno).lower()}; {advice}") from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can (Windows has no such call)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
