"""How many small mistakes in the code the tests notice.

    python tools/mutation_score.py measured [--minutes 20] [--sites 300] [--seed 0] [--again] [--files GLOB ...]

Draws mistakes (``mutants.py``) at random from the files, and runs for each the tests that reach its line: those of
the file's own folder, those that import the file, and the recorded results, quickest first, until one fails. No file
is changed: a mistake is put in as its module is imported. Which tests reach which lines is recorded once per test
file, and again when it or the code has changed, in the folder that is named; what was tried is kept there too, so
that a measurement that was stopped goes on. ``--again`` first tries the sample's survivors once more: tests may have
been written against them. Several may run at once with other seeds: they share the recording and the table.
A mistake that lets the tests run into their time limit counts as noticed. Some mistakes change nothing that can be
seen; nobody sorts them out, so that the share that survives is never quite 0.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.abc
import importlib.machinery
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import cv2  # noqa: F401 - imported before processes are forked, which then need not
import numpy as np  # noqa: F401
import pydantic  # noqa: F401
import pytest
import scipy.optimize  # noqa: F401
import torch

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tools.mutants import Mutant, mutants_of, mutated

FILES = (
    "models/geometry/*.py", "pipeline/stages/**/*.py", "pipeline/runs/*.py", "pipeline/runtime/cache.py",
    "pipeline/training/torch_file.py",
)  # fmt: skip
LIMIT_S = 60.0
"""Tests of one mistake take no longer than this altogether; of those that reach it, the slowest are left out."""
NOTICED, SURVIVED, ENDLESS, UNREACHED = "noticed", "survived", "endless", "unreached"
ALIVE = (SURVIVED, UNREACHED)


class Recorder:
    """A plugin that records which lines of some files each test runs, those of its fixtures included."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.lines: dict[str, set[str]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.fixtures: dict[str, list[str]] = {}
        """Of each test."""
        self.setup_s: dict[str, float] = {}
        """Of each fixture, without those that it asks for."""
        self._of_fixtures: dict[str, dict[CodeType, set[int]]] = defaultdict(dict)
        self._into: list[dict[CodeType, set[int]]] = []

    def call(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A trace function; of code that has been run whole nothing more is traced."""
        code = frame.f_code
        if code.co_filename not in self.files or not self._into:
            return None
        seen = self._into[-1].setdefault(code, {frame.f_lineno})
        if len(seen) >= _lines_of(code):
            return None

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            seen.add(frame.f_lineno)
            return line

        return line

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        key = f"{fixturedef.argname} {getattr(request, 'param', '')}"
        self._into.append(self._of_fixtures[key])
        began = time.perf_counter()
        result = yield
        self.setup_s[key] = time.perf_counter() - began
        self._into.pop()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        own: dict[CodeType, set[int]] = {}
        params = item.callspec.params if hasattr(item, "callspec") else {}
        fixtures = [f"{name} {params.get(name, '')}" for name in item.fixturenames]
        before = set(self.setup_s)
        self._into, began = [own], time.perf_counter()
        sys.settrace(self.call)
        result = yield
        sys.settrace(None)
        in_setup = sum(self.setup_s.get(key, 0.0) for key in set(fixtures) - before)
        self.seconds[item.nodeid] = max(time.perf_counter() - began - in_setup, 0.0)
        self.fixtures[item.nodeid] = [key for key in fixtures if key in self.setup_s]
        self.lines[item.nodeid] = {
            f"{self.files[code.co_filename]}:{line}"
            for run in [own, *(self._of_fixtures[key] for key in fixtures)]
            for code, lines in run.items()
            for line in lines
        }
        return result

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:
            self.failed.add(report.nodeid)


@cache
def _lines_of(code: CodeType) -> int:
    """How many lines a piece of code has."""
    return len({line for _, _, line in code.co_lines() if line is not None})


class Chosen:
    """A plugin that runs chosen tests in a given order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.place = {test: number for number, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self.place), key=lambda i: self.place[i.nodeid])


