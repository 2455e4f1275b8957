"""Finds the numbers with which ``pipeline/stages/judge.py`` judges clips; checks them on other models and clips.

    python tools/calibrate_verdict.py DATA RUNS [--models model.pt ...] [--sessions 3,4]

DATA holds ``static4_train.npz`` and ``ski6_train.npz`` of the benchmark; test data are not touched. Models, good and
bad ones, are trained briefly on some sessions, cameras, stretches and actions of these (``RECIPES``), and tried on
sessions that none of them has seen, by their own kind of rig and by the other, with and without a given focal length,
and in pictures that are turned, in which people stand as nobody does. ``--models`` adds others, such as the generic
lifter; the sessions must be new to them. Every second of every view is a case: its evidence, and its median NMPJPE
after the fit of the clip.

Prints the lines for ``judge.py``, chosen on all cases, and a table in which every model is judged by numbers that
were chosen without it. What is finished in RUNS is not done again.
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
from numpy.typing import NDArray
from posepipe.pipeline.stages.judge import GREEN, RED, RULE, Evidence, Rule, causes, levels, likely_mm
from scipy.optimize import nnls

from tools.verdict_cases import RECIPES, Array, Cases, median_of, trained_models, tries

BAD_MM, GOOD_MM = 120.0, 70.0
"""A clip is bad above the first of these errors, and good below the second."""
RED_RIGHT, GREEN_WRONG = 0.80, 0.05
"""Least share of bad ones among what is red, and largest among what is green."""
RED_MARGIN, GREEN_MARGIN = 0.10, 0.025
"""By this thresholds are stricter than that, so that they hold elsewhere too."""
MOST_MM = 200.0
"""Errors above this count as this: how bad a bad clip is does not matter."""
NEARLY_ALL = 99.0
"""Percentile of the evidence of good clips that is its limit."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="further models")
    parser.add_argument("--recipes", type=int, default=len(RECIPES), help="how many of the recipes, the first ones")
    parser.add_argument("--sessions", default="3,4", help="sessions that models are tried on in turn")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    sessions = [int(session) for session in options.sessions.split(",")]
    cases: dict[int, list[Cases]] = {session: [] for session in sessions}
    for number, name, model in trained_models(options.data, options.runs, options.recipes):
        cases[sessions[number % 2]].append(tries(options.data, options.runs, model, name, sessions[number % 2]))
    for path in options.models:
        for session in sessions:
            cases[session].append(tries(options.data, options.runs, path, str(path), session))
    everything = Cases.together([part for parts in cases.values() for part in parts])
    rule = choose(everything)
    print(f"RULE = {rule}")
    print(f"\nchosen on all cases\n{table(everything, levels(everything.evidence, rule))}")
    print(f"\nevery model judged by a rule that was chosen without it\n{table(everything, held_out(everything))}")
    print(f"\nas judge.py has it now\n{table(everything, levels(everything.evidence))}")


def held_out(cases: Cases) -> Array:
    """Levels (N) of all cases, those of each model by the rule that the cases of the others give."""
    found = np.zeros(len(cases.error))
    for model in np.unique(cases.model):
        own = cases.model == model
        found[own] = levels(cases.where(own).evidence, choose(cases.where(~own)))
    return found


def choose(cases: Cases) -> Rule:
    """Powers of the evidence by least squares on the logarithm of the error, none negative; thresholds; limits."""
    cases = cases.where(np.isfinite(cases.evidence.lifted))
    good = cases.error < GOOD_MM
    usual = {name: round(median_of(getattr(cases.evidence, name)[good]), 1) for name in RULE.usual}
    rule = Rule(1.0, usual, dict.fromkeys(usual, 1.0), 0.0, 0.0, {})
    columns = [*causes(cases.evidence, rule).values(), np.ones(len(cases.error))]
    error = np.minimum(cases.error, MOST_MM)
    found, _ = nnls(np.stack(columns, 1), np.log(error))
    rule = rule._replace(power={name: round(float(power), 2) for name, power in zip(usual, found, strict=False)})
    usual_mm = float(np.exp(np.mean(np.log(error / likely_mm(cases.evidence, rule)))))
    rule = rule._replace(usual_mm=round(usual_mm, 1))
    red_mm, green_mm = thresholds(likely_mm(cases.evidence, rule), cases.error > BAD_MM)
    return rule._replace(red_mm=red_mm, green_mm=green_mm, limit=limits(cases.where(good).evidence))


def limits(good: Evidence) -> dict[str, float]:
    """What nearly all good cases stay below, of evidence that only forbids green; as before where none has it."""
    found = {}
    for name, before in RULE.limit.items():
        known = getattr(good, name)[np.isfinite(getattr(good, name))]
        found[name] = round(float(np.percentile(known, NEARLY_ALL)), 1) if len(known) else before
    return found


def thresholds(likely: Array, bad: NDArray[np.bool_]) -> tuple[float, float]:
    """The lowest limit of red and the highest of green with which enough of what they say is right."""
    order = np.argsort(likely)
    sorted_likely, sorted_bad = likely[order], bad[order].astype(float)
    among_red = np.cumsum(sorted_bad[::-1])[::-1] / np.arange(len(bad), 0, -1)
    among_green = np.cumsum(sorted_bad) / np.arange(1, len(bad) + 1)
    red = np.flatnonzero(among_red >= RED_RIGHT + RED_MARGIN)
    green = np.flatnonzero(among_green <= GREEN_WRONG - GREEN_MARGIN)
    red_mm = float(sorted_likely[red[0]]) if len(red) else float(sorted_likely[-1])
    green_mm = float(sorted_likely[green[-1]]) if len(green) else float(sorted_likely[0])
    return round(max(red_mm, green_mm), 1), round(green_mm, 1)


def table(cases: Cases, level: Array) -> str:
    """How often levels (N) are right: of all cases, and of those of each footage and each model."""
    rows = [
        "| cases | n | > 120 mm | red | red > 120 mm | > 120 mm red | green | green > 120 mm | < 70 mm green |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        _row("all", cases.error, level),
    ]
    for kind in (cases.footage, cases.model):
        rows += [_row(str(name), cases.error[kind == name], level[kind == name]) for name in np.unique(kind)]
    return "\n".join(rows)


def _row(name: str, error: Array, level: Array) -> str:
    bad, good, red, green, every = error > BAD_MM, error < GOOD_MM, level == RED, level == GREEN, error > 0

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> str:
        return f"{(of & among).sum() / among.sum():.0%}" if among.any() else "-"

    pairs = (bad, every), (red, every), (bad, red), (red, bad), (green, every), (bad, green), (green, good)
    return f"| {name} | {len(error)} | {' | '.join(share(*pair) for pair in pairs)} |"


if __name__ == "__main__":
    main()
