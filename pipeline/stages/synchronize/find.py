"""Offsets and clock rates of a take's cameras, from sound and from the 2D poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...arrays import Frames, Track
from ...errors import PosepipeError
from ...settings import SynchronizeSettings
from .clocks import Clocks, solve_clocks
from .coarse import Pair, likeliest_starts, total_of, weakest_cut
from .epipolar import PairOfTracks
from .fine import PairOfSignals
from .matching import Cue, compare
from .signals import RATE, Signal, loudness, pose_signals
from .verdict import AGREE_S, SURE, Finding, complaints, findings, resting_on_timecode, uncertain

SPEED_OF_SOUND = 340.0
"""m/s"""
LEAST_S = {"sound": 1e-3, "geometry": 0.0}
"""Standard deviation that even the clearest block of a cue has."""
DAY_S = 86400.0
ROUNDS = 4
TOGETHER = 1.5
"""Frames by which clips of equal length may seem to be apart though they are not."""
ADVICE = (
    "say how far apart the cameras started with offset_s in posepipe.toml (0 for all if they started together), "
    "or leave out a misleading cue with synchronize.cues"
)

Kinds = dict[str, list[list[Signal] | None]]
"""Each cue's signals, by camera; None where a camera has none."""


@dataclass(frozen=True)
class Found:
    """Clocks that were found, and what speaks for them."""

    clocks: Clocks
    findings: list[Finding]
    warnings: list[str]
    ratio: float
    """Least peak ratio of any camera: how much better they fit at these offsets than at others."""


def find_clocks(
    frames: Sequence[Frames],
    tracks: Sequence[Track],
    names: Sequence[str],
    given: Mapping[int, float],
    settings: SynchronizeSettings,
) -> Found:
    """Clocks of a take's cameras.

    Args:
        given: offsets (s) of cameras that are known.
        settings: which cues may be used, and how far apart cameras may have started and be from the sound.

    Raises:
        PosepipeError: the cues are weak or contradict each other.
    """
    cameras = len(tracks)
    signals: Kinds = {kind: each for kind, each in _signals(frames, tracks).items() if kind in settings.cues}
    cues = {kind: _compare_all(kind, each, round(settings.max_offset_s * RATE)) for kind, each in signals.items()}
    cues = {kind: pairs for kind, pairs in cues.items() if pairs}
    free = [camera for camera in range(cameras) if camera not in (given or {0: 0.0})]
    if not cues:
        raise PosepipeError(f"the cameras cannot be synchronised: none of the chosen cues is there; {ADVICE}")
    total = total_of(list(cues.values()))
    start = likeliest_starts(total, cameras, {camera: round(offset * RATE) for camera, offset in given.items()})
    begun = Clocks(start / RATE, np.ones(cameras), np.zeros(cameras))
    clocks = refine(begun, tracks, signals, cues, given, settings.sound_path_m / SPEED_OF_SOUND)
    found = findings(cues, start, clocks, free)
    if "timecode" in settings.cues:
        found += _timecodes([each.timecode_s for each in frames], clocks, free)
    ratios = weakest_cut(total, start, set(given) or {0})
    ratio = min(ratios.values(), default=np.inf)
    trouble = list(complaints(names, found, ratios))
    if not trouble and np.abs(clocks.offset - begun.offset).max() > AGREE_S:
        trouble = ["the best offsets of the parts of the take do not fit together"]
    periods = [float(np.median(np.diff(track.time))) if len(track.time) > 1 else 1.0 for track in tracks]
    together = Clocks(np.zeros(cameras), np.ones(cameras), np.zeros(cameras))
    whole = not any(each.is_part for each in frames)  # parts are as long as they were asked for
    equal = not given and whole and equally_long(tracks, max(periods))
    if trouble and equal and not any(finding.clear and not finding.agrees for finding in found):
        why = f"{trouble[0]}; as all clips are equally long, they count as started together"
        return Found(together, found, [why], ratio)
    if trouble:
        raise PosepipeError(f"the cameras cannot be synchronised: {trouble[0]}; {ADVICE}")
    noise = np.maximum(TOGETHER * max(periods), SURE * clocks.deviation)
    if equal and (np.abs(clocks.offset) <= noise).all():
        clocks = together
    said = resting_on_timecode(names, found, ratios) + uncertain(names, clocks, periods)
    return Found(clocks, found, said, ratio)


