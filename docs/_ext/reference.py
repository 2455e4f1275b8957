"""Directives that print what the code knows of itself: settings, commands.

``{posepipe-settings}`` has tables of the stages' settings, ``{posepipe-methods}`` and ``{posepipe-detectors}`` those
of all training methods and detectors, and ``{posepipe-commands}`` the commands and their options.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes
from posepipe.models import METHODS
from posepipe.pipeline.cli import app as command_line
from posepipe.pipeline.detectors import DETECTORS
from posepipe.pipeline.detectors.choose import settings_class
from posepipe.pipeline.settings import Settings, method_class
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("posepipe-settings", StageSettingsTable)
    app.add_directive("posepipe-methods", MethodSettingsTables)
    app.add_directive("posepipe-detectors", DetectorSettingsTables)
    app.add_directive("posepipe-commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class _Printed(SphinxDirective, ABC):
    """A directive that writes Markdown."""

    @abstractmethod
    def printed(self) -> Iterable[str]:
        """The lines."""

    def run(self) -> Sequence[nodes.Node]:
        """What the lines become."""
        return self.parse_text_to_nodes("\n".join(self.printed()))


class StageSettingsTable(_Printed):
    """Settings of the whole fit, then those of every stage."""

    def printed(self) -> Iterable[str]:
        yield from _table(Settings, "")
        for stage, field in Settings.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from (f"**`[{stage}]`** {_words(kind.__doc__)}", "")
                yield from _table(kind, f"{stage}.")


class MethodSettingsTables(_Printed):
    """Settings of every training method."""

    def printed(self) -> Iterable[str]:
        for name in METHODS:
            kind = method_class(name)
            yield from (f"**`--method {name}`** {_words(kind.Settings.__doc__)}", "")
            yield from _table(kind.Settings, "train.")


class DetectorSettingsTables(_Printed):
    """Options of every detector."""

    def printed(self) -> Iterable[str]:
        for name in DETECTORS:
            kind = settings_class(name)
            yield from (f"**`--detector {name}`** {_words(kind.__doc__)}", "")
            yield from _table(kind, "detect.")


class Commands(_Printed):
    """Every command with its arguments and options."""

    def printed(self) -> Iterable[str]:
        for words, command in _commands(["posepipe"], get_command(command_line)):
            about, _, examples = (command.help or "").partition("Examples:")
            yield from (f"**`{' '.join(words)}`** {_words(about)}", "")
            if examples:
                yield from ("```", *(line.strip() for line in examples.strip().splitlines()), "```", "")
            rows = [(_spelling(one), getattr(one, "help", None) or "") for one in command.params]
            yield from _rows(("", ""), [row for row in rows if row[0] != "`--help`"])


def _commands(words: list[str], command: Any) -> Iterable[tuple[list[str], Any]]:
    if isinstance(inside := getattr(command, "commands", None), dict):
        for name, below in inside.items():
            yield from _commands([*words, name], below)
    else:
        yield words, command


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{spelling}`" for spelling in (*parameter.opts, *parameter.secondary_opts))


def _table(kind: type[BaseModel], prefix: str) -> Iterable[str]:
    rows = []
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        if kind is Settings and name == "method":  # what [train] says of the method's own settings
            continue
        default = field.default
        if field.default_factory is not None or default is PydanticUndefined:
            shown = "depends on the machine"
        else:
            shown = f"`{_word(default)}`"
        rows.append((f"`{prefix}{name}`", shown, field.description or ""))
    return _rows(("setting", "default", "what it is"), rows)


def _word(value: Any) -> str:
    """A default as TOML and ``--set`` have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "not set"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return str(list(value)).replace("'", '"')
    return str(value) if value != "" else '""'


def _rows(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    listed = list(rows)
    if not listed:
        return
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for row in listed:
        yield "| " + " | ".join(_words(cell).replace("|", "\\|") for cell in row) + " |"
    yield ""


def _words(text: str | None) -> str:
    return " ".join((text or "").split())
