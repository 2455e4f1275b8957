"""``posepipe fit``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...models import METHODS
from .options import (
    USUAL_EXPORTS,
    AsJson,
    Config,
    Device,
    Everybody,
    Exports,
    Frame,
    Overrides,
    Person,
    Precision,
    Segments,
    everybody,
    lengths,
    split,
)
from .terminal import speak

if TYPE_CHECKING:
    from ..runs.results import Fit


def fit(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Videos of one take, one per camera, or files of their 2D poses, or folders of such takes."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Results folder; by default FOLDER_posepipe beside FOLDER.")
    ] = None,
    config: Config = None,
    method: Annotated[str | None, typer.Option(help=f"Training method: {', '.join(METHODS)}.")] = None,
    detector: Annotated[str | None, typer.Option(help="auto, blazepose or mmpose.")] = None,
    precision: Precision = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help="generic: start from the lifter that posepipe brings; none: learn from this footage alone."
        ),
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="h36m17+feet, h36m17, or native: the detector's own joints.")
    ] = None,
    person: Person = None,
    people: Everybody = None,
    leave_out: Annotated[
        list[str], typer.Option(metavar="NAME", help="A take, a camera, or TAKE/CAMERA to leave out; repeatable.")
    ] = [],  # noqa: B006 - typer copies it
    from_s: Annotated[float | None, typer.Option("--from", help="Where to begin, in s of the take's time.")] = None,
    to_s: Annotated[float | None, typer.Option("--to", help="Where to end, in s of the take's time.")] = None,
    height: Annotated[
        float | None, typer.Option(help="The athletes' height in m; results are then in metres.")
    ] = None,
    segment: Segments = [],  # noqa: B006 - typer copies it
    frame: Frame = None,
    device: Device = "auto",
    until: Annotated[
        str | None,
        typer.Option(help="Stop after a stage: frames, detect, track, morph, synchronize, sides, samples, ..."),
    ] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    seed: Annotated[int | None, typer.Option(help="Seed of all random draws.")] = None,
    export: Exports = USUAL_EXPORTS,
    as_json: AsJson = False,
) -> None:
    """Train on a folder of videos from several cameras and write 3D poses of all clips.

    Examples:

      posepipe fit ski_videos

      posepipe fit ski_videos --out results --set train.epochs=50 --seed 1

      posepipe fit keypoints.npz --set samples.static_cameras=true
    """
    speak()
    from ..runs.fit import fit as run
    from ..settings import load_settings

    options = {
        "train.method": method,
        "train.prior": prior,
        "train.seed": seed,
        "detect.detector": detector,
        "detect.precision": precision,
        "morph.skeleton": skeleton,
        "leave_out": leave_out or None,
        "from_s": from_s,
        "to_s": to_s,
        "people.person": person,
        "people.everybody": everybody(people),
        "world.height_m": height,
        "world.segments_m": lengths(segment) or None,
        "world.frame": frame,
        "device": device,
    }
    settings = load_settings(config, overrides, options)
    done = run(folder, out=out, settings=settings, until=until, exports=split(export))
    if as_json:
        typer.echo(_as_json(done))
    elif said := _as_text(done, until):  # a process that only helped in training prints nothing
        typer.echo(said)


def _as_json(done: Fit) -> str:
    content = {
        "folder": str(done.folder),
        "model": done.model and str(done.model),
        "results": [str(path) for path in done.results],
        "report": done.report and str(done.report),
        "warnings": done.warnings,
        "nothing_to_do": done.nothing_to_do,
    }
    return json.dumps(content, indent=1)


def _as_text(done: Fit, until: str | None) -> str:
    if done.nothing_to_do:
        return f"nothing to do: {done.folder} is up to date"
    if done.report:
        return f"model    {done.model}\nresults  {done.folder / 'takes'}\nreport   {done.report}"
    if done.results:
        return f"model    {done.model}\nresults  {done.results[0]}"
    return f"done until {until}: {done.folder}" if until else ""