def _signals(frames: Sequence[Frames], tracks: Sequence[Track]) -> Kinds:
    poses = [pose_signals(track) for track in tracks]
    sounds = [
        loudness(each, float(each.time[-1] / track.time[-1]) if track.time[-1] > 0 else 1.0)
        for each, track in zip(frames, tracks, strict=True)
    ]
    return {
        "sound": [None if sound is None else [sound] for sound in sounds],
        "motion": [[speed] for _, speed in poses],
        "geometry": [bands for bands, _ in poses],
    }


def _compare_all(kind: str, signals: Sequence[list[Signal] | None], max_lag: int) -> dict[Pair, Cue]:
    """Evidence of one cue for all pairs of cameras that have it."""
    pairs = combinations(range(len(signals)), 2)
    return {
        (first, second): compare(kind, a, b, max_lag)
        for first, second in pairs
        if (a := signals[first]) is not None and (b := signals[second]) is not None
    }


def refine(
    begun: Clocks,
    tracks: Sequence[Track],
    signals: Kinds,
    cues: Mapping[str, Mapping[Pair, Cue]],
    given: Mapping[int, float],
    common_s: float,
) -> Clocks:
    """Offsets and rates to a fraction of a frame; ``common_s`` is how late sound may be.

    Where both cameras of a pair stand still, epipolar geometry takes the place of the affine one.
    """
    still = [
        PairOfTracks((tracks[first], tracks[second]), first, second, begun)
        for first, second in cues.get("geometry", ())
        if tracks[first].camera_moves is False and tracks[second].camera_moves is False
    ]
    still = [pair for pair in still if pair.usable]
    done = {(pair.first, pair.second) for pair in still}
    pairs = [
        (kind, PairOfSignals(kind, a, b, (first, second, begun)))
        for kind in LEAST_S
        for first, second in cues.get(kind, ())
        if (kind != "geometry" or (first, second) not in done)
        and (a := signals[kind][first]) is not None
        and (b := signals[kind][second]) is not None
    ]
    clocks = begun
    for _ in range(ROUNDS):
        links = [pair.link(clocks, common_s if kind == "sound" else 0.0, LEAST_S[kind]) for kind, pair in pairs]
        links += [pair.link() for pair in still]
        clocks = solve_clocks(links, len(begun.offset), given)
    return clocks


def equally_long(tracks: Sequence[Track], period: float) -> bool:
    """Whether clips have the same timestamps, as those have that were cut to the same moments.

    Cameras that are started by hand do not stop after exactly as many frames.
    """
    times = [track.time for track in tracks]
    return all(len(time) == len(times[0]) and np.allclose(time, times[0], atol=0.1 * period) for time in times)


def _timecodes(codes: Sequence[float | None], clocks: Clocks, free: Sequence[int]) -> list[Finding]:
    """What the containers' timecodes say: only those of cameras that one clock has set agree with anything, so they
    are no cue of their own; where they agree they vouch for offsets that other cues find but weakly. They tell the
    time of day, and one camera may start before midnight and another after it."""
    reference = codes[0]
    if reference is None:
        return []
    found = []
    for camera in free:
        if (code := codes[camera]) is not None:
            offset = float(clocks.offset[0] + (code - reference + DAY_S / 2) % DAY_S - DAY_S / 2)
            agrees = bool(abs(offset - clocks.offset[camera]) <= AGREE_S)
            found.append(Finding("timecode", camera, offset, None, clear=False, agrees=agrees))
    return found
