"""Ranks training methods on synthetic footage with known 3D: trains, predicts from one view, scores, writes a page.

    python tools/bench_accuracy.py DATA [--methods all] [--seeds 3] [--scenarios static4,ski6] [--docs docs]

DATA holds ``<scenario>_train.npz`` and ``<scenario>_test.npz`` (keypoint files with true poses, which only scores and
the supervised bound read), or ``<scenario>/train``, ``test`` and ``reference``: videos (``tools/draw_bench.py``).
Every run is a plain ``fit`` on the training data and ``infer`` on the test data in
``RUNS/<scenario>/<method>/seed<k>``; what is finished there from the same data and settings is not done again, and an
interrupted training goes on. Writes ``accuracy.md``, ``accuracy.json`` and curves into DOCS; scenarios that DOCS has
from earlier calls stay.

A method may be followed by settings, which make it a row of its own: ``canonpose+recipe=published+handedness=none``,
``epipolarpose+calibrate.extrinsics=joints`` (those without a dot are the method's).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import torch
from posepipe.models import METHODS
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import PosepipeError, fit, infer, load_settings
from posepipe.pipeline.runs.array_files import FUSED
from posepipe.pipeline.runs.evaluate import evaluate
from posepipe.pipeline.runtime.device import choose_device
from posepipe.pipeline.runtime.workplace import status
from posepipe.pipeline.runtime.writing import write_atomically
from posepipe.pipeline.settings import FROM_JOINTS, Settings, method_needs, method_settings
from posepipe.pipeline.stages.train import train_model
from posepipe.pipeline.training.model_file import Model

from tools.accuracy_page import Row, write_page
from tools.bench_footage import PICTURES, digest, lifted_footage
from tools.supervised import upper_bound

log = logging.getLogger("posepipe")

BOUND = "supervised"
"""Name of the row of the upper bound."""

MULTIVIEW = "multiview"
"""Name of the row of what all views of the training takes say together, uncalibrated, as a fit exports it."""

NOT_METHODS = {BOUND: "canonpose", MULTIVIEW: "canonpose"}
"""Rows that are no method's, and the method whose network and settings they have."""

STATIC_CAMERAS = {"static4": "true", "ski6": "false", "drawn": "true"}
"""What the benchmark says of its cameras, also in cuts of a scenario (``tools/cut_bench.py``); of other data nothing
is assumed."""

TRAINING = ("train_model", "fuse_views")
"""Stages whose time counts as training."""

VOLUMETRIC = "epipolarpose+student=volumetric"
ON_FOOTAGE = {
    VOLUMETRIC: (*PICTURES, "train.depth_bins=16", "train.epochs=12"),
    "iqbal": (*PICTURES, "train.heatmap_epochs=4", "train.epochs=10"),
}
"""Settings of methods on videos."""


