"""Draws where predictions go wrong: the typical pose, bad ones and the worst, beside the truth.

    python tools/failure_pictures.py TRUTH POSES --out docs/accuracy_failures.svg

TRUTH: a keypoint file with true poses in camera axes; POSES: the ``poses.npz`` of ``posepipe infer`` on it, such as
``tools/bench_accuracy.py`` leaves in ``RUNS/<scenario>/<method>/seed<k>/test``. Poses are ranked by NMPJPE. Each row
shows the detections, grey where they are unsure, then prediction (coloured) and truth (black) at the best scale, from
the camera and from its side.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from posepipe.models.body.metrics import align
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.keypoint_file import open_keypoints
from posepipe.pipeline.pages.drawing import bone_sides
from posepipe.pipeline.runs.compare import compare
from posepipe.pipeline.runtime.writing import write_atomically

SHARES = {"typical": 0.5, "one in ten is worse": 0.9, "one in a hundred is worse": 0.99, "worst": 1.0}
SIDE, TOP, WORDS = 190, 30, 150
UNSURE = 0.5
COLOURS = {"left": "#0072b2", "right": "#d55e00", "middle": "#009e73"}
SIDEWAYS = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
"""From the camera's axes to those of one that stands at its right."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("poses", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    write_atomically(options.out, draw_failures(options.truth, options.poses).encode())
    print(options.out)


def draw_failures(truth: Path, poses: Path) -> str:
    """An SVG picture with a row of three panels for each share of poses that are better."""
    compared = compare(poses, truth)
    predicted, true = align(compared.predicted, compared.true, "scale")
    with open_keypoints(truth) as file:
        keypoint = file.array("keypoint", "samples", "views", 17, 2).reshape(-1, 17, 2)
        confidence = file.array("confidence", "samples", "views", 17).reshape(-1, 17)
    error = np.linalg.norm(predicted - true, axis=-1)
    order = np.argsort(np.where(np.isfinite(error).all(-1), error.mean(-1), -np.inf))
    known = int(np.isfinite(error).all(-1).sum())
    parts = []
    for row, (name, share) in enumerate(SHARES.items()):
        pose = order[len(order) - known :][round(share * (known - 1))]
        joint = int(error[pose].argmax())
        top = TOP + row * SIDE
        words = [name, compared.action[pose], f"{error[pose].mean():.0f} mm on average",
                 f"{H36M17.joints[joint].replace('_', ' ')}: {error[pose, joint]:.0f} mm"]  # fmt: skip
        parts += [_text(0, top + 60 + 18 * line, word) for line, word in enumerate(filter(None, words))]
        parts.append(_figure(WORDS, top, [(keypoint[pose], confidence[pose] < UNSURE, None)]))
        for panel, axes in enumerate((np.eye(3), SIDEWAYS), 1):
            seen = [(points[pose] @ axes.T)[:, :2] for points in (true, predicted)]
            nothing = np.zeros(17, bool)
            parts.append(_figure(WORDS + panel * SIDE, top, [(seen[0], nothing, "#000"), (seen[1], nothing, None)]))
    titles = ("detections", "from the camera", "from its right")
    heads = [_text(WORDS + panel * SIDE + SIDE / 2, 16, title, "middle") for panel, title in enumerate(titles)]
    width, height = WORDS + len(titles) * SIDE, TOP + len(SHARES) * SIDE
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>',
        *heads, *parts, "</svg>", "",
    ])  # fmt: skip


def _figure(left: float, top: float, drawn: Sequence[tuple[np.ndarray, np.ndarray, str | None]]) -> str:
    """Bones of figures of points (17, 2), in one scale; grey with a joint that is unsure (17), else by side."""
    points = np.concatenate([one for one, _, _ in drawn])
    low, high = points.min(0), points.max(0)
    scale = (SIDE - 20) / max(float((high - low).max()), 1e-9)
    middle = np.array([left, top]) + SIDE / 2
    parts = []
    for figure, unsure, colour in drawn:
        at = middle + scale * (figure - (low + high) / 2)
        for (a, b), side in zip(H36M17.bone_indices, bone_sides(H36M17), strict=True):
            stroke = colour or ("#bbb" if unsure[a] or unsure[b] else COLOURS.get(side, COLOURS["middle"]))
            (x, y), (u, v) = at[a], at[b]
            parts.append(f'<path d="M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" stroke="{stroke}" stroke-width="2"/>')
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="#222">{escape(text)}</text>'


if __name__ == "__main__":
    main()
