"""Draws people who cross before four cameras, and counts takes in which it stays known who is who.

    python tools/crossing_bench.py FOLDER [--draws 20] [--people 2] [--spectators 0] [--height 200] [--blur] [--snow]

Every draw is a take of five seconds: gymnasts of different builds in different clothes walk round each other, so that
each hides each in every camera, and spectators stand behind. The pipeline runs to the stage ``match`` with ``--people
all``; its tracks are compared with the truth. A take

    is whole      if each of the people is an athlete of the take's, and of two cameras or more in half of the frames
    is mixed      if an athlete is somebody else in a camera, or for more than a twentieth of a camera's frames
    is silent     if it is not whole, or mixed, and no warning says that anything is amiss

What is drawn and what is detected is kept in FOLDER, and used again; the same seed draws the same take.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.recording import Recording
from posepipe.pipeline.runs.checks import prepare
from posepipe.pipeline.runs.clip_chain import ClipChain
from posepipe.pipeline.runs.fit_run import FitRun
from posepipe.pipeline.runs.fit_takes import find_people
from posepipe.pipeline.runs.people.athletes import choose_athletes, match_takes
from posepipe.pipeline.runs.up_to_date import FitRequest
from posepipe.pipeline.runtime.workplace import open_workplace
from posepipe.pipeline.settings import load_settings

from demo.athlete import Performance
from demo.cameras import Shot, static_shot
from demo.exercises import Gymnast, random_body
from demo.figure import solids_of
from demo.footage import write_video
from demo.hall import Hall
from demo.renderer import draw_solids
from demo.scene import Plate
from tools.draw_bench import random_outfit

SIZE, FRAME_RATE, SECONDS, CAMERAS = (640, 400), 15, 5.0, 4
ROUND = 1.3 * np.pi
"""How far people walk round each other, rad."""
APART_M, STAND_M = 0.75, 3.2
"""Of two people from the middle, and of spectators."""
SAME = 0.15
"""Mean distance of joints, in sizes of the person, below which a pose is somebody's."""
OTHERS = 0.05
"""Share of a camera's frames from which on somebody else makes an athlete mixed."""


@dataclass(frozen=True)
class Scene:
    """What is drawn, and for whom."""

    people: int
    spectators: int
    height: float
    """Of the people in the pictures, px."""
    blur: bool
    snow: bool

    @property
    def name(self) -> str:
        """For a folder."""
        words = [f"{self.people}people", f"{self.spectators}spectators", f"{self.height:.0f}px"]
        return "-".join([*words, *(["blur"] if self.blur else []), *(["snow"] if self.snow else [])])


def perform(scene: Scene, seed: int) -> list[Performance]:
    """Those who walk, then those who stand."""
    rng = np.random.default_rng([seed, 20])
    time = np.arange(round(SECONDS * FRAME_RATE)) / FRAME_RATE
    first, way = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
    shown = []
    for number in range(scene.people + scene.spectators):
        performer = Gymnast(1000 * seed + number, random_body(np.random.default_rng([seed, 21, number])))
        if number < scene.people:
            angle = first + 2 * np.pi * number / scene.people + way * ROUND * time / SECONDS
            reach = APART_M * max(1.0, scene.people / 3) * rng.uniform(0.85, 1.15)
            performance = performer.perform(time)
        else:
            angle, reach = np.full(len(time), rng.uniform(0, 2 * np.pi)), STAND_M * rng.uniform(0.9, 1.1)
            performance = performer.perform(time / 20)
        place = reach * np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
        joint = performance.joint + place[:, None]
        shown.append(Performance(time, joint, performance.foot, None, performance.body))
    return shown


def shots(scene: Scene, seed: int) -> list[Shot]:
    """Four static cameras all round."""
    rng = np.random.default_rng([seed, 22])
    first = rng.uniform(0, 2 * np.pi)
    made = []
    for camera in range(CAMERAS):
        bearing = first + 2 * np.pi * (camera + rng.uniform(-0.2, 0.2)) / CAMERAS
        distance, height = rng.uniform(6.0, 7.5), rng.uniform(1.0, 2.4)
        centre = np.array([distance * np.sin(bearing), distance * np.cos(bearing), height])
        frames = round(SECONDS * FRAME_RATE)
        made.append(static_shot(centre, np.array([0, 0, 0.95]), scene.height * distance / 1.75, frames, SIZE))
    return made


