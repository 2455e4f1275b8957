"""``posepipe models``: MMPose models by name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..errors import PosepipeError
from .options import AsJson
from .terminal import speak


def list_models(as_json: AsJson = False) -> None:
    """List the MMPose models that can be downloaded by name, and which are present."""
    from ..detectors.ready_models import LICENCE, ready_models

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


def pull_models(
    names: Annotated[list[str], typer.Argument(help="Names, as shown by list.")],
    source: Annotated[
        str, typer.Option("--from", metavar="FILE|URL", help="Another source of the file than OpenMMLab.")
    ] = "",
) -> None:
    """Download the weights of models; an interrupted download is resumed.

    Examples:

      posepipe models pull rtmpose-m

      posepipe models pull hrnet-w32 --from /media/stick/td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth
    """
    speak()
    from ..detectors.ready_models import pull

    if source and len(names) > 1:
        raise PosepipeError("--from is one file, so name one model with it")
    for name in names:
        typer.echo(str(pull(name, source)))


def path_of_model(name: Annotated[str, typer.Argument(help="Name, as shown by list.")]) -> None:
    """Print the path of a model's weights; an error if they have not been downloaded."""
    from ..detectors.ready_models import path_of

    typer.echo(str(path_of(name)))


def install_mmpose() -> None:
    """Install MMPose into this Python: its packages in tested versions, without those that they never import."""
    from ..detectors.install_mmpose import install_mmpose
    from ..detectors.model_zoo import status

    install_mmpose()
    typer.echo(status())
