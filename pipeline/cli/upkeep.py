"""``posepipe status``, ``clean`` and ``doctor``: existing results, and what can run here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson
from .terminal import amount


def status(
    folder: Annotated[Path, typer.Argument(help="The footage, or its results folder.")], as_json: AsJson = False
) -> None:
    """List finished stages with camera, inputs, size and run time."""
    from ..footage.sources import results_folder
    from ..runtime.workplace import status as run

    where = folder if (folder / "run.json").exists() else results_folder(folder)
    rows = run(where)
    if as_json:
        typer.echo(json.dumps([vars(row) for row in rows], indent=1))
        return
    what = 2 + max(len(name) for name in ("what", *(row.subject for row in rows)))
    stage = 2 + max(len(name) for name in ("stage", *(row.stage for row in rows)))
    typer.echo(f"{'what':<{what}}{'stage':<{stage}}{'state':<9}{'size':>10}{'time':>10}  {'key':<10}from")
    for row in rows:
        typer.echo(
            f"{row.subject:<{what}}{row.stage:<{stage}}{row.state:<9}{amount(row.bytes):>10}{row.seconds:>9.1f}s  "
            f"{row.key[:8]:<10}{', '.join(row.inputs)}"
        )
    if learnt := [row for row in rows if row.supervision]:
        typer.echo(f"the model was trained on: {learnt[-1].supervision}; prior: {learnt[-1].prior}")


def clean(
    folder: Annotated[Path, typer.Argument(help="The footage, or its results folder.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove cached results that the present settings do not use."""
    from ..footage.sources import results_folder
    from ..runtime.workplace import remove_unreached, size_of, unreached

    where = folder if (folder / "run.json").exists() else results_folder(folder)
    entries = unreached(where)
    size = amount(sum(size_of(entry) for entry in entries))
    if not entries:
        typer.echo(f"nothing to remove in {where}")
    elif yes or typer.confirm(f"remove {len(entries)} unused results ({size}) from {where}?"):
        remove_unreached(where)
        typer.echo(f"removed {len(entries)} unused results ({size})")


def doctor(as_json: AsJson = False) -> None:
    """Show versions, devices, which detectors can run here, and why others cannot."""
    from .doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps(findings, indent=1))
    else:
        for name, finding in findings.items():
            typer.echo(f"{name:<20}{finding}")
