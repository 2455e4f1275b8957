"""The refinement unit in a fit: off unless asked for, corrects what is wrong by rule, is named where it was used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from footage import FakeDetector, film_take
from known_scene import cameras, people
from posepipe.models.body.metrics import joint_errors
from posepipe.models.networks import refinement
from posepipe.models.skeleton import COCO17, H36M17
from posepipe.pipeline.arrays import TruePoses, ViewPoses
from posepipe.pipeline.cli import app
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.evaluate import evaluate
from posepipe.pipeline.runs.evaluation_files import as_text
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runs.refinement import check_reference
from posepipe.pipeline.runs.results import about_results
from posepipe.pipeline.runtime.cache import Cache, SourceFile, Work
from posepipe.pipeline.runtime.workplace import status
from posepipe.pipeline.settings import RefineModelSettings, Settings, load_settings
from posepipe.pipeline.stages import refine
from posepipe.pipeline.stages.import_arrays import read_true_poses
from posepipe.pipeline.stages.refine import refine_model
from posepipe.pipeline.training.model_file import REFINED_VERSION, Model
from quick_fit import QUICK
from typer.testing import CliRunner

VIEWS = 2


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of an eighth of the width."""
    monkeypatch.setattr(refinement, "WIDTH", 128)


def arrays(count: int, seed: int = 0, **more: Any) -> dict[str, Any]:
    rig, pose = cameras(VIEWS), people(count, seed)
    seen = rig.see(pose)
    return {
        "keypoint": rig.project(pose).astype(np.float32),
        "joint_names": np.array(H36M17.joints),
        "joint_3d_cam": seen - seen[:, :, :1],
        **more,
    }


def save(path: Path, content: dict[str, Any]) -> Path:
    np.savez(path, **content)
    return path


# Training


def wrong(pose: np.ndarray, seed: int) -> np.ndarray:
    """Poses (N, 17, 3) as a lifter might get them wrong: flat, arms too short, a head that is bent; and noise."""
    flat = pose * [1, 1, 0.6]
    for shoulder, joints in ((11, (12, 13)), (14, (15, 16))):
        for joint in joints:
            flat[:, joint] = flat[:, shoulder] + 0.8 * (flat[:, joint] - flat[:, shoulder])
    flat[:, 10] += [0.05, 0.02, -0.1]
    return flat + np.random.default_rng(seed).normal(0, 0.005, flat.shape)


def view_poses(joint: np.ndarray) -> ViewPoses:
    samples, views = joint.shape[:2]
    joint = joint.astype(np.float32)
    turn = np.broadcast_to(np.eye(3, dtype=np.float32), (samples, views, 3, 3))
    order = np.arange(samples)
    seen = np.ones(joint.shape[:3], np.float32)
    return ViewPoses(joint, joint, turn, seen, 0 * order, order, "h36m17", "body heights", ["take"])


def pairs(count: int, seed: int) -> tuple[ViewPoses, TruePoses]:
    """Poses that a lifter got wrong, and the true ones, of one view."""
    true = people(count, seed)
    lifted = wrong(true, seed)
    return (
        view_poses(2 * (lifted - lifted[:, :1])[:, None]),
        TruePoses(true.astype(np.float32)[:, None], "h36m17", "true.npz"),
    )


@pytest.fixture
def model() -> Model:
    """A model without a unit, whose network nobody asks."""
    recipe, handedness = {"detector": "fake detector"}, {"verdict": "clear"}
    return Model("canonpose", {}, "h36m17", {}, [], handedness, 40, recipe)


def trained(folder: Path, lifted: ViewPoses, true: TruePoses, model: Model, epochs: int) -> Model:
    settings = RefineModelSettings(epochs=epochs, seed=0, device="cpu")
    return Cache(folder).run(refine_model, lifted, true, model, settings=settings)


def test_what_is_wrong_by_rule_is_put_right_on_unseen_poses(tmp_path: Path, model: Model) -> None:
    made = trained(tmp_path, *pairs(1000, 0), model, epochs=40)
    unit = made.build_refinement()
    assert unit is not None
    lifted, true = (torch.tensor(np.array(poses.joint[:, 0])) for poses in pairs(200, 1))
    truth = true.double().numpy()

    def error(pose: torch.Tensor) -> float:
        """NMPJPE in mm."""
        return float(joint_errors(1000 * pose.double().numpy(), 1000 * truth, "scale").mean())

    before, after = error(lifted), error(unit(lifted))
    assert before > 50
    assert after < 0.75 * before
    assert [row["epoch"] for row in made.losses] == list(range(40))
    assert made.losses[-1]["second_estimate"] < 0.5 * made.losses[0]["second_estimate"]


def test_the_rate_falls_as_published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Model) -> None:
    assert (refine.STEPS_OF_A_RATE, refine.DECAY, refine.BATCH_SIZE) == (100_000, 0.96, 64)
    monkeypatch.setattr(refine, "STEPS_OF_A_RATE", 4)
    made = trained(tmp_path, *pairs(128, 0), model, epochs=5)  # two steps an epoch
    assert [row["learning_rate"] for row in made.losses] == pytest.approx([1e-3, 96e-5, 96e-5, 9216e-7, 9216e-7])


