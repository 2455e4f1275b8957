"""An open results folder: its lock, its cache, and the journal of the results of the last run.

The journal (``run.json``) lists the key of each subject's result of each stage. ``status`` reads it
together with the manifests in the cache; ``clean`` removes what it does not list. A run that does not
end keeps the list of the previous run beside its own, so that nothing of value is removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..errors import PosepipeError
from .cache import MANIFEST, Cache, SourceFile, discard, read_manifest
from .digests import Digests
from .launcher import this_launch
from .writing import write_atomically

PACKAGE = Path(__file__).parents[2]

CODE = (".py", ".html", ".css", ".js")

JOURNAL = "run.json"
"""In every results folder, and nowhere else."""

Reached = tuple[str, str, str]
"""Subject ("take/camera"), stage, key."""


@dataclass
class Journal:
    """The results that runs in a folder have reached."""

    path: Path
    request: str = ""
    """Digest of the request of the last complete run; empty if the last run did not end."""
    reached: list[Reached] = field(default_factory=list)
    earlier: list[Reached] = field(default_factory=list)
    writable: bool = True

    @staticmethod
    def read(path: Path, *, writable: bool = True) -> Journal:
        """The journal of a folder, empty if there is none.

        Raises:
            PosepipeError: a damaged file.
        """
        if not path.exists():
            return Journal(path, writable=writable)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: [tuple(item) for item in content[name]] for name in ("reached", "earlier")}
            return Journal(path, content["request"], **lists, writable=writable)
        except (ValueError, KeyError, TypeError) as error:
            raise PosepipeError(f"{path} is damaged; remove it, and run the same command again") from error

    def begin(self) -> None:
        """A new run starts."""
        self.earlier = sorted({*self.earlier, *self.reached})
        self.reached, self.request = [], ""
        self._write()

    def note(self, subject: str, stage: str, key: str) -> None:
        """A run is at a result now."""
        if (subject, stage, key) not in self.reached:
            self.reached.append((subject, stage, key))
            self._write()

    def end(self, request: str) -> None:
        """The run is complete."""
        self.earlier, self.request = [], request
        self._write()

    def _write(self) -> None:
        content = {
            "posepipe": version("posepipe"),
            "request": self.request,
            "reached": self.reached,
            "earlier": self.earlier,
        }
        if self.writable:
            write_atomically(self.path, json.dumps(content, indent=1).encode())


@dataclass
class Workplace:
    """An open results folder."""

    folder: Path
    cache: Cache
    digests: Digests
    journal: Journal
    rank: int = 0
    """Number of this process under a launcher; only the first one writes."""

    def source(self, path: Path) -> SourceFile:
        """A file identified by its content."""
        return SourceFile(path, self.digests.of(path))


@contextmanager
def open_workplace(folder: Path, *, borrowed: tuple[Path, ...] = ()) -> Iterator[Workplace]:
    """Open and lock a results folder; if it was created here, it is removed again if no result is worth keeping.

    Args:
        folder: where results go.
        borrowed: caches of other folders to use as well.

    Raises:
        PosepipeError: the folder cannot be written to, or another process is at work in it.
    """
    launch = this_launch()
    first = launch.rank == 0
    made = _missing_parents(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        _remove(made)
        raise PosepipeError(
            f"cannot write to {folder} ({(error.strerror or str(error)).lower()}); choose another folder with --out"
        ) from error
    lock = FileLock(folder / ".lock")
    try:
        if first:
            lock.acquire(timeout=0)
    except Timeout as error:
        raise PosepipeError(
            f"another posepipe is at work in {folder}; wait for it to end, or choose another folder with --out"
        ) from error
    journal = Journal.read(folder / JOURNAL, writable=first)
    cache = Cache(
        folder / "cache", borrowed=borrowed, on_use=journal.note, processes=launch.processes, rank=launch.rank
    )
    digests = Digests(folder / "cache" / "digests.json", writable=first)
    try:
        yield Workplace(folder, cache, digests, journal, launch.rank)
    except PosepipeError:
        if made and not _somebody_found(folder / "cache"):
            _remove(made)
        raise
    finally:
        lock.release()


def _somebody_found(cache_folder: Path) -> bool:
    """Whether any detection, finished or not, has a person in it; everything else is quick to compute again."""
    return any(np.load(path, mmap_mode="r").size for path in cache_folder.glob("detect_*/**/frame.npy"))


def _missing_parents(folder: Path) -> list[Path]:
    """The folder and those of its parents that do not exist, outermost first."""
    return [path for path in reversed([folder, *folder.parents]) if not path.exists()]


def _remove(made: list[Path]) -> None:
    if made:
        shutil.rmtree(made[0], ignore_errors=True)


@cache
def code_digest() -> str:
    """Digest of posepipe's own source, as a run by other code is another run."""
    digest = hashlib.sha256()
    for package in ("models", "pipeline"):
        for path in sorted(path for path in (PACKAGE / package).rglob("*") if path.suffix in CODE):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def request_digest(*parts: Any) -> str:
    """Digest of the request of a run."""
    return hashlib.sha256(json.dumps([code_digest(), *parts], sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Finished:
    """One stored result, for display."""

    subject: str
    stage: str
    key: str
    state: str
    """"done", "partly" (interrupted), or "missing"."""
    bytes: int
    seconds: float
    inputs: list[str]
    """Names of its input files and results."""
    supervision: str = ""
    """For a model, the true 3D poses in its training."""
    prior: str = ""
    """For a model, what its training started from."""


def status(folder: Path) -> list[Finished]:
    """The results that the last run in a folder has reached.

    Raises:
        PosepipeError: no posepipe results there.
    """
    if not (folder / JOURNAL).exists():
        raise PosepipeError(f"{folder} holds no posepipe results; run `posepipe fit` first")
    journal = Journal.read(folder / JOURNAL)
    names = Digests(folder / "cache" / "digests.json").names()
    names |= {key: f"{stage} {key[:8]}" for _, stage, key in journal.reached}
    return [_finished(folder / "cache", names, *reached) for reached in journal.reached]


def _finished(cache_folder: Path, names: dict[str, str], subject: str, stage: str, key: str) -> Finished:
    entry = cache_folder / stage / key
    if (entry / MANIFEST).exists():
        facts = read_manifest(entry)
        inputs = [names.get(name, name[:8]) for name in facts["inputs"]]
        said = [facts["notes"].get(word, "") for word in ("supervision", "prior")]
        return Finished(subject, stage, key, "done", facts["bytes"], facts["seconds"], inputs, *said)
    parts = [read_manifest(part.parent) for part in sorted(entry.with_name(f"{key}.parts").glob(f"*/{MANIFEST}"))]
    state = "partly" if parts else "missing"
    return Finished(subject, stage, key, state, sum(p["bytes"] for p in parts), sum(p["seconds"] for p in parts), [])


def unreached(folder: Path) -> list[Path]:
    """Entries of a folder's cache that its journal does not list, and leftovers of killed runs.

    Raises:
        PosepipeError: no posepipe results there.
    """
    if not (folder / JOURNAL).exists():
        raise PosepipeError(f"{folder} holds no posepipe results")
    journal = Journal.read(folder / JOURNAL)
    wanted = {(stage, key) for _, stage, key in (*journal.reached, *journal.earlier)}
    entries = sorted((folder / "cache").glob("*/*"))
    return [entry for entry in entries if (entry.parent.name, entry.name.removesuffix(".parts")) not in wanted]


def remove_unreached(folder: Path) -> None:
    """Remove what ``unreached`` lists.

    Raises:
        PosepipeError: no posepipe results there, or another process is at work in them.
    """
    with open_workplace(folder):
        for entry in unreached(folder):
            discard(entry) if entry.is_dir() else entry.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
