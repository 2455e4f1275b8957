"""Score the world that a fit finds on drawn yards: up, travel, contacts, events, metres.

    python make_world.py --out data --scenario yard4             # of the accuracy benchmark, which lies elsewhere
    python tools/bench_world.py data/yard4_dev.npz --bench FOLDER --start model.pt --out world.json

Takes are fused and placed in the world by the code that ``posepipe fit`` runs: with the calibration, and without it,
where statures are known. The latter starts from poses that the model ``--start`` lifts. ``--bench`` is the folder
with ``world_metrics.py``. Metres by flight are scored for every drawn flight and for simulated ones.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from posepipe.models.skeleton import recognise
from posepipe.models.world.find import find_standing
from posepipe.models.world.flight import G, find_flights, metres_of
from posepipe.pipeline.arrays import FusedPoses, Samples, ViewPoses, WorldPoses
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runs.fit_fused import FusedPerson
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.settings import LiftSettings, MotionSettings, Settings, WorldSettings
from posepipe.pipeline.stages.fuse import fuse_views
from posepipe.pipeline.stages.lift import lift_samples
from posepipe.pipeline.stages.smooth import make_motion
from posepipe.pipeline.stages.world import motion_of
from posepipe.pipeline.training.model_file import Model

Data = dict[str, np.ndarray]

ROWS = {
    "tilt_deg": "tilt of up, degrees, median", "tilt_max_deg": "the largest", "WA_mm": "WA-MPJPE, mm",
    "W_mm": "W-MPJPE, mm", "RTE_pct": "RTE, % of the path", "scale_pct": "scale, %", "floor_mm": "floor, mm",
    "contact_F1": "contact F1", "event_ms": "events, ms", "event_share": "share of true events matched",
    "event_precision": "share of events that match", "slide_mm": "sliding in contact, mm per frame",
    "hip_deg": "hip, degrees", "knee_deg": "knee, degrees", "ankle_deg": "ankle, degrees",
}  # fmt: skip
SIMULATED, FLIGHT_S, RATE, STATURE_M = 20, (0.25, 0.6), 50, 1.75
"""Simulated flights, how long they last, frames per second, and the stature of who flies."""
NOISE_M, LASTING_M, LASTS = 0.004, 0.004, 7
"""Standard deviations of a centre of mass in single frames and over several, and over how many."""


def samples_of(data: Data, calibrated: bool) -> Samples:
    """The detections as samples, in the order of the file's frames."""
    skeleton, order = recognise([str(name) for name in data["joint_names"]])
    K, R, t = (data[f"camera_{name}"] if calibrated else None for name in "KRt")
    return Samples(
        keypoint=data["poses_2d"][:, :, order],
        confidence=data["confidences"][:, :, order],
        instant=data["frame_index"].astype(np.int64),
        take=data["sequence_id"].astype(np.int64),
        rig=data["subject_id"].astype(np.int64),
        K=K,
        R=R,
        t=t,
        skeleton=skeleton.name,
        takes=[str(name) for name in data["clip_name"]],
        time=data["time_s"].astype(np.float64),
    )


def fused(data: Data, samples: Samples, start: Path, cache: Cache) -> FusedPoses:
    """All views together: of known cameras each take by itself, of unknown ones all takes of a rig."""
    cameras = [[Camera.of_pictures(size) for size in data["image_size"].tolist()]] * len(samples.takes)
    if samples.R is not None:
        samples = replace(samples, rig=samples.take)
    lifted: ViewPoses = cache.run(
        lift_samples, samples, Model.read(start), settings=LiftSettings(device="cpu"), subject="yard"
    )
    poses: FusedPoses = cache.run(fuse_views, samples, lifted, cameras, subject="yard")
    return poses


def people(samples: Samples, poses: FusedPoses) -> Iterator[FusedPerson]:
    """The person of every take."""
    names = [f"camera {view}" for view in range(samples.confidence.shape[1])]
    for number in range(len(samples.takes)):
        rows = np.flatnonzero(samples.take == number)
        time = np.asarray(samples.time)[rows]
        yield FusedPerson(poses, samples, rows, np.arange(len(rows)), time, names)


def worlds(data: Data, samples: Samples, poses: FusedPoses) -> Iterator[WorldPoses]:
    """Every take's person in the world, their statures known."""
    for number, person in enumerate(people(samples, poses)):
        settings = Settings(world=WorldSettings(height_m=float(data["stature_m"][number])))
        found = person.person("person", settings).world
        if found is None:
            sys.exit(f"nobody is placed in the world in {samples.takes[number]}")
        yield found


