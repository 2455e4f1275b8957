"""Lets writes of a fit fail, kills it there, and takes its memory away; shows that nothing false lies afterwards.

    python tools/inject_faults.py [--every 50] [--kills 100] FOLDER -- --set train.epochs=1

The fit of FOLDER runs once in peace. Then a full disk (ENOSPC), a broken one (EIO) and a forbidden one (EACCES) begin
at every so many writes, renames and syncs below the results folder, and last until the fit ends; SIGKILL ends it at
as many calls, spread evenly; and its address space is limited (as by ulimit -v). Each time the fit must end with exit
code 0 or with 2 and one sentence, without a traceback; every entry of the cache must be whole; and the same command
must end with the same bits as in peace. Linux only; needs a C compiler (``faults.c`` is preloaded).
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from kill_test import compare, whole

SOURCE, PRELOADED = Path(__file__).with_name("faults.c"), "POSEPIPE_FAULTS"
DISKS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
MEMORY_MB = (60, 120, 400)
"""Address space beyond what the process has when it starts; OpenBLAS tries forever to get 32 MB for its buffers."""
LIMIT_S = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="footage, or 2D poses")
    parser.add_argument("--every", type=int, default=50, help="calls between two places where a disk fails")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("more", nargs="*", help="more words for posepipe fit, after --")
    options = parser.parse_args()
    if PRELOADED not in os.environ:
        preload()
    with tempfile.TemporaryDirectory() as place:
        trial = Trial(options, Path(place))
        calls = trial.in_peace()
        print(f"in peace: {calls} writes, syncs, renames and new folders", flush=True)
        places = [*range(1, calls + 1, options.every), calls]
        for name, number in DISKS.items():
            trial.report(name, [trial.once(f"{name} at {place}", at=place, fault=number) for place in places])
        step = calls / max(options.kills, 1)
        killed = [round(1 + number * step) for number in range(options.kills)]
        trial.report("SIGKILL", [trial.once(f"kill at {at}", at=at, fault=-signal.SIGKILL) for at in killed])
        trial.report("memory", [trial.once(f"{mb} MB", memory_mb=mb) for mb in MEMORY_MB])
    sys.exit(1 if trial.wrong else 0)


def preload() -> None:
    """Start again with the library that makes calls fail."""
    with tempfile.TemporaryDirectory() as place:
        library = Path(place) / "faults.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        environment = os.environ | {"LD_PRELOAD": str(library), PRELOADED: str(library), "OMP_NUM_THREADS": "1"}
        sys.exit(subprocess.call([sys.executable, *sys.argv], env=environment))


class Trial:
    """Fits in forks of this process, so that all that is slow to import is imported once."""

    def __init__(self, options: argparse.Namespace, place: Path) -> None:
        import posepipe.pipeline.runs.fit
        import posepipe.pipeline.stages.fuse
        import posepipe.pipeline.stages.lift
        import posepipe.pipeline.stages.train  # noqa: F401
        from posepipe.pipeline.cli import app

        self._app = app
        self._words = ["fit", str(options.folder), *options.more, "--out"]
        self._peace, self._out, self._said = place / "peace", place / "out", place / "said"
        self._library = ctypes.CDLL(os.environ[PRELOADED])
        self.wrong: list[str] = []
        """What went wrong, in words."""

    def in_peace(self) -> int:
        """Run without faults; the number of calls that could have failed."""
        counted = self._said.with_name("counted")
        self._library.arm(str(self._peace).encode(), ctypes.c_long(-1), 0)
        if code := self._run(self._peace, counted=counted):
            sys.exit(f"the fit ends with {code} in peace: {self._said.read_text()}")
        return int(counted.read_text())

    def once(self, name: str, at: int = -1, fault: int = 0, memory_mb: int = 0) -> str:
        """Run with a fault, and then without: what was wrong, or how the fit ended."""
        shutil.rmtree(self._out, ignore_errors=True)
        self._library.arm(str(self._out).encode(), ctypes.c_long(at), fault)
        code = self._run(self._out, memory_mb)
        found = self._judged(code)
        self._library.arm(b"", ctypes.c_long(-1), 0)
        whole(self._out)
        if again := self._run(self._out):
            found = f"the same command ends with {again} afterwards: {self._said.read_text()[-300:]}"
        elif not found:
            compare(self._peace, self._out)
        if found:
            self.wrong.append(f"{name}: {found}")
            print(self.wrong[-1], flush=True)
        return "wrong" if found else f"rc {code}"

    def report(self, name: str, ends: list[str]) -> None:
        """Say how the fits ended."""
        print(name, {end: ends.count(end) for end in sorted(set(ends))}, flush=True)

    def _judged(self, code: int) -> str:
        """What is wrong with how a fit ended; nothing if it is as it must be."""
        if code in (0, -signal.SIGKILL):
            return ""
        said = self._said.read_text(errors="replace")
        last = said.strip().splitlines()[-1] if said.strip() else ""
        if code == 2 and "Traceback" not in said and last.startswith("error: "):
            return ""
        return f"ends with {code}: {said[-300:]}"

    def _run(self, out: Path, memory_mb: int = 0, counted: Path | None = None) -> int:
        """Exit code of a fit in a fork; a negative one is the signal that ended it."""
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        code = 1
        try:
            signal.alarm(LIMIT_S)
            said = os.open(self._said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            if memory_mb:
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + memory_mb * 2**20, resource.RLIM_INFINITY))
            self._app([*self._words, str(out)])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:  # noqa: BLE001 - whatever it is belongs to what the fit said
            traceback.print_exc()
        finally:
            if counted is not None:
                counted.write_text(str(self._library.counted()))
            sys.stderr.flush()
            os._exit(code)


if __name__ == "__main__":
    main()
