"""What training starts from: the generic lifter where method, joints and network have one, else nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_cases import arrays
from posepipe.models.methods.posepipe import Posepipe, PosepipeSettings
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import PosepipeError, fit, load_settings
from posepipe.pipeline.runs.checks import chosen_prior
from posepipe.pipeline.runtime.workplace import open_workplace, status
from posepipe.pipeline.settings import Settings
from posepipe.pipeline.training import generic_lifter
from posepipe.pipeline.training.model_file import Model

WINDOW, WIDTH = 3, 16
SMALL = (f"train.window={WINDOW}", f"train.width={WIDTH}", "train.precision=fp32", "device=cpu")
SHORT = ("train.canonpose_epochs=2", "train.epochs=1", "train.min_steps=2", "train.batch_size=8", "train.filmed=8",
         "fuse.enabled=false")  # fmt: skip


@pytest.fixture
def lifter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A generic lifter that has learnt nothing, in the place of the package's."""
    torch.manual_seed(5)
    settings = PosepipeSettings(window=WINDOW, width=WIDTH, precision="fp32")
    method = Posepipe(H36M17, settings)
    model = Model("posepipe", settings.model_dump(), H36M17.name, method.state_dict(), [], {}, 0, {})
    (tmp_path / "weights").mkdir()
    model.write(tmp_path / "weights" / "h36m17.pt")
    monkeypatch.setattr(generic_lifter, "WEIGHTS", tmp_path / "weights")
    return model


def chosen(folder: Path, settings: Settings, skeleton: str = "h36m17") -> Path | None:
    with open_workplace(folder / "out") as place:
        found = chosen_prior(place, settings, skeleton)
    return found and found.path


def test_it_is_the_generic_lifter_where_there_is_one(lifter: Model, tmp_path: Path) -> None:
    settings, asked, without = (
        load_settings(overrides=SMALL, options={"train.prior": prior}) for prior in (None, "generic", "none")
    )
    weights = tmp_path / "weights" / "h36m17.pt"
    assert chosen(tmp_path, settings) == chosen(tmp_path, settings, "h36m17+feet") == weights
    assert chosen(tmp_path, asked) == weights
    assert chosen(tmp_path, without) is None
    assert chosen(tmp_path, load_settings(overrides=["train.method=canonpose"])) is None


def test_where_there_is_none_training_starts_from_nothing_unless_it_is_asked_for(
    lifter: Model, tmp_path: Path
) -> None:
    wider = "train.width=32"
    assert chosen(tmp_path, load_settings(overrides=[*SMALL, wider])) is None
    with pytest.raises(
        PosepipeError, match=r"train\.prior=generic: the generic lifter has width 16; use --prior none"
    ):
        chosen(tmp_path, load_settings(overrides=[*SMALL, wider, "train.prior=generic"]))
    with pytest.raises(PosepipeError, match=r"there is no generic lifter for the joints of coco17; use --prior none"):
        chosen(tmp_path, load_settings(overrides=[*SMALL, "train.prior=generic"]), "coco17")
    np.savez(tmp_path / "arrays.npz", keypoint=np.ones((4, 2, 17, 2)), joint_names=np.array(H36M17.joints))
    with pytest.raises(PosepipeError, match=r"method 'canonpose' takes no prior, .*: leave out --prior"):
        settings = load_settings(overrides=["train.method=canonpose", "train.prior=generic"])
        fit(tmp_path / "arrays.npz", out=tmp_path / "refused", settings=settings)
    with pytest.raises(PosepipeError, match=r"train\.prior"):
        load_settings(overrides=["train.prior=some"])


def test_everything_says_what_a_model_started_from(lifter: Model, tmp_path: Path, decided: None) -> None:
    path, out = arrays(tmp_path), tmp_path / "fit"
    done = fit(path, out=out, settings=load_settings(overrides=[*SMALL, *SHORT]))
    model = Model.read(out / "model.pt")
    assert (model.prior, model.notes()["prior"]) == ("generic", "generic")
    assert 'prior = "generic"' in (out / "settings.toml").read_text()
    with np.load(done.results[0]) as file:
        assert json.loads(str(file["provenance"]))["prior"] == "generic"
    assert [row.prior for row in status(out) if row.prior] == ["none", "generic"], "CanonPose has none"
    for name, value in lifter.state.items():
        if name.startswith("lifter."):
            assert (model.state[name] - value).abs().max() < 0.02, "two steps lead nowhere"
