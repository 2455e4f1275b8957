"""Golden results: what stages and methods made when they were last looked at, thinned out, with a tolerance each.

``tests/golden/<case>/<stage>.npz`` holds arrays, and as ``about`` in JSON the versions and settings that made them,
the versions of the stages before, the shapes, and the tolerances. Processors round differently, and training carries
that on, so tolerances of what is trained are wider; what is drawn from the phases of a method is compared as it is.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from golden_cases import BUILT_IN, CASES
from posepipe.pipeline.runtime.workplace import status
from posepipe.pipeline.training.model_file import Model

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
MOST = 240
"""Numbers of an array that are kept."""
KEPT_BY_EVERY_CASE = ("train_model", "lift_poses", "lift_samples")
"""Stages whose results differ from method to method; of several trainings of a case the last one counts."""

TIGHT, FOUND, TRAINED, LIFTED = 2e-4, 2e-3, 2e-2, 5e-2
"""Tolerances in sizes of an array: of plain arithmetic, of what a search ends at, of training, of what it finds."""
ASTRAY = 0.1
"""Share of numbers of what a network lifts, or follows from it, that may leave their tolerance: it may jump."""
SEARCHED = {"calibrate", "label_poses", "synchronize", "undistort_samples"}
TRAININGS = {"train_model", "refine_model"}
FOLLOWING = {"lift_poses", "lift_samples", "fuse_views", "place_root", "place_views", "adjust_clip",
             "adjust_views", "make_motion", "judge_clip", "judge_views", "label_from_fused"}  # fmt: skip
LEVELS = 3
"""Tolerance of pictures, in grey levels."""


@dataclass
class Result:
    """A result of a stage or method, thinned out."""

    case: str
    stage: str
    method: str
    """The method that was trained; empty of other stages."""
    arrays: dict[str, np.ndarray]
    about: dict[str, Any]
    """versions, settings, before (name of an earlier result -> its versions), shapes, tolerances, phases."""

    @property
    def name(self) -> str:
        """The stage; of training, with the method."""
        return f"{self.stage}-{self.method}" if self.method else self.stage

    @property
    def path(self) -> Path:
        """Where it is recorded."""
        return GOLDEN / self.case / f"{self.name}.npz"

    @property
    def whose(self) -> str:
        """Whose version says that it changes."""
        return f"the method {self.method}" if self.method else f"the stage {self.stage}"

    def write(self) -> None:
        """Record it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        about = np.array(json.dumps(self.about, sort_keys=True))
        np.savez_compressed(self.path, about=about, **self.arrays)

    @classmethod
    def read(cls, path: Path) -> Result:
        """A recorded one."""
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files if name != "about"}
            about = json.loads(str(file["about"]))
        stage, _, method = path.stem.partition("-")
        return cls(path.parent.name, stage, method, arrays, about)


def results_of(case: str, folder: Path) -> dict[str, Result]:
    """Results of a case in the order in which they were reached: of each stage, that of the first camera or take.

    Args:
        folder: the results folder of the case.
    """
    made: dict[str, Result] = {}
    subjects: dict[str, str] = {}
    before: dict[str, list[int]] = {}
    for entry in status(folder):
        place = folder / "cache" / entry.stage / entry.key
        facts = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        method = facts["notes"]["method"] if entry.stage == "train_model" else ""
        result = Result(case, entry.stage, method, {}, {})
        before.setdefault(result.name, facts["versions"])
        if subjects.setdefault(result.name, entry.subject) < entry.subject:
            continue
        earlier = {name: versions for name, versions in before.items() if name != result.name}
        settings = facts["settings"] and {k: v for k, v in facts["settings"].items() if not _is_path(v)}
        result.about = {"versions": facts["versions"], "settings": settings, "before": earlier}
        _fill(result, place, facts["notes"])
        subjects[result.name] = entry.subject
        made.pop(result.name, None)  # the last one counts, in its place
        made[result.name] = result
    return made


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and "/" in value


def _fill(result: Result, place: Path, notes: dict[str, Any]) -> None:
    whole = {path.stem: np.load(path) for path in sorted(place.glob("*.npy"))}
    if (place / "model.pt").exists():
        model = Model.read(place / "model.pt")
        whole |= _of_model(model)
        if result.method:
            result.about["phases"] = _phases(model)
    whole |= dict(_numbers(notes, "notes"))
    result.about["shapes"] = {name: list(array.shape) for name, array in whole.items()}
    result.about["tolerances"] = {name: _tolerance(result, array) for name, array in whole.items()}
    result.arrays = {name: _thin(array) for name, array in whole.items()}


def _of_model(model: Model) -> dict[str, np.ndarray]:
    """Losses (epochs) term by term, and sizes of all weights."""
    terms = sorted({name for row in model.losses for name, value in row.items() if isinstance(value, float)})
    made = {f"losses.{name}": np.array([row.get(name, np.nan) for row in model.losses]) for name in terms}
    weights = {**model.state, **{f"unit.{name}": value for name, value in (model.refinement or {}).items()}}
    made["weights"] = np.array([float(value.double().square().mean().sqrt()) for value in weights.values()])
    made["elements"] = np.array([value.numel() for value in weights.values()])
    return made


