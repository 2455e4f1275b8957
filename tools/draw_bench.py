"""Draws footage with known 3D on which methods that see pictures can be ranked beside those that see 2D poses.

    python tools/draw_bench.py DATA [--seed 0]

Gymnasts of different builds, in different clothes and halls, stride, squat, lunge, jump, kick and turn before static
cameras. Writes into DATA/drawn

    train/<take>/cam1.mp4 .. cam4.mp4, calib.toml, posepipe.toml   ten takes of five athletes, each in a hall and
                                                                   before cameras of its own, all of them known
    test/<clip>.mp4, calib.toml                                    two other athletes, other halls, other cameras: one
                                                                   stands still, one pans; intrinsics are known
    reference/<clip>.npz                                           the truth of the test clips: ``demo.footage``

The same seed gives the same bytes on one machine. Drawing takes some four minutes of processor time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import tomli_w

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from posepipe.pipeline.runtime.writing import write_atomically

from demo.athlete import Performance
from demo.cameras import Shot, following_shot, static_shot
from demo.exercises import Gymnast, random_body
from demo.figure import Outfit, solids_of
from demo.footage import Clip, Placement, reference, write_video
from demo.hall import Hall, random_colour
from demo.renderer import draw_solids
from demo.scene import Plate

SIZE, FRAME_RATE = (640, 480), 15
TRAINING_ATHLETES, TAKES_EACH, TAKE_S, CAMERAS = 5, 2, 5.0, 4
TEST_ATHLETES, CLIP_S = 2, 10.0

_SKIN = ((140, 172, 226), (118, 150, 205), (80, 112, 165), (52, 76, 118), (160, 188, 238))
_HAIR = ((38, 62, 92), (20, 24, 30), (90, 150, 190), (60, 60, 70))


@dataclass(frozen=True)
class Session:
    """One athlete in one hall, seen by some cameras."""

    name: str
    athlete: int
    number: int
    cameras: int
    seconds: float
    test: bool


def sessions() -> list[Session]:
    """All training takes, then the test clips, one session of two clips per held-out athlete."""
    training = [Session(f"athlete{athlete}_{take}", athlete, TAKES_EACH * athlete + take, CAMERAS, TAKE_S, False)
                for athlete in range(TRAINING_ATHLETES) for take in range(TAKES_EACH)]  # fmt: skip
    test = [Session(f"athlete{athlete}", athlete, 100 + athlete, 2, CLIP_S, True)
            for athlete in range(TRAINING_ATHLETES, TRAINING_ATHLETES + TEST_ATHLETES)]  # fmt: skip
    return training + test


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Clothes of any colour."""
    jacket, trousers, trim = (random_colour(rng, 0.9, (0.15, 0.95)) for _ in range(3))
    return Outfit(
        jacket=jacket,
        sleeve=jacket if rng.uniform() < 0.5 else random_colour(rng, 0.9, (0.15, 0.95)),
        trim=trim,
        bib=random_colour(rng, 0.9, (0.4, 1.0)) if rng.uniform() < 0.5 else jacket,
        trousers=trousers,
        stripe=trim,
        gloves=random_colour(rng, 0.3, (0.1, 0.9)),
        boots=random_colour(rng, 0.5, (0.1, 0.95)),
        cuff=random_colour(rng, 0.9, (0.2, 0.9)),
        skin=_SKIN[rng.integers(len(_SKIN))],
        hair=_HAIR[rng.integers(len(_HAIR))],
        helmet=random_colour(rng, 0.8, (0.2, 0.95)),
    )


def plan(session: Session, seed: int) -> list[Clip]:
    """What every camera of a session sees; cameras stand all round, the second one of a test session pans."""
    body = random_body(np.random.default_rng([seed, 8, session.athlete]))
    time = np.arange(round(session.seconds * FRAME_RATE)) / FRAME_RATE
    performance = Gymnast(1000 * seed + session.number, body).perform(time)
    rng = np.random.default_rng([seed, 9, session.number])
    first = rng.uniform(0, 360)
    clips = []
    for camera in range(session.cameras):
        bearing = first + 360 * (camera + rng.uniform(-0.25, 0.25)) / session.cameras
        distance, height, zoom = rng.uniform(5.0, 6.5), rng.uniform(0.8, 2.2), rng.uniform(145, 165)
        placement = Placement(camera + 1, bearing, distance, height, zoom * distance, session.test and camera == 1)
        clips.append(Clip(placement, performance, _shot(placement, performance, rng)))
    return clips


