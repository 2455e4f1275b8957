"""Output of an evaluation: tables as text, curves as pictures, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..pages.charts import line_chart
from ..runtime.writing import write_atomically
from .evaluate import CURVE_MM, AngleScore, Evaluation, Score

UNITS = {"PCK": "%", "N-PCK": "%", "AUC": "%", "N-AUC": "%", "mPSS@50": "%", "mPSS@100": "%"}
"""Units of metrics; the others are in mm."""


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Plain values: the fields of ``Evaluation``, and the thresholds of its curves in mm."""
    return {**asdict(evaluation), "curve_thresholds_mm": CURVE_MM.tolist(), "units": UNITS | {"others": "mm"}}


def as_text(evaluation: Evaluation) -> str:
    """Tables as text: clips and means, then cameras, actions and joints where there are several."""
    means = [score for score in (evaluation.mean, evaluation.action_mean) if score]
    tables = [_score_table("clip", [*evaluation.clips, *means])]
    for kind, scores in (("camera", evaluation.cameras), ("action", evaluation.actions)):
        if len(scores) > 1:
            tables.append(_score_table(kind, scores))
    tables.append(_table("joint", evaluation.joints))
    if (told := evaluation.expected_error) is not None:
        sentence = f"the model expected joints to be {told.expected_mm:.1f} mm off; after the best scale they are "
        sentence += f"{told.actual_mm:.1f} mm off. Rank correlation of the two: {told.rank_correlation:.2f}"
        shares = ", ".join(f"{share:.0f} %" for share in told.within.values())
        wanted = ", ".join(f"{name} %" for name in told.within)
        tables.append([sentence, f"{shares} of the joints are where {wanted} were expected to be"])
    if evaluation.supervision:
        prior = f"; prior: {', '.join(evaluation.prior)}" if evaluation.prior else ""
        tables.append([f"the model was trained on: {', '.join(evaluation.supervision)}{prior}"])
    return "\n\n".join("\n".join(lines) for lines in tables)


def angles_as_text(scores: Sequence[AngleScore]) -> str:
    """A table of angles for people."""
    rows = {
        score.name: {
            "frames": float(score.frames),
            "off": score.off_deg,
            "bias": score.bias_deg,
            "r x 100": 100 * score.correlation,
        }
        for score in scores
    }
    return "\n".join(_table("angle (degrees)", rows))


def write_evaluation(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write ``evaluation.json``, ``evaluation.txt``, ``pck.svg`` and ``cps.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "evaluation.json": json.dumps(as_json(evaluation), indent=1),
        "evaluation.txt": as_text(evaluation) + "\n",
        **pictures({"": evaluation.curves}),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in contents]


def pictures(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, str]:
    """SVG pictures by file name of the curves of one or more evaluations, by their names."""
    texts = {
        "pck.svg": ("Correct keypoints", "% of joints closer", ("PCK", "N-PCK")),
        "cps.svg": ("Correct poses, Procrustes-aligned", "% of poses with all joints closer", ("CPS",)),
    }
    made = {}
    for file, (title, up, kinds) in texts.items():
        lines = {
            " ".join(filter(None, [name, kind if kind != "CPS" else ""])) or "all frames": values[kind]
            for name, values in curves.items()
            for kind in kinds
            if kind in values
        }
        if lines:
            made[file] = line_chart(title, "threshold in mm", up, CURVE_MM.tolist(), lines)
    return made


def _score_table(kind: str, scores: Sequence[Score]) -> list[str]:
    rows = {
        score.name: {"frames": float(score.frames), "missing": float(score.missing), **score.measures}
        for score in scores
    }
    return _table(kind, rows)


def _table(kind: str, rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A header, and a line per row; missing metrics are blank."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))

    def cell(row: Mapping[str, float], name: str) -> str:
        decimals = 0 if name in ("frames", "missing") else 1
        return f"{row[name]:>10.{decimals}f}" if name in row else " " * 10

    header = f"{kind:<18}" + "".join(f"{name:>10}" for name in names)
    return [header, *(f"{title:<18}" + "".join(cell(row, name) for name in names) for title, row in rows.items())]
