"""What needs no MMPose works without OpenMMLab's packages, and imports none of them where they are installed."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from drawn_person import draw_person
from posepipe.pipeline.footage.video import write_video
from quick_fit import Fitted

OPENMMLAB = ("mmpose", "mmengine", "mmcv", "mmdet")
INFER = """
import json, sys
if sys.argv[1] == "absent":
    sys.modules.update(dict.fromkeys(sys.argv[2].split(",")))
import footage  # its method
from posepipe.pipeline.cli import app
code = app(sys.argv[3:], standalone_mode=False)
print(json.dumps([name for name in sys.argv[2].split(",") if sys.modules.get(name)]))
sys.exit(code)
"""


def run(finished: Fitted, folder: Path, openmmlab: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``posepipe infer`` on a clip of somebody who stands, in a process with or without OpenMMLab's packages."""
    clip = folder / "clip.mp4"
    write_video(clip, Fraction(25), iter([draw_person()] * 12))
    model = str(finished.out / "model.pt")
    command = ["infer", str(clip), "--model", model, "--out", str(folder / "out"), "--export", "npz", *words]
    script = [sys.executable, "-c", INFER, openmmlab, ",".join(OPENMMLAB), *command]
    return subprocess.run(script, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)


def test_infer_imports_nothing_of_openmmlab(finished: Fitted, tmp_path: Path) -> None:
    done = run(finished, tmp_path, "present", "--set", "detect.detector=blazepose")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_infer_works_without_openmmlab(finished: Fitted, tmp_path: Path) -> None:
    done = run(finished, tmp_path, "absent")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "poses.npz").is_file()


def test_without_openmmlab_the_detector_mmpose_names_the_command_that_installs_it(
    finished: Fitted, tmp_path: Path
) -> None:
    done = run(finished, tmp_path, "absent", "--set", "detect.detector=mmpose")
    assert done.returncode != 0
    assert "posepipe models install-mmpose installs them" in done.stderr
