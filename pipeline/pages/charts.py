"""Line charts as SVG, written without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's palette, which is safe for colour-blind people."""

_WIDE, _HIGH = 330, 240
_LEFT, _TOP, _BOTTOM = 52, 34, 46
_LEGEND, _LETTER = 48, 7
"""Width in px of a legend without its text, and of a letter."""
_TICKS = 5


def line_chart(
    title: str,
    across: str,
    up: str,
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    y_limit: float = 100,
    x_ticks: Sequence[float] = (),
) -> str:
    """An SVG picture of curves by name, over common positions ``x``, from 0 to ``y_limit`` high.

    The x axis reaches from 0 to the last of ``x_ticks``; by default these are five equal parts of the largest ``x``.
    """
    across_at = list(x_ticks) or [max(x) * tick / _TICKS for tick in range(_TICKS + 1)]
    wide, high, x_limit = _WIDE, _HIGH, across_at[-1]
    right_edge = _LEFT + wide
    width = right_edge + _LEGEND + _LETTER * max(map(len, curves), default=0)
    height = _TOP + high + _BOTTOM

    def place(at: float, value: float) -> tuple[float, float]:
        return _LEFT + wide * at / x_limit, _TOP + high * (1 - value / y_limit)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(_LEFT, 20, title, "start", size=14),
        _text(_LEFT + wide / 2, height - 10, across, "middle"),
        f'<g transform="rotate(-90 14 {_TOP + high / 2})">{_text(14, _TOP + high / 2, up, "middle")}</g>',
    ]
    for tick in range(_TICKS + 1):
        left, y = place(0, y_limit * tick / _TICKS)
        parts += [
            f'<path d="M{left:.1f} {y:.1f}h{wide}" stroke="#ddd" fill="none"/>',
            _text(left - 6, y + 4, f"{y_limit * tick / _TICKS:g}", "end"),
        ]
    for at in across_at:
        right, bottom = place(at, 0)
        parts += [
            f'<path d="M{right:.1f} {_TOP}v{high}" stroke="#ddd" fill="none"/>',
            _text(right, bottom + 16, f"{at:g}", "middle"),
        ]
    for number, (name, values) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in zip(x, values, strict=True))
        beside = _TOP + 12 + 18 * number
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<path d="M{right_edge + 12} {beside - 4}h18" stroke="{colour}" stroke-width="3"/>',
            _text(right_edge + 36, beside, name, "start"),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#222">{escape(text)}</text>'
    )
