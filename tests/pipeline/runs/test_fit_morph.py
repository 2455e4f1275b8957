"""The skeleton morph: what a detector gets wrong by rule is put right for people that it has not learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from footage import FakeDetector, a_track, film_take
from known_scene import cameras, people
from posepipe.models.networks import morph
from posepipe.models.networks.morph import Morph
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.cli import app
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.fit_morph import FittedMorph, _measure, fit_morph
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import load_settings
from posepipe.pipeline.stages.morph import move_joints
from posepipe.pipeline.training.model_file import FORMAT_VERSION, PLAIN_VERSION, Model
from posepipe.pipeline.training.morph_file import MorphNetwork
from quick_fit import QUICK
from typer.testing import CliRunner

VIEWS = 3


def detected(pose: np.ndarray) -> np.ndarray:
    """Joints (..., 17, 2) px as a detector with other ideas finds them.

    Its hips lie a fifth further out and higher up the thighs, its shoulders lower, its head is the nose's neighbour.
    """
    moved = pose.copy()
    at = {name: pose[..., index, :] for index, name in enumerate(H36M17.joints)}
    for side in ("left", "right"):
        hip, knee, shoulder = at[f"{side}_hip"], at[f"{side}_knee"], at[f"{side}_shoulder"]
        moved[..., H36M17.index(f"{side}_hip"), :] = hip + 0.2 * (hip - at["pelvis"]) + 0.1 * (knee - hip)
        moved[..., H36M17.index(f"{side}_shoulder"), :] = shoulder + 0.15 * (at["pelvis"] - at["thorax"])
    moved[..., H36M17.index("head"), :] = at["nose"] + 0.3 * (at["head"] - at["nose"])
    return moved


def seen_by_all(count: int, seed: int) -> np.ndarray:
    """People as they are (N, V, 17, 2) px."""
    return cameras(VIEWS).project(people(count, seed)).astype(np.float32)


def save(path: Path, keypoint: np.ndarray, **more: Any) -> Path:
    np.savez(path, keypoint=keypoint.astype(np.float32), joint_names=np.array(H36M17.joints), **more)
    return path


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    """Median distance of joints from where they should be about the root, in px."""
    about = [pose - pose[..., :1, :] for pose in (found, wanted)]
    return float(np.nanmedian(np.linalg.norm(about[0] - about[1], axis=-1)[..., [1, 4, 10, 11, 14]]))


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Any:
    """Networks of an eighth of the width."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(morph, "WIDTH", 128)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[FittedMorph, Path]:
    """A morph of one subject, and the folder of its files."""
    folder, true = tmp_path_factory.mktemp("subject"), seen_by_all(400, 0)
    noise = np.random.default_rng(0).normal(0, 1.0, true.shape)
    found = save(folder / "found.npz", detected(true) + noise)
    fitted = fit_morph(found, save(folder / "reference.npz", true), epochs=100)
    fitted.network.write(folder / "morph.pt")
    return fitted, folder


def test_a_systematic_offset_is_gone_from_poses_of_somebody_else(made: tuple[FittedMorph, Path]) -> None:
    fitted, _ = made
    true = seen_by_all(60, 1)[:, 0]
    track = a_track(detected(true) + np.random.default_rng(1).normal(0, 1.0, true.shape), np.arange(60) / 25)
    before, after = (off(each.keypoint, true) for each in (track, move_joints(track, fitted.network)))
    assert before > 8
    assert after < 0.5 * before
    assert fitted.after < 0.7 * fitted.before
    assert fitted.pairs == 400 * VIEWS * 9 // 10


def test_root_size_and_missing_joints_stay(made: tuple[FittedMorph, Path]) -> None:
    fitted, _ = made
    true = seen_by_all(20, 2)[:, 0]
    keypoint = detected(true)
    keypoint[3, 5], keypoint[4, 0], keypoint[5] = np.nan, np.nan, np.nan
    track = a_track(keypoint, np.arange(20) / 25)
    moved = move_joints(track, fitted.network)
    np.testing.assert_array_equal(np.isnan(moved.keypoint), np.isnan(track.keypoint))
    np.testing.assert_array_equal(moved.keypoint[4], track.keypoint[4])  # without a root nothing is known
    np.testing.assert_allclose(moved.keypoint[6:, 0], track.keypoint[6:, 0], atol=1e-3)

    def size(pose: np.ndarray) -> np.ndarray:
        return np.linalg.norm(pose - pose[:, :1], axis=(1, 2))

    np.testing.assert_allclose(size(moved.keypoint[6:]), size(track.keypoint[6:]), rtol=1e-5)
    assert off(moved.keypoint[3:4], true[3:4]) < 0.8 * off(track.keypoint[3:4], true[3:4])


