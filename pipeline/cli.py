"""The command line: thin, and quick to start, as everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from ..models import METHODS
from .errors import PosepipeError
from .exporters import DEFAULT_EXPORTS, EXPORTERS

app = typer.Typer(
    help="Ordinary multi-camera sports footage in, 3D human motion out: no labels, no calibration, no markers.",
    epilog="Start with: posepipe fit FOLDER, then posepipe infer CLIP",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models = typer.Typer(help="MMPose models that can be fetched by name: list, pull, path.", no_args_is_help=True)
app.add_typer(models, name="models")
morph = typer.Typer(
    help="Skeleton morphs, which move joints to where a reference has them: fit.", no_args_is_help=True
)
app.add_typer(morph, name="morph")

Segments = Annotated[
    list[str],
    typer.Option(
        "--segment", metavar="NAME=M",
        help="Length in m of a segment instead of the stature, e.g. thigh=0.44; repeatable.",
    ),
]  # fmt: skip
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="Any setting, e.g. train.epochs=50.")
]
Config = Annotated[Path | None, typer.Option(help="TOML file with settings, as fit writes them to settings.toml.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Exports = Annotated[str, typer.Option("--export", help=f"Result files per clip: {', '.join(EXPORTERS)}.")]
Person = Annotated[
    str | None, typer.Option(help="The athlete: main, largest, longest, or a number as in result files, e.g. 1.")
]
Everybody = Annotated[str | None, typer.Option("--people", help="one: the athlete only; all: everybody.")]
Precision = Annotated[
    str | None, typer.Option(help="Sums of MMPose's networks: fp32, or bf16, faster on processors that have it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

USUAL_EXPORTS = ",".join(DEFAULT_EXPORTS)


def command(function: Callable[..., None], of: typer.Typer = app, name: str | None = None) -> Callable[..., None]:
    """Make a function a command: a PosepipeError is one sentence and exit code 2."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except PosepipeError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("stopped; run the same command again to go on where it was", err=True)
            raise typer.Exit(130) from None

    return of.command(name)(run)


@command
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
    detector: Annotated[str | None, typer.Option(help="auto, mediapipe or mmpose.")] = None,
    precision: Precision = None,
    skeleton: Annotated[str | None, typer.Option(help="h36m17, or native: the detector's own joints.")] = None,
    person: Person = None,
    people: Everybody = None,
    leave_out: Annotated[
        list[str], typer.Option(metavar="NAME", help="A take, a camera, or TAKE/CAMERA that is not used; repeatable.")
    ] = [],  # noqa: B006 - typer copies it
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
    """Train on a folder of synchronised cameras and write 3D poses of all its clips.

    Examples:

      posepipe fit ski_videos

      posepipe fit ski_videos --out results --set train.epochs=50 --seed 1

      posepipe fit keypoints.npz --set samples.static_cameras=true
    """
    speak()
    from .fitting import fit as run
    from .settings import load_settings

    options = {
        "train.method": method,
        "train.seed": seed,
        "detect.detector": detector,
        "detect.precision": precision,
        "morph.skeleton": skeleton,
        "leave_out": leave_out or None,
        "people.person": person,
        "people.everybody": everybody(people),
        "device": device,
    }
    settings = load_settings(config, overrides, options)
    done = run(folder, out=out, settings=settings, until=until, exports=split(export))
    if as_json:
        content = {
            "folder": str(done.folder),
            "model": done.model and str(done.model),
            "results": [str(path) for path in done.results],
            "report": done.report and str(done.report),
            "warnings": done.warnings,
            "nothing_to_do": done.nothing_to_do,
        }
        typer.echo(json.dumps(content, indent=1))
    elif done.nothing_to_do:
        typer.echo(f"nothing to do: {done.folder} is up to date")
    elif done.report:
        typer.echo(f"model    {done.model}\nresults  {done.folder / 'takes'}\nreport   {done.report}")
    elif done.results:
        typer.echo(f"model    {done.model}\nresults  {done.results[0]}")
    elif until:  # else a process that only helped to train
        typer.echo(f"done until {until}: {done.folder}")


