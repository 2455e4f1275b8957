"""Results on disk, found again by content: what was computed once is never computed twice.

A stage's result lies in ``<folder>/<stage>/<key>/``: one ``.npy`` per array and ``manifest.json``,
written last. The key is the digest of the stage's name, version and settings, of its inputs' keys,
and of the versions of networks that it trains or uses; files count by content. A result appears
under its final name by one rename, so whatever is there is whole. Long stages keep finished parts
in ``<key>.parts/``; a kill loses at most one part.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel

from ..arrays import HandOver, durable
from ..errors import PosepipeError
from .checksums import checksums
from .writing import sync_folder, write_atomically, writing_to

H = TypeVar("H", bound=HandOver)
P = ParamSpec("P")

log = logging.getLogger("posepipe")

MANIFEST = "manifest.json"

DAMAGED = (PosepipeError, ValueError, KeyError, TypeError, EOFError, SyntaxError, TokenError)
"""What reading a stored hand-over raises whose bytes are not those that were written: much of it by numpy."""


class Keyed(Protocol):
    """Anything that may be a stage's input: it has a digest of all that its use depends on."""

    @property
    def key(self) -> str: ...


@dataclass(frozen=True)
class Stage(Generic[P, H]):
    """A function from hand-overs and settings to one hand-over; its version is raised when its results change."""

    function: Callable[P, H]
    version: int
    distributed: bool
    networks: Callable[[tuple[Any, ...], Any], list[int]] | None = None
    """Versions of the networks that it trains or uses, of its inputs and settings."""

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def returns(self) -> type[H]:
        return get_type_hints(self.function)["return"]

    @property
    def wants_work(self) -> bool:
        """Whether the function asks for a place to keep finished parts."""
        return "work" in signature(self.function).parameters

    def versions(self, inputs: tuple[Any, ...], settings: Any) -> list[int]:
        """Its own version, and behind it those of the networks that it trains or uses."""
        return [self.version, *(self.networks(inputs, settings) if self.networks else ())]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> H:
        return self.function(*args, **kwargs)


def stage(
    version: int,
    *,
    distributed: bool = False,
    networks: Callable[[tuple[Any, ...], Any], list[int]] | None = None,
) -> Callable[[Callable[P, H]], Stage[P, H]]:
    """Make a function a stage.

    Args:
        version: raised when the stage's results change.
        distributed: all processes of a launcher run it together.
        networks: gives the versions of the networks that it trains or uses, of its inputs and settings; its results
            are computed again when one of them is raised.
    """
    return lambda function: Stage(function, version, distributed, networks)


class Work:
    """Where a long stage keeps its finished parts: after a kill it goes on behind the last one."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        self._folder, self._writable = folder, writable
        self._since = time.monotonic()
        facts = [read_manifest(part) for part in self._parts()]
        self.seconds = sum(each["seconds"] for each in facts)
        self.seconds_of: dict[str, float] = {}
        """What the time went into, where a stage measures that."""
        for each in facts:
            self._add(each.get("seconds_of", {}))

    def _add(self, seconds_of: Mapping[str, float]) -> None:
        for name, seconds in seconds_of.items():
            self.seconds_of[name] = self.seconds_of.get(name, 0.0) + seconds

    def _parts(self) -> list[Path]:
        return sorted(part for part in self._folder.glob("[0-9]" * 6) if (part / MANIFEST).exists())

    def parts(self, kind: type[H]) -> list[H]:
        """The parts that are there, in order."""
        return [kind.load(part, read_manifest(part)["notes"]) for part in self._parts()]

    def keep(
        self, part: HandOver, *, instead: bool = False, seconds_of: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Store one more part, durably; ``instead``: in place of all earlier ones."""
        self._add(seconds_of)
        if not self._writable:
            return
        earlier = self._parts()
        number = int(earlier[-1].name) + 1 if earlier else 0
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        if instead and earlier:
            seconds += read_manifest(earlier[-1])["seconds"]
        store(part, self._folder / f"{number:06d}", {"seconds": seconds, "seconds_of": dict(seconds_of)})
        if instead:
            for old in earlier:
                discard(old)


