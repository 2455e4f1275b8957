"""Finds the numbers with which ``pipeline/stages/judge.py`` judges clips, and checks them on models and clips held out.

    python tools/calibrate_verdict.py DATA RUNS [--models model.pt ...] [--sessions 3,4]

DATA holds ``static4_train.npz`` and ``ski6_train.npz`` of the benchmark; test data are not touched. Models, good and
bad ones, are trained briefly on some sessions, cameras, stretches and actions of these (``RECIPES``), and tried on
sessions that none of them has seen, by their own kind of rig and by the other, with and without a given focal length,
and in pictures that are turned, in which people stand as nobody does. ``--models`` adds others, such as the generic
lifter; the sessions must be new to them. Every second of every view is a case: its evidence, and its median NMPJPE
after the fit of the clip.

Half of the models, on the first of the sessions, choose the numbers; the other half, on the second, check them. What
is finished in RUNS is not done again. Prints the lines for ``judge.py``, and both tables.
"""

from __future__ import annotations

import argparse
import logging
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from numpy.typing import NDArray
from posepipe.models.body.metrics import complete, joint_errors
from posepipe.pipeline import PosepipeError, fit, infer, load_settings
from posepipe.pipeline.arrays import ViewPoses
from posepipe.pipeline.settings import method_class
from posepipe.pipeline.stages import judge
from posepipe.pipeline.stages.judge import Evidence, evidence_of, seconds_of
from scipy.optimize import nnls

log = logging.getLogger("posepipe")

Array = NDArray[np.float64]

BAD_MM, GOOD_MM = 120.0, 70.0
"""A clip is bad above the first of these errors, and good below the second."""
RED_RIGHT, GREEN_WRONG = 0.80, 0.05
"""Least share of bad ones among what is red, and largest among what is green."""
MARGIN = 0.03
"""By this thresholds are stricter than that, so that they hold elsewhere too."""
FEWEST = 5
"""Frames of a second that counts."""
RATE_HZ = 50.0
"""Of ``frame_index``."""

QUICK = {
    "epochs": 10, "min_steps": 36, "width": 256, "batch_size": 32, "canonpose_epochs": 8, "steps": 120, "instants": 0,
    "window": 9,
}  # fmt: skip
"""Settings of a training of a minute, as far as a method knows them."""
OF_STUDENT = {"epochs": 2, "batch_size": 16}
"""The same where ``steps`` says how long an epoch is."""


@dataclass(frozen=True)
class Recipe:
    """What a model is trained on, and how."""

    method: str
    scenario: str
    session: int
    views: tuple[int, ...]
    sequences: int
    actions: tuple[str, ...] = ()
    """All if there are none."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method."""

    @property
    def name(self) -> str:
        words = (self.method, self.scenario, f"s{self.session}", *self.actions)
        parts = (f"v{''.join(map(str, self.views))}", f"n{self.sequences}", *(f"{k}{v}" for k, v in self.more.items()))
        return "-".join((*words, *parts))


LONGER = {"epochs": 24, "min_steps": 60}
ALL4, ALL6 = (0, 1, 2, 3), (0, 1, 2, 3, 4, 5)
RECIPES = (
    Recipe("canonpose", "static4", 0, ALL4, 15, more=LONGER),
    Recipe("canonpose", "static4", 1, ALL4, 15, more=LONGER),
    Recipe("canonpose", "static4", 0, ALL4, 12),
    Recipe("canonpose", "static4", 1, (0, 1, 2), 4, ("jumping",)),
    Recipe("canonpose", "ski6", 0, ALL6, 12),
    Recipe("canonpose", "ski6", 1, (0, 1, 2), 5, ("walking",)),
    Recipe("canonpose", "static4", 2, (1, 2, 3), 8, ("basketball",)),
    Recipe("canonpose", "static4", 2, (0, 2), 2, ("walking", "stroll")),
    Recipe("posepipe", "static4", 0, ALL4, 12),
    Recipe("posepipe", "static4", 1, (0, 1, 3), 12),
    Recipe("posepipe", "ski6", 0, ALL6, 12),
    Recipe("posepipe", "ski6", 1, (0, 2, 4), 8),
    Recipe("posepipe", "static4", 2, (1, 2, 3), 8, ("basketball",)),
    Recipe("posepipe", "static4", 1, (0, 1, 2), 4, ("jumping",)),
    Recipe("posepipe", "ski6", 1, (0, 2, 4), 4, ("soccer",)),
    Recipe("posepipe", "static4", 2, (0, 1, 2, 3), 2, ("walking",)),
)
"""Their neighbours, of which one chooses and the other checks, are of one kind."""
TRIED = {"static4": ALL4, "ski6": (0, 2, 5)}
"""Views of the scenarios on which models are tried."""