@command
def infer(
    clips: Annotated[list[Path], typer.Argument(help="Videos of a single camera each, or files of their 2D poses.")],
    model: Annotated[
        Path | None, typer.Option(help="model.pt of a fit; else looked for beside the clip and in this folder.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Results folder; by default CLIP_posepipe beside the clip.")
    ] = None,
    height: Annotated[
        float | None, typer.Option(help="The athlete's stature in m; results are in metres then.")
    ] = None,
    segments: Segments = [],  # noqa: B006 - typer copies it
    focal: Annotated[
        float | None,
        typer.Option(help="Focal length of the camera in px, for the root trajectory; else it is assumed."),
    ] = None,
    person: Person = None,
    people: Everybody = None,
    precision: Precision = None,
    export: Exports = USUAL_EXPORTS,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """3D poses of new clips, each from its own camera alone.

    Examples:

      posepipe infer clip.mp4

      posepipe infer run1.mp4 run2.mp4 --model ski_videos_posepipe/model.pt --height 1.80
    """
    speak()
    from .inference import infer as run

    changed = changes(overrides, person, people, precision)
    made = []
    for clip in clips:
        target = out / clip.stem if out and len(clips) > 1 else out
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
            )
        )
    if as_json:
        typer.echo(
            json.dumps([{"clip": str(m.clip), "files": [str(file) for file in m.files]} for m in made], indent=1)
        )
    else:
        for one in made:
            typer.echo("\n".join(str(file) for file in one.files))


