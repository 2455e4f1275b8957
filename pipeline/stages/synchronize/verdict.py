"""Whether offsets are reliable: the result of each cue for each camera, and what is wrong, in one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .clocks import Clocks
from .coarse import Pair, best_shift
from .matching import Cue
from .signals import RATE

CLEAR_RATIO = 1.5
"""Smallest ratio of a peak to the best other one at which it is accepted."""
VOUCHED_RATIO = 1.1
"""The same where the timecodes of the files agree: by chance, one peak in hundreds would."""
CLEAR_EVIDENCE = 8.0
"""Smallest log-likelihood ratio at which a peak is accepted."""
AGREE_S = 0.12
"""Largest difference of two cues that agree: sound takes so long for 40 m."""
SURE = 2.5
"""Standard deviations of an offset that must fit into a frame."""


@dataclass(frozen=True)
class Finding:
    """The result of one cue for one camera; the other cameras stay where they were found."""

    cue: str
    camera: int
    offset_s: float
    ratio: float | None
    """Peak to the best other peak elsewhere; None if there is no other."""
    clear: bool
    agrees: bool


def findings(
    cues: Mapping[str, Mapping[Pair, Cue]], start: np.ndarray, clocks: Clocks, free: Sequence[int]
) -> list[Finding]:
    """The result of each cue for each camera whose offset was to be found.

    Args:
        cues: evidence of all pairs by name of the cue.
        start: (C) coarse starts in steps.
        clocks: the final ones.
        free: cameras whose offsets were not stated.
    """
    everyone = set(range(len(start)))
    found = []
    for kind, pairs in cues.items():
        for camera in free:
            if not any(camera in pair for pair in pairs):
                continue
            choice = best_shift(pairs, start, {camera}, everyone - {camera})
            shift = choice.shift / RATE
            found.append(
                Finding(
                    kind,
                    camera,
                    float(start[camera] / RATE + shift if shift else clocks.offset[camera]),
                    float(choice.ratio) if np.isfinite(choice.ratio) else None,
                    bool(choice.evidence >= CLEAR_EVIDENCE and choice.ratio >= CLEAR_RATIO),
                    bool(abs(shift) <= AGREE_S),
                )
            )
    return found


def complaints(names: Sequence[str], found: Sequence[Finding], ratios: Mapping[int, float]) -> Iterator[str]:
    """Why the offsets are not reliable, the most important reason first; nothing if they are."""
    against = [finding for finding in found if finding.clear and not finding.agrees]
    for finding in against:
        rest = [other for other in found if other.camera == finding.camera and other.clear and other.agrees]
        said = " and ".join(f"{other.cue} {other.offset_s:+.2f} s" for other in rest) or "all together otherwise"
        yield (
            f"the cues contradict each other about camera {names[finding.camera]}: {finding.cue} puts its start at "
            f"{finding.offset_s:+.2f} s, {said}"
        )
    vouched = _vouched(found)
    for camera, ratio in sorted(ratios.items(), key=lambda item: item[1]):
        if ratio < (VOUCHED_RATIO if camera in vouched else CLEAR_RATIO):
            yield (
                f"camera {names[camera]} fits the others at no offset clearly better than at others "
                f"(peak ratio {ratio:.2f}, needed {CLEAR_RATIO})"
            )


def resting_on_timecode(names: Sequence[str], found: Sequence[Finding], ratios: Mapping[int, float]) -> list[str]:
    """One sentence for each camera whose offset is accepted only because the timecodes agree."""
    return [
        f"camera {names[camera]} fits the others hardly better at its offset than elsewhere (peak ratio "
        f"{ratio:.2f}); it is accepted because the timecodes agree"
        for camera, ratio in ratios.items()
        if ratio < CLEAR_RATIO and camera in _vouched(found)
    ]


def _vouched(found: Sequence[Finding]) -> set[int]:
    return {finding.camera for finding in found if finding.cue == "timecode" and finding.agrees}


def uncertain(names: Sequence[str], clocks: Clocks, periods: Sequence[float]) -> list[str]:
    """One sentence for each camera whose offset is known to less than a frame only."""
    return [
        f"the offset of camera {name} was found to ±{SURE * deviation * 1e3:.0f} ms only, more than a frame; "
        "state offset_s in posepipe.toml if you know it better"
        for name, deviation, period in zip(names, clocks.deviation, periods, strict=True)
        if SURE * deviation > period
    ]