class Cache:
    """The results in one folder; those in ``borrowed`` are used as well, but never touched."""

    def __init__(
        self,
        folder: Path,
        *,
        borrowed: tuple[Path, ...] = (),
        on_use: Callable[[str, str, str], None] = lambda subject, stage, key: None,
        processes: int = 1,
        rank: int = 0,
    ) -> None:
        self.folder = folder
        self._borrowed = borrowed
        self._on_use = on_use
        self._processes, self._rank = processes, rank

    def run(self, stage: Stage[..., H], *inputs: Any, settings: BaseModel | None = None, subject: str = "") -> H:
        """The stage's result for these inputs: from the disk if it is there, else computed and stored.

        Args:
            inputs: hand-overs, other keyed things, None, or lists of them, as the function takes them.
            settings: the stage's own settings, given to it as its last positional argument.
            subject: whose result it is ("take1/cam01"), for people.

        Raises:
            PosepipeError: under a launcher, if a stage that one process must do first has not been done.
        """
        if stage.distributed and self._rank == 0:
            self._processes = 1  # the last thing that all do together: behind it the first process goes on alone
        key = result_key(stage, inputs, settings)
        for folder in (*self._borrowed, self.folder):
            entry = folder / stage.name / key
            if folder == self.folder:
                self._on_use(subject, stage.name, key)
            if (entry / MANIFEST).exists():
                try:
                    return _loaded(stage, entry, key)
                except DAMAGED:
                    log.warning("%s is damaged; it is made anew", entry)
                    if folder == self.folder and self._rank == 0:
                        discard(entry)
        if self._processes > 1 and not stage.distributed:
            raise PosepipeError(
                f"{stage.name} of {subject} is not done yet, and several processes must not do it at once: "
                "run `posepipe fit FOLDER --until label` once without the launcher first"
            )
        return self._compute(stage, key, inputs, settings, subject)

    def facts(self, stage: Stage[..., H], result: H) -> dict[str, Any] | None:
        """The manifest of a stage's result; None if it is not that stage's."""
        entries = [folder / stage.name / result.key for folder in (*self._borrowed, self.folder)]
        return next((read_manifest(entry) for entry in entries if (entry / MANIFEST).exists()), None)

    def _compute(
        self, stage: Stage[..., H], key: str, inputs: tuple[Any, ...], settings: BaseModel | None, subject: str
    ) -> H:
        entry = self.folder / stage.name / key
        parts = entry.with_name(f"{key}.parts")
        began = time.monotonic()
        work = Work(parts, writable=self._rank == 0) if stage.wants_work else None
        before = work.seconds if work else 0.0
        result = stage(*inputs, *([] if settings is None else [settings]), **({} if work is None else {"work": work}))
        if self._rank > 0:
            return result.with_key(key)
        facts = {
            "stage": stage.name,
            "version": stage.version,
            "versions": stage.versions(inputs, settings),
            "subject": subject,
            "key": key,
            "settings": None if settings is None else settings.model_dump(mode="json"),
            "inputs": flat_keys(inputs),
            "seconds": before + time.monotonic() - began,
            "seconds_of": dict(work.seconds_of) if work else {},
        }
        store(result, entry, facts)
        for used in flat(inputs):
            if isinstance(used, HandOver):
                used.rest()
        if parts.exists():
            discard(parts)
        return stage.returns.load(entry, read_manifest(entry)["notes"]).with_key(key)


def result_key(stage: Stage[..., Any], inputs: tuple[Any, ...], settings: BaseModel | None) -> str:
    """Digest of everything that a stage's result depends on."""
    dump = None if settings is None else settings.model_dump(mode="json", exclude=unkeyed_fields(settings))
    text = json.dumps([stage.name, *stage.versions(inputs, settings), dump, key_of(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def unkeyed_fields(settings: BaseModel) -> set[str]:
    """Settings that say how to compute, not what (a device), and so do not count in keys.

    Those beyond the fields of the class are options of what is given to the stage, which has a key of its own.
    """
    fields = type(settings).model_fields
    unkeyed = {name for name, field in fields.items() if (field.json_schema_extra or {}) == {"keyed": False}}
    return unkeyed | set(settings.model_extra or {})


def key_of(value: Any) -> Any:
    """Keys of inputs in the nesting in which they are given."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [key_of(item) for item in value]
    return value.key


def flat_keys(inputs: Any) -> list[str]:
    """Keys of all keyed inputs, in order."""
    return [item.key for item in flat(inputs) if not (item is None or isinstance(item, str | int | float | bool))]


def flat(inputs: Any) -> list[Any]:
    """All inputs, in order, out of the lists that they are given in."""
    return [each for item in inputs for each in flat(item)] if isinstance(inputs, list | tuple) else [inputs]


def read_manifest(entry: Path) -> dict[str, Any]:
    """The facts of a stored hand-over.

    Raises:
        PosepipeError: a damaged file.
    """
    try:
        return json.loads((entry / MANIFEST).read_text(encoding="utf-8"))
    except ValueError as error:
        raise PosepipeError(f"{entry / MANIFEST} is damaged; remove its folder, and it is made anew") from error


def store(result: HandOver, entry: Path, facts: dict[str, Any]) -> None:
    """Write a hand-over so that it is either wholly there under its name, or not at all."""
    making = entry.with_name(f"{entry.name}.making")
    with writing_to(entry):
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            result.save(making)
            size = sum(file.stat().st_size for file in making.iterdir())
            manifest = {**facts, "bytes": size, "crc32": checksums(making), "notes": result.notes()}
            with durable(making / MANIFEST) as file:
                file.write(json.dumps(manifest, indent=1).encode())
            sync_folder(making)
            making.rename(entry)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        sync_folder(entry.parent)


def _loaded(stage: Stage[..., H], entry: Path, key: str) -> H:
    """A stored result whose bytes are those that were written."""
    if (manifest := read_manifest(entry))["crc32"] != checksums(entry):
        raise ValueError(f"{entry} is not as it was written")
    return stage.returns.load(entry, manifest["notes"]).with_key(key)


def discard(entry: Path) -> None:
    """Remove a stored hand-over so that a kill in between leaves none that lacks something."""
    going = entry.with_name(f"{entry.name}.making")  # a name that stands for nothing
    shutil.rmtree(going, ignore_errors=True)
    entry.rename(going)
    shutil.rmtree(going)


class Digests:
    """Content digests of files, remembered by path, size and time of change."""

    def __init__(self, memory: Path, *, writable: bool = True) -> None:
        self._memory, self._writable = memory, writable
        self._known: dict[str, list[Any]] = {}
        if memory.exists():
            self._known = json.loads(memory.read_text(encoding="utf-8"))

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
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._memory, json.dumps(self._known, indent=1).encode())
        return content

    def names(self) -> dict[str, str]:
        """Names of the files whose digests are known, by digest."""
        return {digest: Path(path).name for path, (_, _, digest) in self._known.items()}


@dataclass(frozen=True)
class SourceFile:
    """A file that the user gave, known by its content."""

    path: Path
    key: str
