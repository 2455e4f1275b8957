"""What ``posepipe.toml`` and settings say reaches the results, also those of a fit that was complete before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from footage import RATE, FakeDetector, detected_take, film
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import Settings, load_settings
from quick_fit import QUICK, Fitted

FRAMES = 40


def settings(*overrides: str) -> Settings:
    return load_settings(overrides=(*QUICK, *overrides))


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A complete fit of 2D poses of three cameras; not to be changed."""
    made = Fitted(detected_take(tmp_path_factory.mktemp("described") / "run"), tmp_path_factory.mktemp("out") / "out")
    fit(made.footage, out=made.out, settings=settings(), exports=["npz"])
    return made


def newest(out: Path, stage: str, array: str) -> np.ndarray:
    """An array of what a stage made last."""
    entries = sorted((out / "cache" / stage).iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
    return np.load(entries[-1] / f"{array}.npy")


def times(out: Path) -> np.ndarray:
    with np.load(out / "takes" / "run" / "cam1" / "poses.npz") as poses:
        return poses["time"]


@pytest.mark.parametrize(
    ("before", "said", "is_followed"),
    [
        ("", "[cameras.cam0]\noffset_s = 0.0\n[cameras.cam1]\noffset_s = 0.2\n[cameras.cam2]\noffset_s = 0.0\n",
         lambda out: np.allclose(newest(out, "synchronize", "offset"), [0, 0.2, 0])),
        ("", "[cameras.cam0]\n[cameras.cam1]\nmoving = true\n[cameras.cam2]\n",
         lambda out: (newest(out, "build_samples", "rig") == -1).all()),
        ("slow_motion = 4.0\n", "", lambda out: np.allclose(times(out), np.arange(FRAMES) / RATE / 4)),
    ],
    ids=["offset_s", "moving", "slow_motion"],
)  # fmt: skip
def test_a_complete_fit_follows_what_is_said_of_cameras_afterwards(
    before: str, said: str, is_followed: Callable[[Path], bool], complete: Fitted, tmp_path: Path
) -> None:
    made = complete.copy_to(tmp_path)
    fit(made.footage, out=made.out, settings=settings(), exports=["npz"])  # as the copy is at another place
    assert fit(made.footage, out=made.out, settings=settings(), exports=["npz"]).nothing_to_do
    assert not is_followed(made.out)
    description = made.footage / "posepipe.toml"
    description.write_text(before + description.read_text() + said)
    assert not fit(made.footage, out=made.out, settings=settings(), exports=["npz"]).nothing_to_do
    assert is_followed(made.out)
    assert fit(made.footage, out=made.out, settings=settings(), exports=["npz"]).nothing_to_do


def test_infer_follows_the_settings_behind_lifting_that_the_fit_had(
    fitted: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    clip = film(tmp_path / "new" / "clip.mp4", 3, range(100, 110))
    said = ("motion.filter=none", "adjust.enabled=false", "root.field_of_view_deg=90")
    fit(fitted.footage, out=fitted.out, settings=settings(*said), exports=["npz"])
    made = infer(clip, model=fitted.out / "model.pt", exports=["npz"])
    with np.load(made.files[0]) as poses:
        assert "field of view of 90°" in str(poses["root_camera"])
        assert not any("smoothed" in step for step in poses["steps"])
        np.testing.assert_array_equal(poses["joint"], poses["joint_raw"])
        np.testing.assert_array_equal(poses["joint"], poses["joint_lifted"])
        assert "turn" not in poses