class _Mistaken(importlib.machinery.SourceFileLoader):
    """Loads a module with a mistake."""

    def __init__(self, fullname: str, path: str, number: int) -> None:
        super().__init__(fullname, path)
        self.number = number

    def get_code(self, fullname: str) -> CodeType:
        return compile(mutated(Path(self.path), self.number), self.path, "exec")


class Mistake(importlib.abc.MetaPathFinder):
    """Finds one module with a mistake in it."""

    def __init__(self, mutant: Mutant) -> None:
        self.module, self.number = module_of(mutant.path), mutant.number

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            return None
        spec.loader = _Mistaken(fullname, spec.origin, self.number)
        return spec


def module_of(path: Path) -> str:
    """The name under which a file of the repository is imported."""
    return ".".join(["posepipe", *path.with_suffix("").parts]).removesuffix(".__init__")


def in_child(work: Callable[[], int], limit_s: float, log: Path) -> int | None:
    """The exit code of what is done in a process of its own; None if it takes too long."""
    child = os.fork()
    if child == 0:
        os.setsid()
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = 70
        try:
            code = int(work())
        finally:
            os._exit(code)
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def tests_of(paths: Sequence[Path]) -> list[Path]:
    """Test files in the folders that mirror those of the files, those that import one of them, and golden results."""
    folders = {Path("tests") / path.parent for path in paths}
    names = "|".join(re.escape(module_of(path)) for path in paths)
    parts = "|".join(rf"{re.escape(module_of(path.parent))} import .*\b{path.stem}\b" for path in paths)
    imports = re.compile(rf"\b(?:{names})\b|{parts}")
    files = sorted(file for package in ("models", "pipeline") for file in Path("tests", package).rglob("test_*.py"))
    found = [file for file in files if file.parent in folders or imports.search(file.read_text(encoding="utf-8"))]
    return [*found, Path("tests/test_golden.py")]


