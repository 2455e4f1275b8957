"""Options of several commands, and how their values are parsed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import PosepipeError
from ..exporters import DEFAULT_EXPORTS, EXPORTERS

Segments = Annotated[
    list[str],
    typer.Option(
        "--segment", metavar="NAME=M",
        help="Length in m of a segment instead of the height, e.g. thigh=0.44; repeatable.",
    ),
]  # fmt: skip
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="Any setting, e.g. train.epochs=50.")
]
Config = Annotated[Path | None, typer.Option(help="TOML file with settings, such as the settings.toml of a fit.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Exports = Annotated[str, typer.Option("--export", help=f"Result files per clip: {', '.join(EXPORTERS)}.")]
Frame = Annotated[
    str | None,
    typer.Option(help="Axes of result files: world, where it is known where up is, or camera; npz files hold both."),
]
Person = Annotated[
    str | None,
    typer.Option(
        help="The athlete: main, largest, longest, a number as in result files, e.g. 1, or a place where the athlete "
        "is, e.g. cam1@12.5s:640,360 (posepipe people shows everybody)."
    ),
]
Everybody = Annotated[str | None, typer.Option("--people", help="one: the athlete only; all: everybody.")]
Precision = Annotated[
    str | None,
    typer.Option(help="Arithmetic of MMPose's networks: fp32, or bf16, faster where supported."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

USUAL_EXPORTS = ",".join(DEFAULT_EXPORTS)


def split(names: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in names.split(",") if name.strip())


def everybody(people: str | None) -> bool | None:
    """Whether ``--people`` asks for everybody; None if it is not given.

    Raises:
        PosepipeError: neither one nor all.
    """
    if people not in (None, "one", "all"):
        raise PosepipeError(f"--people {people}: say one, for the athlete only, or all")
    return None if people is None else people == "all"


def changes(overrides: list[str], person: str | None, people: str | None, precision: str | None) -> dict[str, Any]:
    """Nested settings that replace those of the model in ``infer`` and ``batch``."""
    from ..settings import nested, put

    changed = nested(overrides)
    options = {"people.person": person, "people.everybody": everybody(people), "detect.precision": precision}
    for name, value in options.items():
        if value is not None:
            put(changed, name, value)
    return changed


def lengths(segments: list[str]) -> dict[str, float]:
    """Lengths in m by name, from texts such as ``thigh=0.44``.

    Raises:
        PosepipeError: a text of another form.
    """
    made = {}
    for text in segments:
        name, _, number = text.partition("=")
        try:
            made[name.strip()] = float(number)
        except ValueError as error:
            raise PosepipeError(f"--segment {text!r} is not a length; write it as --segment thigh=0.44") from error
    return made
