"""Checkpoints of all the kinds that are published, and of some that nobody should publish."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from posepipe.pipeline.detectors.checkpoint import file_digest, load_state_dict_safely, load_weights
from posepipe.pipeline.errors import PosepipeError
from torch import nn


class RunsCommand:
    """Touches a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.witness}",)


class LooksUp:
    """Asks for ``getattr(os.system, "__call__")`` when it is unpickled, and fills what it gets."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (os.system, "__call__"), {"a": 1}, iter([1, 2]), iter([("b", 2)])


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


META = {"dataset_meta": {"sigmas": np.array([0.1, 0.2]), "dataset_name": "coco"}, "epoch": 210}
CONTENTS: dict[str, dict[str, Any]] = {
    "weights only": {},
    "dataset_meta with arrays": {"meta": META},
    "message hub": {"meta": META, "message_hub": {"log": HistoryBuffer([1.0, 2.0], [1, 1])}},
    "optimizer and numpy scalars": {"optimizer": {"lr": np.float64(0.1), "step": np.int64(3)}},
    "ConfigDict": {"meta": {"cfg": ConfigDict(model=ConfigDict(type="A"))}},
}


def save(path: Path, **options: Any) -> Path:
    extra = options.pop("extra", {})
    torch.save({"state_dict": network().state_dict(), **extra}, path, **options)
    return path


def assert_equal_weights(path: Path) -> None:
    expected = network().state_dict()
    found = load_state_dict_safely(path)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", CONTENTS)
def test_reads_published_kinds(content: str, zipped: bool, tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", extra=CONTENTS[content], _use_new_zipfile_serialization=zipped)
    assert_equal_weights(path)


def test_reads_bare_weights_and_those_of_parallel_training(tmp_path: Path) -> None:
    weights = network().state_dict()
    torch.save(weights, tmp_path / "bare.pth")
    torch.save(
        {"state_dict": {f"module.{name}": nn.Parameter(w.float()) for name, w in weights.items()}}, tmp_path / "p.pth"
    )
    assert_equal_weights(tmp_path / "bare.pth")
    assert list(load_state_dict_safely(tmp_path / "p.pth")) == list(weights)


@pytest.mark.parametrize("zipped", [True, False])
def test_runs_nothing_that_a_file_asks_for(zipped: bool, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    extra = {"meta": RunsCommand(witness), "hub": LooksUp()}
    path = save(tmp_path / "a.pth", extra=extra, _use_new_zipfile_serialization=zipped)
    assert_equal_weights(path)
    assert not witness.exists()
    path = save(tmp_path / "b.pth", extra={"meta": RunsCommand(witness)}, _use_new_zipfile_serialization=zipped)
    torch.load(path, weights_only=False)  # the payload is a real one
    assert witness.exists()


def test_runs_nothing_in_the_place_of_a_tensor(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    weights = OrderedDict(network().state_dict(), bad=RunsCommand(witness))
    torch.save({"state_dict": weights}, tmp_path / "a.pth")
    assert_equal_weights(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(RunsCommand(witness)))
    with pytest.raises(PosepipeError, match="not a PyTorch checkpoint"):
        load_state_dict_safely(tmp_path / "b.pth")
    assert not witness.exists()


def test_a_file_cannot_change_functions_of_torch(tmp_path: Path) -> None:
    target = b"ctorch._utils\n_rebuild_tensor_v2\n"
    state = b"N}U\x0c__defaults__)s\x86"  # (None, {"__defaults__": ()}), whose second part BUILD sets as attributes
    writer = torch._C.PyTorchFileWriter(str(tmp_path / "a.pth"))  # type: ignore[attr-defined]
    program = b"\x80\x02" + target + state + b"b."
    writer.write_record("data.pkl", program, len(program))
    writer.write_end_of_file()
    with pytest.raises(PosepipeError, match="not a PyTorch checkpoint"):
        load_state_dict_safely(tmp_path / "a.pth")
    assert torch._utils._rebuild_tensor_v2.__defaults__ == (None,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.9, 0.3, 0.0])
def test_a_cut_off_file_is_an_error(zipped: bool, kept: float, tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", extra={"meta": META}, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(PosepipeError, match="cut off"):
        load_state_dict_safely(path)


@pytest.mark.parametrize("content", [b"<html>404</html>" * 100, b"PK\x03\x04" + bytes(100)])
def test_foreign_files_are_errors(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(PosepipeError, match="not a PyTorch checkpoint"):
        load_state_dict_safely(tmp_path / "a.pth")
    torch.save({"epoch": 3}, tmp_path / "b.pth")
    with pytest.raises(PosepipeError, match="not a PyTorch checkpoint"):
        load_state_dict_safely(tmp_path / "b.pth")
    with pytest.raises(PosepipeError, match="does not exist"):
        load_state_dict_safely(tmp_path / "none.pth")


def test_weights_are_put_into_the_model_they_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth")
    model = network()
    nn.init.zeros_(model[0].weight)
    load_weights(model, path, "net")
    assert torch.equal(model[0].weight, network()[0].weight)


@pytest.mark.parametrize(
    ("model", "fitting"),
    [
        (nn.Sequential(*network(), nn.Conv2d(2, 2, 1)), "9 of the model's 11 tensors are in it, and 0 others"),
        (network()[:2], "7 of the model's 7 tensors are in it, and 2 others"),
        (nn.Sequential(nn.Conv2d(3, 4, 5)), "1 of the model's 2 tensors are in it, and 7 others"),
    ],
)
def test_a_checkpoint_of_another_model_is_an_error(model: nn.Module, fitting: str, tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match=f"does not fit the config net: {fitting}"):
        load_weights(model, save(tmp_path / "a.pth"), "net")


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a").startswith("ba7816bf")
