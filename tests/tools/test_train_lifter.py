"""Training of the generic lifter on motions that the test draws; a run here takes seconds and learns little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from posepipe.models.skeleton import H36M17
from posepipe.models.synthesis.drawn_poses import drawn_poses
from posepipe.pipeline.training.generic_lifter import usual_recipe
from posepipe.pipeline.training.model_file import Model

from tools import train_lifter

CLIPS, FRAMES = 13, 40


@pytest.fixture
def motions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clips of people, every other with feet."""
    for name, value in {"STORED": 64, "BATCH": 16, "CALIBRATION_STEPS": 3, "FOOT_VIEWS": 2, "FOOT_STEPS": 3}.items():
        monkeypatch.setattr(train_lifter, name, value)
    folder = tmp_path / "motions"
    folder.mkdir()
    chance = torch.Generator().manual_seed(0)
    for number, joint in enumerate(drawn_poses(chance, CLIPS, FRAMES).numpy()):
        np.savez(folder / f"clip{number:02d}.npz", joints=joint[:, : 21 if number % 2 else 17], fps=25.0)
    return folder


def make(motions: Path, out: Path, steps: int = 4) -> Path:
    return train_lifter.make([motions], out, ["clip00"], steps, 32, 0.5, "fp32", 0)


def test_clips_are_left_out_by_name(motions: Path) -> None:
    files = list(train_lifter.motion_files([motions, motions / "clip03.npz"], ["clip00", "clip12"]))
    assert [path.stem for path in files] == [f"clip{number:02d}" for number in (*range(1, 12), 3)]
    with_feet = train_lifter.Motions.of(files, 21)
    assert with_feet.joint.shape == (7 * FRAMES, 21, 3) and (with_feet.clips.rate == 25).all()
    assert train_lifter.Motions.of(files, 17).joint.shape == (12 * FRAMES, 17, 3)


def test_what_it_writes_is_a_model_in_half_precision(motions: Path, tmp_path: Path) -> None:
    path = make(motions, tmp_path / "out")
    model = Model.read(path)
    assert (model.method, model.skeleton) == ("posepipe", H36M17.name)
    assert {value.dtype for value in (*model.state.values(), *model.feet.values())} == {torch.float16}
    method, checkpoint = model.build(), torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    for name, value in method.lifter.state_dict().items():
        torch.testing.assert_close(value, checkpoint["lifter"][name], rtol=1e-3, atol=1e-6)
        assert torch.equal(value, method.uncertainty.state_dict()[name])
    assert (method.calibration != 0).any() and model.build_feet() is not None
    network = sum(value.numel() for value in method.lifter.state_dict().values())
    assert path.stat().st_size < 2 * network + 2 * sum(v.numel() for v in model.feet.values()) + 60_000
    assert usual_recipe()["detector"] == "" and set(usual_recipe()) >= {"detect", "track", "sides", "motion", "root"}


def test_a_stopped_training_goes_on(
    motions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_lifter, "SAVED_EVERY", 2)
    failing = train_lifter.Store.views

    def views(store: train_lifter.Store) -> object:
        if store.steps == 3:
            raise KeyboardInterrupt
        return failing(store)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train_lifter.Store, "views", views)
        make(motions, tmp_path / "out", steps=6)
    assert torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["step"] == 2
    make(motions, tmp_path / "out", steps=6)
    assert "goes on after 2 steps" in capsys.readouterr().out
    assert torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["step"] == 6


def test_a_training_can_start_from_the_weights_of_another(motions: Path, tmp_path: Path) -> None:
    make(motions, tmp_path / "first")
    start = tmp_path / "first" / "checkpoint.pt"
    train_lifter.make([motions], tmp_path / "out", ["clip00"], 4, 32, 0.5, "fp32", 0, start)
    before, after = (
        torch.load(path, weights_only=True)["lifter"] for path in (start, tmp_path / "out/checkpoint.pt")
    )
    apart = [(after[name] - value).abs().max() for name, value in before.items()]
    assert 0 < max(apart) < 0.05


def test_equal_seeds_make_equal_files(motions: Path, tmp_path: Path) -> None:
    assert make(motions, tmp_path / "a").read_bytes() == make(motions, tmp_path / "b").read_bytes()