def record(file: Path, sources: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Seconds and lines of every test of a file that passes as the code is."""
    state = hashlib.sha256(b"".join(path.read_bytes() for path in [file, *sources])).hexdigest()[:12]
    kept = folder / "reach" / f"{'.'.join(file.with_suffix('').parts)}-{state}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)

        def work() -> int:
            import posepipe.pipeline

            root = Path(next(iter(posepipe.pipeline.__path__))).parent
            recorder = Recorder({str(root / source): str(source) for source in sources})
            code = pytest.main([str(file), "-q", "-p", "no:cacheprovider"], [recorder])
            lines = {test: sorted(run) for test, run in recorder.lines.items() if test not in recorder.failed}
            _write(kept, {"seconds": recorder.seconds, "fixtures": recorder.fixtures, "setup_s": recorder.setup_s,
                          "lines": lines})  # fmt: skip
            return int(code)

        code = in_child(work, 600, kept.with_suffix(".log"))
        print(f"recorded {file}: exit code {code}", flush=True)
        if not kept.exists():
            _write(kept, {"seconds": {}, "fixtures": {}, "setup_s": {}, "lines": {}})
    return json.loads(kept.read_text())


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write what another process may be about to read."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(content))
    part.replace(path)


class Reach:
    """Which tests reach which lines, and how long they take."""

    def __init__(self, reports: Sequence[dict[str, Any]]) -> None:
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[str, dict[str, float]] = {}
        """Of each test, with the seconds that they take."""
        self.tests: dict[str, set[str]] = defaultdict(set)
        for report in reports:
            self.seconds |= report["seconds"]
            for test, names in report["fixtures"].items():
                self.fixtures[test] = {name: report["setup_s"][name] for name in names}
            for test, lines in report["lines"].items():
                for line in lines:
                    self.tests[line].add(test)
                    self.tests[line.rpartition(":")[0]].add(test)

    def of(self, mutant: Mutant) -> tuple[list[str], float]:
        """Tests that reach a mistake, the quickest of them first, and the seconds of all of them together.

        What is done on import is reached by all of the file's.
        """
        found = self.tests.get(f"{mutant.path}:{mutant.line}") or self.tests.get(str(mutant.path), set())
        chosen: list[str] = []
        ready: set[str] = set()
        total = 0.0
        for test in sorted(found, key=lambda test: self.seconds[test] + sum(self.fixtures[test].values())):
            fixtures = self.fixtures[test]
            own = self.seconds[test] + sum(took for name, took in fixtures.items() if name not in ready)
            if chosen and total + own > LIMIT_S:
                break
            total += own
            chosen.append(test)
            ready |= fixtures.keys()
        return chosen, total


def try_out(mutant: Mutant, reach: Reach, folder: Path) -> str:
    """What the tests make of a mistake."""
    tests, seconds = reach.of(mutant)
    if not tests:
        return UNREACHED

    def work() -> int:
        sys.meta_path.insert(0, Mistake(mutant))
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        return int(pytest.main([*files, "-x", "-q", "-p", "no:cacheprovider"], [Chosen(tests)]))

    code = in_child(work, 60 + 4 * seconds, folder / f"{os.getpid()}.log")
    return ENDLESS if code is None else SURVIVED if code == 0 else NOTICED


def describe(rows: Sequence[dict[str, Any]]) -> str:
    """A table by folder and by kind, and the survivors."""
    lines = ["| mistakes in | tried | survived | share |", "| --- | ---: | ---: | ---: |"]

    def add(title: str, chosen: Sequence[dict[str, Any]]) -> None:
        alive = sum(row["result"] in ALIVE for row in chosen)
        lines.append(f"| {title} | {len(chosen)} | {alive} | {100 * alive / max(len(chosen), 1):.0f} % |")

    for key in ("folder", "kind"):
        for name in sorted(Counter(row[key] for row in rows)):
            add(name, [row for row in rows if row[key] == name])
    add("all", rows)
    alive = [row for row in rows if row["result"] in ALIVE]
    lines += ["", *(f"- {row['mutant']}" + " (no test)" * (row["result"] == UNREACHED) for row in alive)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where records and results are kept")
    parser.add_argument("--minutes", type=float, default=20.0, help="for the mistakes; recording comes before")
    parser.add_argument("--sites", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", nargs="+", default=FILES, help="patterns of files that mistakes are made in")
    parser.add_argument("--again", action="store_true", help="first try the sample's survivors once more")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted({path for pattern in asked.files for path in Path().glob(pattern)})
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    drawn = random.Random(asked.seed)  # noqa: S311 - a sample, no secret
    drawn.shuffle(mutants)
    print(f"{len(mutants)} sites in {len(paths)} files", flush=True)
    files = tests_of(paths)
    reports = [record(file, paths, asked.folder) for file in drawn.sample(files, len(files))]
    reach = Reach(reports)
    kept = asked.folder / f"results-{asked.seed}.jsonl"
    rows = {row["mutant"]: row for row in _rows(kept)}
    ends = time.monotonic() + 60 * asked.minutes
    sample = mutants[: asked.sites]
    again = [mutant for mutant in sample if asked.again and rows.get(str(mutant), {}).get("result") in ALIVE]
    for mutant in [*again, *(mutant for mutant in sample if str(mutant) not in rows)]:
        if time.monotonic() > ends:
            break
        began = time.monotonic()
        result = try_out(mutant, reach, asked.folder)
        row = {"mutant": str(mutant), "folder": str(mutant.path.parent), "kind": mutant.kind, "result": result,
               "seconds": round(time.monotonic() - began, 1)}  # fmt: skip
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{result:9} {mutant} ({row['seconds']} s)", flush=True)
    print(
        describe(
            list(
                {row["mutant"]: row for path in sorted(asked.folder.glob("*.jsonl")) for row in _rows(path)}.values()
            )
        )
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """What was tried, in the order in which it was."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
