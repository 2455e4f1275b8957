"""Packages of others add a method, a detector, an exporter and a reader, and touch no file of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from known_scene import cameras
from posepipe.models.skeleton import COCO17
from test_examples import FRAMES, film, suit

ROOT = Path(__file__).parents[2]
APP = "from posepipe.pipeline.cli import app; app()"
ENTRIES = {
    "posepipe.methods": "agreeing_views = agreeing_views:AgreeingViews",
    "posepipe.detectors": "patches = patches:PatchSettings",
    "posepipe.exporters": "jsonl = json_lines:FORMAT",
    "posepipe.readers": "jsonl = json_lines_reader",
}


def install(site: Path, name: str, entries: dict[str, str]) -> None:
    """A package as pip would leave it: its modules are in the folder already."""
    about = site / f"{name}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = [f"[{group}]\n{entry}\n" for group, entry in entries.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages with one that adds one of each kind."""
    site = tmp_path / "site"
    install(site, "suits", ENTRIES)
    for module in ("agreeing_views", "patches", "json_lines", "json_lines_reader"):
        shutil.copy(ROOT / "docs" / "examples" / f"{module}.py", site)
    return site


def run(site: Path, *words: str, code: str = APP) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own that sees the packages of a folder."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=site.parent, env=environment, capture_output=True, text=True, check=False)


def stamps() -> dict[Path, int]:
    folders = [ROOT / name for name in ("models", "pipeline", "docs")]
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*.[pmt]*")}


def test_a_fit_and_an_inference_with_what_a_package_adds(site: Path, tmp_path: Path) -> None:
    for view, keypoint in enumerate(suit(cameras(4, seed=3)).swapaxes(0, 1)):
        film(tmp_path / "hall" / f"cam{view}.mp4", keypoint)
    before = stamps()
    done = run(
        site, "fit", "hall", "--method", "agreeing_views", "--detector", "patches", "--export", "npz,jsonl",
        "--set", "train.width=128", "--set", "detect.whole_px=21",
        "--set", "fuse.enabled=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = tmp_path / "hall_posepipe"
    assert "whole_px = 21" in (results / "settings.toml").read_text()
    assert len((results / "takes/hall/cam0/poses.jsonl").read_text().splitlines()) == FRAMES + 1
    clip = tmp_path / "new" / "clip.jsonl"
    clip.parent.mkdir()
    rows = [
        {"frame": frame, "keypoint": np.resize(points, (len(COCO17.joints), 2)).tolist(), "confidence": [0.9] * 17}
        for frame, points in enumerate(suit(cameras(1, seed=3))[:, 0])
    ]
    clip.write_text("\n".join(map(json.dumps, rows)))
    words = ["infer", str(clip), "--model", str(results / "model.pt"), "--export", "jsonl"]
    done = run(site, *words, "--set", "keypoints.rate_hz=25")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "new/clip_posepipe/poses.jsonl").read_text().splitlines()) == FRAMES + 1
    assert stamps() == before


def refused(site: Path, *words: str) -> str:
    done = run(site, "fit", "nowhere", *words)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("entry", "words", "sentence"),
    [
        ({"posepipe.exporters": "broken = no_such_module:F"}, ["--export", "broken"],
         "export 'broken' of package suits 1.2 (entry point posepipe.exporters, no_such_module:F) cannot be loaded: "
         "ModuleNotFoundError"),
        ({"posepipe.detectors": "broken = json:dumps"}, ["--detector", "broken"],
         "(entry point posepipe.detectors, json:dumps) is not a subclass of"),
        ({"posepipe.exporters": "npz = json:dumps"}, ["--export", "npz"],
         "export 'npz' is registered by suits 1.2 (posepipe.exporters), but posepipe has one of this name"),
        ({"posepipe.exporters": "jsonl = json:dumps"}, ["--export", "jsnl"],
         "unknown export 'jsnl'; did you mean 'jsonl'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_sentence(
    entry: dict[str, str], words: list[str], sentence: str, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    install(site, "suits", entry)
    assert sentence in refused(site, *words)


def test_help_and_names_import_no_package(site: Path) -> None:
    look = (
        "import sys; from posepipe.pipeline.settings import names_of; from posepipe.models import METHODS; "
        "import posepipe.pipeline.cli; print(names_of('method', METHODS)[-1], "
        "[name for name in ('agreeing_views', 'patches', 'json_lines', 'torch', 'mmpose') if name in sys.modules])"
    )
    assert run(site, code=look).stdout.strip() == "agreeing_views []"
