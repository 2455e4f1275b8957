"""Files of ours that are damaged, foreign or newer are refused in one sentence, whichever kind they are of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from posepipe.models.networks.morph import Morph
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.training.checkpoint import Checkpoint
from posepipe.pipeline.training.morph_file import MorphNetwork


def a_morph(path: Path) -> Callable[[], MorphNetwork]:
    """A skeleton morph's file, and how it is read."""
    torch.manual_seed(0)
    MorphNetwork(Morph(H36M17).state_dict(), "reference.npz", ["digest"]).write(path)
    return lambda: MorphNetwork.read(path)


def a_checkpoint(path: Path) -> Callable[[], Checkpoint]:
    """The same of a checkpoint."""
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3])
    checkpoint = Checkpoint.of(network, optimizer, schedule, [{"phase": "lifter", "epoch": 0, "total": 1.0}])
    checkpoint.save(path.parent)
    (path.parent / "checkpoint.pt").rename(path)

    def read() -> Checkpoint:
        (path.parent / "checkpoint.pt").unlink(missing_ok=True)
        if path.exists():
            (path.parent / "checkpoint.pt").write_bytes(path.read_bytes())
        return Checkpoint.load(path.parent, {})

    return read


KINDS = {"morph": a_morph, "checkpoint": a_checkpoint}
NAMES = {"morph": ("state", "source", "learnt_from"), "checkpoint": ("method", "optimizer", "schedule", "losses")}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.pt"


@pytest.fixture
def read(kind: str, path: Path) -> Callable[[], Any]:
    return KINDS[kind](path)


def change(path: Path, **values: Any) -> None:
    """Other values in a file; None leaves one out."""
    content = torch.load(path, weights_only=True) | values
    torch.save({name: value for name, value in content.items() if value is not None}, path)


def refusal(read: Callable[[], Any]) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(PosepipeError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_comes_back_as_it_was(read: Callable[[], Any], path: Path, kind: str) -> None:
    content = torch.load(path, weights_only=True)
    for name in NAMES[kind]:
        assert repr(getattr(read(), name)) == repr(content[name])


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(kept: float, read: Callable[[], Any], path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert "it cannot be read as plain tensors" in refusal(read)


def test_whatever_a_file_lacks_is_said(read: Callable[[], Any], path: Path, kind: str) -> None:
    for name in NAMES[kind]:
        whole = path.read_bytes()
        change(path, **{name: None})
        assert f"is damaged: it lacks {name!r}" in refusal(read)
        path.write_bytes(whole)
        change(path, **{name: 1.5})
        assert f"is damaged: its {name!r} is of type float" in refusal(read)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"format": "something else"}, "is not a"),
        ({"format": None}, "is not a"),
        ({"format_version": None}, "is damaged: it does not say its format"),
        ({"format_version": "new"}, "is damaged: it does not say its format"),
        ({"format_version": 99, "posepipe": "9.9"}, "was written by posepipe 9.9, which is newer than this one"),
        ({"format_version": 99, "posepipe": None}, "which is newer than this one"),
    ],
)
def test_what_we_did_not_write_is_refused(
    values: dict[str, Any], sentence: str, read: Callable[[], Any], path: Path
) -> None:
    change(path, **values)
    assert sentence in refusal(read)


@pytest.mark.parametrize("content", [torch.ones(3), [1, 2], {}], ids=["tensor", "list", "nothing"])
def test_other_files_are_refused(content: Any, read: Callable[[], Any], path: Path) -> None:
    torch.save(content, path)
    assert "is not a" in refusal(read)


def test_a_file_that_is_not_there(read: Callable[[], Any], path: Path) -> None:
    path.unlink()
    assert "there is no" in refusal(read)
