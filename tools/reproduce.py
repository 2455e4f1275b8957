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
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from posepipe.pipeline import fit, infer, load_settings
from posepipe.pipeline.runs.evaluate import Evaluation, evaluate, save_clusters
from posepipe.pipeline.runs.evaluation_files import write_evaluation
from posepipe.pipeline.runtime.writing import write_atomically

from tools.bench_footage import lifted_footage
from tools.cut_bench import only_cameras
from tools.datasets.mpi_inf_3dhp import SCORED_JOINTS
from tools.published import PROTOCOLS, TABLES, TRAINING_POSES, Published, Table

MEASURES = ("MPJPE", "NMPJPE", "PMPJPE", "PCK", "N-PCK", "AUC", "N-AUC", "CPS", "mPSS@50", "mPSS@100")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    table = TABLES.get((options.dataset, options.method))
    if table is None:
        known = ", ".join(f"{dataset} --method {method}" for dataset, method in TABLES)
        sys.exit(f"there is no such row; there are: {known}")
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
    if table.cameras:
        train = first_cameras(train, table.cameras, folder)
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


def first_cameras(train: Path, cameras: int, folder: Path) -> Path:
    """A keypoint file with the first cameras of the training file alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(train, allow_pickle=False) as file:
        np.savez(folder / train.name, **only_cameras(dict(file), np.arange(cameras)))
    return folder / train.name


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
