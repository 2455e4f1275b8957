"""Builds the source distribution and the wheel, and tries the wheel in an environment and a folder of its own.

    python tools/smoke_wheel.py                 # builds; the dependencies are those of the running Python
    python tools/smoke_wheel.py --dist dist     # tries the wheel that lies there already
    python tools/smoke_wheel.py --dist dist --fresh     # and installs its dependencies anew

A wheel can lack what a checkout has: a package, a template, the mark that it is typed. So its files are checked, it
is installed where no checkout can be imported, and it is used: help, a fit on 2D poses of a walker, infer, export.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {"models": "posepipe/models", "pipeline": "posepipe/pipeline"}
"""Folders of the repository, and where the wheel has them."""
BUILT_FROM = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", *PACKAGES)
NOT_CODE = ("__pycache__", "*.pyc", "*.egg-info")

BUILD = """
import os, sys, tarfile
from pathlib import Path
from setuptools import build_meta
out = sys.argv[1]
source = build_meta.build_sdist(out)
with tarfile.open(Path(out) / source) as file:
    file.extractall(sys.argv[2], filter="data")
os.chdir(Path(sys.argv[2]) / source.removesuffix(".tar.gz"))
build_meta.build_wheel(out)
"""
"""As PyPA's ``build`` does: the wheel is made from the source distribution, so that this is tried as well."""


def build(out: Path, work: Path) -> None:
    """Make both distributions of a copy of the repository, so that nothing is left behind in it.

    Args:
        out: folder for the two, which is made.
        work: an empty folder for what is between.
    """
    copy = work / "repository"
    copy.mkdir()
    for name in BUILT_FROM:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns(*NOT_CODE))
        else:
            shutil.copy(REPOSITORY / name, copy / name)
    out.mkdir(parents=True)
    run([sys.executable, "-c", BUILD, str(out), str(work / "unpacked")], copy)


def expected_files() -> set[str]:
    """What a wheel must hold of the two packages: every file but compiled code and hidden ones."""
    found = set()
    for folder, place in PACKAGES.items():
        for path in (REPOSITORY / folder).rglob("*"):
            inner = path.relative_to(REPOSITORY / folder)
            if path.is_file() and "__pycache__" not in inner.parts and not path.name.startswith("."):
                found.add(f"{place}/{inner.as_posix()}")
    return found


def faults(names: set[str], expected: set[str]) -> list[str]:
    """What is wrong with the files of a wheel, in sentences; empty if nothing is."""
    held = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    lacking = [f"the wheel lacks {name}" for name in sorted(expected - held)]
    return lacking + [f"the wheel holds {name}, which is no part of the packages" for name in sorted(held - expected)]


