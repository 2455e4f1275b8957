"""Measures the effect of each smoother on noise and on movement, and writes a page with the results.

    python tools/smoothing.py MOTIONS --page docs/smoothing.md

MOTIONS: a folder of .npz with ``joints`` (T, 17, 3) in metres, 50 per second: real movement, taken as the truth.
Noise is added that resembles that of lifted poses: 25 mm per axis, half of its variance with a correlation time of
0.3 s, and three times as large in one of twenty values, of which four in five have low confidence. The smoothed
poses are compared:

* jitter: mean acceleration of the joints of a standing person, whose true acceleration is zero (m/s2);
* step: rise time from 10 % to 90 % of a hand that moves by half a metre at once (ms);
* jump: remaining height of a jump of 0.4 s that is the only movement in 20 s (%);
* lag: delay at half of the step (ms);
* error: mean distance to the true movement (mm), over all frames and over the fastest twentieth of each joint's;
* peaks: speed of the fastest twentieth relative to its true speed (%).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from posepipe.models.body.smoothing import SMOOTHERS, Smoother

RATE = 50
SIGMA = 0.025
LASTS_S = 0.3
BAD, BAD_TIMES, BAD_KNOWN = 0.05, 3.0, 0.8
FAST = 0.05
JUMP, JUMP_M = slice(10 * RATE, 10 * RATE + 2 * RATE // 5 + 1), 0.4
CUTOFFS = {"butterworth": (3, 4, 6, 8, 10, 12), "savitzky-golay": (3, 4, 6, 8, 10, 12), "one-euro": (1, 2, 4, 8)}
"""Hz; the GCV spline finds its own."""
EXPLAINED = """
A lower cutoff reduces jitter, and also fast movement. posepipe smooths with `{filter}` by default. It was chosen by
the error of the fastest twentieth, as smoothing must preserve fast movement in sport, and then by jitter. A spline
gets its own cutoff for each coordinate of each clip: a foot is smoothed less than a hip, and a standing person more
than a running one. If all clips must be processed in the same way, as in studies, use
`--set motion.filter=butterworth --set motion.cutoff_hz={cutoff:g}`. With `--set motion.filter=none` poses stay as
they are before the filter; `joint_raw` in `poses.npz` always holds these.

The noise is simulated; in some footage it is weaker or has a longer correlation time. Slow noise is not jitter, and
no smoother removes it.

```
python tools/smoothing.py MOTIONS --page docs/smoothing.md
```

20 November 2026; no number here depends on the machine.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motions", type=Path)
    parser.add_argument("--page", type=Path, help="file to write the table to")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    motions = [read(path) for path in sorted(options.motions.glob("*.npz"))]
    if not motions:
        parser.error(f"{options.motions} holds no .npz")
    rows = [measure("none", 0, lambda time, value, weight, cutoff: value, motions, options.seed)]
    for name, smoother in SMOOTHERS.items():
        rows += [measure(name, cutoff, smoother, motions, options.seed) for cutoff in CUTOFFS.get(name, (0,))]
    text = table(rows)
    print(text)
    if options.page:
        options.page.write_text(page(text), encoding="utf-8")


def read(path: Path) -> np.ndarray:
    """Root-relative joints (T, 17, 3) in m."""
    with np.load(path, allow_pickle=False) as file:
        joint = file["joints"].astype(np.float64)
    return joint - joint[:, :1]


