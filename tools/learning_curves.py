"""Pictures of how errors fall with footage and cameras, from the rows of cut scenarios (``cut_bench``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from posepipe.pipeline.pages.charts import line_chart

WHOLE = {"static4": {"samples": 9600, "cameras": 4}, "ski6": {"samples": 9600, "cameras": 6}}
"""What the scenarios of the benchmark hold before they are cut."""
CUT = re.compile(r"-(samples|cameras)(\d+)$")
"""Ends of the names that ``cut_bench`` gives: how many samples, or the numbers of the cameras."""
LIMIT_MM = 140

Kind = Literal["samples", "cameras"]


class Scored(Protocol):
    """What is read of a row."""

    @property
    def scenario(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def measures(self) -> Mapping[str, float]: ...
    @property
    def failure(self) -> str: ...


def learning_curves(rows: Sequence[Scored]) -> dict[str, str]:
    """SVG pictures by file name, of methods that were trained on all sizes that any method was trained on."""
    kinds: tuple[tuple[Kind, str, Sequence[float], float], ...] = (
        ("samples", "thousand instants, 750 a minute", range(0, 11, 2), 1000),
        ("cameras", "cameras", range(7), 1),
    )
    made = {}
    for scenario in WHOLE:
        for kind, across, ticks, unit in kinds:
            sizes, lines = _lines(rows, scenario, kind)
            if len(sizes) > 1 and lines:
                title, x = f"{scenario}: error, one view in", [size / unit for size in sizes]
                made[f"accuracy_{scenario}_{kind}.svg"] = line_chart(title, across, "mm", x, lines, LIMIT_MM, ticks)
    return made


def _lines(rows: Sequence[Scored], scenario: str, kind: Kind) -> tuple[list[int], dict[str, list[float]]]:
    """Sizes, and errors at these sizes, averaged over seeds, by method and measure."""
    found: dict[str, dict[int, list[Mapping[str, float]]]] = {}
    for row in rows:
        size = _size(row.scenario, scenario, kind)
        if size and not row.failure:
            found.setdefault(row.method, {}).setdefault(size, []).append(row.measures)
    sizes = sorted({size for of in found.values() for size in of})
    return sizes, {
        f"{method} {measure}": [float(np.mean([one[measure] for one in of[size]])) for size in sizes]
        for method, of in found.items()
        if set(of) == set(sizes)
        for measure in ("NMPJPE", "PMPJPE")
    }


def _size(name: str, scenario: str, kind: Kind) -> int:
    """How many samples or cameras a scenario of this name has; 0 if it is cut from another or in another way."""
    cut = CUT.search(name)
    if name == scenario:
        return WHOLE[scenario][kind]
    if not cut or name[: cut.start()] != scenario or cut[1] != kind:
        return 0
    return int(cut[2]) if kind == "samples" else len(cut[2])
