"""How well a model does on footage that it was not trained on: rows with true poses, and the verdict that each got.

    python tools/new_footage.py OUT --balance4 FOLDER --demo FOLDER --drawn FOLDER --bench DATA
        [--rows balance4,demo-cam5] [--seeds 3] [--method posepipe] [--prior generic] [--models NAME=model.pt ...]

Of what is given:

    balance4-cam01 ...            trained on the other cameras, tried on this one
    balance4-first-half ...       trained on half of the time, tried on the other half, in every camera
    demo-cam5                     trained on cam1 to cam4, tried on a camera and a stretch that they do not show
    demo-cam1 ...                 trained on the other three of cam1 to cam4, tried on this one
    demo-on-balance4              trained on cam1 to cam4 of the demo, tried on balance4
    drawn                         trained on some athletes, tried on others (``draw_bench.py``)
    static4-15s, -60s, -whole     trained on so much of the benchmark, tried on its test data; ski6 likewise
    generic-balance4 ...          what ``infer`` makes of each footage without a model
    NAME-balance4 ...             what the models named with --models make of it
    mediapipe-balance4            MediaPipe's own 3D, as recorded

BALANCE4 holds the videos and ``reference/<camera>.npz`` (``reference_in_camera_axes.py``); DEMO ``training``,
``heldout`` and ``reference``, as ``posepipe demo`` writes them. ``--rows`` takes beginnings of names. Every row says
its prior, and what its model has learnt from. What is finished in OUT is not done again; ``new_footage.md`` and
``.json`` there hold all rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from posepipe.pipeline import PosepipeError, fit, infer, load_settings
from posepipe.pipeline.footage.keypoint_file import is_keypoint_file
from posepipe.pipeline.footage.sources import videos_in
from posepipe.pipeline.footage.video import probe
from posepipe.pipeline.pages.verdict import WORD_OF
from posepipe.pipeline.runs.evaluate import evaluate
from posepipe.pipeline.runs.results import about_results
from posepipe.pipeline.runtime.writing import write_atomically
from posepipe.pipeline.stages.judge import judge_clip
from posepipe.pipeline.training.model_file import Model

from tools.bench_accuracy import STATIC_CAMERAS, commit
from tools.bench_footage import digest
from tools.cut_bench import pick

log = logging.getLogger("posepipe")

FULL_RATE_HZ = 50.0
"""Of the benchmark's ``frame_index``."""
RECORDED = {"mediapipe-balance4": (84.1, 131.5)}
"""PMPJPE and NMPJPE of what was measured once: MediaPipe's world landmarks of its full network."""
LENGTHS_S = {"15s": 15.0, "60s": 60.0, "whole": np.inf}

Part = tuple[float | None, float | None]
WHOLE: Part = (None, None)


@dataclass(frozen=True)
class Try:
    """What a model is tried on."""

    clip: Path
    """A video, or a keypoint file."""
    reference: Path
    part: Part = WHOLE


@dataclass(frozen=True)
class Job:
    """A row, before it is run."""

    name: str
    tries: tuple[Try, ...]
    train: Path | None = None
    """Videos, or a keypoint file; None if there is a model already, or none is needed."""
    leave_out: tuple[str, ...] = ()
    part: Part = WHOLE
    samples: int | None = None
    """How many of the first samples of a keypoint file."""
    model: Path | None = None
    static: str | None = None
    """Whether the cameras of a keypoint file stand still, as a setting says it."""


