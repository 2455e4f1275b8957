"""The model file holds tensors and plain values; nothing in a file that claims to be one is executed."""

from __future__ import annotations

import io
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from posepipe.models.methods.canonpose import CanonPose, CanonPoseSettings
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import load_model
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.training.model_file import FORMAT_VERSION, Model

OPTIONS = CanonPoseSettings(width=8).model_dump(mode="json")


def a_model() -> Model:
    torch.manual_seed(0)
    method = CanonPose(H36M17, CanonPoseSettings(width=8))
    return Model(
        method="canonpose",
        options=OPTIONS,
        skeleton="h36m17",
        state=dict(method.state_dict()),
        losses=[{"phase": "lifter", "epoch": 0, "total": 1.5}],
        handedness={"verdict": "clear", "margin": 0.3, "sentence": "Knees tell.", "evident": 1.0, "majority": 0.6},
        instants=40,
        recipe={"detector": "fake detector"},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    a_model().write(tmp_path / "model.pt")
    return tmp_path / "model.pt"


def changed(path: Path, **values: Any) -> Path:
    """The model file with other values in it; None leaves one out."""
    content = torch.load(path, weights_only=True) | values
    torch.save({name: value for name, value in content.items() if value is not None}, path)
    return path


def test_a_model_comes_back_as_it_was(path: Path) -> None:
    loaded, made = load_model(path), a_model()
    assert loaded.notes() == made.notes()
    for name in ("options", "losses", "instants", "recipe"):
        assert getattr(loaded, name) == getattr(made, name)
    assert all(torch.equal(loaded.state[name], made.state[name]) for name in made.state)


def test_what_counts_where_poses_are_lifted_is_the_network_and_not_how_it_was_trained(path: Path) -> None:
    model = a_model()
    assert Model.read(path).key == model.key
    settings_changed = replace(model, recipe={"motion": {"filter": "none"}}, losses=[], instants=41)
    assert settings_changed.key == model.key
    (name, weights), *rest = model.state.items()
    others = (
        replace(model, state={name: weights + 1, **dict(rest)}),
        replace(model, state={f"{name}x": weights, **dict(rest)}),
        replace(model, refinement={name: weights}),
        replace(model, options=OPTIONS | {"width": 16}),
        replace(model, method="epipolarpose"),
        replace(model, skeleton="coco17"),
        replace(model, window_step_s=0.04),
    )
    assert len({model.key, *(other.key for other in others)}) == 8


def test_equal_models_are_equal_files_whatever_their_name(path: Path, tmp_path: Path) -> None:
    a_model().write(tmp_path / "other name.pt")
    assert path.read_bytes() == (tmp_path / "other name.pt").read_bytes()
    rows = [{"".join(list(word)): "".join(list("lifter")) for word in ("phase", "name")} for _ in range(2)]
    same = [{"phase": "lifter", "name": "lifter"}] * 2
    for losses, name in ((rows, "rows.pt"), (same, "same.pt")):  # as read from a checkpoint, and as just made
        replace(a_model(), losses=losses).write(tmp_path / name)
    assert (tmp_path / "rows.pt").read_bytes() == (tmp_path / "same.pt").read_bytes()
    replace(a_model(), instants=41).write(path)
    assert path.read_bytes() != (tmp_path / "other name.pt").read_bytes()


def test_the_network_is_built_again(path: Path) -> None:
    method = load_model(path).build()
    assert isinstance(method, CanonPose)
    assert not method.training
    assert not any(parameter.requires_grad for parameter in method.parameters())
    assert method.settings.width == 8


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.witness}'",)


@pytest.mark.parametrize("form", ["plain pickle", "torch file", "inside a model"])
def test_a_payload_is_refused_and_not_executed(form: str, path: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(Payload(witness)))
    elif form == "torch file":
        torch.save(Payload(witness), path)
    else:
        changed(path, recipe=Payload(witness))
    with pytest.raises(PosepipeError, match=r"is not a posepipe model .* nothing in it was run"):
        load_model(path)
    assert not witness.exists()
    with path.open("rb") as file:
        pickle.load(file) if form == "plain pickle" else torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
    assert witness.exists()  # the payload is a real one


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"format": "something else"}, "is not a posepipe model"),
        ({"format": None}, "is not a posepipe model"),
        (
            {"format_version": FORMAT_VERSION + 1, "posepipe": "9.9"},
            "written by posepipe 9.9, which is newer than this one",
        ),
        ({"format_version": None}, "damaged"),
        ({"format_version": "new"}, "damaged"),
        ({"state": None}, "damaged: it lacks 'state'"),
        ({"options": [1]}, "damaged: its 'options' is of type list"),
        ({"refinement": "none"}, "damaged: its 'refinement' is of type str"),
        ({"morph": {"state": {}, "source": "a"}}, "damaged: it lacks 'learnt_from'"),
        ({"morph": [1]}, "damaged: its 'morph' is of type list"),
    ],
)
def test_what_we_did_not_write_is_refused(values: dict[str, Any], sentence: str, path: Path) -> None:
    with pytest.raises(PosepipeError, match=sentence):
        load_model(changed(path, **values))


@pytest.mark.parametrize(
    "content",
    [{"state_dict": torch.nn.Linear(2, 2).state_dict()}, torch.ones(3), [1, 2], {}],
    ids=["foreign checkpoint", "tensor", "list", "nothing"],
)
def test_other_checkpoints_are_refused(content: Any, path: Path) -> None:
    torch.save(content, path)
    with pytest.raises(PosepipeError, match=r"is not a posepipe model; give the model.pt"):
        load_model(path)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(kept: float, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(PosepipeError, match="is not a posepipe model"):
        load_model(path)


def test_text_folders_and_nothing_are_refused(path: Path, tmp_path: Path) -> None:
    path.write_text("a model")
    for wrong, sentence in (
        (path, "is not a posepipe model"),
        (tmp_path, "model"),
        (tmp_path / "no.pt", "no model file"),
    ):
        with pytest.raises(PosepipeError, match=sentence) as caught:
            load_model(wrong)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"method": "canonpos"}, "unknown method 'canonpos'; did you mean 'canonpose'"),
        ({"skeleton": "octopus8"}, "skeleton 'octopus8' is unknown"),
        ({"skeleton": "coco17x"}, "unknown"),
        ({"state": {}}, "weights do not fit"),
        ({"options": OPTIONS | {"width": 16}}, "weights do not fit"),
        ({"options": OPTIONS | {"wit": 16}}, "unknown setting 'wit'; did you mean 'width'"),
    ],
)
def test_a_model_that_cannot_be_built_says_why(values: dict[str, Any], sentence: str, path: Path) -> None:
    with pytest.raises(PosepipeError, match=sentence):
        load_model(changed(path, **values)).build()
