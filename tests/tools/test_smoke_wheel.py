"""The wheel holds every file of the two packages and nothing else; what it is tried on are possible poses."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.readers import format_of

from tools.smoke_wheel import build, expected_files, faults, walker, write_take


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    build(tmp_path / "dist", tmp_path)
    names = {path.suffix: path for path in (tmp_path / "dist").iterdir()}
    assert set(names) == {".gz", ".whl"}
    with zipfile.ZipFile(names[".whl"]) as file:
        held = set(file.namelist())
    assert faults(held, expected_files()) == []
    assert {"posepipe/models/py.typed", "posepipe/pipeline/py.typed", "posepipe/pipeline/pages/templates/view.js",
            "posepipe/pipeline/stages/synchronize/stage.py"} <= held  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("posepipe/models/method.py", set.discard, "lacks posepipe/models/method.py"),
        ("tests/test_layers.py", set.add, "holds tests/test_layers.py"),
    ],
)
def test_a_file_too_few_or_too_many_is_named(name: str, change: Callable[[set[str], str], None], said: str) -> None:
    held = expected_files()
    change(held, name)
    (fault,) = faults(held, expected_files())
    assert said in fault


def test_the_walker_is_a_person() -> None:
    for phase in (0.0, 1.0, 2.5, 4.0):
        joint = walker(phase, heading=0.7)
        assert set(joint) == set(H36M17.joints)
        for side in ("left", "right"):
            assert math.dist(joint[f"{side}_hip"], joint[f"{side}_knee"]) == pytest.approx(0.45)
            assert math.dist(joint[f"{side}_elbow"], joint[f"{side}_wrist"]) == pytest.approx(0.27)


def test_its_poses_are_files_that_posepipe_reads(tmp_path: Path) -> None:
    files = write_take(tmp_path / "walk", frames=2)
    assert [format_of(path) for path in files] == ["csv"] * 4
