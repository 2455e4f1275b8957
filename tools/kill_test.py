"""Kills a fit again and again, and shows that what it ends with is what an uninterrupted fit makes.

    python tools/kill_test.py FOLDER --kills 20 [-- --set train.epochs=4]

The fit of FOLDER runs once in peace, then elsewhere, killed (SIGKILL) at random moments and started again until
it ends; and again from the beginning, until there were enough kills. All arrays in both caches, the model file and
the numbers in the results must be the same, bit by bit, and after each kill every entry of the cache must be whole.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="footage")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("more", nargs="*", help="more words for posepipe fit, after --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        peace, war = Path(place) / "peace", Path(place) / "war"
        began = time.monotonic()
        run(options, peace).wait()
        length = time.monotonic() - began
        print(f"in peace: {length:.1f} s", flush=True)
        draw = random.Random(options.seed)  # noqa: S311
        kills = 0
        while kills < options.kills:
            moment = draw.uniform(0.5, length / 3)
            process = run(options, war)
            if ended(process, moment):  # another fit to kill, from the beginning
                compare(peace, war)
                shutil.rmtree(war)
                continue
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            print(f"kill {kills:2d} after {moment:5.1f} s: {whole(war)}", flush=True)
        if run(options, war).wait():
            sys.exit("the last run failed")
        compare(peace, war)


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends by itself within a time."""
    try:
        if process.wait(seconds):
            sys.exit("a run failed")
    except subprocess.TimeoutExpired:
        return False
    return True


def run(options: argparse.Namespace, out: Path) -> subprocess.Popen[bytes]:
    posepipe = str(Path(sys.executable).with_name("posepipe"))
    command = [posepipe, "fit", str(options.folder), "--out", str(out), "--export", "npz,csv,trc", *options.more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole(out: Path) -> str:
    """Check every entry under its final name: its manifest can be read, and its files have the bytes it says."""
    entries = [
        path for path in (out / "cache").glob("*/*") if path.is_dir() and path.suffix not in (".parts", ".making")
    ]
    for entry in entries:
        manifest = json.loads((entry / "manifest.json").read_text())
        size = sum(file.stat().st_size for file in entry.iterdir() if file.name != "manifest.json")
        if size != manifest["bytes"]:
            sys.exit(f"{entry} is not whole")
    return f"{len(entries)} entries, all whole"


def compare(peace: Path, war: Path) -> None:
    """Check that both folders hold the same arrays, models and results."""
    kinds = ("npy", "pt", "csv", "trc", "jsonl", "toml")
    files = sorted(p.relative_to(peace) for p in peace.rglob("*") if p.suffix.removeprefix(".") in kinds)
    for file in files:
        if not (war / file).exists() or (peace / file).read_bytes() != (war / file).read_bytes():
            sys.exit(f"{file} differs")
    print(f"{len(files)} arrays, models and result files are bit-identical")


if __name__ == "__main__":
    main()