def test_a_last_batch_of_one_and_unknown_poses_are_left_out(tmp_path: Path, model: Model) -> None:
    lifted, true = pairs(70, 0)
    joint = np.array(lifted.joint)
    joint[:3] = np.nan
    joint[5, 0, 3] = np.nan
    true.joint[4, 0, 7, 1] = np.nan
    made = trained(tmp_path / "a", view_poses(joint), true, model, epochs=1)
    assert np.isfinite(made.losses[0]["total"])
    true.joint[10:12] = np.nan
    with pytest.raises(PosepipeError, match=r"true.npz has 63 poses that are both lifted and .* needs 64 or more"):
        trained(tmp_path / "b", view_poses(joint), true, model, epochs=1)


def same(one: Model, other: Model) -> bool:
    assert one.refinement is not None and other.refinement is not None
    weights = [{name: value.numpy().tobytes() for name, value in m.refinement.items()} for m in (one, other)]  # type: ignore[union-attr]
    return weights[0] == weights[1] and one.losses == other.losses


class Killed(BaseException):
    """Stands for kill -9."""


def test_an_interrupted_training_ends_with_the_same_bits(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refine, "KEEP_S", 0.0)
    data = pairs(150, 0)
    whole = trained(tmp_path / "whole", *data, model, epochs=4)
    keep, epochs = Work.keep, []

    def dying(work: Work, part: Any, **said: Any) -> None:
        keep(work, part, **said)
        epochs.append(len(part.losses))
        if len(epochs) == 2:
            raise Killed

    monkeypatch.setattr(Work, "keep", dying)
    with pytest.raises(Killed):
        trained(tmp_path / "cut", *data, model, epochs=4)
    assert same(trained(tmp_path / "cut", *data, model, epochs=4), whole)
    assert epochs == [1, 2, 3, 4]
    assert not list((tmp_path / "cut").glob("*/*.parts"))


# The model file


def test_a_model_with_a_unit_comes_back_as_it_was(tmp_path: Path, model: Model) -> None:
    made = trained(tmp_path, *pairs(64, 0), model, epochs=1)
    model.write(tmp_path / "plain.pt")
    made.write(tmp_path / "refined.pt")
    loaded = Model.read(tmp_path / "refined.pt")
    assert same(loaded, made)
    assert loaded.supervision == loaded.notes()["supervision"] == "3D poses of true.npz"
    versions = [
        torch.load(tmp_path / name, weights_only=True)["format_version"] for name in ("refined.pt", "plain.pt")
    ]
    assert versions == [REFINED_VERSION, 1], "an older posepipe refuses what it would lift without the unit"
    assert made.refinement is not None
    with pytest.raises(PosepipeError, match="weights of the model's refinement unit do not fit"):
        replace(made, refinement=dict(list(made.refinement.items())[1:])).build_refinement()


