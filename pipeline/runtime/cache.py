"""Results on disk, addressed by content, so that nothing is computed twice.

A stage's result lies in ``<folder>/<stage>/<key>/``: one ``.npy`` per array and ``manifest.json``,
written last. The key is the digest of the stage's name, version and settings, of its inputs' keys,
and of the versions of networks that it trains or uses; files count by content. A result appears
under its final name by one rename, so it is always complete. Long stages keep finished parts
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
from .writing import sync_folder, writing_to

H = TypeVar("H", bound=HandOver)
P = ParamSpec("P")

log = logging.getLogger("posepipe")

MANIFEST = "manifest.json"

DAMAGED = (PosepipeError, ValueError, KeyError, TypeError, EOFError, SyntaxError, TokenError)
"""What reading a stored hand-over raises whose bytes are not those that were written: much of it by numpy."""


class Keyed(Protocol):
    """An input of a stage."""

    @property
    def key(self) -> str:
        """Digest of all that results depend on where it is used."""
        ...


@dataclass(frozen=True)
class Stage(Generic[P, H]):
    """A function from hand-overs and settings to one hand-over; its version is raised when its results change."""

    function: Callable[P, H]
    version: int
    distributed: bool
    networks: Callable[[tuple[Any, ...], Any], list[int]] | None = None
    """Gives the versions of the networks that it trains or uses, from its inputs and settings."""

    @property
    def name(self) -> str:
        """The function's name, and the folder of its results."""
        return self.function.__name__

    @property
    def returns(self) -> type[H]:
        """The type of hand-over that it returns."""
        return get_type_hints(self.function)["return"]

    @property
    def wants_work(self) -> bool:
        """Whether the function asks for a place to keep finished parts."""
        return "work" in signature(self.function).parameters

    def versions(self, inputs: tuple[Any, ...], settings: Any) -> list[int]:
        """Its own version, followed by those of the networks that it trains or uses."""
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
        networks: gives the versions of the networks that it trains or uses, from its inputs and settings; its results
            are computed again when one of them is raised.
    """
    return lambda function: Stage(function, version, distributed, networks)


class Work:
    """Finished parts of a long stage; after a kill it resumes after the last one."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        self._folder, self._writable = folder, writable
        self._since = time.monotonic()
        facts = [read_manifest(part) for part in self._parts()]
        self.seconds = sum(each["seconds"] for each in facts)
        self.seconds_of: dict[str, float] = {}
        """Time by activity, where a stage measures it."""
        for each in facts:
            self._add(each.get("seconds_of", {}))

    def _add(self, seconds_of: Mapping[str, float]) -> None:
        for name, seconds in seconds_of.items():
            self.seconds_of[name] = self.seconds_of.get(name, 0.0) + seconds

    def _parts(self) -> list[Path]:
        return sorted(part for part in self._folder.glob("[0-9]" * 6) if (part / MANIFEST).exists())

    def parts(self, kind: type[H]) -> list[H]:
        """The stored parts, in order."""
        return [kind.load(part, read_manifest(part)["notes"]) for part in self._parts()]

    def keep(
        self, part: HandOver, *, instead: bool = False, seconds_of: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Store one more part durably; with ``instead`` it replaces all earlier ones."""
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
    """The results in one folder; those in ``borrowed`` are also read, but never changed."""

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
        """The stage's result for these inputs, read from the disk or computed and stored.

        Args:
            inputs: hand-overs, other keyed things, None, or lists of them, as the function takes them.
            settings: the stage's own settings, given to it as its last positional argument.
            subject: whose result it is ("take1/cam01"), for messages.

        Raises:
            PosepipeError: under a launcher, a stage is missing that a single process must run first.
        """
        if stage.distributed and self._rank == 0:
            self._processes = 1  # the last stage of all processes together; after it the first one continues alone
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
        """The manifest of a stage's result; None if another stage made it."""
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
        chosen, place = ([] if settings is None else [settings]), ({} if work is None else {"work": work})
        result = stage.function(*inputs, *chosen, **place)
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
    """Settings that do not affect results (such as the device), and so are not part of keys.

    Extra fields beyond those of the class are options of an input of the stage, which has its own key.
    """
    fields = type(settings).model_fields
    unkeyed = {name for name, field in fields.items() if (field.json_schema_extra or {}) == {"keyed": False}}
    return unkeyed | set(settings.model_extra or {})


def joint_key(*parts: Any) -> str:
    """Digest of several keys and plain values together."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def key_of(value: Any) -> Any:
    """Keys of inputs, nested as the inputs are."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [key_of(item) for item in value]
    return value.key


def flat_keys(inputs: Any) -> list[str]:
    """Keys of all keyed inputs, in order."""
    return [item.key for item in flat(inputs) if not (item is None or isinstance(item, str | int | float | bool))]


def flat(inputs: Any) -> list[Any]:
    """All inputs in order, without nesting."""
    return [each for item in inputs for each in flat(item)] if isinstance(inputs, list | tuple) else [inputs]


def read_manifest(entry: Path) -> dict[str, Any]:
    """The manifest of a stored hand-over.

    Raises:
        PosepipeError: a damaged file.
    """
    try:
        return json.loads((entry / MANIFEST).read_text(encoding="utf-8"))
    except ValueError as error:
        raise PosepipeError(f"{entry / MANIFEST} is damaged; remove its folder, and it is made anew") from error


def store(result: HandOver, entry: Path, facts: dict[str, Any]) -> None:
    """Write a hand-over atomically."""
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
    """Remove a stored hand-over so that a kill in between leaves no incomplete one."""
    going = entry.with_name(f"{entry.name}.making")  # a name that is no entry
    with writing_to(entry):
        shutil.rmtree(going, ignore_errors=True)
        entry.rename(going)
        shutil.rmtree(going)


@dataclass(frozen=True)
class SourceFile:
    """A file given by the user, identified by its content."""

    path: Path
    key: str
