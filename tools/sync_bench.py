"""How exactly cameras are synchronised: on the demo athlete's run re-timed at random, and on synchronous clips cut.

    python tools/sync_bench.py draws [--draws 50] [--first-seed 0] [--seconds 60]
    python tools/sync_bench.py cuts FOLDER [--draws 8] [--most 20]

``draws``: four cameras, two of which pan and zoom, start up to 10 s apart at 23.976 to 60 frames/s, with clocks that
drift by up to 100 ppm (``demo/retimed.py``): with sound, with sound that takes its time to cameras 15 to 20 m away,
from poses alone, and, as a trap, with one camera that filmed another run; the second and the last in every fifth
draw. ``cuts``: clips of a folder that start together are detected once, and the poses then cut so that cameras start
up to ``most`` frames apart.

An error is the largest distance in time, over what a camera has in common with the first, between where a frame is
put and where it belongs. A failure is an error of more than a frame; it is silent if the verdict is "ok".
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from posepipe.pipeline.arrays import Frames, Timeline, Track
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import SynchronizeSettings, load_settings
from posepipe.pipeline.stages.synchronize.stage import synchronize

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo.retimed import Clock, Retimed, draw_take

SPEED_OF_SOUND = 340.0
"""m/s"""
SIDE_EVERY = 5
"""Every so many draws the late sound and the trap are tried as well."""


@dataclass(frozen=True)
class Outcome:
    """One camera of one take."""

    error_s: float  # infinite where the stage stopped
    frame_s: float
    verdict: str


def outcomes(take: Retimed, settings: SynchronizeSettings) -> Iterator[Outcome]:
    """What becomes of each camera but the first."""
    periods = [float(np.median(np.diff(track.time))) for track in take.tracks]
    try:
        line = synchronize(take.frames, take.tracks, take.names, [None] * len(take.names), settings)
    except PosepipeError as error:
        print(f"  stopped: {error}")
        yield from (Outcome(np.inf, period, "stopped") for period in periods[1:])
        return
    for camera in range(1, len(take.names)):
        yield Outcome(_error(take, line, camera), max(periods[0], periods[camera]), line.verdict)


def _error(take: Retimed, line: Timeline, camera: int) -> float:
    """Largest error in s of a camera's times against the first's, while both film."""
    own, first = take.tracks[camera].time, take.clocks[0]
    there = (take.clocks[camera].true(own) - first.start_s) / first.rate
    put = (line.offset[camera] + line.rate[camera] * own - line.offset[0]) / line.rate[0]
    both = (there >= 0) & (there <= take.tracks[0].time[-1])
    return float(np.abs(put - there)[both].max(initial=0))


def show(title: str, found: list[Outcome], limit_s: float) -> None:
    """One line of results."""
    error = np.array([outcome.error_s for outcome in found])
    wrong = error > [outcome.frame_s for outcome in found]
    verdicts = [outcome.verdict for outcome in found]
    silent = sum(bad and verdict == "ok" for bad, verdict in zip(wrong, verdicts, strict=True))
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in sorted(set(verdicts)))
    spread = ", ".join(
        f"{share} % {np.percentile(error, share, method='higher') * 1e3:.1f}" for share in (50, 90, 95, 100)
    )
    print(
        f"{title}: {np.mean(error <= limit_s):.1%} of {len(error)} offsets within {limit_s * 1e3:.0f} ms; "
        f"error in ms: {spread}; {silent} silent failures; verdicts: {counts}",
        flush=True,
    )


def draws(options: argparse.Namespace) -> None:
    """Re-timed runs of the demo athlete."""
    limits = {"sound": 0.005, "poses alone": 0.010, "late sound": 0.005}
    found: dict[str, list[Outcome]] = {kind: [] for kind in (*limits, "impostor")}
    for seed in range(options.first_seed, options.first_seed + options.draws):
        heard = draw_take(seed, options.seconds, 0.0)
        silent = replace(heard, frames=[replace(each, audio_envelope=None) for each in heard.frames])
        takes = {"sound": heard, "poses alone": silent}
        if seed % SIDE_EVERY == 0:
            takes["late sound"] = draw_take(seed, options.seconds, SPEED_OF_SOUND)
            takes["impostor"] = _with_impostor(silent, draw_take(seed + 10_000, options.seconds, None))
        for kind, take in takes.items():
            new = list(outcomes(take, SynchronizeSettings()))
            found[kind] += new
            errors = " ".join(f"{outcome.error_s * 1e3:.1f}" for outcome in new)
            print(f"draw {seed}, {kind}: {new[0].verdict}, errors {errors} ms", flush=True)
    for kind, limit in limits.items():
        if found[kind]:
            show(kind, found[kind], limit)
    verdicts = [outcome.verdict for outcome in found["impostor"]][::3]
    print(f"one camera filmed another run: {verdicts.count('ok')} of {len(verdicts)} takes accepted")


def _with_impostor(take: Retimed, other: Retimed) -> Retimed:
    """A take whose last camera filmed something else."""
    return replace(take, frames=[*take.frames[:3], other.frames[3]], tracks=[*take.tracks[:3], other.tracks[3]])


def cuts(options: argparse.Namespace) -> None:
    """Clips that start together, cut."""
    from posepipe.pipeline.footage.recording import Recording
    from posepipe.pipeline.runs.fit import fit

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(overrides=["synchronize.offsets=stated"])
        fit(options.folder, out=Path(folder) / "out", settings=settings, until="morph")
        cameras = Recording.open(options.folder).takes[0].cameras
        names = [camera.name for camera in cameras]
        whole = _stored(Path(folder) / "out" / "cache", names)
        found = []
        for seed in range(options.first_seed, options.first_seed + options.draws):
            rng = np.random.default_rng([seed, 9])
            skipped = rng.permutation([0, options.most, *rng.integers(0, options.most + 1, len(names) - 2)])
            take = [_cut(frames, track, skip) for (frames, track), skip in zip(whole, skipped, strict=True)]
            clocks = [Clock(float(track.time[skip]), 1.0) for (_, track), skip in zip(whole, skipped, strict=True)]
            found += outcomes(Retimed(names, *map(list, zip(*take, strict=True)), clocks), SynchronizeSettings())
    show("cuts", found, 0.5 * found[0].frame_s)


def _stored(cache: Path, names: list[str]) -> list[tuple[Frames, Track]]:
    """Frames, and the track of whoever is seen most, of all cameras from a results folder."""
    from posepipe.pipeline.runtime.cache import read_manifest

    loaded = []
    for kind, stage in ((Frames, "correct_frames"), (Track, "morph_skeleton")):
        entries = [(read_manifest(path.parent), path.parent) for path in (cache / stage).glob("*/manifest.json")]
        by_name: dict[str, list[Any]] = {name: [] for name in names}
        for facts, path in entries:
            by_name[facts["subject"].split("/")[-1]].append(kind.load(path, facts["notes"]))
        loaded.append(
            [max(each, key=lambda one: getattr(one, "confidence", one.time).sum()) for each in by_name.values()]
        )
    return list(zip(*loaded, strict=True))


def _cut(frames: Frames, track: Track, skip: int) -> tuple[Frames, Track]:
    """A clip without its first pictures; its sound is left out, as only one camera of few has any."""
    time = track.time[skip:] - track.time[skip]
    parts = {name: np.asarray(getattr(track, name))[skip:] for name in ("keypoint", "confidence", "box")}
    return replace(frames, time=time, audio_envelope=None), replace(track, time=time, **parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    drawn = commands.add_parser("draws", help="re-timed runs of the demo athlete")
    drawn.add_argument("--seconds", type=float, default=60.0, help="length of each clip, give or take a tenth")
    drawn.set_defaults(run=draws, count=50)
    cut = commands.add_parser("cuts", help="synchronous clips, cut")
    cut.add_argument("folder", type=Path)
    cut.add_argument("--most", type=int, default=20, help="frames")
    cut.set_defaults(run=cuts)
    for each, count in ((drawn, 50), (cut, 8)):
        each.add_argument("--draws", type=int, default=count)
        each.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