def measure(name: str, cutoff: float, smoother: Smoother, motions: list[np.ndarray], seed: int) -> dict[str, str]:
    """A row of the table."""
    rng = np.random.default_rng(seed)

    def smoothed(true: np.ndarray) -> np.ndarray:
        noise, weight = detector_noise(true.shape, rng)
        flat = (true + noise).reshape(len(true), -1)
        time = np.arange(len(true)) / RATE
        return smoother(time, flat, np.repeat(weight, 3, 1), cutoff).reshape(true.shape)

    still = np.repeat(motions[0][:1], 20 * RATE, 0)
    jitter = np.linalg.norm(np.diff(smoothed(still), 2, axis=0) * RATE**2, axis=-1).mean()
    jump = still.copy()
    jump[JUMP, 1:, 2] += np.sin(np.linspace(0, np.pi, JUMP.stop - JUMP.start))[:, None] * JUMP_M
    left = (smoothed(jump) - jump)[JUMP, 1:, 2].mean(1)[(JUMP.stop - JUMP.start) // 2] / JUMP_M + 1
    rise, lag = step_response(smoother, cutoff)
    errors, fast_errors, peaks = [], [], []
    for true in motions:
        found = smoothed(true)
        error = np.linalg.norm(found - true, axis=-1)[1:-1]
        speed, seen = (
            np.linalg.norm(np.gradient(values, 1 / RATE, axis=0), axis=-1)[1:-1] for values in (true, found)
        )
        fast = speed >= np.quantile(speed, 1 - FAST, axis=0)
        fast[:, 0] = False  # the pelvis does not move
        along = alignment(true, found)[1:-1]
        errors.append(error.mean())
        fast_errors.append(error[fast].mean())
        peaks.append((along[fast] * seen[fast]).mean() / speed[fast].mean())
    cells = {
        "smoother": name,
        "cutoff, Hz": f"{cutoff:g}" if cutoff else "",
        "jitter, m/s2": f"{jitter:.1f}",
        "step, ms": f"{1000 * rise:.0f}",
        "jump, %": f"{100 * left:.0f}",
        "lag, ms": f"{1000 * lag:.0f}",
        "error, mm": f"{1000 * np.mean(errors):.1f}",
        "fast, mm": f"{1000 * np.mean(fast_errors):.1f}",
        "peaks, %": f"{100 * np.mean(peaks):.0f}",
    }
    return cells


def velocity(joint: np.ndarray) -> np.ndarray:
    """Velocities (T, J, 3) in m/s."""
    return np.gradient(joint, 1 / RATE, axis=0)


def alignment(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Cosine between true and found velocities (T, J), so that noise does not count as speed."""
    a, b = velocity(true), velocity(found)
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)).clip(1e-9)


def detector_noise(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noise (T, J, 3) in m, and confidences (T, J)."""
    frames, joints, _ = shape
    fresh = rng.normal(0, SIGMA, shape)
    keep = np.exp(-1 / (LASTS_S * RATE))
    lasting = np.empty(shape)
    lasting[0] = rng.normal(0, SIGMA, shape[1:])
    for frame in range(1, frames):
        lasting[frame] = keep * lasting[frame - 1] + np.sqrt(1 - keep**2) * rng.normal(0, SIGMA, shape[1:])
    bad = rng.random((frames, joints)) < BAD
    noise = (fresh + lasting) / np.sqrt(2) * np.where(bad, BAD_TIMES, 1)[..., None]
    confidence = rng.uniform(0.7, 0.95, (frames, joints))
    known = bad & (rng.random((frames, joints)) < BAD_KNOWN)
    return noise, np.where(known, rng.uniform(0.1, 0.4, (frames, joints)), confidence)


def step_response(smoother: Smoother, cutoff: float) -> tuple[float, float]:
    """Seconds from a tenth to nine tenths of a step, and how late it is half way."""
    time = np.arange(4 * RATE) / RATE
    at = time[len(time) // 2] - 0.5 / RATE
    step = np.where(time > at, 0.5, 0.0)[:, None]
    noise = np.random.default_rng(0).normal(0, 1e-4, step.shape)  # without any, cross-validation has nothing to tell
    found = smoother(time, step + noise, np.ones_like(step), cutoff)[:, 0] / 0.5
    tenth, half, nine = (crossing(time, found, share) for share in (0.1, 0.5, 0.9))
    return nine - tenth, half - at


def crossing(time: np.ndarray, value: np.ndarray, share: float) -> float:
    """When a value first exceeds a share, interpolated."""
    after = int(np.argmax(value > share))
    return float(np.interp(share, value[after - 1 : after + 1], time[after - 1 : after + 1]))


def table(rows: list[dict[str, str]]) -> str:
    """Rows as Markdown."""
    head = list(rows[0])
    lines = [" | ".join(head), "|".join("---" if name == "smoother" else "---:" for name in head)]
    lines += [" | ".join(row.values()) for row in rows]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


def page(text: str) -> str:
    """The page about smoothing."""
    from posepipe.pipeline.settings import MotionSettings

    settings = MotionSettings()
    explained = EXPLAINED.format(filter=settings.filter, cutoff=settings.cutoff_hz)
    setting = (__doc__ or "").split("docs/smoothing.md\n\n")[1]
    return f"# Smoothing: jitter against lag\n\n{setting}\n{text}\n{explained}"


if __name__ == "__main__":
    main()
