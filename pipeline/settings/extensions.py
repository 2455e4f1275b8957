"""Methods, detectors, exporters and readers by name: our own, and those that other packages register.

A package registers an object as an entry point of the kind's group. Looking for names reads the list of installed
packages only; a package is imported when something of it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from ..errors import PosepipeError
from .parsing import check_name

T = TypeVar("T")

GROUPS = {
    "method": "posepipe.methods",
    "detector": "posepipe.detectors",
    "export": "posepipe.exporters",
    "reader": "posepipe.readers",
}
"""Groups of entry points, by the word that messages have for what is registered."""


def names_of(kind: str, ours: Mapping[str, Any]) -> list[str]:
    """All names of a kind (one of ``GROUPS``): our own in their order, then those of other packages."""
    return [*ours, *(name for name in _registered()[kind] if name not in ours)]


def find_extension(kind: str, name: str, ours: Mapping[str, T]) -> T | EntryPoint:
    """What a name stands for: its entry in our own dictionary, or the entry point of another package.

    Raises:
        PosepipeError: nothing (the sentence names the nearest valid name), or two things at once.
    """
    check_name(kind, name, names_of(kind, ours))
    theirs = _registered()[kind].get(name, ())
    if len(theirs) + (name in ours) > 1:
        packages = " and ".join(package_of(entry) for entry in theirs)
        others = "posepipe has one of this name" if name in ours else "a name must stand for one thing"
        raise PosepipeError(
            f"{kind} {name!r} is registered by {packages} ({GROUPS[kind]}), but {others}; "
            "uninstall the package, or ask its authors to choose another name"
        )
    return ours[name] if name in ours else theirs[0]


def load_place(place: str | EntryPoint) -> Any:
    """The object at a place: ``"module:name"`` or ``"module"`` as in our dictionaries, or an entry point.

    Raises:
        PosepipeError: the package of an entry point cannot be imported, or has no such object.
    """
    if isinstance(place, str):
        module, _, attribute = place.partition(":")
        found = import_module(module)
        return getattr(found, attribute) if attribute else found
    try:
        return place.load()
    except PosepipeError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise _refusal(place, f"cannot be loaded: {type(error).__name__}: {said}") from error


def check_extension(place: object, fits: bool, expected: str) -> None:
    """Check that what another package registers is what its kind must be.

    Args:
        place: where it stands; places in our own dictionaries are taken as they are.
        fits: whether it is what it must be.
        expected: that in words, for the message.

    Raises:
        PosepipeError: it is not.
    """
    if isinstance(place, EntryPoint) and not fits:
        raise _refusal(place, f"is not {expected}")


def package_of(entry: EntryPoint) -> str:
    """Name and version of the package that registers an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"


def packages() -> list[str]:
    """Packages of others that register something: name, version, and digest of their source, which may be at work.

    One that is not used counts as well: then something is done again for nothing, which is the lesser fault.
    """
    entries = {entry for found in _registered().values() for each in found.values() for entry in each}
    return sorted({f"{package_of(entry)} {_source_digest(entry.module.partition('.')[0])}" for entry in entries})


def _source_digest(module: str) -> str:
    """Digest of a module's file, or of all that a package holds, without importing it."""
    spec, digest = find_spec(module), hashlib.sha256()
    if spec is not None and spec.submodule_search_locations:
        files = [path for place in spec.submodule_search_locations for path in sorted(Path(place).rglob("*.py"))]
    else:
        files = [Path(spec.origin)] if spec is not None and spec.origin else []
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _refusal(entry: EntryPoint, why: str) -> PosepipeError:
    kind = next(word for word, group in GROUPS.items() if group == entry.group)
    return PosepipeError(
        f"{kind} {entry.name!r} of package {package_of(entry)} (entry point {entry.group}, {entry.value}) {why}"
    )


@cache
def _registered() -> dict[str, dict[str, tuple[EntryPoint, ...]]]:
    """Entry points of other packages by kind and name; more than one where packages are at odds."""
    everything = entry_points()
    found: dict[str, dict[str, tuple[EntryPoint, ...]]] = {}
    for kind, group in GROUPS.items():
        by_name = found[kind] = {}
        for entry in sorted(everything.select(group=group), key=lambda entry: entry.name):
            by_name[entry.name] = (*by_name.get(entry.name, ()), entry)
    return found


forget_extensions: Callable[[], None] = _registered.cache_clear
"""Looks for packages again at the next question; for programs that install some while they run."""
