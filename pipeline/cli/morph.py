"""``posepipe morph``: skeleton morphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson
from .terminal import speak


def fit_morph(
    detections: Annotated[Path, typer.Argument(help="2D poses of one subject from the detector.")],
    reference: Annotated[Path, typer.Argument(help="Reference 2D poses of the same frames and views.")],
    out: Annotated[Path, typer.Option(help="File to write, for --set morph.network=FILE.")] = Path("morph.pt"),
    epochs: Annotated[int, typer.Option(min=1, help="Number of passes over the pairs.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random draws.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn the difference between a detector's joints and a reference's, from one subject excluded from training.

    Both are keypoint files (.npz), or files of one camera in any format of 2D poses.

    Examples:

      posepipe morph fit s1_detected.npz s1_reference.npz --out morph.pt

      posepipe fit ski_videos --set morph.network=morph.pt
    """
    speak()
    from ..runs.fit_morph import fit_morph as run

    made = run(detections, reference, epochs=epochs, seed=seed)
    made.network.write(out)
    said = {"morph": str(out), "pairs": made.pairs, "error_before": made.before, "error_after": made.after}
    typer.echo(
        json.dumps(said, indent=1)
        if as_json
        else f"morph    {out}\nerror    {made.before:.1%} of the person's size before, {made.after:.1%} after, "
        "on held-out pairs"
    )
