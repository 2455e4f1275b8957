"""Real footage made awkward with ffmpeg, and what posepipe makes of it: fit and infer on every kind of clip.

    python tools/footage_zoo.py kinds FOLDER --out zoo
    python tools/footage_zoo.py long CLIP --model model.pt --out zoo [--minutes 60] [--shown 2]

``kinds``: the clips of a take that start together become one take of awkward ones, a kind for each camera in turn:
rotated by metadata and without sound; of variable frame rate and odd size; half the frame rate in HEVC with 10 bits;
interlaced, the fields of two instants in a picture. Rates are named as those of 60 Hz footage become. Prints for each
camera how many of the joints, in fit's and in infer's results, are within 2 % of the picture's height of those in the
plain clip, and the offset that was found; all should be 0, but of pictures of two instants half a field more.

``long``: the clip, repeated for ``shown`` minutes, in the middle of an unrecognisable picture that stands still for
the rest of ``minutes``. Prints how long each stage of ``infer`` takes, and the memory that it needs at most, beside
those of the shown minutes alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from posepipe.pipeline.footage.recording import Recording
from posepipe.pipeline.footage.video import probe
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runtime.cache import MANIFEST
from posepipe.pipeline.settings import load_settings

KEY_FRAME_S = 1
CLOSE = 0.02
SOUND = ("-f", "lavfi", "-i", "anoisesrc=d=600:seed=1:a=0.3", "-shortest")
NTSC = "fps=source_fps*1000/1001"
ODD = "iw+1-mod(iw\\,2):ih+1-mod(ih\\,2)"
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le")
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "rotated, 59.94 Hz": (
        "mov",
        ("-vf", f"{NTSC},transpose=2", "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-an"),
    ),
    "variable rate, odd size": (
        "mkv",
        ("-vf", f"select='not(between(mod(n,9),5,6))',format=yuv444p,pad={ODD}", "-fps_mode", "vfr",
         "-c:v", "libx264", "-crf", "16"),
    ),
    "29.97 Hz, hevc, 10 bits": ("mp4", ("-vf", f"{NTSC}/2", *HEVC, "-crf", "18")),
    "interlaced, 59.94 fields/s": (
        "ts",
        ("-vf", f"{NTSC},tinterlace=interleave_top", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct",
         "-field_order", "tt"),
    ),
}  # fmt: skip
"""File name suffix and what ffmpeg does."""


def ffmpeg(*words: object) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, words)], check=True)


def make(kind: str, source: Path, folder: Path) -> Path:
    """An awkward clip."""
    suffix, options = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{source.stem}.{suffix}"
    if suffix == "mov":
        lying = folder.parent / f"lying.{suffix}"
        ffmpeg("-i", source, *options, lying)
        ffmpeg("-display_rotation", -90, "-i", lying, "-c", "copy", made)
        lying.unlink()
    else:
        ffmpeg("-i", source, *SOUND, *options, made)
    return made


def kinds(options: argparse.Namespace) -> None:
    """A take of awkward clips."""
    cameras = Recording.open(options.folder).takes[0].cameras
    chosen = [list(KINDS)[number % len(KINDS)] for number in range(len(cameras))]
    awkward = [make(kind, camera.video, options.out / "take") for kind, camera in zip(chosen, cameras, strict=True)]
    settings = load_settings(overrides=options.set)
    made = fit(options.out / "take", out=options.out / "made", settings=settings, exports=["npz", "overlay"])
    (offset,) = (np.load(path) for path in (made.folder / "cache" / "synchronize").glob("*/offset.npy"))
    for number, (kind, clip) in enumerate(zip(chosen, awkward, strict=True)):
        video = cameras[number].video
        again, plain = (
            infer(each, model=made.model, out=options.out / name / video.stem, exports=["npz"]).files[0]
            for name, each in (("infer", clip), ("plain", video))
        )
        height = int(probe(video).image_size[1])
        close = [share_close(plain, poses, height) for poses in (made.results[number] / "poses.npz", again)]
        print(f"{clip.name} {kind}: fit {close[0]:.1%}, infer {close[1]:.1%}, offset {offset[number] * 1e3:+.1f} ms")
    for warning in made.warnings:
        print(f"warning: {warning}")


def share_close(plain: Path, awkward: Path, height: int) -> float:
    """Share of the joints of a clip that are where the plain clip has them at that time."""
    with np.load(plain) as first, np.load(awkward) as second:
        nearest = np.abs(first["time"] - second["time"][:, None]).argmin(1)
        distance = np.linalg.norm(first["keypoint"][nearest] - second["keypoint"], axis=-1)
    return float((distance <= CLOSE * height)[np.isfinite(distance)].mean())


def long(options: argparse.Namespace) -> None:
    """A long clip of which little shows anybody, in a process of its own for each measurement."""
    options.out.mkdir(parents=True, exist_ok=True)
    rate, shown = Fraction(probe(options.clip).rate), 60 * options.shown
    keys = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", round(rate * KEY_FRAME_S), "-an")
    brief, whole = options.out / "shown.mp4", options.out / "long.mp4"
    ffmpeg("-stream_loop", -1, "-t", shown, "-i", options.clip, "-r", rate, *keys, brief)
    still = options.out / "still.mp4"
    width, height = probe(options.clip).image_size.tolist()
    # A corner in the place of the picture: in a blurred picture the detector still sees people.
    once = f"select='eq(n,0)',crop=iw/8:ih/8:0:0,scale={width}:{height},loop=-1:1"
    ffmpeg("-i", options.clip, "-vf", once, "-r", rate, "-t", 30 * options.minutes - shown / 2, *keys, still)
    (options.out / "list.txt").write_text("".join(f"file '{p.resolve()}'\n" for p in (still, brief, still)))
    ffmpeg("-f", "concat", "-safe", 0, "-i", options.out / "list.txt", "-c", "copy", whole)
    for clip in (brief, whole):
        words = ["measure", clip, "--model", options.model, "--out", options.out / f"{clip.stem}_posepipe"]
        subprocess.run([sys.executable, __file__, *map(str, words)], check=True)


def measure(options: argparse.Namespace) -> None:
    """Time and memory of one ``infer``."""
    poses = infer(options.clip, model=options.model, out=options.out, exports=["npz", "overlay"]).pose
    seconds = {
        facts["stage"]: round(facts["seconds"], 1)
        for path in (options.out / "cache").glob(f"*/*/{MANIFEST}")
        for facts in [json.loads(path.read_text())]
    }
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{options.clip.name}: {len(poses.time)} frames, {np.isfinite(poses.joint).all((1, 2)).sum()} with a pose; "
        f"processor {usage.ru_utime + usage.ru_stime:.0f} s, of which stages by the clock {seconds}; "
        f"memory at most {usage.ru_maxrss / 1024:.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    several = commands.add_parser("kinds", help="a take of awkward clips")
    several.add_argument("folder", type=Path)
    several.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="settings of the fit")
    several.set_defaults(run=kinds)
    hour = commands.add_parser("long", help="a long clip of which little shows anybody")
    hour.add_argument("--minutes", type=float, default=60.0)
    hour.add_argument("--shown", type=float, default=2.0)
    hour.set_defaults(run=long)
    one = commands.add_parser("measure", help="time and memory of one infer; used by long")
    one.set_defaults(run=measure)
    for command in (hour, one):
        command.add_argument("clip", type=Path)
        command.add_argument("--model", type=Path, required=True, help="model.pt of a fit")
    for command in (several, hour, one):
        command.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