class Cases(NamedTuple):
    """Seconds of footage (N), each lifted by one model."""

    model: NDArray[np.str_]
    footage: NDArray[np.str_]
    error: Array
    """Median NMPJPE in mm."""
    evidence: Evidence
    """Medians of the second."""

    def where(self, mask: NDArray[np.bool_]) -> Cases:
        """Some of them."""
        some = Evidence(*(values[mask] for values in self.evidence))
        return Cases(self.model[mask], self.footage[mask], self.error[mask], some)

    @staticmethod
    def together(parts: Sequence[Cases]) -> Cases:
        """All of some."""
        evidence = Evidence(*(np.concatenate(each) for each in zip(*(part.evidence for part in parts), strict=True)))
        model, footage, error = (np.concatenate([part[place] for part in parts]) for place in range(3))
        return Cases(model, footage, error, evidence)


class Rule(NamedTuple):
    """The numbers of ``judge.py``."""

    usual_mm: float
    usual: dict[str, float]
    weight: dict[str, float]
    red_mm: float
    green_mm: float

    def lines(self) -> str:
        """As they stand there."""
        usual, weight = (
            "{" + ", ".join(f'"{name}": {value:.{digits}f}' for name, value in values.items()) + "}"
            for values, digits in ((self.usual, 1), (self.weight, 2))
        )
        return (
            f"USUAL_MM = {self.usual_mm:.1f}\nUSUAL = {usual}\nWEIGHT = {weight}\n"
            f"RED_MM, GREEN_MM = {self.red_mm:.1f}, {self.green_mm:.1f}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="further models")
    parser.add_argument("--recipes", type=int, default=len(RECIPES), help="how many of the recipes, the first ones")
    parser.add_argument("--sequences", type=int, default=3, help="sequences of a session that a model is tried on")
    parser.add_argument("--sessions", default="3,4", help="session that chooses, and session that checks")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    one, other = (int(session) for session in options.sessions.split(","))
    models = [*trained_models(options.data, options.runs, options.recipes), *((str(path), path) for path in options.models)]
    cases: dict[int, list[Cases]] = {one: [], other: []}
    for number, (name, model) in enumerate(models):
        session = other if number % 2 and name not in map(str, options.models) else one
        for chosen in (session,) if name not in map(str, options.models) else (one, other):
            found = tries(options, model, name, number, chosen)
            cases[chosen].append(found)
            log.warning("%s on session %d: %s", name, chosen, described(found))
    choosing, checking = Cases.together(cases[one]), Cases.together(cases[other])
    rule = choose(choosing)
    print(rule.lines())
    for title, some in (("chosen on", choosing), ("checked on", checking)):
        print(f"\n{title}\n{table(some, rule)}")
    now = Rule(judge.USUAL_MM, judge.USUAL, judge.WEIGHT, judge.RED_MM, judge.GREEN_MM)
    print(f"\nas judge.py has it now, on both\n{table(Cases.together([choosing, checking]), now)}")


def trained_models(data: Path, runs: Path, count: int) -> Iterator[tuple[str, Path]]:
    """Names and files of the models of the recipes, trained if they are not yet; those that fail are left out."""
    for number, recipe in enumerate(RECIPES[:count]):
        folder = runs / recipe.name
        footage = written(
            data, recipe.scenario, folder / "footage.npz", recipe.views, session_rows(data, recipe), known=False
        )
        fields = method_class(recipe.method).Settings.model_fields
        quick = QUICK | (OF_STUDENT if "steps" in fields else {}) | recipe.more
        said = [f"train.{name}={value}" for name, value in quick.items() if name in fields]
        static = "true" if recipe.scenario == "static4" else "false"
        more = [f"train.method={recipe.method}", f"train.seed={number}", "fuse.enabled=false", "device=cpu"]
        settings = load_settings(overrides=[*said, *more, f"samples.static_cameras={static}"])
        try:
            made = fit(footage, out=folder / "fit", settings=settings, until="train")
        except PosepipeError as error:
            log.warning("%s: %s", recipe.name, error)
            continue
        if made.model is not None:
            yield recipe.name, made.model


def session_rows(data: Path, recipe: Recipe) -> NDArray[np.bool_]:
    """The samples of a scenario that a recipe trains on."""
    return chosen_rows(data, recipe.scenario, recipe.session, recipe.sequences, recipe.actions)


def chosen_rows(
    data: Path, scenario: str, session: int, count: int, actions: Sequence[str] = (), first: int = 0
) -> NDArray[np.bool_]:
    """Samples of some sequences of a session, spread over it, perhaps of some actions only."""
    with np.load(data / f"{scenario}_train.npz") as file:
        sequence, subject, name = file["sequence_id"], file["subject_id"], file["clip_name"]
    there = np.unique(sequence[subject == session])
    there = [each for each in there if not actions or name[each].rsplit("_", 1)[0] in actions]
    step = max(1, len(there) // count)
    return np.isin(sequence, there[first % step :: step][:count])


def written(
    data: Path,
    scenario: str,
    path: Path,
    views: Sequence[int],
    rows: NDArray[np.bool_],
    known: bool,
    roll_deg: float = 0.0,
) -> Path:
    """A keypoint file of some samples and views of a scenario.

    Args:
        known: whether it says the intrinsics.
        roll_deg: by which the pictures are turned about their middle.
    """
    with np.load(data / f"{scenario}_train.npz") as file:
        all_names, (names, take) = file["clip_name"], np.unique(file["sequence_id"][rows], return_inverse=True)
        size = file["image_size"][list(views)]
        angle = np.radians(roll_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = size[:, None] / 2
        pose = np.array(file["poses_3d_cam"][rows][:, list(views)])
        pose[..., :2] = pose[..., :2] @ turn.T
        content = {
            "poses_2d": ((file["poses_2d"][rows][:, list(views)] - middle) @ turn.T + middle).astype(np.float32),
            "confidences": file["confidences"][rows][:, list(views)],
            "poses_3d_cam": pose.astype(np.float32),
            "joint_names": file["joint_names"],
            "image_size": size,
            "sequence_id": take,
            "frame_index": file["frame_index"][rows],
            "time": file["frame_index"][rows] / RATE_HZ,
            "rig": file["subject_id"][rows] if scenario == "static4" else np.full(rows.sum(), -1),
            "clip_name": np.array([f"{all_names[name]}_{name}" for name in names]),
        }
        if known:
            content["camera_K"] = file["camera_K"][rows][:, list(views)]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **content)
    return path


def tries(options: argparse.Namespace, model: Path, name: str, number: int, session: int) -> Cases:
    """A model on both scenarios, as they are and turned."""
    found = []
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for scenario, views in TRIED.items():
        for rolled in (False, True):
            angle = float(rng.choice([-1, 1]) * rng.uniform(30, 180)) if rolled else 0.0
            count = 1 if rolled else options.sequences
            rows = chosen_rows(options.data, scenario, session, count, first=number + rolled)
            place = options.runs / model.stem / f"{zlib.crc32(name.encode()):08x}" / f"{scenario}-{session}-{rolled}"
            footage = written(
                options.data, scenario, place / "footage.npz", views, rows, known=bool(number // 2 % 2), roll_deg=angle
            )
            lifted = infer(footage, model=model, out=place / "lifted", exports=(), device="cpu").pose
            assert isinstance(lifted, ViewPoses)  # noqa: S101 - of a keypoint file
            with np.load(footage) as file:
                true = 1000 * file["poses_3d_cam"].astype(float)
            found.append(cases_of(lifted, true, name, f"{scenario}{' turned' if rolled else ''}"))
    return Cases.together(found)


def cases_of(lifted: ViewPoses, true: Array, model: str, footage: str) -> Cases:
    """Every second of every view.

    Args:
        true: (S, V, J, 3) mm.
    """
    errors, evidence = [], []
    time = np.asarray(lifted.time)
    for take in np.unique(lifted.take):
        members = np.flatnonzero(lifted.take == take)
        members = members[np.argsort(time[members])]
        for view in range(true.shape[1]):
            pose = lifted.of_view(members, view, np.zeros((*lifted.confidence[members, view].shape, 2), np.float32))
            joint = np.asarray(pose.joint_raw, np.float64)
            error = np.full(len(joint), np.nan)
            there = complete(joint)
            if there.any():
                error[there] = joint_errors(joint[there], true[members, view][there], "scale").mean(1)
            of_frames = evidence_of(pose)
            for second in seconds_of(pose.time):
                if there[second].sum() >= FEWEST:
                    errors.append(float(np.nanmedian(error[second])))
                    evidence.append([_median(values[second]) for values in of_frames])
    columns = np.array(evidence, float).reshape(-1, len(Evidence._fields)).T
    return Cases(np.full(len(errors), model), np.full(len(errors), footage), np.array(errors), Evidence(*columns))


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


def choose(cases: Cases) -> Rule:
    """Powers of the evidence by least squares on the logarithm of the error, none negative, and thresholds."""
    good = cases.error < GOOD_MM
    values = {name: getattr(cases.evidence, name) for name in judge.USUAL}
    usual = {name: round(_median(value[good]), 1) for name, value in values.items()}
    usual = {name: value if value > 0 else judge.USUAL[name] for name, value in usual.items()}
    columns = [np.nan_to_num(np.log(np.maximum(values[name], judge.LEAST) / usual[name])) for name in usual]
    lowest = 1e3  # of the constant, so that it may be negative as well
    target = np.log(cases.error)
    found, _ = nnls(np.stack([*columns, np.ones(len(target))], 1), target + lowest)
    weight = {name: round(float(power), 2) for name, power in zip(usual, found, strict=False)}
    likely = np.exp(sum(weight[name] * column for name, column in zip(usual, columns, strict=True)))
    usual_mm = float(np.exp(np.mean(np.log(cases.error / likely))))
    likely = usual_mm * likely
    return Rule(round(usual_mm, 1), usual, weight, *thresholds(likely, cases.error > BAD_MM))


def thresholds(likely: Array, bad: NDArray[np.bool_]) -> tuple[float, float]:
    """The lowest limit of red and the highest of green with which enough of what they say is right."""
    order = np.argsort(likely)
    sorted_likely, sorted_bad = likely[order], bad[order].astype(float)
    among_red = np.cumsum(sorted_bad[::-1])[::-1] / np.arange(len(bad), 0, -1)
    among_green = np.cumsum(sorted_bad) / np.arange(1, len(bad) + 1)
    red = np.flatnonzero(among_red >= RED_RIGHT + MARGIN)
    green = np.flatnonzero(among_green <= GREEN_WRONG - MARGIN / 2)
    red_mm = float(sorted_likely[red[0]]) if len(red) else float(sorted_likely[-1])
    green_mm = float(sorted_likely[green[-1]]) if len(green) else float(sorted_likely[0])
    return round(max(red_mm, green_mm), 1), round(green_mm, 1)


def judged(cases: Cases, rule: Rule) -> Array:
    """Errors (N) that a rule lets expect."""
    values = {name: getattr(cases.evidence, name) for name in rule.usual}
    powers = (
        rule.weight[name] * np.nan_to_num(np.log(np.maximum(values[name], judge.LEAST) / rule.usual[name]))
        for name in rule.usual
    )
    return rule.usual_mm * np.exp(sum(powers))


def table(cases: Cases, rule: Rule) -> str:
    """How often a rule is right: all cases, and those of each footage and each model."""
    likely = judged(cases, rule)
    rows = [
        "| cases | n | > 120 mm | red | red > 120 mm | > 120 mm red | green | green > 120 mm | < 70 mm green |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        _row("all", cases.error, likely, rule),
    ]
    for kind in (cases.footage, cases.model):
        for name in np.unique(kind):
            rows.append(_row(str(name), cases.error[kind == name], likely[kind == name], rule))
    return "\n".join(rows)


def _row(name: str, error: Array, likely: Array, rule: Rule) -> str:
    bad, good, red, green = error > BAD_MM, error < GOOD_MM, likely > rule.red_mm, likely < rule.green_mm

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> str:
        return f"{(of & among).sum() / among.sum():.0%}" if among.any() else "-"

    every = np.ones(len(error), bool)
    cells = (
        share(bad, every), share(red, every), share(bad, red), share(red, bad), share(green, every), share(bad, green),
        share(green, good),
    )  # fmt: skip
    return f"| {name} | {len(error)} | {' | '.join(cells)} |"


def described(cases: Cases) -> str:
    """How good a model is, in words."""
    parts = (
        f"{name} {np.median(cases.error[cases.footage == name]):.0f} mm" for name in np.unique(cases.footage).tolist()
    )
    return ", ".join(parts)


if __name__ == "__main__":
    main()