def _phases(model: Model) -> dict[str, Any]:
    """All that the method's phases say, by number and name of the field."""
    return {
        f"{number} {field.name}": json.loads(json.dumps(getattr(phase, field.name), default=dict))
        for number, phase in enumerate(model.build().phases())
        for field in fields(phase)
    }


def _numbers(value: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Numbers in a manifest's notes; texts may be said in another way."""
    if isinstance(value, dict):
        for key, inner in sorted(value.items()):
            yield from _numbers(inner, f"{name}.{key}")
    elif value != [] and all(isinstance(one, bool | int | float) for one in np.atleast_1d(np.array(value, object))):
        yield name, np.array(value)


def _tolerance(result: Result, array: np.ndarray) -> float:
    """How far each number of an array may be off."""
    if array.dtype == np.uint8:
        return LEVELS
    if array.dtype.kind != "f":
        return 0.0
    sizes = np.abs(array[np.isfinite(array)])
    share = FOUND if result.stage in SEARCHED else TIGHT
    share = TRAINED if result.stage in TRAININGS else LIFTED if result.stage in FOLLOWING else share
    return float(share * np.quantile(sizes, 0.9) + 1e-7) if sizes.size else 0.0


def _thin(array: np.ndarray) -> np.ndarray:
    """Numbers of an array, as many as are kept, evenly over all of it."""
    flat = np.asarray(array).reshape(-1)
    kept = flat[np.linspace(0, len(flat) - 1, min(len(flat), MOST)).astype(int)] if len(flat) else flat
    return kept.astype(np.float32) if kept.dtype == np.float64 and not _needs_all_digits(kept) else kept


def _needs_all_digits(array: np.ndarray) -> bool:
    return bool(array.size) and float(np.nanmax(np.abs(array), initial=0)) > 1e5


def differences(recorded: Result, found: Result) -> list[str]:
    """What leaves its tolerance, in words."""
    said = [f"no {name}" for name in recorded.arrays if name not in found.arrays]
    said += [f"{name} is new" for name in found.arrays if name not in recorded.arrays]
    for name in recorded.arrays:
        if name not in found.arrays:
            continue
        before, after = recorded.about["shapes"][name], found.about["shapes"][name]
        if before != after:
            said.append(f"{name} has the shape {after} for {before}")
            continue
        one, other = (np.asarray(each.arrays[name], np.float64) for each in (recorded, found))
        off, allowed = np.abs(one - other), recorded.about["tolerances"][name]
        off[(one == other) | (np.isnan(one) & np.isnan(other))] = 0
        astray = float((~(off <= allowed)).mean()) if off.size else 0.0  # also NaN for a number
        if astray > (ASTRAY if found.stage in FOLLOWING else 0):
            worst = np.nanmax(off, initial=0)
            said.append(f"{name} is off by {worst:.3g}, {astray:.0%} by more than the tolerance of {allowed:.3g}")
    phases = recorded.about.get("phases", {}), found.about.get("phases", {})
    said += [f"phase {name} is {phases[1][name]} for {value}" for name, value in phases[0].items()
             if name in phases[1] and phases[1][name] != value]  # fmt: skip
    return said


def verdict(recorded: Result, found: Result) -> str:
    """What there is to do: nothing (empty), to record the result, or to raise a version first."""
    record = f"record the result of {found.whose} with `python tests/record_golden.py {found.method or found.stage}`"
    if recorded.about["versions"] != found.about["versions"]:
        return f"the version of {found.whose} is no longer the recorded one: {record}"
    said = differences(recorded, found)
    if not said:
        return ""
    what = f"the result of {found.whose} changed in case {found.case} ({'; '.join(said[:4])})"
    if recorded.about["settings"] != found.about["settings"]:
        return f"{what}, and so did its settings: {record}"
    before = recorded.about["before"], found.about["before"]
    raised = [name for name, versions in before[0].items() if before[1].get(name, versions) != versions]
    if raised or before[0].keys() != before[1].keys():
        return f"{what}, behind other versions of what comes before ({', '.join(raised) or 'other stages'}): {record}"
    return f"{what}: raise the version of {found.whose}, and then {record}"


def kept(all_results: dict[str, dict[str, Result]]) -> dict[Path, Result]:
    """The results that are golden, by the files that hold them: each stage in the first case that reaches it."""
    chosen: dict[Path, Result] = {}
    seen: set[str] = set()
    for case in CASES:
        earlier_trainings = [name for name, result in all_results[case].items() if result.method][:-1]
        for name, result in all_results[case].items():
            if name not in earlier_trainings and (name not in seen or result.stage in KEPT_BY_EVERY_CASE):
                chosen[result.path] = result
        seen |= all_results[case].keys()
    return chosen


def stages_of_the_code() -> set[str]:
    """Names of all functions of the pipeline that are stages."""
    found = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            marks = [ast.unparse(mark).split("(")[0] for mark in getattr(node, "decorator_list", ())]
            if "stage" in marks:
                found.add(node.name)  # type: ignore[attr-defined]
    return found


def methods_of_the_code() -> set[str]:
    """Names of all methods of the package."""
    return set(BUILT_IN)
