"""Content digests of files, remembered, so that a long video is read once only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .writing import write_atomically, writing_to


class Digests:
    """Content digests of files, remembered by path, size and time of change."""

    def __init__(self, memory: Path, *, writable: bool = True) -> None:
        self._memory, self._writable = memory, writable
        self._known = _remembered(memory)

    def of(self, path: Path) -> str:
        """SHA-256 of a file's content; of a folder, of its files' names and contents."""
        if path.is_dir():
            digest = hashlib.sha256()
            for inner in sorted(inner for inner in path.iterdir() if inner.is_file()):
                digest.update(f"{inner.name} {inner.stat().st_size} ".encode() + inner.read_bytes())
            return digest.hexdigest()
        facts = path.stat()
        stamp = [facts.st_size, facts.st_mtime_ns]
        known = self._known.get(str(path.resolve()))
        if known and known[:2] == stamp:
            return known[2]
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[str(path.resolve())] = [*stamp, content]
        if self._writable:
            with writing_to(self._memory):
                self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._memory, json.dumps(self._known, indent=1).encode())
        return content

    def names(self) -> dict[str, str]:
        """Names of the files whose digests are known, by digest."""
        return {digest: Path(path).name for path, (_, _, digest) in self._known.items()}


def _remembered(memory: Path) -> dict[str, list[Any]]:
    """Size, time of change and digest of files by path; none if the memory is damaged: files can be read again."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8")) if memory.exists() else {}
    except ValueError:
        return {}
    if not isinstance(known, dict):
        return {}
    return {path: kept for path, kept in known.items() if isinstance(kept, list) and len(kept) == 3}
