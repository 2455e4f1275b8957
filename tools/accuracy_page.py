"""docs/accuracy.md: the rows of ``bench_accuracy`` as tables with mean and spread over seeds, and curves.

Methods may be run at different times: a page keeps those of its ``accuracy.json`` that are not run anew. Scenarios
that are cut from others (``cut_bench``) share one table.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from posepipe.pipeline.runs.evaluation_files import pictures
from posepipe.pipeline.runtime.writing import write_atomically

from tools.learning_curves import CUT, learning_curves

MEASURES = {"NMPJPE": "NMPJPE mm", "PMPJPE": "PMPJPE mm", "N-PCK": "N-PCK@150 %", "CPS": "CPS mm"}

INTRODUCTION = """# Accuracy

3D poses lifted from **one view** of held-out people, movements and cameras, after training on several views of
other people. Scores are those of the predictions as they are: nothing, in particular not the sign of depth, is chosen
with the help of the truth.

* NMPJPE: mean joint error after the best scale per pose, relative to the pelvis. PMPJPE: after the best similarity
  per pose, no reflection. N-PCK@150: share of joints within 150 mm at that scale. CPS: mean over poses of 300 mm
  minus the worst joint's error, not below 0, after the similarity; more is better.
* Mean ± standard deviation over seeds. Minutes are of training alone.
* Expected errors: Spearman's rank correlation, over all joints, of the model's expected error
  (`expected_error`) with the actual one after the best scale; then the shares of joints within the distances that
  should contain 50 % and 90 % of them. Blank for methods without expected errors.
* Handedness: whether the network itself told front from back in training (share of poses with clear evidence).
* *posepipe* sees the frames around an instant, in clips of 3 or 4 s here; *posepipe+window=1* and all other methods
  see single frames.
* *supervised* is not a method of posepipe: it is canonpose's network and schedule, trained with true 3D poses.
* *multiview* does not use a single view: it is the skeleton of all views of the **training** takes, uncalibrated, as
  exported by a fit (`poses_multiview.npz`), and scored on these takes; no true pose was used in fitting.
* *canonpose+handedness=...*: how left and right are decided. *none* is as published: it ends right, mirrored, or so
  undecided that the training is refused, which leaves fewer seeds. *hinge* and *both* are as good in most runs, but
  fail for some seeds; *quotient* is the default because it fails for none.

Failures of *posepipe* (`tools/failure_pictures.py`): [static4](accuracy_failures_static4.svg),
[ski6](accuracy_failures_ski6.svg).
"""

SCENARIOS = {
    "static4": """Motion capture of the CMU database, seen by four unmoved cameras that stand as in Human3.6M's
laboratory and by a simulated detector (noise, outliers, hidden joints, swapped sides, confidences): 9600 instants
of five people for training, 2400 of two others, seen by other cameras, for testing. The program that makes these
data is not part of this repository; any keypoint files (`pipeline/footage/keypoint_file.py`) with true poses can
replace them.
""",
    "ski6": """The same motions on a ski slope, seen by six cameras that pan, tilt and zoom from 10 to 45 m away.
""",
    "static4-seed2": """*static4* with another seed: other bodies, cameras and errors of the detector, the
same motions. No choice was made on it.
""",
    "ski6-seed2": """*ski6* with another seed, in the same way.
""",
    "drawn": """Drawn footage (`python tools/draw_bench.py DATA`): five athletes, each seen by four static
cameras, for training; two other athletes in other halls, seen by other cameras, for testing. Joints are detected by
posepipe itself, with MediaPipe, its embedded detector until version 0.1. Networks on pictures start from random
weights and train for minutes, on crops of 64 px (*iqbal*: 128 px); in the papers they start from ImageNet's weights
and train for days. They have not converged here: their rows only show that they learn.
""",
}
"""What a page says of a scenario."""

CUTS = """## Less footage, fewer cameras

The scenarios above, with the first instants only (*samples* and their number) or some of the cameras only
(*cameras13*: the first and the third), cut by `python tools/cut_bench.py`; the test data are the same. An ablation
of *posepipe*: *canonpose* is its starting point, *instants=0* has no view augmentation, *flip=false* no mirrored
people, *shape_weight=0* no loss after rigid alignment, and *window=1* no frames around an instant. *supervised* is
trained on the true poses of the same instants, as a bound for so little footage.
"""


@dataclass(frozen=True)
class Row:
    """One training's result."""

    scenario: str
    method: str
    seed: int
    measures: dict[str, float] = field(default_factory=dict)
    expected_error_correlation: float | None = None
    """Rank correlation of expected with actual errors; None if the model gives no expected errors."""
    within: dict[str, float] | None = None
    """Shares (%) of joints that are nearer than so many per cent should be."""
    curves: dict[str, list[float]] = field(default_factory=dict)
    minutes: float = 0.0
    epochs: int = 0
    uses: str = ""
    handedness: str = ""
    failure: str = ""
    commit: str = ""
    date: str = ""
    command: str = ""
    machine: str = ""


