"""Gives posepipe files that are damaged in every way that copying, cards and people damage them.

    python tools/fuzz_files.py --clip demo_footage/heldout/cam5.mp4 --model demo_footage/training_posepipe/model.pt
    python tools/fuzz_files.py --clip ... --model ... --kind videos --count 50 --seed 7 --keep findings

Each variant goes through the command line, in a process that is ended after ``LIMIT_S``. It must end with exit code 0
and a result that does not contradict itself, or with exit code 2 and one sentence; what does not is printed with how
to make it again, and kept with ``--keep``. At the end come all sentences that were said, with how often: read them.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import imageio_ffmpeg
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.damage import damaged
from tools.fuzz_texts import keypoint_variants, settings_variants

LIMIT_S = 60.0

CLIP, MODEL = "clip.mp4", "model.pt"
"""A second of somebody, and a model, in the folder where variants are made."""
POSEPIPE = [sys.executable, "-c", "from posepipe.pipeline.cli import app; app()"]

Variants = Callable[[int, Path], Iterator[list[str]]]
"""Endless variants by a seed, made in a folder: words for the command line; the runner adds model and output."""


@dataclass(frozen=True)
class Kind:
    """A kind of file, and how many damaged variants of it are tried."""

    variants: Variants
    count: int


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    rc: int | None
    """None if it had not after ``LIMIT_S``."""
    text: str
    seconds: float


# ------------------------------------------------------------------------------------------------------ kinds

VIDEOS = {
    "sound.mp4": ("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart"),
    "matroska.mkv": ("-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    "stream.ts": ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-c:a", "mp2"),
    "card.avi": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"),
    "browser.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"),
}
"""Five small videos with sound, by name: how they are encoded."""


def small_videos(folder: Path) -> list[Path]:
    """The five, of the clip."""
    pictures = ("-i", str(folder / CLIP), "-f", "lavfi", "-i", "anoisesrc=d=1:a=0.2:r=48000", "-shortest")
    for name, options in VIDEOS.items():
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *pictures, *options, str(folder / name)]
        subprocess.run(command, check=True, capture_output=True)
    return [folder / name for name in VIDEOS]


def video_variants(seed: int, folder: Path) -> Iterator[list[str]]:
    """Damaged videos, for ``infer`` with all usual files."""
    whole = small_videos(folder)
    for number in itertools.count():
        rng = random.Random(f"{seed} {number}")  # noqa: S311
        source = whole[number % len(whole)]
        path = folder / f"{number}_{source.name}"
        path.write_bytes(damaged(source.read_bytes(), rng, rng.choice(whole).read_bytes()))
        yield ["infer", str(path), "--export", "npz,trc,c3d,bvh,overlay"]


def model_variants(seed: int, folder: Path) -> Iterator[list[str]]:
    """``infer`` with a damaged model, and in a results folder in which a file of the cache is damaged."""
    clip, model, results = folder / CLIP, folder / MODEL, folder / "results"
    made = ["infer", str(clip), "--model", str(model), "--out", str(results), "--export", "npz,csv"]
    subprocess.run([*POSEPIPE, *made], check=True, capture_output=True)
    stored = sorted((results / "cache").rglob("*"))
    kept = [path.relative_to(results) for path in stored if path.is_file() and path.stat().st_size]
    for number in itertools.count():
        rng = random.Random(f"{seed} {number}")  # noqa: S311
        if number % 2:
            path = folder / f"{number}_{MODEL}"
            path.write_bytes(damaged(model.read_bytes(), rng, b"PK"))
            yield ["infer", str(clip), "--model", str(path)]
        else:
            again = folder / f"{number}_results"
            shutil.copytree(results, again)
            path = again / rng.choice(kept)
            path.write_bytes(damaged(path.read_bytes(), rng, b"{}"))
            yield ["infer", str(clip), "--out", str(again), "--export", "npz,trc,overlay"]


KINDS = {
    "videos": Kind(video_variants, 500),
    "models and caches": Kind(model_variants, 100),
    "keypoint files": Kind(keypoint_variants, 300),
    "settings and calibrations": Kind(settings_variants, 200),
}

# ----------------------------------------------------------------------------------------------------- running


def serve(parent: Connection) -> None:
    """Run commands in this process, one after the other: words in, exit code out; what they print goes to a file."""
    from posepipe.pipeline.cli import app

    while (order := parent.recv()) is not None:
        words, said = order
        with Path(said).open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout, sys.stderr = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True), file
            try:
                app(words)
                rc = 0
            except SystemExit as end:
                rc = end.code if isinstance(end.code, int) else 1
            except BaseException:  # noqa: BLE001 - it is what is looked for
                traceback.print_exc()
                rc = 1
        parent.send(rc)


class Worker:
    """A process that runs commands; a new one after one that hangs or dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, words: list[str], said: Path) -> Outcome:
        """Run a command to its end, or for ``LIMIT_S``."""
        began = time.monotonic()
        self._end.send((words, str(said)))
        try:
            rc = self._end.recv() if self._end.poll(LIMIT_S) else None
        except EOFError:  # it died
            self._process.join()
            rc = self._process.exitcode or -1
        if rc is None or not self._process.is_alive():
            self._process.kill()
            self._process.join()
            self._start()
        return Outcome(rc, said.read_text(encoding="utf-8", errors="replace"), time.monotonic() - began)


