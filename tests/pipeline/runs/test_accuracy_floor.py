"""Every method learns the known scene: its poses of people whom it never saw are better than none, and right-handed.

The scene is easy (no noise) and trainings last seconds, so that errors are many times those of real
ones; the floors leave room for other processors' rounding. A method of ``METHODS`` is included by being there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models import METHODS
from posepipe.models.body.metrics import joint_errors
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import fit, infer
from posepipe.pipeline.settings import load_settings, method_class

VIEWS = 4
SMALL: dict[str, Any] = {
    "canonpose_epochs": 12, "steps": 25, "min_steps": 25, "batch_size": 32, "width": 128, "window": 1,
    "precision": "fp32",
}  # fmt: skip
"""Settings of a training of seconds, as far as a method has them."""
BETTER_THAN_STANDING, BETTER_THAN_MIRRORED = 0.9, 0.6
"""Errors as shares of those of a person who only stands there, and of the same poses in a mirror: 0.46 to 0.71 and
0.27 to 0.44 were measured."""


def scene(count: int, seed: int, distance_m: float) -> tuple[dict[str, Any], np.ndarray]:
    """A keypoint file of people, and their poses (count * VIEWS, 17, 3) in mm as each camera sees them."""
    rig, pose = cameras(VIEWS, distance_m=distance_m), people(count, seed)
    rig.K[:, [0, 1], [0, 1]] *= distance_m / 5
    seen = rig.see(pose)
    content = {
        "keypoint": rig.project(pose).astype(np.float32), "confidence": np.full((count, VIEWS, 17), 0.9, np.float32),
        "joint_names": np.array(H36M17.joints), "image_size": np.full((VIEWS, 2), 1000),
        "rig": np.zeros(count, int), "K": rig.K, "R": rig.R, "t": rig.t,
    }  # fmt: skip
    return content, 1000 * (seen - seen[:, :, :1]).reshape(-1, 17, 3)


def error_mm(pose: np.ndarray, true: np.ndarray) -> float:
    return float(joint_errors(pose, true, "procrustes").mean())


@pytest.mark.parametrize("name", [name for name, path in METHODS.items() if path.startswith("posepipe.")])
def test_a_method_learns_the_known_scene(name: str, tmp_path: Path) -> None:
    kind = method_class(name)
    if "crops" in kind.needs:
        pytest.skip("learns from pictures, which takes minutes")
    # Who knows nothing of cameras takes them for far away, and has to find them first.
    distance_m, epochs = (5.0, 8) if kind.needs else (30.0, 24)
    (shown, _), (new, true) = scene(400, 0, distance_m), scene(60, 1, distance_m)
    np.savez(tmp_path / "shown.npz", **shown)
    np.savez(tmp_path / "new.npz", **new)
    wanted = SMALL | {"epochs": epochs, "learning_rate": 3e-3 if kind.needs else 2e-3}
    small = [f"train.{option}={value}" for option, value in wanted.items() if option in kind.Settings.model_fields]
    settings = load_settings(overrides=[f"train.method={name}", *small, "device=cpu", "fuse.enabled=false"])
    done = fit(tmp_path / "shown.npz", out=tmp_path / "out", settings=settings)
    pose = infer(tmp_path / "new.npz", model=done.model, out=tmp_path / "new").pose.joint.reshape(-1, 17, 3)
    assert np.isfinite(pose).all()
    found, mirrored = error_mm(pose, true), error_mm(pose * [1, 1, -1], true)
    standing = error_mm(np.broadcast_to(people(400, turn=False).mean(0), true.shape), true)
    print(f"{name}: {found:.0f} mm, mirrored {mirrored:.0f} mm, standing {standing:.0f} mm")
    assert found < BETTER_THAN_STANDING * standing
    assert found < BETTER_THAN_MIRRORED * mirrored
