"""Whether offsets may be believed: what each cue says of each camera, and what is wrong, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .clocks import Clocks
from .coarse import Pair, best_shift
from .matching import Cue
from .signals import RATE

CLEAR_RATIO = 1.5
"""From how far above the best other peak on a peak is believed."""
VOUCHED_RATIO = 1.1
"""The same where the containers' timecodes say the same: by chance one peak in hundreds lies where they do."""
CLEAR_EVIDENCE = 8.0
"""From which likelihood ratio (logarithm) on a peak is believed."""
AGREE_S = 0.12
"""How far cues may lie apart: the sound of something 40 m away is so late."""
SURE = 2.5
"""Standard deviations of an offset that must fit into a frame."""


@dataclass(frozen=True)
class Finding:
    """What one cue says of one camera, the others being where they were found."""

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
    """What each cue says of each camera whose offset was to be found."""
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
    """Why the offsets cannot be believed, most telling first; nothing if they can."""
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
    """One sentence for each camera whose offset is believed because the timecodes say the same."""
    return [
        f"camera {names[camera]} fits the others hardly better at its offset than elsewhere (peak ratio "
        f"{ratio:.2f}); it is believed because the timecodes say the same"
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
