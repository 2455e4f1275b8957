"""Draws the demo: a slalom skier seen by four cameras, a held-out clip of a fifth, and the exact 3D motion.

    python demo/footage.py --out FOLDER [--seed 0] [--seconds 12]

writes

    FOLDER/training/cam1.mp4 .. cam4.mp4   H.264, 960x540, 30 frames/s, the same instants; cam1 and cam2 stand
                                           still, cam3 and cam4 pan, tilt and zoom after the skier
    FOLDER/heldout/cam5.mp4                another camera, a later stretch of the same skier's run
    FOLDER/reference/cam1.npz .. cam5.npz  the truth, for evaluation only; nothing in posepipe may read it

Arrays of a reference file, F frames:

    joints_3d_cam  (F, 17, 3) float32  metres, relative to the pelvis, axes of the camera (x right, y down, z forward)
    keypoint       (F, 17, 2) float32  exact projections in px; pixel centres lie at whole numbers
    time           (F)        float64  seconds from the start of the clip
    joint_names    (17)       str      H36M-17
    K, R, t        (F, 3, 3), (F, 3, 3), (F, 3) float64   px, camera from world, m: x_cam = R x_world + t
    joints_3d_world (F, 17, 3) float32 metres, world z up

The same seed and length give the same bytes on one machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import ffmpeg
import imageio_ffmpeg
import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from posepipe.models.skeleton import H36M17

from demo.athlete import SLOPE, Performance, SlalomSkier
from demo.cameras import Shot, following_shot, static_shot
from demo.figure import Outfit, solids_of
from demo.renderer import draw_solids
from demo.scene import Plate, Scene

FRAME_RATE = 30
HELDOUT_START_S = 30.0
"""The held-out clip begins this long after the training clips do."""


@dataclass(frozen=True)
class Placement:
    """Where a camera stands: bearing from straight down the slope, + to the skier's right; metres; zoom in px."""

    number: int
    bearing_deg: float
    distance: float
    height: float
    focal: float
    follows: bool
    folder: str = "training"

    @property
    def name(self) -> str:
        """Stem of the camera's files."""
        return f"cam{self.number}"

    @property
    def centre(self) -> np.ndarray:
        """Optical centre in the world (3) m, ``height`` above the snow."""
        bearing = np.radians(self.bearing_deg)
        on_slope = self.distance * np.array([np.sin(bearing), np.cos(bearing), 0.0])
        return SLOPE @ on_slope + [0, 0, self.height]


PLACEMENTS = (
    Placement(1, -38, 15, 1.7, 2700, follows=False),
    Placement(2, 78, 17, 2.0, 3000, follows=False),
    Placement(3, 30, 20, 2.4, 3500, follows=True),
    Placement(4, -128, 16, 2.3, 2750, follows=True),
    Placement(5, -8, 17, 1.8, 2900, follows=False, folder="heldout"),
)


@dataclass(frozen=True)
class Clip:
    """One camera's view of one performance."""

    placement: Placement
    performance: Performance
    shot: Shot


def plan_clip(placement: Placement, seed: int, seconds: float) -> Clip:
    """The skier and the camera of one clip; the held-out clip starts later and is half as long, at least 5 s."""
    heldout = placement.folder == "heldout"
    frames = round((max(seconds / 2, min(seconds, 5.0)) if heldout else seconds) * FRAME_RATE)
    time = (HELDOUT_START_S if heldout else 0.0) + np.arange(frames) / FRAME_RATE
    performance = SlalomSkier(seed).perform(time)
    middle = SLOPE[:, 2] * 0.75
    if not placement.follows:
        shot = static_shot(placement.centre, middle, placement.focal, frames)
    else:
        path = performance.joint.mean(1)
        rng = np.random.default_rng([seed, 4, placement.number])
        shot = following_shot(placement.centre, path, time, placement.focal, rng)
    return Clip(placement, performance, shot)


def draw(clip: Clip, seed: int) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 BGR of a clip, one after the other."""
    shot, performance, outfit = clip.shot, clip.performance, Outfit()
    scene = Scene(seed, np.stack([placement.centre for placement in PLACEMENTS]))
    around = performance.time[0] + np.arange(-2, np.ptp(performance.time) + 2, 0.02)
    scene.mark_turns(SlalomSkier(seed), around)
    plate = Plate(scene, shot)
    rng = np.random.default_rng([seed, 5, clip.placement.number])
    grain = rng.normal(0, 1.6, (shot.size[1] + 64, shot.size[0] + 64, 3)).astype(np.int8)
    for frame, time in enumerate(performance.time):
        K, R, t = shot.K[frame], shot.R[frame], shot.t[frame]
        solids = solids_of(performance, frame, outfit)
        image = plate.seen_by(K, R, shot.size)
        scene.lay_mat(image, K @ np.column_stack([R, t]), solids, SlalomSkier.SPEED * time)
        draw_solids(image, solids, K, R, t, scene.light)
        dy, dx = rng.integers(0, 64, 2)
        yield cv2.add(image, grain[dy : dy + shot.size[1], dx : dx + shot.size[0]], dtype=cv2.CV_8U)


def write_video(path: Path, frames: Iterable[np.ndarray], size: tuple[int, int], rate: int = FRAME_RATE) -> None:
    """Encode frames (H, W, 3) uint8 BGR; the same frames give the same bytes."""
    process = (
        ffmpeg.input("pipe:", format="rawvideo", pix_fmt="bgr24", s=f"{size[0]}x{size[1]}", framerate=rate)
        .output(
            str(path), vcodec="libx264", pix_fmt="yuv420p", preset="veryfast", crf=19, threads=1,
            fflags="+bitexact", flags="+bitexact", map_metadata=-1, loglevel="error",
        )
        .overwrite_output()
        .run_async(cmd=imageio_ffmpeg.get_ffmpeg_exe(), pipe_stdin=True)
    )  # fmt: skip
    for frame in frames:
        process.stdin.write(np.ascontiguousarray(frame))
    process.stdin.close()
    if process.wait() != 0:
        raise RuntimeError(f"ffmpeg could not write {path}")


def reference(clip: Clip) -> dict[str, np.ndarray]:
    """The exact motion of a clip, as described at the top of this file."""
    joint, shot = clip.performance.joint, clip.shot
    in_camera = shot.to_camera(joint)
    root = H36M17.index("pelvis")
    return {
        "joints_3d_cam": (in_camera - in_camera[:, root : root + 1]).astype(np.float32),
        "joints_3d_world": joint.astype(np.float32),
        "keypoint": shot.project(joint).astype(np.float32),
        "time": clip.performance.time - clip.performance.time[0],
        "joint_names": np.array(H36M17.joints),
        "K": shot.K,
        "R": shot.R,
        "t": shot.t,
    }


def make_clip(placement: Placement, out: Path, seed: int, seconds: float) -> None:
    """Write the video and the reference of one camera."""
    cv2.setNumThreads(1)
    for folder in (placement.folder, "reference"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    clip = plan_clip(placement, seed, seconds)
    write_video(out / placement.folder / f"{placement.name}.mp4", draw(clip, seed), clip.shot.size)
    np.savez_compressed(out / "reference" / f"{placement.name}.npz", **reference(clip))


def make_footage(out: Path, seed: int = 0, seconds: float = 12.0, processes: int = 2) -> None:
    """Write the whole demo into a folder."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(make_clip, placement, out, seed, seconds) for placement in PLACEMENTS]:
            job.result()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of the training clips")
    arguments = parser.parse_args()
    make_footage(arguments.out, arguments.seed, arguments.seconds)


if __name__ == "__main__":
    main()
