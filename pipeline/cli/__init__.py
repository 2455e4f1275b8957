"""The command line. It starts quickly, as each command imports what it needs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from .clips import batch, infer
from .models import install_mmpose, list_models, path_of_model, pull_models
from .morph import fit_morph
from .people import people
from .results import evaluate, export
from .terminal import spoken
from .training import fit
from .upkeep import clean, doctor, status

app = typer.Typer(
    help="Ordinary multi-camera sports footage in, 3D human motion out: no labels, no calibration, no markers.",
    epilog="Start with: posepipe fit FOLDER, then posepipe infer CLIP",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (fit, infer, batch, people, export, evaluate, status, clean, doctor):
    app.command()(spoken(command))

models = typer.Typer(
    help="MMPose, and its models that can be downloaded by name: list, pull, path, install-mmpose.",
    no_args_is_help=True,
)
models.command("list")(spoken(list_models))
models.command("pull")(spoken(pull_models))
models.command("path")(spoken(path_of_model))
models.command("install-mmpose")(spoken(install_mmpose))
app.add_typer(models, name="models")

morph = typer.Typer(
    help="Skeleton morphs, which map a detector's joints to those of a reference: fit.", no_args_is_help=True
)
morph.command("fit")(spoken(fit_morph))
app.add_typer(morph, name="morph")


def print_version(wanted: bool) -> None:
    """Print the version and end, if it is wanted.

    Raises:
        typer.Exit: it was printed.
    """
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
