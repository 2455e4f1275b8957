"""Charts of a fit as inline SVG in the colours of the page: losses, canonical space, parities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Pose3D

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 960, 260, 60, 26, 26
COLORS = 7
"""Number of colours of loss terms in page.css."""
SHOWN = 500
"""Number of poses of all clips in the picture of the canonical space."""
SIDE = 300
VIEWS = {"from the front": ((1, 0, 0), (0, 0, -1)), "from above": ((-1, 0, 0), (0, -1, 0))}
"""Views of the canonical space: directions of x and y in axes to the person's left, ahead and up."""
BINS = 48


def draw_losses(losses: Sequence[Mapping[str, Any]]) -> str:
    """The total and each term by epoch, on a logarithmic scale, with the starts of phases."""
    terms = dict.fromkeys(
        key
        for row in losses
        for key, value in row.items()
        if isinstance(value, float | int) and key not in ("epoch", "total", "learning_rate")
    )
    curves = {name: _column(losses, name) for name in ("total", *terms)}
    known = np.concatenate(list(curves.values()))
    known = known[np.isfinite(known) & (known > 0)]
    low, high = (np.floor(np.log10(known.min())), np.ceil(np.log10(known.max()))) if known.size else (0, 1)
    high = max(high, low + 1)
    x = LEFT + (WIDTH - LEFT) * (np.arange(len(losses)) + 0.5) / len(losses)

    def y(value: np.ndarray | float) -> Any:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - np.log10(value)) / (high - low)

    parts = []
    for power in range(int(low), int(high) + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{10.0**power:g}", "end"))
    phases = [str(row["phase"]) for row in losses]
    for epoch in (epoch for epoch, name in enumerate(phases) if epoch == 0 or name != phases[epoch - 1]):
        parts.append(
            f'<line class="phase" x1="{x[epoch]:.1f}" x2="{x[epoch]:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        )
        parts.append(_text(x[epoch] + 4, TOP - 8, phases[epoch]))
    parts.append(_text(LEFT, HEIGHT - 6, "epoch 1"))
    parts.append(_text(WIDTH, HEIGHT - 6, f"epoch {len(losses)}", "end"))
    legend = []
    for number, (name, values) in enumerate(curves.items()):
        kind = "total" if name == "total" else f"term{(number - 1) % COLORS}"
        there = np.isfinite(values) & (values > 0)
        if not there.any():
            continue  # a term without weight
        parts.append(f'<path class="{kind}" d="{_path(x[there], y(values[there]))}"/>')
        legend.append(f'<span><i class="{kind}"></i>{escape(name)}</span>')
    total = curves["total"]
    words = f"Losses of {len(losses)} epochs; the total went from {total[0]:.3g} to {total[-1]:.3g}"
    return _svg(WIDTH, HEIGHT, words, parts) + f'<p class="key" aria-hidden="true">{"".join(legend)}</p>'


def draw_canonical_space(poses: Sequence[Pose3D]) -> str:
    """Hips and shoulders in the canonical space, as in Fig. 7 of CanonPose (Wandt et al., CVPR 2021)."""
    skeleton = SKELETONS[poses[0].skeleton].body
    names = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    weights = skeleton.landmark_weights(*names)
    canonical = _canonical(poses)
    at = weights @ canonical[:: max(1, -(-len(canonical) // SHOWN))] @ _mean_axes(canonical, skeleton).T
    reach = 1.1 * float(np.abs(at).max(initial=1e-6))
    parts = []
    for panel, (view, (across, down)) in enumerate(VIEWS.items()):
        left = panel * (SIDE + 40)
        middle = (left + SIDE / 2, TOP + SIDE / 2)
        parts.append(f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" rx="10"/>')
        parts.append(_text(left, TOP - 8, view))
        parts.append(f'<line x1="{middle[0]}" x2="{middle[0]}" y1="{TOP}" y2="{TOP + SIDE}"/>')
        parts.append(f'<line x1="{left}" x2="{left + SIDE}" y1="{middle[1]}" y2="{middle[1]}"/>')
        for number, name in enumerate(names):
            side, _, joint = name.partition("_")
            scale = SIDE / 2 / reach
            x, y = middle[0] + scale * at[:, number] @ across, middle[1] + scale * at[:, number] @ down
            dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x, y, strict=True))
            parts.append(f'<path class="dots {side} {joint}" d="{dots}"/>')
    words = f"Hips and shoulders of {len(at)} poses in the canonical space, from the front and from above"
    return _svg(2 * SIDE + 40, TOP + SIDE + 4, words, parts)


def hip_spread_deg(poses: Sequence[Pose3D]) -> float:
    """Spread of the line through the hips in the canonical space: median angle in degrees from its mean direction."""
    skeleton = SKELETONS[poses[0].skeleton].body
    left, right = skeleton.landmark_weights("left_hip", "right_hip")
    line = (left - right) @ _canonical(poses)
    line /= np.linalg.norm(line, axis=-1, keepdims=True)
    mean = line.mean(0) / max(float(np.linalg.norm(line.mean(0))), 1e-9)
    return float(np.degrees(np.median(np.arccos((line @ mean).clip(-1, 1)))))


def _canonical(poses: Sequence[Pose3D]) -> np.ndarray:
    """All canonical poses (pose, joint, 3) of bodies without added feet."""
    return np.concatenate([np.asarray(pose.body.canonical[pose.there], float) for pose in poses])


def _mean_axes(canonical: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Rows (3, 3): mean directions to people's left, front and up, which training does not determine."""
    thorax, pelvis, left_hip, right_hip = skeleton.landmark_weights("thorax", "pelvis", "left_hip", "right_hip")
    up, left = ((weights @ canonical).mean(0) for weights in (thorax - pelvis, left_hip - right_hip))
    up /= max(float(np.linalg.norm(up)), 1e-9)
    left -= (left @ up) * up
    left /= max(float(np.linalg.norm(left)), 1e-9)
    return np.stack([left, np.cross(left, up), up])


def draw_parities(parity: np.ndarray) -> str:
    """A histogram of the parities (pose) of lifted poses; those between -1 and 1 are undecided."""
    limit = max(2.0, float(np.abs(parity).max(initial=0.0)) * 1.05)
    count, edges = np.histogram(parity, BINS, (-limit, limit))
    height, tallest = 150, max(int(count.max(initial=1)), 1)

    def x(value: float) -> float:
        return WIDTH * (value + limit) / (2 * limit)

    parts = [f'<rect class="unsure" x="{x(-1):.1f}" y="0" width="{x(1) - x(-1):.1f}" height="{height}"/>']
    for number, left, right in zip(count, edges[:-1], edges[1:], strict=True):
        tall = (height - 10) * number / tallest
        side = "good" if (left + right) / 2 >= 0 else "bad"
        parts.append(
            f'<rect class="{side}" x="{x(left) + 1:.1f}" y="{height - tall:.1f}" '
            f'width="{x(right) - x(left) - 2:.1f}" height="{tall:.1f}"/>'
        )
    parts.append(f'<line x1="0" x2="{WIDTH}" y1="{height}" y2="{height}"/>')
    parts.append(_text(0, height + 18, "mirrored in depth"))
    parts.append(_text(x(0), height + 18, "cannot be told", "middle"))
    parts.append(_text(WIDTH, height + 18, "right-handed", "end"))
    share = float((parity >= 1).mean()) if len(parity) else 0.0
    return _svg(WIDTH, height + 26, f"Parities of {len(parity)} poses; {share:.0%} are clearly right-handed", parts)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], float)


def _path(x: np.ndarray, y: np.ndarray) -> str:
    pieces = [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]
    return "M" + "L".join(pieces if len(pieces) != 1 else pieces * 2) if pieces else ""


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, words: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return (
        f'<svg class="picture" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}">{inside}</svg>'
    )