@dataclass
class Row:
    """A finished row, of one seed."""

    name: str
    seed: int
    method: str
    prior: str
    """As it was asked for; empty for what the method does by default."""
    learnt_from: str = ""
    """What the model file says of true poses in its training."""
    measures: dict[str, float] = field(default_factory=dict)
    verdict: dict[str, float] = field(default_factory=dict)
    """Share of the clips, or of a keypoint file's poses, by the word of their verdict."""
    failure: str = ""
    commit: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    for name in ("balance4", "demo", "drawn", "bench"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--rows", default="", help="beginnings of names with commas; all by default")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--method", default="", help="the default one if left out")
    parser.add_argument("--prior", default="", help="setting train.prior; the method's default if left out")
    parser.add_argument("--models", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all fits")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    wanted = tuple(options.rows.split(","))
    rows = []
    for job in jobs(options):
        if job.name.startswith(wanted):
            rows += [finished(job, seed, options) for seed in range(options.seeds if job.train else 1)]
            write_page(options.out, rows)
    if not rows:
        sys.exit("there is no such row; name the footage, and rows as listed with --help")
    print((options.out / "new_footage.md").read_text())


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """All rows of the footage that is given."""
    footage: dict[str, tuple[Try, ...]] = {}
    if options.balance4:
        clips = {clip.stem: Try(clip, options.balance4 / "reference" / f"{clip.stem}.npz")
                 for clip in videos_in(options.balance4)}  # fmt: skip
        footage["balance4"] = tuple(clips.values())
        for name, one in clips.items():
            yield Job(f"balance4-{name}", (one,), options.balance4, leave_out=(name,))
        middle = _length(next(iter(clips.values())).clip) / 2
        for name, used, rest in (
            ("first", (None, middle), (middle, None)),
            ("second", (middle, None), (None, middle)),
        ):
            tries = tuple(Try(one.clip, one.reference, rest) for one in clips.values())
            yield Job(f"balance4-{name}-half", tries, options.balance4, part=used)
    if options.demo:
        training, heldout = (
            {clip.stem: Try(clip, options.demo / "reference" / f"{clip.stem}.npz")
             for clip in videos_in(options.demo / kind)}
            for kind in ("training", "heldout")
        )  # fmt: skip
        footage["demo"] = tuple((training | heldout).values())
        for name, one in heldout.items():
            yield Job(f"demo-{name}", (one,), options.demo / "training")
        for name, one in training.items():
            yield Job(f"demo-{name}", (one,), options.demo / "training", leave_out=(name,))
        if "balance4" in footage:
            yield Job("demo-on-balance4", footage["balance4"], options.demo / "training")
    if options.drawn:
        footage["drawn"] = tuple(
            Try(clip, options.drawn / "reference" / f"{clip.stem}.npz") for clip in videos_in(options.drawn / "test")
        )
        yield Job("drawn", footage["drawn"], options.drawn / "train")
    if options.bench:
        for scenario, static in STATIC_CAMERAS.items():
            train, test = (options.bench / f"{scenario}_{kind}.npz" for kind in ("train", "test"))
            if not train.exists():
                continue
            footage[scenario] = (Try(test, test),)
            for name, seconds in LENGTHS_S.items():
                samples = None if np.isinf(seconds) else round(seconds * _rate_hz(train))
                yield Job(f"{scenario}-{name}", footage[scenario], train, samples=samples, static=static)
    named = {name: Path(path) for name, path in (said.split("=", 1) for said in options.models)}
    for name, path in {"generic": None, **named}.items():
        for shown, tries in footage.items():
            yield Job(f"{name}-{shown}", tries, model=path)
    for name in RECORDED:
        if name.removeprefix("mediapipe-") in footage:
            yield Job(name, ())


def _length(video: Path) -> float:
    """Length of a video in s."""
    time = probe(video).time
    return float(time[-1] - time[0])


def _rate_hz(path: Path) -> float:
    """Samples per second of a file of the benchmark."""
    with np.load(path) as file:
        return FULL_RATE_HZ / float(np.median(np.diff(file["frame_index"])))


def finished(job: Job, seed: int, options: argparse.Namespace) -> Row:
    """The row of a job, from an earlier run of the same content or run now."""
    folder = options.out / "rows" / job.name / f"{options.method or 'default'}-{options.prior or 'default'}-{seed}"
    content, record = content_of(job, seed, options), folder / "row.json"
    if record.exists():
        kept = json.loads(record.read_text(encoding="utf-8"))
        if kept["content"] == content:
            return Row(**kept["row"])
    log.warning("%s, seed %d", job.name, seed)
    try:
        row = run(job, seed, options, folder)
    except PosepipeError as error:
        return Row(job.name, seed, options.method, options.prior, failure=str(error), commit=commit())
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(record, json.dumps({"content": content, "row": asdict(row)}, indent=1).encode())
    return row


def content_of(job: Job, seed: int, options: argparse.Namespace) -> str:
    """Digest of all that a row depends on but for code; of this the version of the verdict."""
    files = [job.train, job.model, *(file for each in job.tries for file in (each.clip, each.reference))]
    parts = [
        job.name, seed, options.method, options.prior, options.set, job.leave_out, job.part, job.samples,
        [each.part for each in job.tries], [digest(file) for file in files if file is not None], judge_clip.version,
        RECORDED.get(job.name),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def run(job: Job, seed: int, options: argparse.Namespace, folder: Path) -> Row:
    """Train if that is needed, lift, and score; all rows of a folder of videos share what is detected."""
    row = Row(job.name, seed, options.method, options.prior, commit=commit())
    if job.name in RECORDED:
        row.method, row.measures = "MediaPipe", dict(zip(("PMPJPE", "NMPJPE"), RECORDED[job.name], strict=True))
        return row
    model = job.model if job.train is None else trained(job, seed, options, folder)
    if model is not None:
        made = Model.read(model)
        row.method, row.learnt_from = made.method, made.supervision
    scores: list[tuple[int, dict[str, float]]] = []
    words: Counter[str] = Counter()
    for each in job.tries:
        out = options.out / "lifted" / job.name / each.clip.stem
        found = infer(each.clip, model=model, out=out, exports=("npz",), from_s=each.part[0], to_s=each.part[1])
        score = evaluate(found.files[0], each.reference).mean
        scores.append((score.frames, score.measures))
        words.update(verdicts(found.files[0]))
    frames = sum(count for count, _ in scores)
    for name in ("PMPJPE", "NMPJPE"):
        if all(name in measures for _, measures in scores):
            row.measures[name] = sum(count * measures[name] for count, measures in scores) / frames
    row.verdict = {word: count / words.total() for word, count in words.items()}
    return row


def trained(job: Job, seed: int, options: argparse.Namespace, folder: Path) -> Path:
    """The model of a job."""
    assert job.train is not None  # noqa: S101 - it has footage
    chosen: dict[str, Any] = {"train.seed": seed}
    chosen |= {"train.method": options.method} if options.method else {}
    chosen |= {"train.prior": options.prior} if options.prior else {}
    chosen |= {"leave_out": list(job.leave_out)} if job.leave_out else {}
    chosen |= {name: end for name, end in zip(("from_s", "to_s"), job.part, strict=True) if end is not None}
    static = [] if job.static is None else [f"samples.static_cameras={job.static}"]
    settings = load_settings(overrides=[*options.set, *static], options=chosen)
    if is_keypoint_file(job.train):
        footage, shared = job.train, folder / "fit"
        if job.samples is not None:
            folder.mkdir(parents=True, exist_ok=True)
            footage = folder / "footage.npz"
            with np.load(job.train) as file:
                arrays = dict(file)
            np.savez(footage, **pick(arrays, np.arange(len(arrays["sequence_id"])) < job.samples))
    else:
        footage, shared = job.train, options.out / "fits" / digest(job.train)[:8]
    made = fit(footage, out=shared, settings=settings, until="refine")
    if made.model is None:
        raise PosepipeError(f"{footage}: there is no model")
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(made.model, folder / "model.pt"))


def verdicts(poses: Path) -> Counter[str]:
    """Words of the verdict on a clip, or on all poses of a keypoint file."""
    with np.load(poses) as file:
        if file["joint"].ndim == 4:
            trust = file["trust"] if "trust" in file else np.zeros(0, int)
            return Counter({word: int((trust == level).sum()) for level, word in WORD_OF.items()})
    return Counter(one["word"] for one in about_results(poses.parent)["about"]["verdict"].values())


def write_page(out: Path, rows: Sequence[Row]) -> None:
    """Write the table of all rows, over their seeds, and the rows themselves."""
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "new_footage.json", json.dumps([asdict(row) for row in rows], indent=1).encode())
    lines = [
        "| row | method | prior | learnt from | seeds | PMPJPE mm | NMPJPE mm | green, doubtful, red |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(row.name for row in rows):
        some = [row for row in rows if row.name == name]
        lines += [f"| {name} | failed: {row.failure} |" + 6 * " |" for row in some if row.failure]
        done = [row for row in some if not row.failure]
        if done:
            first = done[0]
            scores = (
                _over_seeds([row.measures[of] for row in done if of in row.measures]) for of in ("PMPJPE", "NMPJPE")
            )
            shares = (np.mean([row.verdict.get(word, 0.0) for row in done]) for word in WORD_OF.values())
            said = ", ".join(f"{share:.0%}" for share in shares) if first.verdict else "-"
            about = first.method or "-", first.prior or "default", first.learnt_from or "-", str(len(done))
            lines.append(f"| {name} | {' | '.join((*about, *scores))} | {said} |")
    write_atomically(out / "new_footage.md", ("\n".join(lines) + "\n").encode())


def _over_seeds(values: Sequence[float]) -> str:
    """Mean and, of several, the spread."""
    if not values:
        return "-"
    return f"{np.mean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
