"""``posepipe people``: everybody in the pictures, to choose the athlete from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, Config, Device, Overrides
from .terminal import speak


def people(
    source: Annotated[Path, typer.Argument(help="What fit or infer takes: a folder of takes, or a clip.")],
    out: Annotated[Path | None, typer.Option(help="Results folder; by default that of fit or infer.")] = None,
    config: Config = None,
    detector: Annotated[str | None, typer.Option(help="auto, blazepose or mmpose.")] = None,
    leave_out: Annotated[
        list[str], typer.Option(metavar="NAME", help="A take, a camera, or TAKE/CAMERA to leave out; repeatable.")
    ] = [],  # noqa: B006 - typer copies it
    device: Device = "auto",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Show everybody in the pictures on one page, each with the words that choose them.

    What is detected for it is used again by fit and infer.

    Examples:

      posepipe people ski_videos

      posepipe people clip.mp4
    """
    speak()
    from ..runs.people.sheet import show_people
    from ..settings import load_settings

    options = {"detect.detector": detector, "leave_out": leave_out or None, "device": device}
    page = show_people(source, out=out, settings=load_settings(config, overrides, options))
    typer.echo(json.dumps({"page": str(page)}, indent=1) if as_json else str(page))
