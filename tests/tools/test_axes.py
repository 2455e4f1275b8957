"""The pictures of the conventions are those that the code draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from posepipe.models.body.angles import joint_angles
from posepipe.models.skeleton import H36M17

from tools.axes import PICTURES, POSTURES, person

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_up_to_date(name: str, tmp_path: Path) -> None:
    PICTURES[name](tmp_path / name)
    drawn, shown = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, DOCS))
    assert drawn == shown, "run python tools/axes.py --out docs"


@pytest.mark.parametrize(("angle", "moved"), POSTURES)
def test_a_posture_has_the_angle_that_it_shows_and_hardly_another(
    angle: str, moved: dict[str, tuple[float, float, float]]
) -> None:
    angles = {name: float(values[0]) for name, values in joint_angles(person(moved)[None], H36M17).items()}
    assert 20 < angles[angle] < 150
    still = {name: float(values[0]) for name, values in joint_angles(person()[None], H36M17).items()}
    assert all(abs(value) < 25 for value in still.values())
    right = {name for name in angles if name.startswith("right")} - {"right_hip_flexion", "right_shoulder_flexion"}
    assert all(np.isclose(angles[name], still[name], atol=6) for name in right)