def write_page(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``accuracy.md``, ``accuracy.json`` and the curves of every scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*_others(folder / "accuracy.json", {(row.scenario, row.method) for row in rows}), *rows]
    whole, cut = ([row for row in rows if bool(CUT.search(row.scenario)) is is_cut] for is_cut in (False, True))
    parts = [INTRODUCTION]
    for scenario in dict.fromkeys(row.scenario for row in whole):
        of_scenario = [row for row in whole if row.scenario == scenario]
        parts += [f"## {scenario}\n", SCENARIOS.get(scenario, ""), *_table(of_scenario), *_origin(of_scenario)]
        for name, picture in pictures(_mean_curves(of_scenario)).items():
            file = f"accuracy_{scenario}_{name}"
            write_atomically(folder / file, picture.encode())
            parts.append(f"\n![{scenario}: {name.removesuffix('.svg').upper()}]({file})")
        parts.append("")
    if cut:
        parts += [CUTS, *_table(cut, with_scenario=True), *_origin(cut)]
        for file, picture in learning_curves(rows).items():
            write_atomically(folder / file, picture.encode())
            parts.append(f"\n![{file.removesuffix('.svg').replace('_', ' ')}]({file})")
        parts.append("")
    write_atomically(folder / "accuracy.md", "\n".join(parts).encode())
    content = {"rows": [asdict(row) for row in rows]}
    write_atomically(folder / "accuracy.json", json.dumps(content, indent=1).encode())


def _others(page: Path, replaced: Collection[tuple[str, str]]) -> list[Row]:
    """Rows that a page has of other methods or scenarios."""
    if not page.exists():
        return []
    kept = [Row(**row) for row in json.loads(page.read_text(encoding="utf-8"))["rows"]]
    return [row for row in kept if (row.scenario, row.method) not in replaced]


def _origin(rows: Sequence[Row]) -> list[str]:
    def known(name: str) -> list[str]:
        return list(dict.fromkeys(value for row in rows if (value := getattr(row, name))))

    return [
        f"\nMade on {', '.join(known('machine'))} ({', '.join(known('date'))}; commit {', '.join(known('commit'))}).",
        "All rows, seed by seed: [accuracy.json](accuracy.json). Commands:\n",
        *["```", *known("command"), "```"],
    ]


def _by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each method, the best first by NMPJPE."""
    groups = {name: [row for row in rows if row.method == name] for name in dict.fromkeys(row.method for row in rows)}

    def rank(item: tuple[str, list[Row]]) -> float:
        good = [row.measures["NMPJPE"] for row in item[1] if not row.failure]
        return float(np.mean(good)) if good else np.inf

    return dict(sorted(groups.items(), key=rank))


def _table(rows: Sequence[Row], with_scenario: bool = False) -> list[str]:
    """A line per method, scenario by scenario."""
    titles = ["method", "uses", *MEASURES.values(), "expected errors", "handedness", "minutes", "epochs", "seeds"]
    lines = [titles, ["---", "---", *["---:"] * (len(MEASURES) + 1), "---", *["---:"] * 3]]
    of = [["scenario"], ["---"]]
    failures = []
    for scenario in sorted({row.scenario for row in rows}):
        for name, group in _by_method([row for row in rows if row.scenario == scenario]).items():
            good = [row for row in group if not row.failure]
            for failure in dict.fromkeys(row.failure for row in group if row.failure):
                seeds = ", ".join(str(row.seed) for row in group if row.failure == failure)
                failures.append(f"* {f'{scenario}: ' if with_scenario else ''}{name}, seed {seeds}: {failure}")
            if good:
                lines.append(_cells(name, good, len(group)))
                of.append([scenario])
    if with_scenario:
        lines = [[*first, *more] for first, more in zip(of, lines, strict=True)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return [*table, *(["", "Not finished:", "", *failures] if failures else [])]


def _cells(name: str, rows: Sequence[Row], tried: int) -> list[str]:
    """What a table says of a method's seeds."""
    return [
        name,
        rows[0].uses,
        *(_spread([row.measures[measure] for row in rows]) for measure in MEASURES),
        _expected_errors(rows),
        ", ".join(dict.fromkeys(row.handedness for row in rows)),
        _spread([row.minutes for row in rows]),
        ", ".join(dict.fromkeys(str(row.epochs) for row in rows)),
        str(len(rows)) + (f" of {tried}" if len(rows) < tried else ""),
    ]


def _expected_errors(rows: Sequence[Row]) -> str:
    """How well expected errors agree with actual ones; empty without expected errors."""
    pairs = [(row.expected_error_correlation, row.within) for row in rows]
    told = [(correlation, within) for correlation, within in pairs if correlation is not None and within is not None]
    if not told:
        return ""
    shares = [np.mean([within[share] for _, within in told]) for share in ("50", "90")]
    return f"{_spread([correlation for correlation, _ in told], decimals=2)}; {shares[0]:.0f} %, {shares[1]:.0f} %"


def _spread(values: Sequence[float], decimals: int = 1) -> str:
    mean = f"{np.mean(values):.{decimals}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{decimals}f}" if len(values) > 1 else mean


def _mean_curves(rows: Sequence[Row]) -> dict[str, dict[str, list[float]]]:
    """Curves of each method, averaged over seeds."""
    return {
        name: {kind: np.mean([row.curves[kind] for row in good], axis=0).tolist() for kind in ("N-PCK", "CPS")}
        for name, group in _by_method(rows).items()
        if (good := [row for row in group if not row.failure])
    }