def _shot(placement: Placement, performance: Performance, rng: np.random.Generator) -> Shot:
    bearing = np.radians(placement.bearing_deg)
    centre = np.array([*(placement.distance * np.array([np.sin(bearing), np.cos(bearing)])), placement.height])
    if placement.follows:
        path, time = performance.joint.mean(1), performance.time
        return following_shot(centre, path, time, placement.focal, rng, zoom=0.0, size=SIZE)
    target = np.array([*rng.uniform(-0.15, 0.15, 2), 0.95])
    return static_shot(centre, target, placement.focal, len(performance.time), SIZE)


def draw(clip: Clip, hall: Hall, outfit: Outfit, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 BGR of a clip, one after the other."""
    shot, performance = clip.shot, clip.performance
    plate = Plate(hall, shot)
    grain = rng.normal(0, 2.0, (SIZE[1] + 64, SIZE[0] + 64, 3)).astype(np.int8)
    for frame in range(len(performance.time)):
        K, R, t = shot.K[frame], shot.R[frame], shot.t[frame]
        solids = solids_of(performance, frame, outfit)
        image = plate.seen_by(K, R, SIZE)
        hall.cast_shadow(image, K @ np.column_stack([R, t]), solids)
        draw_solids(image, solids, K, R, t, hall.light)
        dy, dx = rng.integers(0, 64, 2)
        yield cv2.add(image, grain[dy : dy + SIZE[1], dx : dx + SIZE[0]], dtype=cv2.CV_8U)


def make_session(session: Session, out: Path, seed: int) -> None:
    """Write the videos of a session, and the calibration of a training take or the truth of test clips."""
    cv2.setNumThreads(1)
    hall, outfit = (
        Hall(1000 * seed + session.number),
        random_outfit(np.random.default_rng([seed, 10, session.number])),
    )
    clips = plan(session, seed)
    folder = out / "test" if session.test else out / "train" / session.name
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        name = clip_name(session, clip)
        rng = np.random.default_rng([seed, 11, session.number, clip.placement.number])
        write_video(folder / f"{name}.mp4", draw(clip, hall, outfit, rng), SIZE, FRAME_RATE)
        if session.test:
            (out / "reference").mkdir(exist_ok=True)
            np.savez_compressed(out / "reference" / f"{name}.npz", **reference(clip))
    if not session.test:
        cameras = {clip.placement.name: calibration(clip) | place(clip) for clip in clips}
        write_atomically(folder / "calib.toml", tomli_w.dumps(cameras).encode())
        write_atomically(folder / "posepipe.toml", b'moving = false\ncalibration = "calib.toml"\n')


def clip_name(session: Session, clip: Clip) -> str:
    """Stem of a clip's video."""
    return f"{session.name}_{clip.placement.name}" if session.test else clip.placement.name


def calibration(clip: Clip) -> dict[str, object]:
    """Intrinsics of a camera in Pose2Sim's format."""
    return {"size": [float(side) for side in SIZE], "matrix": clip.shot.K[0].tolist(), "distortions": [0.0] * 4}


def place(clip: Clip) -> dict[str, object]:
    """Where a camera stands, in the same format."""
    rotation = cv2.Rodrigues(clip.shot.R[0])[0].ravel()
    return {"rotation": rotation.tolist(), "translation": clip.shot.t[0].tolist(), "fisheye": False}


def draw_bench(data: Path, seed: int = 0, processes: int = 1) -> None:
    """Draw all sessions into ``data/drawn``."""
    out = data / "drawn"
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(make_session, session, out, seed) for session in sessions()]:
            job.result()
    known = {clip_name(session, clip): calibration(clip)
             for session in sessions() if session.test for clip in plan(session, seed)}  # fmt: skip
    write_atomically(out / "test" / "calib.toml", tomli_w.dumps(known).encode())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder in which drawn/ is made")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    draw_bench(arguments.data, arguments.seed, arguments.processes)
    print(arguments.data / "drawn")


if __name__ == "__main__":
    main()
