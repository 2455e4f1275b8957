"""Who may import whom (the architecture's layers), and how quickly the command line starts.

The test reads imports with ``ast``, those inside functions included: importing late does not change the layers.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from posepipe.models import METHODS

ROOT = Path(__file__).parents[1]
FOREIGN = {"mmpose": {"pipeline/detectors"}, "mmcv": {"pipeline/detectors"}, "openvino": {"pipeline/detectors"}}
"""Heavy packages, and the only folder that may import them."""

ROOMS = {
    "models": (
        "method", "skeleton", "blocks", "geometry", "body", "world", "networks", "multiview", "synthesis", "methods",
    ),
    "pipeline": (
        "errors", "settings", "arrays", "runtime", "footage", "detectors", "training", "stages", "pages", "exporters",
        "runs", "cli",
    ),
}  # fmt: skip
"""The rooms of the two packages, from the base up: a room imports only rooms above it in this list."""

LONGEST_FILE, LARGEST_FOLDER = 350, 26

FREE = {"method": {"skeleton"}}
"""Files of ``models`` itself that know each other."""


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """What a file imports: files of ours as paths without suffix ("pipeline/errors"), the rest as package names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            home = path.parents[node.level - 1].relative_to(ROOT) / (node.module or "").replace(".", "/")
            inside = [home / alias.name for alias in node.names]
            files = [name for name in inside if (ROOT / name).with_suffix(".py").is_file() or (ROOT / name).is_dir()]
            yield from ((name.as_posix() for name in files) if files else [home.as_posix()])


def room(target: str) -> str:
    """The room that a path belongs to; empty for a package itself."""
    names = target.removesuffix(".py").split("/")
    return names[1] if len(names) > 1 and names[1] != "__init__" else ""


def inner(target: str) -> str:
    """The stage or method that a path belongs to: the third part of its name."""
    names = target.removesuffix(".py").split("/")
    return names[2] if len(names) > 2 else ""


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODELS, PIPELINE = modules("models"), modules("pipeline")
METHOD_NAMES = sorted(METHODS)


def method_of(name: str) -> str | None:
    """The method whose file this is: helpers carry its name as prefix."""
    return next((method for method in METHOD_NAMES if name == method or name.startswith(f"{method}_")), None)


def test_the_reader_of_imports_reads() -> None:
    assert {"pipeline/arrays", "pipeline/runtime/cache", "pipeline/footage/video", "numpy"} <= set(
        imports(ROOT / "pipeline/stages/scan.py")
    )
    assert "models/skeleton" in set(imports(ROOT / "pipeline/stages/samples.py"))
    assert "pipeline/stages/train" in set(imports(ROOT / "pipeline/runs/fit_model.py"))  # a late import


@pytest.mark.parametrize("path", MODELS + PIPELINE, ids=where)
def test_every_file_lives_in_a_room(path: Path) -> None:
    package = where(path).split("/")[0]
    assert room(where(path)) in {"", *ROOMS[package]}


@pytest.mark.parametrize("path", MODELS + PIPELINE, ids=where)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    package, own = where(path).split("/")[0], room(where(path))
    if not own:
        return
    order = ROOMS[package]
    above = {"", own, *order[: order.index(own)], *FREE.get(own, set())}
    used = {room(target) for target in imports(path) if target.split("/")[0] == package}
    assert used <= above


@pytest.mark.parametrize("path", MODELS, ids=where)
def test_models_know_nothing_of_the_pipeline(path: Path) -> None:
    assert not {name for name in imports(path) if name.startswith(("pipeline", "posepipe", "tests", "demo", "tools"))}


@pytest.mark.parametrize("path", [path for path in MODELS if room(where(path)) == "methods"], ids=where)
def test_a_method_imports_no_other_method(path: Path) -> None:
    own = method_of(path.stem)
    used = {inner(target) for target in imports(path) if target.startswith("models/methods/")}
    others = {name for name in used if method_of(name) not in {None, own}}
    assert not others


@pytest.mark.parametrize("path", [path for path in PIPELINE if room(where(path)) == "stages"], ids=where)
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    used = {inner(target) for target in imports(path) if target.startswith("pipeline/stages")}
    assert used <= {inner(where(path))}


def test_folders_stay_small_enough_to_look_over() -> None:
    crowded = {where(folder): len(list(folder.glob("*.py"))) for path in (ROOT / "models", ROOT / "pipeline")
               for folder in (path, *path.rglob("*/"))}  # fmt: skip
    assert {name: count for name, count in crowded.items() if count > LARGEST_FOLDER} == {}


@pytest.mark.parametrize("path", MODELS + PIPELINE, ids=where)
def test_files_stay_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_no_files_import_each_other_in_a_circle() -> None:
    def file(target: str) -> str:
        return target + (".py" if (ROOT / f"{target}.py").is_file() else "/__init__.py")

    files = {path.relative_to(ROOT).as_posix(): path for path in modules("pipeline") + modules("models")}
    left = {name: {file(target) for target in imports(path)} & set(files) - {name} for name, path in files.items()}
    while left:
        free = {name for name, needed in left.items() if not needed & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}


@pytest.mark.parametrize("path", MODELS + PIPELINE, ids=where)
def test_detectors_packages_are_imported_by_detectors_only(path: Path) -> None:
    beside = {"pipeline/cli/doctor.py", "models/networks/pose_cnn.py"}  # asks if they are there; builds backbones
    for package, folders in FOREIGN.items():
        if package in set(imports(path)):
            assert path.parent.relative_to(ROOT).as_posix() in folders or where(path) in beside


HEAVY = ("torch", "mmpose", "mmengine", "mmcv", "openvino", "cv2", "av", "numpy", "scipy")
LOOK = f"""
import json, sys
from typer.testing import CliRunner
from posepipe.pipeline.cli import app
result = CliRunner().invoke(app, ["--help"])
print(json.dumps([result.exit_code, "fit" in result.output, [name for name in {HEAVY} if name in sys.modules]]))
"""


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, True, []]


LOOK_AT_FIT = """
import sys
import posepipe.pipeline.runs.fit
print([name for name in ("torch", "mmpose", "mmengine", "mmcv", "openvino") if name in sys.modules])
"""


def test_a_fit_with_nothing_to_do_waits_for_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK_AT_FIT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


HELP_S = 0.7
"""How quickly ``posepipe --help`` must answer on an idle machine."""
SLACK = 3
"""For machines that have other work."""


def test_help_is_quick() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        command = [sys.executable, "-c", "from posepipe.pipeline.cli import app; app()", "--help"]
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(3)) <= HELP_S * SLACK
