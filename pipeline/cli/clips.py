"""``posepipe infer`` and ``batch``: clips of single cameras, with a trained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    USUAL_EXPORTS,
    AsJson,
    Device,
    Everybody,
    Exports,
    Overrides,
    Person,
    Precision,
    Segments,
    changes,
    lengths,
    split,
)
from .terminal import speak


def infer(
    clips: Annotated[
        list[Path],
        typer.Argument(help="Videos of a single camera each, folders of numbered pictures, or files of 2D poses."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="model.pt of a fit, or generic: the model that comes with posepipe; by default a fit's beside the "
            "clip or in this folder, else the generic one."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Results folder; by default CLIP_posepipe beside the clip.")
    ] = None,
    height: Annotated[
        float | None, typer.Option(help="The athlete's height in m; results are then in metres.")
    ] = None,
    segments: Segments = [],  # noqa: B006 - typer copies it
    focal: Annotated[
        float | None,
        typer.Option(help="Focal length of the camera in px, for the root trajectory; by default assumed."),
    ] = None,
    person: Person = None,
    people: Everybody = None,
    precision: Precision = None,
    from_s: Annotated[float | None, typer.Option("--from", help="Where in the clip to begin, in s.")] = None,
    to_s: Annotated[float | None, typer.Option("--to", help="Where in the clip to end, in s.")] = None,
    export: Exports = USUAL_EXPORTS,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Lift new clips to 3D poses, each from its single camera.

    Examples:

      posepipe infer clip.mp4

      posepipe infer run1.mp4 run2.mp4 --model ski_videos_posepipe/model.pt --height 1.80

      posepipe infer training.mp4 --from 12.5 --to 40
    """
    speak()
    from ..footage.archive import name_clips
    from ..runs.infer import infer as run

    changed = changes(overrides, person, people, precision)
    made, named = [], name_clips(clips)
    for clip, name in named.items():
        target = out / name if out and len(named) > 1 else out
        made.append(
            run(
                clip,
                model=model,
                out=target,
                height_m=height,
                segments_m=lengths(segments),
                focal_px=focal,
                exports=split(export),
                overrides=changed,
                device=device,
                from_s=from_s,
                to_s=to_s,
            )
        )
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {"clip": str(m.clip), "files": [str(file) for file in m.files], "verdict": m.verdict_words}
                    for m in made
                ],
                indent=1,
            )
        )
    else:
        for one in made:
            typer.echo("\n".join(str(file) for file in one.files))


def batch(
    sources: Annotated[list[str], typer.Argument(help="Folders, videos, or quoted patterns such as 'a/**/*.mp4'.")],
    model: Annotated[
        Path | None, typer.Option(help="model.pt of a fit; by default the generic model, which comes with posepipe.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Results folder, with a folder per clip; by default FOLDER_batch.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of clips processed at the same time.")] = 1,
    height: Annotated[
        float | None, typer.Option(help="The athletes' height in m; results are then in metres.")
    ] = None,
    segments: Segments = [],  # noqa: B006 - typer copies it
    focal: Annotated[
        float | None,
        typer.Option(help="Focal length of the cameras in px, for the root trajectory; by default assumed."),
    ] = None,
    person: Person = None,
    people: Everybody = None,
    precision: Precision = None,
    watch: Annotated[bool, typer.Option("--watch", help="Process new clips as they arrive, until Ctrl-C.")] = False,
    export: Exports = USUAL_EXPORTS,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Lift all clips of an archive to 3D poses; finished clips are skipped, failing ones do not stop the rest.

    summary.csv and summary.json in the results folder list the result of each clip. The exit code is 1 if any clip
    failed.

    Examples:

      posepipe batch archive --model ski_videos_posepipe/model.pt --jobs 4

      posepipe batch 'archive/**/*.mp4' --model model.pt --export npz,c3d --watch
    """
    from rich.console import Console

    from ..runs.batch import SUMMARY, default_folder
    from ..runs.batch import batch as run
    from .batch_table import sentence, shown_in

    folder = out or default_folder(sources)
    with shown_in(Console(stderr=True)) as show:
        rows = run(
            sources,
            model=model,
            out=folder,
            jobs=jobs,
            exports=split(export),
            watch=watch,
            show=show,
            height_m=height,
            segments_m=lengths(segments),
            focal_px=focal,
            overrides=changes(overrides, person, people, precision),
            device=device,
        )
    if as_json:
        typer.echo((folder / SUMMARY).read_text(encoding="utf-8"))
    else:
        typer.echo(f"{sentence(rows)}\nsummary  {folder / 'summary.csv'}")
    if any(row.status == "failed" for row in rows):
        raise typer.Exit(1)
