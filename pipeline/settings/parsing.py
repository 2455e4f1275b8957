"""From words to checked values: TOML, ``--set``, and sentences about what is wrong in them."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import PosepipeError


def nested(overrides: Iterable[str], tree: dict[str, Any] | None = None) -> dict[str, Any]:
    """``section.name=value`` overrides put into a tree of nested plain values.

    Raises:
        PosepipeError: no "=".
    """
    tree = {} if tree is None else tree
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise PosepipeError(f"--set {override!r} has no '='; write it as --set train.epochs=50")
        put(tree, name.strip(), _parse_value(value.strip()))
    return tree


def put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    """Give a setting of a dotted name a value in a tree of nested plain values.

    Raises:
        PosepipeError: a part of the name is a value.
    """
    *sections, name = dotted.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise PosepipeError(f"--set {dotted}: {section!r} already has the value {tree!r}; it holds no settings")
    tree[name] = value


def _parse_value(text: str) -> Any:
    """A TOML value; bare words are strings, so that --set train.method=canonpose needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as nested plain values; a byte order mark, which some editors write, is passed over.

    Raises:
        PosepipeError: missing, not UTF-8, or not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except UnicodeDecodeError as error:
        raise PosepipeError(f"{path} is not UTF-8, as TOML must be; save it in that encoding") from error
    except OSError as error:
        raise PosepipeError(f"cannot read {path}: {error.strerror}") from error
    if _DRIVE.search(text):  # "C:\temp" is valid TOML, but means C:, a tab and emp
        raise PosepipeError(f"{path} has a Windows path in double quotes: {_BACKSLASHES}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PosepipeError(f"{path} is not valid TOML: {_explained(error, text)}") from error


_DRIVE = re.compile(r'^[^#\n\'"]*"[A-Za-z]:\\(?!\\)', re.MULTILINE)
"""A Windows path in double quotes whose backslashes are not doubled."""

_BACKSLASHES = (
    "a backslash begins an escape there; write Windows paths with slashes or in single quotes, as "
    "'C:\\videos\\calib.toml'"
)


def _explained(error: tomllib.TOMLDecodeError, text: str) -> str:
    """The parser's own words, and what to do where backslashes between double quotes are the reason."""
    said = str(error)
    place = re.search(r"at line (\d+)", said)
    line = text.splitlines()[int(place[1]) - 1] if place else ""
    return f"{said}: {_BACKSLASHES}" if re.search(r'"[^"]*\\', line) else said


def check_name(kind: str, name: Any, valid: Iterable[str]) -> None:
    """Check that a name is a known one.

    Raises:
        PosepipeError: it is not; the sentence names the nearest valid one and lists all.
    """
    names = list(valid)
    if name not in names:
        near = difflib.get_close_matches(str(name), names, 1, 0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise PosepipeError(f"unknown {kind} {name!r}; {hint}valid: {', '.join(names)}")


def parse(kind: type[Any], tree: Any, where: str, section: str = "") -> Any:
    """Validate nested plain values by a pydantic model.

    Raises:
        PosepipeError: one sentence about the first thing that is wrong.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        name = ".".join([section, *place] if section else place)
        if first["type"] == "extra_forbidden":
            valid = [".".join(filter(None, [section, path])) for path in setting_names(kind)]
            raise unknown_setting(where, name, valid) from error
        raise PosepipeError(f"{where}: {name} = {first['input']!r}: {first['msg'].lower()}") from error


def unknown_setting(where: str, name: str, valid: Iterable[str]) -> PosepipeError:
    """What to say of a setting that does not exist: the nearest valid one, or all where none is near.

    Args:
        where: the file, or what else the setting stands in.
        name: its dotted name.
        valid: dotted names of all settings that could be meant.
    """
    names = list(valid)
    near = difflib.get_close_matches(name, names, 1, 0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(names)}"
    return PosepipeError(f"{where}: unknown setting {name!r}; {hint}")


def setting_names(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all settings of a class."""
    names = []
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += setting_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names