def test_a_model_of_before_has_no_unit(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    model.write(path)
    content = torch.load(path, weights_only=True)
    torch.save({name: value for name, value in content.items() if name != "supervision"}, path)
    loaded = Model.read(path)
    assert loaded.build_refinement() is None
    assert loaded.supervision == "no 3D poses"


# The whole way

SHORT = ("train.method=epipolarpose", "train.epochs=3", "train.min_steps=5", "train.width=32",
         "samples.static_cameras=true", "device=cpu")  # fmt: skip


def with_unit(reference: Path, *more: str, epochs: int = 10) -> Settings:
    return load_settings(overrides=[*more, f"refine.reference={reference}", f"refine.epochs={epochs}"])


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rig = cameras(VIEWS)
    return save(tmp_path_factory.mktemp("arrays") / "data.npz", arrays(200, K=rig.K, R=rig.R, t=rig.t))


def supervision_in(poses: Path) -> str:
    with np.load(poses) as file:
        return json.loads(str(file["provenance"]))["supervision"]


def test_off_by_default(training: Path, tmp_path: Path) -> None:
    done = fit(training, out=tmp_path / "out", settings=load_settings(overrides=SHORT))
    model = Model.read(tmp_path / "out" / "model.pt")
    assert (model.refinement, model.supervision) == (None, "no 3D poses")
    assert supervision_in(done.results[0]) == "no 3D poses"
    assert not {row.stage for row in status(done.folder)} & {"read_true_poses", "refine_model"}
    assert not any("self-supervised" in warning for warning in done.warnings)


def test_on_and_named_wherever_it_was_used(training: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = fit(training, out=tmp_path / "plain", settings=load_settings(overrides=SHORT))
    settings = with_unit(training, *SHORT)
    before = fit(training, out=tmp_path / "out", settings=settings, until="train").model
    assert before is not None and Model.read(before).refinement is None
    with caplog.at_level("WARNING", logger="posepipe"):
        done = fit(training, out=tmp_path / "out", settings=settings)
    said = "the refinement unit learnt from 3D data (3D poses of data.npz): results are not self-supervised any more"
    assert said in caplog.text and said in done.warnings
    assert done.model is not None
    model = Model.read(done.model)
    assert model.supervision == "3D poses of data.npz"
    assert [row["phase"] for row in model.losses] == 3 * ["student"] + 10 * ["refinement"]
    assert supervision_in(done.results[0]) == "3D poses of data.npz"
    assert [row.supervision for row in status(done.folder) if row.supervision][-1] == "3D poses of data.npz"
    told = CliRunner().invoke(app, ["status", str(done.folder)]).stdout
    assert told.endswith("the model was trained on: 3D poses of data.npz; prior: none\n")

    test = save(tmp_path / "test.npz", arrays(100, seed=5))
    found = {}
    for name, made in (("plain", plain), ("refined", done)):
        poses = infer(test, model=made.model, out=tmp_path / f"{name} test").files[0]
        found[name] = evaluate(poses, test)
    assert found["plain"].supervision == ["no 3D poses"]
    assert found["plain"].prior == found["refined"].prior == ["none"]
    assert found["refined"].supervision == ["3D poses of data.npz"]
    assert "the model was trained on: 3D poses of data.npz" in as_text(found["refined"])
    assert found["refined"].mean.measures["NMPJPE"] < 0.9 * found["plain"].mean.measures["NMPJPE"]
    assert fit(training, out=tmp_path / "out", settings=settings).nothing_to_do


def test_other_true_poses_are_another_model(training: Path, tmp_path: Path) -> None:
    reference = save(tmp_path / "other.npz", arrays(70))
    settings = with_unit(reference, *SHORT, epochs=1)
    first = fit(training, out=tmp_path / "out", settings=settings, until="refine").model
    assert first is not None
    before = first.read_bytes()
    save(reference, arrays(71))
    assert not fit(training, out=tmp_path / "out", settings=settings, until="refine").nothing_to_do
    assert first.read_bytes() != before


def test_a_fit_of_videos_can_have_one(detector: FakeDetector, tmp_path: Path) -> None:
    take = film_take(tmp_path / "run", 2, range(12))
    reference = save(tmp_path / "true.npz", arrays(70))
    done = fit(take, settings=with_unit(reference, *QUICK, epochs=1), exports=["npz"])
    assert any("3D poses of true.npz" in warning for warning in done.warnings)
    assert any("no more than two cameras see the athlete" in warning for warning in done.warnings)
    assert done.report is not None and "3D poses of true.npz" in done.report.read_text(encoding="utf-8")
    assert about_results(done.results[0])["about"]["provenance"]["supervision"] == "3D poses of true.npz"
    assert supervision_in(done.results[0] / "poses.npz") == "3D poses of true.npz"


def test_what_cannot_train_it_is_refused_before_anything_long(training: Path, tmp_path: Path) -> None:
    blind = save(tmp_path / "blind.npz", {name: a for name, a in arrays(70).items() if name != "joint_3d_cam"})
    for reference, sentence in (
        (
            blind,
            r"refine.reference: .*blind.npz has no true 3D poses; give a .* with the array joint_3d_cam",
        ),
        (tmp_path / "none.npz", r"refine.reference names .*none.npz, but there is no such file"),
    ):
        with pytest.raises(PosepipeError, match=sentence):
            fit(training, out=tmp_path / "out", settings=with_unit(reference, *SHORT))
    assert not (tmp_path / "out").exists()
    with pytest.raises(PosepipeError, match="needs intrinsics; add the array K to"):
        check_reference(with_unit(save(tmp_path / "a.npz", arrays(70))), {"intrinsics"})
    with pytest.raises(PosepipeError, match="learns from pictures, and keypoint files have none"):
        check_reference(with_unit(training), {"crops"})


def test_true_poses_are_read_by_name_and_on_the_skeleton_wanted(tmp_path: Path) -> None:
    content = arrays(5)
    order = np.random.default_rng(0).permutation(17)
    turned = {name: content[name][:, :, order] for name in ("keypoint", "joint_3d_cam")}
    path = save(tmp_path / "a.npz", content | turned | {"joint_names": np.array(H36M17.joints)[order]})
    found = read_true_poses(SourceFile(path, "key"), "h36m17")
    np.testing.assert_allclose(found.joint, content["joint_3d_cam"], atol=1e-6)
    path = save(tmp_path / "b.npz", content | {"joint_names": np.array(COCO17.joints)})
    found = read_true_poses(SourceFile(path, "key"), "h36m17")
    np.testing.assert_allclose(found.joint[:, :, 0], content["joint_3d_cam"][:, :, [11, 12]].mean(2), atol=1e-6)
    assert read_true_poses(SourceFile(path, "key"), "native").skeleton == "coco17"
    path = save(tmp_path / "c.npz", content | {"joint_3d_cam": content["joint_3d_cam"][:, :1]})
    with pytest.raises(PosepipeError, match=r"expected joint_3d_cam \(5, 2, 17, 3\)"):
        read_true_poses(SourceFile(path, "key"), "h36m17")
