"""One command per row of the papers' tables: train, predict, score, and set the paper's number beside ours.

    python tools/import_dataset.py h36m H36M --out data --protocol cvsf --detections data_2d_h36m_cpn_ft_h36m_dbb.npz
    python tools/reproduce.py h36m --method cvsf --data data [--seeds 1] [--set train.epochs=100]
    python tools/reproduce.py h36m --method epipolarpose+refinement --data data
    python tools/reproduce.py h36m --method iqbal --data data --set train.backbone_weights=hrnet_w32.pth

DATA holds ``<dataset>_train.npz`` and ``<dataset>_test.npz`` of ``import_dataset``, and for methods that learn from
pictures ``<dataset>/train``, ``test`` and ``reference`` of its ``--videos``. The method's recipe is the
paper's (--set overrides it). Runs are kept in RUNS and resumed; the table is printed and written to
RUNS/<dataset>_<method>.md.

Scores are as predicted. They stand beside published ones with notes on what differs; nothing published was measured
by us.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from posepipe.pipeline import fit, infer, load_settings
from posepipe.pipeline.cache import write_atomically
from posepipe.pipeline.evaluate import Evaluation, evaluate, save_clusters
from posepipe.pipeline.evaluation_files import write_evaluation

from tools.bench_footage import lifted_footage
from tools.datasets.mpi_inf_3dhp import SCORED_JOINTS

MEASURES = ("MPJPE", "NMPJPE", "PMPJPE", "PCK", "N-PCK", "AUC", "N-AUC", "CPS", "mPSS@50", "mPSS@100")
TRAINING_POSES = "refine.reference="
"""The setting that names the training file, whose true poses the refinement unit learns."""


@dataclass(frozen=True)
class Published:
    """A row of a paper, by our names of measures."""

    name: str
    measures: dict[str, float]
    notes: str = ""


@dataclass(frozen=True)
class Table:
    """How one method is trained on one data set, and what its paper reports."""

    settings: tuple[str, ...]
    rows: tuple[Published, ...]
    pictures: bool = False
    """Whether it learns from videos, not from 2D poses."""


GT_DEPTH = "MPJPE with the true depth of the root"
CPN = "2D poses of a detector fine-tuned on Human3.6M's 2D labels; given calibration"
PIXELS = "learns from pictures; ours here lifts 2D poses (student = lifter)"
WEIGHTS = "starts from trained weights; give them as train.backbone_weights"
MPII = "2D labels of MPII beside Human3.6M; give them as train.labelled_images and train.labelled_annotations"
TRUE_3D = "learns from true 3D poses: not self-supervised"
STATIC, PAIRS = "samples.static_cameras=true", "label.triangulation=pairs"

TABLES: dict[tuple[str, str], Table] = {
    ("h36m", "canonpose"): Table(
        ("train.recipe=published", STATIC),
        (
            Published("CanonPose + C", {"NMPJPE": 74.3, "PMPJPE": 53.0, "CPS": 167.3}, "AlphaPose 2D"),
            Published("CanonPose, true 2D", {"NMPJPE": 65.9, "PMPJPE": 51.4, "CPS": 187.1}),
        ),
    ),
    ("h36m", "canonpose+moving"): Table(
        ("train.recipe=published", "samples.static_cameras=false"),
        (Published("CanonPose", {"NMPJPE": 81.9, "PMPJPE": 53.0, "CPS": 167.6}, "without camera consistency"),),
    ),
    ("h36m", "canonpose+unsure"): Table(
        ("train.recipe=published", STATIC, "train.confidence_input=false"),
        (Published("CanonPose, no confidences", {"NMPJPE": 95.6, "PMPJPE": 65.0, "CPS": 142.5}),),
    ),
    ("h36m", "cvsf"): Table(
        ("train.recipe=paper", STATIC),
        (
            Published("CVSF S1", {"NMPJPE": 63.6, "PMPJPE": 46.1}, "its own baseline has PMPJPE 55.5"),
            Published("CVSF S1 + S2", {"NMPJPE": 61.4, "PMPJPE": 45.9}, "released code cannot run stage 2"),
        ),
    ),
    ("h36m", "epipolarpose"): Table(
        (PAIRS, STATIC),
        (Published("EpipolarPose SS, R known",
                   {"MPJPE": 76.6, "NMPJPE": 75.25, "PMPJPE": 67.45, "mPSS@50": 73.09, "mPSS@100": 64.03},
                   f"{PIXELS}; {GT_DEPTH}; NMPJPE by the scale of Procrustes"),),
    ),
    ("h36m", "epipolarpose+unplaced"): Table(
        (PAIRS, STATIC, "calibrate.extrinsics=joints"),
        (Published("EpipolarPose SS, R unknown", {"NMPJPE": 77.75, "PMPJPE": 70.67, "mPSS@100": 62.05}, PIXELS),),
    ),
    ("h36m", "epipolarpose+refinement"): Table(
        (PAIRS, STATIC, TRAINING_POSES),
        (Published("EpipolarPose SS + RU",
                   {"MPJPE": 60.56, "NMPJPE": 60.04, "PMPJPE": 47.48, "mPSS@50": 80.42, "mPSS@100": 75.41},
                   f"{TRUE_3D}; {PIXELS}; {GT_DEPTH}"),),
    ),
    ("h36m", "epipolarpose+volumetric"): Table(
        (PAIRS, STATIC, "train.student=volumetric"),
        (Published("EpipolarPose SS, R known",
                   {"MPJPE": 76.6, "NMPJPE": 75.25, "PMPJPE": 67.45, "mPSS@50": 73.09, "mPSS@100": 64.03},
                   f"{GT_DEPTH}; NMPJPE by the scale of Procrustes; {WEIGHTS}"),),
        pictures=True,
    ),
    ("h36m", "iqbal"): Table(
        (STATIC,),
        (
            Published("Iqbal H", {"MPJPE": 69.1, "NMPJPE": 66.3, "PMPJPE": 55.9}, f"{MPII}; {WEIGHTS}"),
            Published("Iqbal H + I + Q", {"MPJPE": 67.4, "NMPJPE": 64.5, "PMPJPE": 54.5},
                      f"and videos from the Internet; {WEIGHTS}"),
        ),
        pictures=True,
    ),
    ("h36m", "li"): Table(
        ("train.recipe=published", STATIC), (Published("Li, ours", {"MPJPE": 59.0, "PMPJPE": 45.7}, CPN),)
    ),
    ("h36m", "li+reslinear"): Table(
        ("train.recipe=published", STATIC, "train.backbone=reslinear"),
        (Published("Li, ResLinear", {"MPJPE": 59.7, "PMPJPE": 45.0}, CPN),),
    ),
    ("h36m", "li+temporal"): Table(
        ("train.recipe=published", STATIC, "train.backbone=temporal"),
        (Published("Li, TemporalDilated", {"MPJPE": 56.1, "PMPJPE": 43.2}, CPN),),
    ),
    ("h36m", "li+virtual"): Table(
        ("train.recipe=published", STATIC, "train.virtual_views=2"),
        (Published("Li, ours + DA", {"MPJPE": 57.0, "PMPJPE": 44.1},
                   f"{CPN}; virtual views of true 3D poses, ours of triangulated ones"),),
    ),
    ("3dhp", "canonpose"): Table(
        ("train.recipe=published",),
        (
            Published("CanonPose", {"NMPJPE": 119.2, "PMPJPE": 68.7, "N-PCK": 69.0}, "without camera consistency"),
            Published("CanonPose + C", {"NMPJPE": 104.0, "PMPJPE": 70.3, "N-PCK": 77.0}, "AlphaPose 2D"),
        ),
    ),
    ("3dhp", "cvsf"): Table(
        ("train.recipe=paper",),
        (
            Published("CVSF S1", {"NMPJPE": 95.2, "PMPJPE": 57.3, "N-PCK": 79.3}),
            Published("CVSF S1 + S2", {"NMPJPE": 94.6, "PMPJPE": 56.5, "N-PCK": 81.9}),
        ),
    ),
    ("3dhp", "epipolarpose"): Table(
        (PAIRS,),
        (Published("EpipolarPose SS", {"MPJPE": 126.79, "NMPJPE": 125.65, "PCK": 64.7, "N-PCK": 71.9,
                   "mPSS@50": 70.94, "mPSS@100": 67.58}, f"{PIXELS}; {GT_DEPTH}"),),
    ),
    ("3dhp", "li"): Table(
        ("train.recipe=published",), (Published("Li", {"PCK": 74.1, "AUC": 41.4}, "given calibration"),)
    ),
    ("skipose", "canonpose"): Table(
        ("train.recipe=published", "samples.static_cameras=false"),
        (Published("CanonPose", {"NMPJPE": 128.1, "PMPJPE": 89.6, "N-PCK": 67.1, "CPS": 108.7}, "AlphaPose 2D"),),
    ),
    ("skipose", "cvsf"): Table(
        ("train.recipe=paper", "samples.static_cameras=false"),
        (
            Published("CVSF S1", {"NMPJPE": 118.2, "PMPJPE": 79.3, "N-PCK": 70.1}),
            Published("CVSF S1 + S2", {"NMPJPE": 115.2, "PMPJPE": 78.8, "N-PCK": 72.4}),
        ),
    ),
}  # fmt: skip

PROTOCOLS = {
    "h36m": "Test subjects 9 and 11, every 64th frame, 17 joints; mean over actions. Training subjects as imported.",
    "3dhp": "Valid frames of TS1 to TS6, 14 joints (pelvis, spine and head left out), poses of one body height.",
    "skipose": "The data set's own test split, 17 joints, all cameras.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    table = TABLES.get((options.dataset, options.method))
    if table is None:
        known = ", ".join(f"{dataset} --method {method}" for dataset, method in TABLES)
        sys.exit(
            f"there is no such row; there are: {known}. Methods that learn from pictures have rows of Human3.6M alone"
        )
    found = [run(options, table, seed) for seed in range(options.seeds)]
    text = page(options, table, found)
    write_atomically(options.runs / f"{options.dataset}_{options.method}.md", text.encode())
    print(text)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=PROTOCOLS)
    parser.add_argument("--method", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of import_dataset's files")
    parser.add_argument("--runs", type=Path, default=Path("reproduced"), help="folder of results")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any setting")
    parser.add_argument("--device", default="auto")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, table: Table, seed: int) -> Evaluation:
    """Train with one seed, or take the finished training, and score the test split."""
    train, test = (options.data / f"{options.dataset}_{split}.npz" for split in ("train", "test"))
    folder = options.runs / options.dataset / options.method / f"seed{seed}"
    own = [f"{name}{train}" if name == TRAINING_POSES else name for name in table.settings]
    settings = load_settings(
        overrides=[*own, *options.set],
        options={"train.method": options.method.split("+")[0], "train.seed": seed, "device": options.device},
    )
    if table.pictures:
        footage = options.data / options.dataset
        if not footage.is_dir():
            sys.exit(f"there is no {footage}; make it with tools/import_dataset.py {options.dataset} ... --videos")
        _, poses = lifted_footage(footage / "train", footage / "test", settings, folder)
        reference = footage / "reference"
    else:
        made = fit(train, out=folder / "fit", settings=settings, until="refine")
        poses = infer(test, model=made.folder / "model.pt", out=folder / "test", device=options.device).files[0]
        reference = test
    found = evaluate(
        poses,
        reference,
        joints=SCORED_JOINTS if options.dataset == "3dhp" else (),
        clusters=clusters_of(options, train) if any("mPSS@100" in row.measures for row in table.rows) else None,
    )
    write_evaluation(found, folder)
    return found


def clusters_of(options: argparse.Namespace, train: Path) -> Path:
    """The file of clusters of the training poses, found once for all methods and seeds."""
    path: Path = options.runs / options.dataset / "pose_clusters.npz"
    return path if path.exists() else save_clusters(path, train)


def page(options: argparse.Namespace, table: Table, found: Sequence[Evaluation]) -> str:
    """Ours and the paper's rows as a Markdown table, with what differs."""
    over_actions = options.dataset == "h36m"
    scores = [
        one.mean.measures | (one.action_mean.measures if over_actions and one.action_mean else {}) for one in found
    ]
    ours = {name: float(np.mean([score[name] for score in scores])) for name in MEASURES if name in scores[0]}
    learnt = [f"learnt from {what}" for what in found[0].supervision]
    rows = [
        Published(
            f"posepipe {options.method}, as predicted", ours, "; ".join([f"measured, {len(found)} seeds", *learnt])
        ),
        *(Published(f"{row.name} (published)", row.measures, row.notes) for row in table.rows),
    ]
    shown = [name for name in MEASURES if any(name in row.measures for row in rows)]
    lines = [f"# {options.dataset}: {options.method}", "", PROTOCOLS[options.dataset]]
    lines += ["Settings: " + " ".join([*table.settings, *options.set]) + ". In mm and per cent.", ""]
    lines += ["| row | " + " | ".join(shown) + " | notes |", "|---|" + "---:|" * len(shown) + "---|"]
    for row in rows:
        cells = (f"{row.measures[name]:.1f}" if name in row.measures else "" for name in shown)
        lines.append(f"| {row.name} | " + " | ".join(cells) + f" | {row.notes} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
