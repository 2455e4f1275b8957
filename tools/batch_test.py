"""Runs a batch over many short clips, some of them broken: nothing may be lost, repeated or kept in memory.

    python tools/batch_test.py --clips 200 --jobs 2
    python tools/batch_test.py --clips 200 --jobs 2 --footage demo_footage/training

Draws one-second clips that the tests' own detector reads, or cuts them from footage that has been fitted and lifts
them with that model and detector; breaks five of them in five ways, and lifts them all twice. Prints what became of
them, the sentences, the memory and processor time of the processes, and how long both runs took. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from posepipe.pipeline.footage.sources import results_folder, videos_in
from posepipe.pipeline.footage.video import probe, read_frames, write_video

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
RUN = TESTS / "with_fake_detector.py"
POSEPIPE = ["-c", "from posepipe.pipeline.cli import app; app()"]
SECOND = 25
"""Frames in a second of the drawn clips."""
BROKEN = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--footage", type=Path, help="folder of videos, with the results of fit beside it")
    parser.add_argument("--export", default="npz,trc")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if options.footage:
            program, model = POSEPIPE, results_folder(options.footage) / "model.pt"
            cut(options.footage, folder, options.clips - BROKEN)
        else:
            program, model = [RUN], draw(folder, options.clips - BROKEN)
        spoil(folder / "archive")
        words = ["--jobs", str(options.jobs), "--export", options.export]
        for name in ("first", "second"):
            seconds, memory, busy = run([*program, "batch", folder / "archive", "--model", model, *words])
            told = json.loads((folder / "archive_batch" / "summary.json").read_text())
            print(f"{name} run: {told['counts']}, {seconds:.1f} s, processor time {busy:.1f} s")
            if name == "first":
                print("memory of all processes, MiB, at each tenth of the run:", tenths(memory))
                print("\n".join(row["error"] for row in told["clips"] if row["status"] == "failed"))


def draw(folder: Path, clips: int) -> Path:
    """An archive of clips, and a model; the model's path."""
    sys.path[:0] = [str(TESTS)]
    from footage import film, film_take
    from quick_fit import QUICK

    for number in range(clips):
        film(place_of(folder, number), number % 3, range(number, number + SECOND))
    film_take(folder / "take")
    settings = [word for override in QUICK for word in ("--set", override)]
    subprocess.run([sys.executable, RUN, "fit", folder / "take", "--export", "npz", *settings], check=True,
                   capture_output=True)  # fmt: skip
    return folder / "take_posepipe" / "model.pt"


def cut(footage: Path, folder: Path, clips: int) -> None:
    """An archive of seconds of videos, which overlap where there are not enough."""
    videos = videos_in(footage)
    for first, video in enumerate(videos):
        frames = probe(video)
        rate, pictures = Fraction(frames.rate), [picture for _, picture in read_frames(video, frames)]
        numbers = range(first, clips, len(videos))
        second = round(rate)
        for number, start in zip(
            numbers, np.linspace(0, len(pictures) - second, len(numbers)).astype(int), strict=True
        ):
            path = place_of(folder, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, rate, iter(pictures[start : start + second]))


def place_of(folder: Path, number: int) -> Path:
    """Where a clip of the archive is."""
    return folder / "archive" / f"day{number % 7}" / f"run{number:04d}.mp4"


def spoil(archive: Path) -> None:
    """Five more clips that are broken in five ways."""
    whole = (archive / "day0" / "run0000.mp4").read_bytes()
    (archive / "text.mp4").write_text("not a video")
    (archive / "empty.mp4").write_bytes(b"")
    (archive / "cut.mp4").write_bytes(whole[:1000])
    write_video(
        archive / "nobody.mp4", Fraction(SECOND), (np.full((240, 320, 3), 128, np.uint8) for _ in range(SECOND))
    )
    (archive / "lost.mp4").symlink_to(archive / "gone.mp4")


def run(command: list[object]) -> tuple[float, list[float], float]:
    """Seconds that a batch took, the memory of its processes (MiB) as time went by, and its processor time in s."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, *map(str, command)], **quiet) as batch:
        while batch.poll() is None:
            memory.append(sum(resident(process) for process in (batch.pid, *children(batch.pid))) / 2**20)
            time.sleep(0.2)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, memory, busy


def children(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(number) for number in found.read_text().split()] if found.exists() else []


def resident(process: int) -> float:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def tenths(values: list[float]) -> list[int]:
    """Values at each tenth of their course."""
    return [round(values[min(len(values) - 1, len(values) * tenth // 10)]) for tenth in range(1, 10)]


if __name__ == "__main__":
    main()