@command
def batch(
    sources: Annotated[list[str], typer.Argument(help="Folders, videos, or quoted patterns such as 'a/**/*.mp4'.")],
    model: Annotated[Path, typer.Option(help="model.pt of a fit.")],
    out: Annotated[
        Path | None, typer.Option(help="Results folder, with a folder per clip; by default FOLDER_batch.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Clips at the same time.")] = 1,
    height: Annotated[
        float | None, typer.Option(help="The athletes' stature in m; results are in metres then.")
    ] = None,
    segments: Segments = [],  # noqa: B006 - typer copies it
    focal: Annotated[
        float | None,
        typer.Option(help="Focal length of the cameras in px, for the root trajectory; else it is assumed."),
    ] = None,
    person: Person = None,
    people: Everybody = None,
    precision: Precision = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with clips as they arrive, until Ctrl-C.")] = False,
    export: Exports = USUAL_EXPORTS,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """3D poses of all clips of an archive; finished ones are left alone, failing ones do not stop the rest.

    What became of each clip stands in summary.csv and summary.json of the results folder. The exit code is 1 if any
    clip failed.

    Examples:

      posepipe batch archive --model ski_videos_posepipe/model.pt --jobs 4

      posepipe batch 'archive/**/*.mp4' --model model.pt --export npz,c3d --watch
    """
    from rich.console import Console

    from .batch import SUMMARY, default_folder
    from .batch import batch as run
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


@command
def export(
    result: Annotated[Path, typer.Argument(help="A poses.npz, or a results folder of fit or infer.")],
    to: Annotated[str, typer.Option(help=f"Formats: {', '.join(EXPORTERS)}.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files; by default beside each poses.npz.")] = None,
    as_json: AsJson = False,
) -> None:
    """More formats of results that are there already; neither video nor model is needed.

    Examples:

      posepipe export clip_posepipe --to c3d,bvh

      posepipe export poses.npz --to netcdf,parquet --out shared
    """
    speak()
    from .export import export as run

    files = [str(path) for path in run(result, split(to), out)]
    typer.echo(json.dumps({"files": files}, indent=1) if as_json else "\n".join(files))


@command
def evaluate(
    prediction: Annotated[Path, typer.Argument(help="A poses.npz, or a results folder of fit or infer.")],
    reference: Annotated[
        Path, typer.Argument(help=".npz with joints_3d_cam, joints_3d_m or joint_3d_cam, or a folder of them.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for evaluation.json, tables and curves.")] = None,
    joints: Annotated[str, typer.Option(help="Joints that count, by name; all by default.")] = "",
    clusters: Annotated[
        Path | None, typer.Option(help="True poses of the training split, or pose_clusters.npz: adds mPSS.")
    ] = None,
    filtered: Annotated[
        bool, typer.Option("--filtered", help="Score the filtered motion, not each pose as it was lifted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare predicted poses with a reference, in mm.

    Examples:

      posepipe evaluate demo_footage/training_posepipe demo_footage/reference

      posepipe evaluate test_posepipe test.npz --clusters train.npz --out scores
    """
    from .evaluate import evaluate as run
    from .evaluate import save_clusters
    from .evaluation_files import as_json as plain
    from .evaluation_files import as_text, write_evaluation

    if out and clusters:
        clusters = save_clusters(out / "pose_clusters.npz", clusters)
    found = run(prediction, reference, joints=split(joints), clusters=clusters, filtered=filtered)
    if out:
        write_evaluation(found, out)
    typer.echo(json.dumps(plain(found), indent=1) if as_json else as_text(found))


@command
def status(
    folder: Annotated[Path, typer.Argument(help="The footage, or its results folder.")], as_json: AsJson = False
) -> None:
    """Which stages are done, for which camera, from what, how big, how long they took."""
    from .recording import results_folder
    from .workplace import status as run

    where = folder if (folder / "run.json").exists() else results_folder(folder)
    rows = run(where)
    if as_json:
        typer.echo(json.dumps([vars(row) for row in rows], indent=1))
        return
    typer.echo(f"{'what':<26}{'stage':<18}{'state':<9}{'size':>10}{'time':>10}  {'key':<10}from")
    for row in rows:
        typer.echo(
            f"{row.subject:<26}{row.stage:<18}{row.state:<9}{amount(row.bytes):>10}{row.seconds:>9.1f}s  "
            f"{row.key[:8]:<10}{', '.join(row.inputs)}"
        )
    if learnt := [row.supervision for row in rows if row.supervision]:
        typer.echo(f"the model learnt from: {learnt[-1]}")


@command
def clean(
    folder: Annotated[Path, typer.Argument(help="The footage, or its results folder.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove cached results that no present settings reach."""
    from .recording import results_folder
    from .workplace import remove_unreached, size_of, unreached

    where = folder if (folder / "run.json").exists() else results_folder(folder)
    entries = unreached(where)
    size = amount(sum(size_of(entry) for entry in entries))
    if not entries:
        typer.echo(f"nothing to remove in {where}")
    elif yes or typer.confirm(f"remove {len(entries)} unused results ({size}) from {where}?"):
        remove_unreached(where)
        typer.echo(f"removed {len(entries)} unused results ({size})")


@command
def doctor(as_json: AsJson = False) -> None:
    """Versions, devices, and which detectors can run here and why the others cannot."""
    from .doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps(findings, indent=1))
    else:
        for name, finding in findings.items():
            typer.echo(f"{name:<20}{finding}")


@partial(command, of=morph, name="fit")
def fit_morph(
    detections: Annotated[Path, typer.Argument(help="2D poses of one subject as the detector finds them.")],
    reference: Annotated[Path, typer.Argument(help="2D poses of the same frames and views as they should be.")],
    out: Annotated[Path, typer.Option(help="File to write, for --set morph.network=FILE.")] = Path("morph.pt"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pairs.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random draws.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn how a detector's joints differ from a reference's, from one subject who is kept out of training.

    Both are keypoint files (.npz), or files of one camera in any format of 2D poses.

    Examples:

      posepipe morph fit s1_detected.npz s1_reference.npz --out morph.pt

      posepipe fit ski_videos --set morph.network=morph.pt
    """
    speak()
    from .morph_fitting import fit_morph as run

    made = run(detections, reference, epochs=epochs, seed=seed)
    made.network.write(out)
    said = {"morph": str(out), "pairs": made.pairs, "error_before": made.before, "error_after": made.after}
    typer.echo(
        json.dumps(said, indent=1)
        if as_json
        else f"morph    {out}\nerror    {made.before:.1%} of the person's size before, {made.after:.1%} after, "
        "on pairs kept out"
    )


@partial(command, of=models, name="list")
def list_models(as_json: AsJson = False) -> None:
    """MMPose models that can be fetched by name, and which are here."""
    from .detectors.ready_models import LICENCE, ready_models

    rows = [
        {
            "name": model.name,
            "here": model.path.is_file(),
            "config": model.config.stem,
            "needs": model.needs,
            "licence": LICENCE,
            "sha256": model.sha256,
            "urls": model.urls,
            "path": str(model.path),
        }
        for model in ready_models()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        needs = f"  (needs {row['needs']})" if row["needs"] else ""
        typer.echo(f"{row['name']:<20}{'here' if row['here'] else '-':<6}{row['licence']:<12}{row['config']}{needs}")


@partial(command, of=models, name="pull")
def pull_models(
    names: Annotated[list[str], typer.Argument(help="Names, as list shows them.")],
    source: Annotated[
        str, typer.Option("--from", metavar="FILE|URL", help="Another copy of the file than OpenMMLab's.")
    ] = "",
) -> None:
    """Fetch the weights of models, or go on where fetching broke off.

    Examples:

      posepipe models pull rtmpose-m

      posepipe models pull hrnet-w32 --from /media/stick/td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth
    """
    speak()
    from .detectors.ready_models import pull

    if source and len(names) > 1:
        raise PosepipeError("--from is one file, so name one model with it")
    for name in names:
        typer.echo(str(pull(name, source)))


@partial(command, of=models, name="path")
def path_of_model(name: Annotated[str, typer.Argument(help="Name, as list shows it.")]) -> None:
    """Where the weights of a model are; an error if they have not been fetched."""
    from .detectors.ready_models import path_of

    typer.echo(str(path_of(name)))


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posepipe {version('posepipe')}")
        raise typer.Exit


@app.callback()
def main(
    show: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Ordinary multi-camera sports footage in, 3D human motion out: no labels, no calibration, no markers."""


def split(names: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in names.split(",") if name.strip())


def everybody(people: str | None) -> bool | None:
    """What ``--people`` says.

    Raises:
        PosepipeError: neither one nor all.
    """
    if people not in (None, "one", "all"):
        raise PosepipeError(f"--people {people}: say one, for the athlete only, or all")
    return None if people is None else people == "all"


def changes(overrides: list[str], person: str | None, people: str | None, precision: str | None) -> dict[str, Any]:
    """Settings that ``infer`` and ``batch`` are to use instead of the model's, nested."""
    from .settings import nested, put

    changed = nested(overrides)
    options = {"people.person": person, "people.everybody": everybody(people), "detect.precision": precision}
    for name, value in options.items():
        if value is not None:
            put(changed, name, value)
    return changed


def lengths(segments: list[str]) -> dict[str, float]:
    """``thigh=0.44`` as a name and metres.

    Raises:
        PosepipeError: no such text.
    """
    made = {}
    for text in segments:
        name, _, number = text.partition("=")
        try:
            made[name.strip()] = float(number)
        except ValueError as error:
            raise PosepipeError(f"--segment {text!r} is no length; write it as --segment thigh=0.44") from error
    return made


def amount(size: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def speak() -> None:
    """Show what the library says: messages on stderr, bars if it is a terminal."""
    from .progress import show_progress_with

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("posepipe")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    if sys.stderr.isatty():
        show_progress_with(bar)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar with the time that is left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda steps: shown.advance(task, steps)
