"""``posepipe export`` and ``evaluate``: further uses of results."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..exporters import EXPORTERS
from .options import AsJson, Frame, split
from .terminal import speak


def export(
    result: Annotated[Path, typer.Argument(help="A poses.npz, or a results folder of fit or infer.")],
    to: Annotated[str, typer.Option(help=f"Formats: {', '.join(EXPORTERS)}.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files; by default beside each poses.npz.")] = None,
    frame: Frame = None,
    as_json: AsJson = False,
) -> None:
    """Export existing results to further formats; neither video nor model is needed.

    Examples:

      posepipe export clip_posepipe --to c3d,bvh

      posepipe export poses.npz --to netcdf,parquet --out shared
    """
    speak()
    from ..runs.export import export as run

    files = [str(path) for path in run(result, split(to), out, frame or "world")]
    typer.echo(json.dumps({"files": files}, indent=1) if as_json else "\n".join(files))


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="A poses.npz, or a results folder of fit or infer.")],
    reference: Annotated[
        Path,
        typer.Argument(
            help=".npz with joints_3d_cam, joints_3d_m or joint_3d_cam, markers in .c3d or .trc, or a folder of "
            "such files; or joint angles in .mot."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for evaluation.json, tables and curves.")] = None,
    joints: Annotated[str, typer.Option(help="Names of the joints to evaluate; all by default.")] = "",
    clusters: Annotated[
        Path | None, typer.Option(help="True poses of the training split, or pose_clusters.npz: adds mPSS.")
    ] = None,
    filtered: Annotated[
        bool, typer.Option("--filtered", help="Evaluate the filtered motion, not the poses before the filter.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare predicted poses with a reference, in mm, or joint angles with those of OpenSim, in degrees.

    Examples:

      posepipe evaluate demo_footage/training_posepipe demo_footage/reference

      posepipe evaluate test_posepipe test.npz --clusters train.npz --out scores
    """
    from ..errors import PosepipeError
    from ..footage.marker_file import ANGLE_SUFFIX
    from ..runs.evaluate import evaluate as run
    from ..runs.evaluate import evaluate_angles, save_clusters
    from ..runs.evaluation_files import angles_as_text, as_text, write_evaluation
    from ..runs.evaluation_files import as_json as plain

    speak()
    if reference.suffix.lower() == ANGLE_SUFFIX:
        if out or joints or clusters:
            raise PosepipeError("--out, --joints and --clusters are of joints; a .mot holds angles")
        scores = evaluate_angles(prediction, reference, filtered=filtered)
        typer.echo(json.dumps([asdict(score) for score in scores], indent=1) if as_json else angles_as_text(scores))
        return
    if out and clusters:
        clusters = save_clusters(out / "pose_clusters.npz", clusters)
    found = run(prediction, reference, joints=split(joints), clusters=clusters, filtered=filtered)
    if out:
        write_evaluation(found, out)
    typer.echo(json.dumps(plain(found), indent=1) if as_json else as_text(found))
