"""Finds the numbers with which ``pipeline/stages/judge.py`` judges clips; checks them on other models and clips.

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
from collections.abc import Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from numpy.typing import NDArray
from posepipe.pipeline.stages.judge import RULE, Rule, causes, likely_mm
from scipy.optimize import nnls

from tools.verdict_cases import RECIPES, Array, Cases, median_of, trained_models, tries

BAD_MM, GOOD_MM = 120.0, 70.0
"""A clip is bad above the first of these errors, and good below the second."""
RED_RIGHT, GREEN_WRONG = 0.80, 0.05
"""Least share of bad ones among what is red, and largest among what is green."""
MARGIN = 0.03
"""By this thresholds are stricter than that, so that they hold elsewhere too."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="further models")
    parser.add_argument("--recipes", type=int, default=len(RECIPES), help="how many of the recipes, the first ones")
    parser.add_argument("--sessions", default="3,4", help="session that chooses, and session that checks")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    sessions = [int(session) for session in options.sessions.split(",")]
    cases: dict[int, list[Cases]] = {session: [] for session in sessions}
    for number, name, model in trained_models(options.data, options.runs, options.recipes):
        cases[sessions[number % 2]].append(tries(options.data, options.runs, model, name, sessions[number % 2]))
    for path in options.models:
        for session in sessions:
            cases[session].append(tries(options.data, options.runs, path, str(path), session))
    choosing, checking = (Cases.together(cases[session]) for session in sessions)
    rule = choose(choosing)
    print(f"RULE = {rule}")
    for title, some in (("chosen on", choosing), ("checked on", checking)):
        print(f"\n{title}\n{table(some, rule)}")
    print(f"\nchecked on, as judge.py has it now\n{table(checking, RULE)}")


def choose(cases: Cases) -> Rule:
    """Powers of the evidence by least squares on the logarithm of the error, none negative, and thresholds."""
    good = cases.error < GOOD_MM
    usual = {name: round(median_of(getattr(cases.evidence, name)[good]), 1) for name in RULE.usual}
    usual = {name: value if value > 0 else RULE.usual[name] for name, value in usual.items()}
    rule = Rule(1.0, usual, dict.fromkeys(usual, 1.0), 0.0, 0.0)
    columns = [*causes(cases.evidence, rule).values(), np.ones(len(cases.error))]
    found, _ = nnls(np.stack(columns, 1), np.log(cases.error))
    rule = rule._replace(power={name: round(float(power), 2) for name, power in zip(usual, found, strict=False)})
    usual_mm = float(np.exp(np.mean(np.log(cases.error / likely_mm(cases.evidence, rule)))))
    rule = rule._replace(usual_mm=round(usual_mm, 1))
    red_mm, green_mm = thresholds(likely_mm(cases.evidence, rule), cases.error > BAD_MM)
    return rule._replace(red_mm=red_mm, green_mm=green_mm)


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


def table(cases: Cases, rule: Rule) -> str:
    """How often a rule is right: all cases, and those of each footage and each model."""
    likely = likely_mm(cases.evidence, rule)
    rows = [
        "| cases | n | > 120 mm | red | red > 120 mm | > 120 mm red | green | green > 120 mm | < 70 mm green |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        _row("all", cases.error, likely, rule),
    ]
    for kind in (cases.footage, cases.model):
        rows += [_row(str(name), cases.error[kind == name], likely[kind == name], rule) for name in np.unique(kind)]
    return "\n".join(rows)


def _row(name: str, error: Array, likely: Array, rule: Rule) -> str:
    bad, good, red, green = error > BAD_MM, error < GOOD_MM, likely > rule.red_mm, likely < rule.green_mm

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> str:
        return f"{(of & among).sum() / among.sum():.0%}" if among.any() else "-"

    every = np.ones(len(error), bool)
    pairs = (bad, every), (red, every), (bad, red), (red, bad), (green, every), (bad, green), (green, good)
    cells = [share(*pair) for pair in pairs]
    return f"| {name} | {len(error)} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