def draw(scene: Scene, seed: int, camera: int, shot: Shot, shown: Sequence[Performance]) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 BGR of one camera."""
    hall, rng = Hall(seed), np.random.default_rng([seed, 23, camera])
    outfits = [random_outfit(np.random.default_rng([seed, 24, number])) for number in range(len(shown))]
    plate, flakes = Plate(hall, shot), rng.uniform(0, 1, (250, 4))
    for frame in range(len(shown[0].time)):
        K, R, t = shot.K[frame], shot.R[frame], shot.t[frame]
        dressed = zip(shown, outfits, strict=True)
        solids = [solid for one, outfit in dressed for solid in solids_of(one, frame, outfit)]
        image = plate.seen_by(K, R, SIZE)
        hall.cast_shadow(image, K @ np.column_stack([R, t]), solids)
        draw_solids(image, solids, K, R, t, hall.light)
        if scene.blur:
            image = cv2.blur(image, (7, 1))
        if scene.snow:
            place = (flakes[:, :2] + frame * (0.01 + 0.03 * flakes[:, 2:])) % 1 * SIZE
            for (x, y), size in zip(place.astype(int).tolist(), 1 + 2 * flakes[:, 2], strict=True):
                cv2.circle(image, (x, y), round(size), (240, 240, 240), -1, cv2.LINE_AA)
        yield cv2.add(image, rng.normal(0, 2, image.shape).astype(np.int8), dtype=cv2.CV_8U)


def make_take(scene: Scene, seed: int, folder: Path) -> None:
    """The videos of a draw, if they are not there."""
    if folder.exists():
        return
    shown, making = perform(scene, seed), folder.with_name(f"{folder.name}-unfinished")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for camera, shot in enumerate(shots(scene, seed)):
        write_video(making / f"cam{camera}.mp4", draw(scene, seed, camera, shot, shown), SIZE, FRAME_RATE)
    (making / "posepipe.toml").write_text("moving = false\n")
    making.rename(folder)


@dataclass(frozen=True)
class Score:
    """How a take came out."""

    given: int
    """Of the people who walk, how many are athletes."""
    mixed: int
    """Athletes who are somebody else for a while, or in a camera."""
    extra: int
    """Athletes beside the people who walk and stand, such as a second copy of one of them."""
    share: float
    """Of the frames of all cameras, those in which the people who walk are known."""
    warnings: tuple[str, ...]

    def whole(self, scene: Scene) -> bool:
        """Whether all who walk are athletes."""
        return self.given == scene.people

    def silent(self, scene: Scene) -> bool:
        """Whether something is amiss that nothing says."""
        return (self.mixed > 0 or not self.whole(scene)) and not self.warnings


def score(scene: Scene, seed: int, folder: Path) -> Score:
    """Who is who in a take, against the truth."""
    settings = load_settings(overrides=["people.everybody=true"])
    asked = FitRequest.of(Recording.open(folder), settings, "match", ())
    truth = np.stack([shot.project(np.stack([one.joint for one in perform(scene, seed)], 1))
                      for shot in shots(scene, seed)])  # fmt: skip
    with open_workplace(folder.with_name(f"{folder.name}_posepipe")) as place:
        run = FitRun(asked, place)
        chain = ClipChain(place.cache, run.settings, prepare(run).morph)
        try:
            _, seen, timelines = find_people(run, chain)
            athletes, tracks = choose_athletes(run, seen, match_takes(run, seen, timelines), timelines)
        except PosepipeError as error:
            return Score(0, 0, 0, 0.0, (f"refused: {error}",))
        owners, mixed, shares = [], 0, np.zeros((truth.shape[2], CAMERAS))
        for athlete in athletes:
            fits = {number: _fits(tracks[view].body.keypoint, truth[number]) for view, _, number in athlete.shown()}
            owner = int(np.sum([each.sum(0) for each in fits.values()], 0).argmax())
            owners.append(owner)
            others = [np.mean((each.any(1) & ~each[:, owner])[each.any(1)]) for each in fits.values() if each.any()]
            mixed += max(others, default=0) > OTHERS
            for number, each in fits.items():
                shares[owner, number] = max(shares[owner, number], np.mean(each[:, owner]))
        given = ((shares[: scene.people] >= 0.5).sum(1) >= 2).sum()
        return Score(int(given), mixed, len(owners) - len(set(owners)), float(shares[: scene.people].mean()),
                     tuple(run.warnings))  # fmt: skip


def _fits(keypoint: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whose (F, P) poses (F, 17, 2) px of a camera may be, of people (F, P, 17, 2): several where they overlap."""
    size, there = np.ptp(truth, axis=2).max(-1), np.isfinite(keypoint).all(-1)
    away = np.where(there[:, None], np.linalg.norm(keypoint[:, None] - truth, axis=-1), 0).sum(-1)
    return there.any(1)[:, None] & (away / np.maximum(there.sum(1), 1)[:, None] < SAME * size)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--spectators", type=int, default=0)
    parser.add_argument("--height", type=float, default=200.0, help="of people in the pictures, px")
    parser.add_argument("--blur", action="store_true")
    parser.add_argument("--snow", action="store_true")
    options = parser.parse_args()
    scene = Scene(options.people, options.spectators, options.height, options.blur, options.snow)
    scores = []
    for seed in range(options.first, options.first + options.draws):
        take = options.folder / scene.name / f"take{seed}"
        make_take(scene, seed, take)
        one = score(scene, seed, take)
        scores.append(one)
        print(f"take {seed}: {one.given} of {scene.people} people, {one.mixed} mixed, {one.extra} twice, "
              f"{one.share:.0%} of frames", *one.warnings, sep="\n    ", flush=True)  # fmt: skip
    whole, mixed = sum(one.whole(scene) for one in scores), sum(one.mixed > 0 for one in scores)
    print(f"of {len(scores)} takes {whole} whole, {mixed} mixed, {sum(one.silent(scene) for one in scores)} silent; "
          f"{np.mean([one.share for one in scores]):.0%} of frames")  # fmt: skip


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