def test_the_loss_is_that_of_its_definition() -> None:
    torch.manual_seed(0)
    network = Morph(H36M17)
    rng = np.random.default_rng(0)
    found, wanted = (torch.tensor(rng.normal(100, 30, (4, 17, 2)), dtype=torch.float32) for _ in range(2))
    known = torch.ones(4, 17)
    known[1, 3] = known[2, 7] = 0
    expected, count = 0.0, 0
    for one in range(4):
        joints = known[one] > 0
        pose, target = (each[one] - each[one, 0] for each in (found, wanted))
        pose, target = (torch.where(joints[:, None], each, 0) for each in (pose, target))
        pose, target = pose / pose.norm(), target / target.norm()
        difference = pose + network.layers(pose.flatten()).reshape(17, 2) - target
        expected += float(difference[joints].square().sum())
        count += 2 * int(joints.sum())
    assert float(network.loss(found, wanted, known)) == pytest.approx(expected / count, rel=1e-4)


def test_a_fit_and_infer_use_it_and_the_model_says_so(
    made: tuple[FittedMorph, Path], tmp_path: Path, detector: FakeDetector
) -> None:
    fitted, folder = made
    take = film_take(tmp_path / "run", 3, range(24))
    settings = load_settings(overrides=[*QUICK, f"morph.network={folder / 'morph.pt'}"])
    done = fit(take, settings=settings, exports=["npz"])
    assert done.model is not None
    model = Model.read(done.model)
    assert model.morph is not None and model.morph.key == fitted.network.key
    assert model.supervision == "no 3D poses, but reference 2D poses of reference.npz for the skeleton morph"
    assert model.recipe["morph"]["network"] == ""
    assert [torch.load(done.model, weights_only=True)["format_version"], PLAIN_VERSION] == [FORMAT_VERSION, 1]
    plain = fit(take, out=tmp_path / "plain", settings=load_settings(overrides=QUICK), exports=["npz"])
    files = [done.results[0] / "poses.npz", plain.results[0] / "poses.npz"]
    morphed, as_found = (np.load(file)["keypoint"] for file in files)
    assert np.abs(morphed - as_found)[:, :17].max() > 1

    (folder / "morph.pt").rename(folder / "elsewhere.pt")  # infer takes it from the model
    clip = tmp_path / "clip" / "cam0.mp4"
    clip.parent.mkdir()
    clip.write_bytes((take / "cam0.mp4").read_bytes())
    poses = infer(clip, model=done.model, exports=["npz"]).pose
    (folder / "elsewhere.pt").rename(folder / "morph.pt")
    np.testing.assert_array_equal(poses.keypoint, morphed)
    assert fit(take, settings=settings, exports=["npz"]).nothing_to_do


def test_keypoint_files_are_morphed_but_those_it_learnt_from_refused(
    made: tuple[FittedMorph, Path], tmp_path: Path
) -> None:
    _, folder = made
    true = seen_by_all(60, 3)
    data = save(tmp_path / "data.npz", detected(true))
    settings = load_settings(overrides=[*QUICK, f"morph.network={folder / 'morph.pt'}", "device=cpu"])
    done = fit(data, settings=settings)
    assert done.model is not None
    test = save(tmp_path / "test.npz", detected(true), action=np.full(60, "run"))
    again = infer(test, model=done.model, out=tmp_path / "test").pose
    with np.load(done.results[0]) as file:
        np.testing.assert_allclose(again.joint, file["joint"], atol=1e-5)
    plain = replace(Model.read(done.model), morph=None)
    plain.write(tmp_path / "plain.pt")
    assert np.abs(infer(test, model=tmp_path / "plain.pt", out=tmp_path / "b").pose.joint - again.joint).max() > 1e-4
    with pytest.raises(PosepipeError, match=r"learnt from .*found.npz: its subject must stay out of training"):
        fit(folder / "found.npz", out=tmp_path / "out", settings=settings)


