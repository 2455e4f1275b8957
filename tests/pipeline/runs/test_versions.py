"""A model that another version of its method trained is trained again, and so is all that comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from footage import SurePose
from known_scene import cameras, people
from posepipe.models.networks.morph import Morph
from posepipe.models.networks.refinement import RefinementUnit
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.settings import load_settings
from posepipe.pipeline.training.model_file import Model
from posepipe.pipeline.training.morph_file import MorphNetwork
from quick_fit import QUICK


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fit of a keypoint file that has a skeleton morph and a refinement unit."""
    folder = tmp_path_factory.mktemp("versions")
    rig, pose = cameras(3), people(40)
    truth = rig.see(pose)
    arrays = {"keypoint": rig.project(pose), "joint_names": np.array(H36M17.joints)}
    np.savez(folder / "arrays.npz", **arrays)
    np.savez(folder / "true.npz", **arrays, joint_3d_cam=truth - truth[..., :1, :])
    MorphNetwork(Morph(H36M17).state_dict(), "by hand", []).write(folder / "morph.pt")
    fit_again(folder)
    return folder


def fit_again(folder: Path, *overrides: str) -> dict[str, int]:
    """Fit as before; how many results of each stage there are then."""
    named = [f"refine.reference={folder / 'true.npz'}", f"morph.network={folder / 'morph.pt'}", "refine.epochs=1"]
    settings = load_settings(overrides=[*QUICK, *named, "device=cpu", *overrides])
    (folder / "out" / "poses.npz").unlink(missing_ok=True)  # so that there is something to do
    fit(folder / "arrays.npz", out=folder / "out", settings=settings)
    found = sorted((folder / "out" / "cache").glob("*/*/manifest.json"))
    names = [manifest.parts[-3] for manifest in found]
    return {name: names.count(name) for name in names}


def test_settings_behind_lifting_train_no_unit_again_and_stand_in_the_model(fits: Path) -> None:
    before = fit_again(fits)
    assert fit_again(fits, "motion.filter=butterworth") == before
    model = Model.read(fits / "out" / "model.pt")
    assert model.refinement is not None
    assert model.recipe["motion"]["filter"] == "butterworth"


RESULTS = {
    "read_keypoints": 2, "move_joints_of_samples": 2, "select_samples": 1, "train_model": 1, "lift_samples": 2,
    "read_true_poses": 1, "refine_model": 1,
}  # fmt: skip
"""Results of each stage; the file of true poses is read, moved and lifted as well."""


@pytest.mark.parametrize(
    ("network", "again"),
    [
        (None, {}),
        (SurePose, {"train_model": 1, "lift_samples": 2, "refine_model": 1}),
        (RefinementUnit, {"refine_model": 1, "lift_samples": 1}),
        (Morph, {name: count for name, count in RESULTS.items() if not name.startswith("read")}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_another_version_made_is_made_again(
    network: type | None, again: dict[str, int], fits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fit_again(fits)
    assert before.keys() == RESULTS.keys()
    if network is not None:
        monkeypatch.setattr(network, "version", network.version + 1)
    after = fit_again(fits)
    assert {name: after[name] - before[name] for name in after if after[name] > before[name]} == again
    monkeypatch.undo()
    assert fit_again(fits) == after, "the results of the earlier version are still there"