def scores(data: Data, found: list[WorldPoses], metrics: ModuleType) -> dict[str, float]:
    """The benchmark's numbers; the floor is the first level."""
    _, order = recognise([str(name) for name in data["joint_names"]])
    sequences: list[dict[str, Any]] = []
    for number, world in enumerate(found):
        mine = data["sequence_id"] == number
        level = np.array([0.0, 0.0, world.floor[0] if world.floor else 0.0])
        sequences.append(
            {
                "pred": np.asarray(world.joint_world, np.float64)[:, np.argsort(order)] - level,
                "truth": data["joints_world"][mine],
                "contact": data["contact"][mine],
                "scored": bool(data["contact_scored"][number]),
                "contact_pred": np.asarray(world.standing),
                "floor": bool(world.floor),
            }
        )
    fps = float(data["fps"])
    tilts = [metrics.evaluate([one], fps)["tilt_deg"] for one in sequences]
    return {**metrics.evaluate(sequences, fps), "tilt_deg": float(np.median(tilts))}


def drawn_flights(data: Data, samples: Samples, poses: FusedPoses, metrics: ModuleType) -> list[tuple[float, float]]:
    """Relative error, and half the stated interval, of metres by every flight of those who jump."""
    found = []
    _, order = recognise([str(name) for name in data["joint_names"]])
    for number, person in enumerate(people(samples, poses)):
        if samples.takes[number].startswith("jump"):
            motion = motion_of(make_motion(person.pose(), MotionSettings()))
            truth = data["joints_world"][data["sequence_id"] == number][:, order]
            standing, (true, *_) = find_standing(motion), metrics.similarity(motion.joint, truth.astype(np.float64))
            for flight in standing.flights if standing else []:
                found += [(told[0] / true - 1, 1.96 * told[1]) for told in _told([flight], standing.up.direction)]
    return found


def simulated_flights(seed: int = 0) -> list[tuple[float, float]]:
    """The same of flights of a centre of mass alone, whose contacts are off by up to a frame."""
    rng, found, up = np.random.default_rng(seed), [], np.array([0.0, 0.0, 1.0])
    for seconds in np.linspace(*FLIGHT_S, SIMULATED):
        time = np.arange(round((seconds + 1) * RATE)) / RATE
        since = (time - 0.5).clip(0, seconds)
        height = 1 + G / 2 * since * (seconds - since)
        lasting = np.convolve(rng.normal(size=len(time) + LASTS - 1), np.ones(LASTS) / np.sqrt(LASTS), "valid")
        noise = NOISE_M * rng.normal(size=(len(time), 3)) + LASTING_M * lasting[:, None]
        mass = np.stack([np.zeros_like(time), time, height], -1) + noise
        begin, end = 0.5 + rng.uniform(-1, 1, 2) / RATE + [0, seconds]
        standing = np.repeat((time < begin)[:, None] | (time > end)[:, None], 2, 1)
        flights = find_flights(mass, standing, time, up, STATURE_M)
        found += [(told[0] - 1, 1.96 * told[1]) for told in _told(flights, up)]
    return found


def _told(flights: list[Any], up: np.ndarray) -> list[tuple[float, float]]:
    told = metres_of(flights, up)
    return [] if told is None else [told]


def describe_flights(found: list[tuple[float, float]]) -> dict[str, float]:
    """Median error in %, share within the stated interval, and the median interval in %."""
    error, half = (np.abs(np.array(column)) for column in zip(*found, strict=True))
    return {
        "flights": len(error),
        "median error, %": 100 * float(np.median(error)),
        "within the interval": float((error <= half).mean()),
        "median interval, +-%": 100 * float(np.median(half)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="npz of make_world.py whose cameras stand still")
    parser.add_argument("--bench", type=Path, required=True, help="folder of world_metrics.py")
    parser.add_argument("--start", type=Path, required=True, help="model whose poses the fusion starts from")
    parser.add_argument("--cache", type=Path, help="folder for what is computed; a temporary one by default")
    parser.add_argument("--out", type=Path, help="JSON file of the numbers")
    args = parser.parse_args()
    sys.path.insert(0, str(args.bench))
    metrics = importlib.import_module("world_metrics")
    with np.load(args.data) as file:
        data = {name: file[name] for name in file.files}
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(args.cache or Path(folder))
        for name, calibrated in (("calibration given", True), ("height known", False)):
            samples = samples_of(data, calibrated)
            poses = fused(data, samples, args.start, cache)
            table[name] = scores(data, list(worlds(data, samples, poses)), metrics)
            if not calibrated:
                found = drawn_flights(data, samples, poses, metrics)
                table["flights"] = describe_flights(found + simulated_flights())
    names = ("calibration given", "height known")
    print(f"{args.data.stem}; start: {args.start.name}\n\n| | {' | '.join(names)} |\n| --- | --- | --- |")
    for key, title in ROWS.items():
        print(f"| {title} | " + " | ".join(f"{table[name][key]:.3g}" for name in names) + " |")
    print("\nmetres by flight: " + ", ".join(f"{key} {value:.3g}" for key, value in table["flights"].items()))
    if args.out:
        args.out.write_text(json.dumps(table, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