def test_one_camera_of_any_format_is_enough(tmp_path: Path) -> None:
    true = seen_by_all(120, 4)[:, 0]
    origin = np.array('{"clip_sha256": "of the video"}')
    found = save(tmp_path / "poses.npz", detected(true), time=np.arange(120) / 25, provenance=origin)
    rows = ["frame,time,joint,x,y"]
    rows += [f"{f},{f / 25},{name},{x:.3f},{y:.3f}" for f, pose in enumerate(true)
             for name, (x, y) in zip(H36M17.joints, pose.tolist(), strict=True)]  # fmt: skip
    (tmp_path / "reference.csv").write_text("\n".join(rows))
    fitted = fit_morph(found, tmp_path / "reference.csv", epochs=1)
    assert (fitted.pairs, fitted.network.source) == (108, "reference.csv")
    assert "of the video" in fitted.network.learnt_from


def test_what_cannot_be_learnt_from_is_one_sentence(made: tuple[FittedMorph, Path], tmp_path: Path) -> None:
    _, folder = made
    short = save(tmp_path / "short.npz", seen_by_all(20, 0))
    with pytest.raises(PosepipeError, match=r"found.npz holds 1200 poses and .*short.npz 60; give the same frames"):
        fit_morph(folder / "found.npz", short)
    with pytest.raises(PosepipeError, match="have 60 poses in common; a skeleton morph needs 100 or more"):
        fit_morph(short, short)
    with pytest.raises(PosepipeError, match="there is no file"):
        fit_morph(folder / "found.npz", tmp_path / "nowhere.npz")
    (tmp_path / "text.pt").write_text("no tensors")
    with pytest.raises(PosepipeError, match="is not a skeleton morph"):
        MorphNetwork.read(tmp_path / "text.pt")
    with pytest.raises(PosepipeError, match="there is no file"):
        MorphNetwork.read(tmp_path / "nowhere.pt")
    settings = load_settings(overrides=[*QUICK, f"morph.network={folder / 'morph.pt'}", "morph.skeleton=native"])
    with pytest.raises(PosepipeError, match="moves the joints of h36m17; use --skeleton h36m17"):
        fit(short, out=tmp_path / "out", settings=settings)


def test_the_command_writes_a_file_and_says_what_it_is_worth(made: tuple[FittedMorph, Path], tmp_path: Path) -> None:
    _, folder = made
    words = ["morph", "fit", str(folder / "found.npz"), str(folder / "reference.npz")]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "made" / "morph.pt"), "--epochs", "1"])
    assert done.exit_code == 0, done.output
    assert "of the person's size before" in done.stdout
    assert MorphNetwork.read(tmp_path / "made" / "morph.pt").source == "reference.npz"
    refused = CliRunner().invoke(app, [*words[:3], str(tmp_path / "nowhere.npz")])
    assert refused.exit_code == 2


def test_what_a_morph_does_is_measured_about_the_root_in_sizes_of_the_person() -> None:
    rng = np.random.default_rng(0)
    found, wanted = torch.from_numpy(rng.normal(300, 50, (2, 6, 17, 2))).float()
    known = torch.from_numpy(rng.uniform(size=(6, 17)) < 0.8)
    known[:, 0] = True
    expected = []
    for number in range(6):
        joints = np.flatnonzero(known[number])
        centred = [(pose[number, joints] - pose[number, 0]).numpy() for pose in (found, wanted)]
        one, other = (pose / np.sqrt((pose**2).sum(-1).mean()) for pose in centred)
        expected.append(np.linalg.norm(one - other, axis=-1).mean())
    before, after = _measure(Morph(H36M17).eval(), found, wanted, known)
    assert before == pytest.approx(np.mean(expected), rel=1e-5)
    assert np.isfinite(after)


def test_a_hundred_pairs_are_enough(tmp_path: Path) -> None:
    pose = cameras(1).project(people(100))
    for count in (100, 99):
        for name in ("found", "wanted"):
            np.savez(tmp_path / f"{name}{count}.npz", keypoint=pose[:count], joint_names=np.array(H36M17.joints),
                     confidence=np.ones((count, 1, 17)))  # fmt: skip
    assert fit_morph(tmp_path / "found100.npz", tmp_path / "wanted100.npz", epochs=1).pairs == 90
    with pytest.raises(PosepipeError, match="have 99 poses in common; a skeleton morph needs 100"):
        fit_morph(tmp_path / "found99.npz", tmp_path / "wanted99.npz", epochs=1)