def make_environment(folder: Path, wheel: Path, fresh: bool) -> Path:
    """A virtual environment with the wheel; returns its folder of programs.

    Without ``fresh``, dependencies come from the running Python: a path file puts its packages behind the wheel. The
    path files among these are not followed, so that an editable install of a checkout does not count.
    """
    venv.create(folder, with_pip=fresh)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    if fresh:
        constraints = REPOSITORY / "constraints.txt"
        run([str(programs / "python"), "-m", "pip", "install", "-q", "-c", str(constraints), str(wheel)], folder)
        return programs
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "-q"]
    run([*pip, "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)], folder)
    own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    (Path(own) / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return programs


def run(command: list[str], folder: Path) -> str:
    """Run a command away from the repository; its output.

    Raises:
        SystemExit: it failed; with what it printed.
    """
    away = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    away |= {"PYTHONNOUSERSITE": "1", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=away, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}\nended with {done.returncode}")
    return done.stdout


Point = tuple[float, float, float]


def walker(phase: float, heading: float) -> dict[str, Point]:
    """Joints in metres, z up, of somebody who walks on the spot; phase of the stride and heading in rad."""
    joint = {"pelvis": (0.0, 0.0, 0.95), "spine": (0.02, 0.0, 1.2), "thorax": (0.05, 0.0, 1.45)}
    joint |= {"nose": (0.16, 0.0, 1.6), "head": (0.07, 0.0, 1.73)}
    for side, aside, swing in (("left", 1, math.sin(phase)), ("right", -1, -math.sin(phase))):
        legs = (joint["pelvis"], 0.13, (0.45, 0.45 * swing + 0.2), (0.43, 0.45 * swing - 0.5 + 0.3 * swing))
        arms = (joint["thorax"], 0.18, (0.3, -0.5 * swing), (0.27, 0.9 - 0.5 * swing))
        for words, (root, out, *bones) in ((("hip", "knee", "ankle"), legs), (("shoulder", "elbow", "wrist"), arms)):
            x, y, z = root[0], root[1] + aside * out, root[2]
            joint[f"{side}_{words[0]}"] = x, y, z
            for word, (length, angle) in zip(words[1:], bones, strict=True):
                x, z = x + length * math.sin(angle), z - length * math.cos(angle)
                joint[f"{side}_{word}"] = x, y, z
    cosine, sine = math.cos(heading), math.sin(heading)
    return {name: (cosine * x - sine * y, sine * x + cosine * y, z) for name, (x, y, z) in joint.items()}


def seen(point: Point, azimuth: float, distance_m: float = 4.0, focal_px: float = 1000.0) -> tuple[float, float]:
    """Pixel of a point before a level camera of 1280 x 720 px that stands at an azimuth and looks at the middle."""
    x, y, z = point
    depth = distance_m - x * math.cos(azimuth) - y * math.sin(azimuth)
    right = y * math.cos(azimuth) - x * math.sin(azimuth)
    return 640 + focal_px * right / depth, 360 + focal_px * (1.0 - z) / depth


def poses_of(azimuth: float, frames: int, rate_hz: float = 25.0) -> Iterator[tuple[int, float, str, float, float]]:
    """Rows of the 2D poses that a camera sees: frame, time in s, joint, x and y in px."""
    for frame in range(frames):
        time = frame / rate_hz
        for name, point in walker(2 * math.pi * 0.9 * time, 0.8 * time).items():
            yield frame, time, name, *seen(point, azimuth)


def write_take(folder: Path, frames: int) -> list[Path]:
    """A take of four cameras as CSV files of 2D poses, with what the files do not say in ``posepipe.toml``."""
    folder.mkdir()
    files = [folder / f"cam{number}.csv" for number in range(4)]
    stated = ["moving = false", "[keypoints]", 'skeleton = "h36m17"', "image_size_px = [1280, 720]"]
    for number, path in enumerate(files):
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("frame", "time", "joint", "x_px", "y_px"))
            rows.writerows(poses_of(0.3 + 1.5 * number, frames))
        stated += [f"[cameras.{path.stem}]", f'video = "{path.name}"', "offset_s = 0"]
    (folder / "posepipe.toml").write_text("\n".join(stated) + "\n", encoding="utf-8")
    return files


def use(programs: Path, folder: Path) -> None:
    """Help, a fit, infer and export in an empty folder, and the files that they write.

    Raises:
        SystemExit: what did not work.
    """
    posepipe = str(programs / "posepipe")
    home = run([str(programs / "python"), "-c", "import posepipe.pipeline as p; print(p.__file__)"], folder).strip()
    if not Path(home).resolve().is_relative_to(programs.parent.resolve()):
        sys.exit(f"posepipe was imported from {home}, not from the wheel")
    run([posepipe, "--help"], folder)
    run([posepipe, "doctor"], folder)
    files = write_take(folder / "walk", frames=150)
    quick = ["--method", "epipolarpose", "--set", "train.epochs=3", "--set", "calibrate.focal_px=1000"]
    run([posepipe, "fit", "walk", *quick, "--export", "npz,csv,view"], folder)
    clip = shutil.copy(files[0], folder / "clip.csv")
    run([posepipe, "infer", str(clip), "--model", "walk_posepipe/model.pt", "--focal", "1000",
         "--set", "keypoints.skeleton=h36m17", "--export", "npz"], folder)  # fmt: skip
    run([posepipe, "export", "clip_posepipe", "--to", "bvh,view"], folder)
    made = ["walk_posepipe/report.html", "walk_posepipe/takes/walk/cam0/view.html", "clip_posepipe/poses.npz",
            "clip_posepipe/poses.bvh", "clip_posepipe/view.html"]  # fmt: skip
    if lost := [name for name in made if not (folder / name).is_file()]:
        sys.exit(f"posepipe did not write {', '.join(lost)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dist", type=Path, help="folder with one wheel; without it, one is built")
    parser.add_argument("--fresh", action="store_true", help="install the dependencies anew (from the package index)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if options.dist is None:
            build(work / "dist", work)
        wheels = sorted((options.dist or work / "dist").resolve().glob("*.whl"))
        if len(wheels) != 1:
            sys.exit(f"there are {len(wheels)} wheels; expected 1")
        with zipfile.ZipFile(wheels[0]) as file:
            found = faults({item.filename for item in file.infolist() if not item.is_dir()}, expected_files())
        if found:
            sys.exit("\n".join(found))
        programs = make_environment(work / "environment", wheels[0], options.fresh)
        (work / "empty").mkdir()
        use(programs, work / "empty")
        print(f"{wheels[0].name} works away from the repository")


if __name__ == "__main__":
    main()