def complaint(outcome: Outcome, out: Path) -> str:
    """What is wrong with how a command ended; empty if nothing is."""
    errors = [line for line in outcome.text.splitlines() if line.startswith("error: ")]
    if outcome.rc is None:
        return f"it had not ended after {LIMIT_S:.0f} s"
    if "Traceback" in outcome.text:
        return "a traceback"
    if outcome.rc == 2:
        return "" if len(errors) == 1 else f"exit code 2 and {len(errors)} sentences"
    if outcome.rc != 0:
        return f"exit code {outcome.rc}"
    return next(filter(None, map(contradiction, sorted(out.rglob("result.json")))), "")


def contradiction(record: Path) -> str:
    """Where a result contradicts itself; empty if it does not."""
    files = json.loads(record.read_text(encoding="utf-8"))["files"]
    missing = [file for each in files.values() for file in each if not (record.parent / file).exists()]
    if missing:
        return f"{missing[0]} is not there"
    for file in files.get("npz", []):
        with np.load(record.parent / file) as poses:
            for name in ("video_time", "joint", "confidence", "keypoint"):
                if len(poses[name]) != len(poses["time"]):
                    return f"{len(poses['time'])} times and {len(poses[name])} of {name}"
            for name in ("time", "video_time"):
                if not (np.diff(poses[name]) > 0).all():
                    return f"{name} does not rise"
    return ""


def fuzz(kind: Kind, seed: int, place: Path, options: argparse.Namespace) -> tuple[Counter[str], Counter[str]]:
    """Try the variants of a kind; prints what is wrong, and counts how they ended and what was said."""
    folder, ends, sentences = place / "variants", Counter[str](), Counter[str]()
    folder.mkdir(parents=True)
    cut_out(options.clip, folder / CLIP)
    shutil.copy(options.model, folder / MODEL)
    idle = [Worker() for _ in range(options.jobs)]

    def attempt(number: int, words: list[str]) -> None:
        out, said = place / f"out{number}", place / f"said{number}.txt"
        words = words + ["--model", str(folder / MODEL)] * (words[0] == "infer" and "--model" not in words)
        words = words + ["--out", str(out)] * ("--out" not in words)
        worker = idle.pop()
        outcome = worker.run(words, said)
        idle.append(worker)
        wrong = complaint(outcome, Path(words[words.index("--out") + 1]))
        sentences.update(map(in_general, outcome.text.splitlines()))
        ends[f"exit code {outcome.rc}" if not wrong else "wrong"] += 1
        if wrong:
            print(f"variant {number} of seed {seed}: {wrong}: posepipe {' '.join(words)}", flush=True)
            print("    " + "\n    ".join(outcome.text.splitlines()[-8:]), flush=True)
        for path in list(folder.glob(f"{number}_*")):
            if wrong and options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                shutil.move(path, options.keep / path.name)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.rmtree(out, ignore_errors=True)

    variants, one_at_a_time = kind.variants(seed, folder), threading.Lock()

    def attempts() -> None:
        while True:
            with one_at_a_time:
                number = next(numbers)
                if number >= kind.count:
                    return
                words = next(variants)
            attempt(number, words)

    numbers = itertools.count()
    with ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(attempts) for _ in range(options.jobs)]:
            done.result()
    return ends, sentences


def cut_out(source: Path, clip: Path) -> None:
    """A second of a video, small."""
    size = ("-t", "1", "-vf", "scale=384:-2,fps=20", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-an")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(source), *size, str(clip)]
    subprocess.run(command, check=True)


def in_general(line: str) -> str:
    """A sentence without paths and numbers."""
    words = ["FILE" if "/" in word else word for word in line.split()]
    return re.sub(r"\d+(\.\d+)?", "N", " ".join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True, help="a video of somebody")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, action="append", help="all by default")
    parser.add_argument("--count", type=int, help="of variants of each kind, instead of its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the variants in which something is wrong")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        for name in options.kind or KINDS:
            kind = Kind(KINDS[name].variants, options.count or KINDS[name].count)
            ends, sentences = fuzz(kind, options.seed, Path(place) / name, options)
            print(f"{name}: {dict(sorted(ends.items()))}")
            print("".join(f"{count:6d}  {sentence}\n" for sentence, count in sentences.most_common()))
            wrong += ends["wrong"]
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
