"""Runs a batch over many short clips, some of them broken: nothing may be lost, repeated or kept in memory.

    python tools/batch_test.py --clips 200 --jobs 2

Draws one-second clips that the tests' own detector reads, breaks five of them in five ways, and lifts them all twice.
Prints what became of them, the sentences, the memory of the processes over time, and how long both runs took. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
RUN = TESTS / "with_fake_detector.py"
SECOND = 25
"""Frames in a second of the drawn clips."""
BROKEN = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = draw(folder, options.clips)
        for name in ("first", "second"):
            seconds, memory = run(folder, model, options.jobs)
            told = json.loads((folder / "archive_batch" / "summary.json").read_text())
            print(f"{name} run: {told['counts']}, {seconds:.1f} s")
            if name == "first":
                print("memory of all processes, MiB, at each tenth of the run:", tenths(memory))
                print("\n".join(row["error"] for row in told["clips"] if row["status"] == "failed"))


def draw(folder: Path, clips: int) -> Path:
    """An archive of clips, and a model; the model's path."""
    sys.path[:0] = [str(TESTS)]
    from footage import film, film_nobody, film_take
    from quick_fit import QUICK

    archive = folder / "archive"
    for number in range(clips - BROKEN):
        film(archive / f"day{number % 7}" / f"run{number:04d}.mp4", number % 3, range(number, number + SECOND))
    whole = (archive / "day0" / "run0000.mp4").read_bytes()
    (archive / "text.mp4").write_text("not a video")
    (archive / "empty.mp4").write_bytes(b"")
    (archive / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    film_nobody(archive / "nobody.mp4", SECOND)
    (archive / "lost.mp4").symlink_to(archive / "gone.mp4")
    film_take(folder / "take")
    settings = [word for override in QUICK for word in ("--set", override)]
    subprocess.run([sys.executable, RUN, "fit", folder / "take", "--export", "npz", *settings], check=True,
                   capture_output=True)  # fmt: skip
    return folder / "take_posepipe" / "model.pt"


def run(folder: Path, model: Path, jobs: int) -> tuple[float, list[float]]:
    """Seconds that a batch took, and the memory of its processes (MiB) as time went by."""
    words = ["batch", folder / "archive", "--model", model, "--jobs", str(jobs), "--export", "npz,trc"]
    began = time.monotonic()
    memory = []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, RUN, *words], **quiet) as batch:
        while batch.poll() is None:
            memory.append(sum(resident(process) for process in (batch.pid, *children(batch.pid))) / 2**20)
            time.sleep(0.2)
    return time.monotonic() - began, memory


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