@dataclass(frozen=True)
class Job:
    """One training: a method, or the upper bound, on one scenario with one seed."""

    scenario: str
    method: str
    seed: int
    train: Path
    test: Path
    folder: Path
    settings: Settings
    command: str

    @property
    def options(self) -> dict[str, Any]:
        """The method's own settings, defaults filled in; of the bound, those of its network's method."""
        return method_settings(self.settings).model_dump(mode="json")

    def content(self) -> str:
        """Digest of all that the result depends on but for code: data, settings, seed, and the stage's version."""
        reference = self.settings.refine.reference
        files = [digest(path) for path in (self.train, self.test, *([Path(reference)] if reference else []))]
        unused = {"device"} if reference else {"device", "refine"}
        shared = self.settings.model_dump(mode="json", exclude=unused)
        parts = [files, self.method, shared, self.options, train_model.version]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    torch.set_num_threads(options.threads)
    rows = []
    for job in jobs(options):
        log.info("%s / %s / seed %d", job.scenario, job.method, job.seed)
        rows.append(finished(job) or run(job))
        write_page(options.docs, rows)
    print(options.docs / "accuracy.md")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of <scenario>_train.npz and <scenario>_test.npz")
    parser.add_argument(
        "--methods", default="all", help=f"names with commas; all: {', '.join([*METHODS, *NOT_METHODS])}"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each method, with seeds 0, 1, ...")
    parser.add_argument("--scenarios", default="", help="names with commas; all that DATA holds by default")
    parser.add_argument("--runs", type=Path, help="folder of runs; DATA/runs by default")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting for all methods")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    command = shlex.join(["python", "tools/bench_accuracy.py", *(sys.argv[1:] if arguments is None else arguments)])
    return parser.parse_args(arguments, argparse.Namespace(command=command))


def jobs(options: argparse.Namespace) -> list[Job]:
    """All trainings, seed by seed, so that an early page already compares methods."""
    found = [path.name.removesuffix("_train.npz") for path in options.data.glob("*_train.npz")]
    found += [path.parent.name for path in options.data.glob("*/train")]
    scenarios = options.scenarios.split(",") if options.scenarios else sorted(found, key=_benchmark_first)
    if not scenarios:
        sys.exit(f"{options.data} holds no <scenario>_train.npz and no <scenario>/train")
    runs = options.runs or options.data / "runs"
    return [
        Job(
            scenario,
            name,
            seed,
            *_data(scenario, options),
            runs / scenario / name / f"seed{seed}",
            _settings(scenario, name, seed, options),
            options.command,
        )
        for seed in range(options.seeds)
        for scenario in scenarios
        for name in _names(scenario, options)
    ]


def _data(scenario: str, options: argparse.Namespace) -> tuple[Path, Path]:
    """Training and test data of a scenario: folders of videos, or keypoint files."""
    if _is_footage(scenario, options):
        return options.data / scenario / "train", options.data / scenario / "test"
    return options.data / f"{scenario}_train.npz", options.data / f"{scenario}_test.npz"


def _is_footage(scenario: str, options: argparse.Namespace) -> bool:
    return (options.data / scenario / "train").is_dir()


def _names(scenario: str, options: argparse.Namespace) -> list[str]:
    """Rows of a scenario; all: every method, where cameras stand still also without their places, and the bound.

    Methods that learn from pictures, and EpipolarPose's student that does, need videos; ``NOT_METHODS`` need arrays.
    """
    if options.methods != "all":
        return options.methods.split(",")
    footage = _is_footage(scenario, options)
    needs = {name: method_needs(_settings(scenario, name, 0, options)) for name in METHODS}
    lifters = [name for name, needed in needs.items() if "crops" not in needed]
    calibrated = [name for name in lifters if needs[name] & FROM_JOINTS]
    unplaced = [f"{name}+calibrate.extrinsics=joints" for name in calibrated]
    more = unplaced if _static_cameras(scenario) == "true" else []
    return [*lifters, *more, *(ON_FOOTAGE if footage else NOT_METHODS)]


def _static_cameras(scenario: str) -> str | None:
    return STATIC_CAMERAS.get(scenario.split("-")[0])


def _benchmark_first(scenario: str) -> int:
    known = list(STATIC_CAMERAS)
    return known.index(scenario) if scenario in known else len(known)


def _settings(scenario: str, method: str, seed: int, options: argparse.Namespace) -> Settings:
    known = _static_cameras(scenario)
    static = [] if known is None else [f"samples.static_cameras={known}"]
    base, *variation = method.split("+")
    static += [said if "." in said.split("=")[0] else f"train.{said}" for said in variation]
    chosen = {
        "train.method": NOT_METHODS.get(base, base),
        "train.seed": seed,
        "device": options.device,
    }
    return load_settings(overrides=[*ON_FOOTAGE.get(method, ()), *options.set, *static], options=chosen)


def finished(job: Job) -> Row | None:
    """The row of an earlier run of the same content, if there is one."""
    record = job.folder / "row.json"
    if not record.exists():
        return None
    content = json.loads(record.read_text(encoding="utf-8"))
    origin = {"command": job.command, "machine": machine(job.settings.device)}  # which rows of old do not tell
    return Row(**(origin | content["row"])) if content["content"] == job.content() else None


def run(job: Job) -> Row:
    """Train, predict the test file from single views, score as predicted, and keep the row."""
    kinds = {BOUND: _run_bound, MULTIVIEW: _run_multiview}
    job.folder.mkdir(parents=True, exist_ok=True)
    try:
        row = kinds.get(job.method.split("+")[0], _run_method)(job)
    except PosepipeError as error:
        row = Row(job.scenario, job.method, job.seed, failure=str(error), commit=commit())
        log.warning("%s", error)
        return row  # not kept: the next call tries again
    content = {"content": job.content(), "row": asdict(row)}
    write_atomically(job.folder / "row.json", json.dumps(content, indent=1).encode())
    return row


def _run_method(job: Job) -> Row:
    on_footage = job.train.is_dir()
    made, poses = (lifted_footage if on_footage else _lifted_arrays)(job.train, job.test, job.settings, job.folder)
    return _of_a_fit(job, made, job.folder if on_footage else made, poses, _test_reference(job), _uses(job.settings))


def _run_multiview(job: Job) -> Row:
    made = fit(job.train, out=job.folder / "fit", settings=job.settings).folder
    return _of_a_fit(job, made, made, made / FUSED, job.train, "2D poses of all views")


def _of_a_fit(job: Job, made: Path, with_model: Path, poses: Path, reference: Path, uses: str) -> Row:
    model = Model.read(with_model / "model.pt")
    seconds = sum(stage.seconds for stage in status(made) if stage.stage in TRAINING)
    verdict = model.handedness
    handedness = f"{verdict['verdict']} ({verdict['evident']:.0%})"
    return _scored(job, poses, reference, seconds, len(model.losses), uses=uses, handedness=handedness)


def _lifted_arrays(train: Path, test: Path, settings: Settings, folder: Path) -> tuple[Path, Path]:
    """The folder of a fit on a keypoint file, and the poses of another."""
    made = fit(train, out=folder / "fit", settings=settings, until="refine")
    poses = infer(test, model=made.folder / "model.pt", out=folder / "test", device=settings.device)
    return made.folder, poses.files[0]


def _uses(settings: Settings) -> str:
    """What a method reads of the training data."""
    needs = method_needs(settings)
    pictures = "pictures, " if "crops" in needs else ""
    intrinsics = ", intrinsics" if needs & {"intrinsics", *FROM_JOINTS} else ""
    extrinsics = ", extrinsics" if needs & FROM_JOINTS and settings.calibrate.extrinsics == "auto" else ""
    true = ", true 3D poses" if settings.refine.reference else ""
    return f"{pictures}2D poses{intrinsics}{extrinsics}{true}"


def _run_bound(job: Job) -> Row:
    began = time.monotonic()
    bound = upper_bound(job.train, job.test, job.options, job.seed, choose_device(job.settings.device))
    seconds = time.monotonic() - began
    poses = job.folder / "poses.npz"
    np.savez(poses, joint=bound.joint, joint_names=np.array(H36M17.joints), unit=np.array("any"))
    uses = "2D poses, true 3D poses"
    return _scored(job, poses, _test_reference(job), seconds, bound.epochs, uses=uses, handedness="given")


def _test_reference(job: Job) -> Path:
    """Where the true poses of the test data are."""
    return job.test.with_name("reference") if job.test.is_dir() else job.test


def _scored(job: Job, poses: Path, reference: Path, seconds: float, epochs: int, **more: str) -> Row:
    found = evaluate(poses, reference)
    return Row(
        job.scenario,
        job.method,
        job.seed,
        measures=found.mean.measures,
        expected_error_correlation=found.expected_error.rank_correlation if found.expected_error else None,
        within=found.expected_error.within if found.expected_error else None,
        curves=found.curves,
        minutes=seconds / 60,
        epochs=epochs,
        commit=commit(),
        date=time.strftime("%Y-%m-%d"),
        command=job.command,
        machine=machine(job.settings.device),
        **more,
    )


def commit() -> str:
    """The commit that the code is at, with a plus if it has been changed since."""
    repository = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True)
        return done.stdout.strip()

    return (git("rev-parse", "--short=8", "HEAD") or "unknown") + (
        "+" if git("status", "--porcelain", "models", "pipeline") else ""
    )


def machine(device: str) -> str:
    """What kind of machine this is."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    place = choose_device(device)
    gpu = f", {torch.cuda.get_device_name(place)}" if place.type == "cuda" else ""
    return f"{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads{gpu}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
