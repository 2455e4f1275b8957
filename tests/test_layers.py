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

ROOT = Path(__file__).parents[1]
FOREIGN = {"mmpose": {"pipeline/detectors"}, "mmcv": {"pipeline/detectors"}, "mediapipe": {"pipeline/detectors"}}
"""Heavy packages, and the only folder that may import them."""

HELPERS_OF_METHODS = {
    "method", "lifter", "pose_cnn", "precision", "losses", "geometry", "epipolar", "handedness", "heatmap",
    "skeleton", "body", "canonical", "bundle", "virtual_views", "lens", "openmmlab", "pictures", "placed_lifter",
    "temporal", "volumetric", "losses_25d", "refinement", "weak_perspective", "side_labels", "arrowhead",
    "near_camera", "blocks", "athlete", "athlete_bundle", "multiview_start", "morph", "window_lifter", "self_fusion",
    "reconstruct_25d", "other_movements",
}  # fmt: skip
NOT_METHODS = HELPERS_OF_METHODS | {"__init__", "angles", "metrics", "root", "smoothing"}

STAGES = {
    "motion",
    "frames", "detect", "track", "morph", "synchronize", "keypoints", "samples", "calibrate", "label", "train",
    "lift", "place", "crop", "refine", "sides", "labelled", "match", "read", "fuse", "agree", "move", "find_parts",
    "turned",
}  # fmt: skip
LEVELS = [
    {"errors", "progress", "busy", "workers"},
    {"arrays", "video", "web_video", "device", "launcher", "detectors", "cropping"},
    {"cache", "settings", "skeletons", "drawing", "pages", "exporters", "readers", "alignment"},
    {"calibration", "description", "recording"}
    | {"model", "workplace", "results", "windows", "lenses", "morph_network"},
    {"optics"},
    {"batches", "checkpoints"},
    STAGES,
    {"curves", "reference", "reconstruction", "refinement", "sync_picture", "morphing", "morph_fitting", "seeing"}
    | {"fit_pictures", "trust", "trained", "dataset", "array_cameras", "array_poses", "angle_tables"},
    {"report", "evaluate", "doctor", "array_course", "export", "consistency"},
    {"evaluation_files", "athlete", "known_cameras", "walk", "array_fitting"},
    {"fit_request", "preparation", "cameras"},
    {"takes"},
    {"learning"},
    {"clips"},
    {"fusion"},
    {"fit_report"},
    {"fitting", "inference"},
    {"batch"},
    {"batch_table"},
    {"__init__", "cli"},
]
"""The modules of the pipeline, from the base up; sub-packages count as one."""

BASE_NEEDS_NO_ORDER = set().union(*LEVELS[:4])
TOP = {"fitting", "inference", "batch", "batch_table", "cli", "__init__"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """What a file imports: files of ours as paths without suffix ("pipeline/cache"), the rest as package names."""
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


def part(path: str) -> str:
    """The module of the pipeline that a file belongs to."""
    names = path.removesuffix(".py").split("/")
    return names[1] if len(names) > 1 else "__init__"


def imports_in_pipeline(name: str) -> set[str]:
    """Modules of the pipeline that a module of it imports."""
    files = [path for path in modules("pipeline") if part(path.relative_to(ROOT).as_posix()) == name]
    found = {part(target) for path in files for target in imports(path) if target.startswith("pipeline")}
    return found - {name}


PIPELINE = sorted({part(path.relative_to(ROOT).as_posix()) for path in modules("pipeline")})
METHODS = [path for path in modules("models") if path.stem not in NOT_METHODS]


def test_the_reader_of_imports_reads() -> None:
    assert {"pipeline/arrays", "pipeline/cache", "pipeline/video", "numpy"} <= set(
        imports(ROOT / "pipeline/frames.py")
    )
    assert "models/skeleton" in set(imports(ROOT / "pipeline/samples.py"))
    assert "train" in imports_in_pipeline("learning")  # a late import
    assert [path.stem for path in METHODS]


@pytest.mark.parametrize("path", modules("models"), ids=lambda path: path.stem)
def test_models_know_nothing_of_the_pipeline(path: Path) -> None:
    ours = {
        target for target in imports(path) if target.startswith(("pipeline", "posepipe", "tests", "demo", "tools"))
    }
    assert not ours


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.stem)
def test_a_method_imports_no_other_method(path: Path) -> None:
    ours = {target.removeprefix("models/") for target in imports(path) if target.startswith("models")}
    assert ours <= HELPERS_OF_METHODS


def test_every_module_has_its_level() -> None:
    assert set(PIPELINE) <= set().union(*LEVELS), "a new module: give it a level in LEVELS"


@pytest.mark.parametrize("name", PIPELINE)
def test_a_module_imports_only_what_lies_below_it(name: str) -> None:
    level = next(number for number, names in enumerate(LEVELS) if name in names)
    below = set().union(*LEVELS[:level])
    if name in BASE_NEEDS_NO_ORDER:
        below = BASE_NEEDS_NO_ORDER
    elif name == "__init__":
        below |= LEVELS[level]
    assert imports_in_pipeline(name) <= below


@pytest.mark.parametrize("name", sorted(STAGES & set(PIPELINE)))
def test_a_stage_imports_no_other_stage(name: str) -> None:
    assert not imports_in_pipeline(name) & (STAGES | TOP)


def test_no_files_import_each_other_in_a_circle() -> None:
    def file(target: str) -> str:
        return target + (".py" if (ROOT / f"{target}.py").is_file() else "/__init__.py")

    files = {path.relative_to(ROOT).as_posix(): path for path in modules("pipeline") + modules("models")}
    left = {name: {file(target) for target in imports(path)} & set(files) - {name} for name, path in files.items()}
    while left:
        free = {name for name, needed in left.items() if not needed & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}


@pytest.mark.parametrize("path", modules("pipeline") + modules("models"), ids=lambda p: str(p.relative_to(ROOT)))
def test_detectors_packages_are_imported_by_detectors_only(path: Path) -> None:
    allowed_beside = {"pipeline/doctor.py", "models/pose_cnn.py"}  # asks whether they are there; builds backbones
    where = path.relative_to(ROOT)
    for package, folders in FOREIGN.items():
        if package in set(imports(path)):
            assert where.parent.as_posix() in folders or where.as_posix() in allowed_beside


HEAVY = ("torch", "mmpose", "mmengine", "mmcv", "mediapipe", "cv2", "av", "numpy", "scipy")
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
import posepipe.pipeline.fitting
print([name for name in ("torch", "mmpose", "mmengine", "mmcv", "mediapipe") if name in sys.modules])
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
