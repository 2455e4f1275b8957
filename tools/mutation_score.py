"""How many small mistakes in the code the tests notice.

    python tools/mutation_score.py measured [--minutes 20] [--sites 300] [--seed 0] [--again] [--files GLOB ...]

Draws mistakes (``mutants.py``) at random from the files, and runs for each the tests that reach its line: those of
the file's own folder, those that import the file, and the golden results, quickest first, until one fails. No file is
changed: all tests are imported once, and every mistake is put into the modules of a process of its own. Which tests
reach which lines is recorded once per test file, and again when it or the code has changed, in the folder that is
named; what was tried is kept there too, so that a measurement that was stopped goes on. ``--again`` first tries the
sample's survivors once more: tests may have been written against them. Several may run at once with other seeds: they
share the recording and the table.
A mistake that lets the tests run into their time limit counts as noticed. Some mistakes change nothing that can be
seen; nobody sorts them out, so that the share that survives is never quite 0.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
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
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import cv2
import pytest
import torch
from posepipe.pipeline.runtime.cache import Stage

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tools.mutants import Mutant, mutants_of, mutated

FILES = (
    "models/geometry/*.py", "pipeline/stages/**/*.py", "pipeline/runs/*.py", "pipeline/runtime/cache.py",
    "pipeline/training/torch_file.py",
)  # fmt: skip
LIMIT_S = 30.0
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
        key = _key(fixturedef, getattr(request, "param", ""))
        self._into.append(self._of_fixtures[key])
        began = _worked_s()
        result = yield
        self.setup_s[key] = max(self.setup_s.get(key, 0.0), _worked_s() - began)  # it may be set up again
        self._into.pop()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        own: dict[CodeType, set[int]] = {}
        params = item.callspec.params if hasattr(item, "callspec") else {}
        made_by = item._fixtureinfo.name2fixturedefs
        fixtures = [_key(made_by[name][-1], params.get(name, "")) for name in item.fixturenames if name in made_by]
        before = set(self.setup_s)
        self._into, began = [own], _worked_s()
        sys.settrace(self.call)
        result = yield
        sys.settrace(None)
        in_setup = sum(self.setup_s.get(key, 0.0) for key in set(fixtures) - before)
        self.seconds[item.nodeid] = max(_worked_s() - began - in_setup, 0.0)
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


def _worked_s() -> float:
    """Seconds of processor time of this process and those that it has waited for: the same on a busy machine."""
    return sum(os.times()[:4])


def _key(fixturedef: Any, param: Any) -> str:
    """Name of a fixture with its parameter; those of other files may have the same."""
    return f"{fixturedef.baseid}::{fixturedef.argname} {param}"


@cache
def _lines_of(code: CodeType) -> int:
    """How many lines a piece of code has."""
    return len({line for _, _, line in code.co_lines() if line is not None})


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


def run(session: pytest.Session, items: Sequence[pytest.Item], *, all_of_them: bool = False) -> int:
    """Run tests until one fails, or all of them; 1 if one failed."""
    for item, following in zip_longest(items, items[1:]):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed and not all_of_them:
            break
    return int(session.testsfailed > 0)


def put_in(mutant: Mutant) -> None:
    """Put a mistake into a module that others have imported: into its functions as they are, and for its values."""
    module = sys.modules[module_of(mutant.path)]
    mistaken = ModuleType(module.__name__)
    vars(mistaken).update(__package__=module.__package__, __file__=module.__file__)
    sys.modules[module.__name__] = mistaken  # where dataclasses look their types up
    exec(compile(mutated(mutant.path, mutant.number), str(module.__file__), "exec"), vars(mistaken))  # noqa: S102
    sys.modules[module.__name__] = module
    for name, old in list(vars(module).items()):
        new = vars(mistaken).get(name)
        if name.startswith("__"):
            continue
        if getattr(inspect.unwrap(old), "__module__", None) == module.__name__ or isinstance(old, Stage):
            _exchange(old, new)
        elif repr(old) != repr(new) and " at 0x" not in repr(old):  # a value
            for other in [each for each in sys.modules.values() if vars(each).get(name) is old]:
                setattr(other, name, new)


def _exchange(old: Any, new: Any) -> None:
    """Let a function, or all of a class, do what another one does."""
    if isinstance(old, Stage):
        _exchange(old.function, new.function)
    elif isinstance(old, type):
        for name, value in vars(old).items():
            if name in vars(new) and not isinstance(value, type):
                _exchange(value, vars(new)[name])
    elif isinstance(old, property):
        _exchange(old.fget, new.fget)
    elif isinstance(old, staticmethod | classmethod):
        _exchange(old.__func__, new.__func__)
    elif isinstance(function := inspect.unwrap(old) if callable(old) else old, FunctionType):
        other = inspect.unwrap(new)
        function.__code__, function.__defaults__, function.__kwdefaults__ = (
            other.__code__, other.__defaults__, other.__kwdefaults__
        )  # fmt: skip


class Records:
    """What is known of which tests reach which lines: one file for each test file, as it and the code are."""

    def __init__(self, folder: Path, sources: Sequence[Path]) -> None:
        self.folder, self.sources = folder / "reach", sources
        self.folder.mkdir(parents=True, exist_ok=True)
        self._code = hashlib.sha256(b"".join(path.read_bytes() for path in sources))

    def place(self, file: Path) -> Path:
        state = self._code.copy()
        state.update(file.read_bytes())
        return self.folder / f"{'.'.join(file.with_suffix('').parts)}-{state.hexdigest()[:12]}.json"

    def make(self, session: pytest.Session, files: Sequence[Path]) -> int:
        """Record seconds and lines of every test that passes as the code is, of files of which there is no record."""
        import posepipe.pipeline

        for source in self.sources:  # what is run on import is no test's
            importlib.import_module(module_of(source))
        root = Path(next(iter(posepipe.pipeline.__path__))).parent
        recorder = Recorder({str(root / source): str(source) for source in self.sources})
        session.config.pluginmanager.register(recorder)
        for file in files:
            if self.place(file).exists():
                continue
            items = [item for item in session.items if item.nodeid.startswith(f"{file}::")]
            run(session, items, all_of_them=True)
            names = [item.nodeid for item in items if item.nodeid in recorder.lines]
            _write(self.place(file), {
                "seconds": {test: recorder.seconds[test] for test in names},
                "fixtures": {test: recorder.fixtures[test] for test in names},
                "setup_s": recorder.setup_s,
                "lines": {test: sorted(recorder.lines[test]) for test in names if test not in recorder.failed},
            })  # fmt: skip
            print(f"recorded {file}", file=sys.__stderr__, flush=True)
        return 0


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


class Measurement:
    """A plugin that tries mistakes out once all tests are collected, in place of running them."""

    def __init__(self, asked: argparse.Namespace, paths: Sequence[Path], files: Sequence[Path]) -> None:
        self.asked, self.paths, self.files = asked, paths, files
        self.kept = asked.folder / f"results-{asked.seed}.jsonl"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        asked = self.asked
        mutants = [mutant for path in self.paths for mutant in mutants_of(path)]
        drawn = random.Random(asked.seed)  # noqa: S311 - a sample, no secret
        drawn.shuffle(mutants)
        print(f"{len(mutants)} sites in {len(self.paths)} files", flush=True)
        records = Records(asked.folder, self.paths)
        files = drawn.sample(self.files, len(self.files))
        in_child(lambda: records.make(session, files), 7200, asked.folder / f"recording-{asked.seed}.log")
        reach = Reach([json.loads(records.place(file).read_text()) for file in self.files])
        rows = {row["mutant"]: row for row in _rows(self.kept)}
        ends = time.monotonic() + 60 * asked.minutes
        sample = mutants[: asked.sites]
        again = [mutant for mutant in sample if asked.again and rows.get(str(mutant), {}).get("result") in ALIVE]
        for mutant in [*again, *(mutant for mutant in sample if str(mutant) not in rows)]:
            if time.monotonic() > ends:
                break
            began = time.monotonic()
            result = self.try_out(mutant, session, reach)
            row = {"mutant": str(mutant), "folder": str(mutant.path.parent), "kind": mutant.kind, "result": result,
                   "seconds": round(time.monotonic() - began, 1)}  # fmt: skip
            with self.kept.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{result:9} {mutant} ({row['seconds']} s)", flush=True)
        return True

    def try_out(self, mutant: Mutant, session: pytest.Session, reach: Reach) -> str:
        """What the tests make of a mistake."""
        tests, seconds = reach.of(mutant)
        items = {item.nodeid: item for item in session.items}
        chosen = [items[test] for test in tests if test in items]
        if not chosen:
            return UNREACHED

        def work() -> int:
            put_in(mutant)
            return run(session, chosen)

        code = in_child(work, 60 + 8 * seconds, self.asked.folder / f"last-{self.asked.seed}.log")
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
    cv2.setNumThreads(0)  # threads are lost in a process that is forked, and waited for
    paths = sorted({path for pattern in asked.files for path in Path().glob(pattern)})
    files = tests_of(paths)
    scratch = f"--basetemp={asked.folder.resolve() / f'scratch-{asked.seed}'}"
    options = ["-q", "-s", "-p", "no:cacheprovider", scratch]
    pytest.main([*map(str, files), *options], [Measurement(asked, paths, files)])
    rows = [row for path in sorted(asked.folder.glob("results-*.jsonl")) for row in _rows(path)]
    print(describe(list({row["mutant"]: row for row in rows}.values())))


def _rows(path: Path) -> list[dict[str, Any]]:
    """What was tried, in the order in which it was."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
