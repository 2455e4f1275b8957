"""Weights from files of others: tensors are read, and nothing in the file is ever executed."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import PosepipeError

_BROKEN = (
    pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError, TypeError,
    AttributeError, ImportError, LookupError, AssertionError, MemoryError,
)  # fmt: skip
"""Exceptions of torch and pickle on truncated or other files."""

_NOT_PART_OF_A_MODEL = ("data_preprocessor.", "head.loss_module.")


def load_state_dict_safely(path: Path) -> dict[str, Tensor]:
    """Weights of a checkpoint by name, on the CPU; tensors (...) have the shapes that the network gives them.

    Files of torch's safe kind are read as such. The many published checkpoints that also hold numpy
    arrays, configurations or training logs are read by an unpickler that rebuilds tensors only.

    Raises:
        PosepipeError: no such file, or no checkpoint, or one that is cut off or holds no weights.
    """
    if not path.is_file():
        raise PosepipeError(
            f"checkpoint {path} does not exist; name a local file, or fetch one: posepipe models list"
        )
    try:
        return _weights(_load(path))
    except _BROKEN as error:
        raise PosepipeError(
            f"{path} is not a PyTorch checkpoint, or it is cut off; fetch it again and compare its size"
        ) from error


def load_weights(model: nn.Module, path: Path, config: str) -> None:
    """Load the weights of a checkpoint into a model that was built from ``config``.

    A deeper network holds every tensor of a shallower one, so left-over tensors are an error as well.

    Raises:
        PosepipeError: unreadable checkpoint, or one of another model.
    """
    weights = load_state_dict_safely(path)
    needed = {name: tensor.shape for name, tensor in model.state_dict().items()}
    try:
        result = model.load_state_dict(weights, strict=False)
        fitting = len(needed) - len(result.missing_keys)
        left_over = [name for name in result.unexpected_keys if not name.startswith(_NOT_PART_OF_A_MODEL)]
    except RuntimeError:  # shapes differ
        fitting = sum(needed.get(name) == tensor.shape for name, tensor in weights.items())
        left_over = [name for name in weights if name not in needed]
    if fitting < len(needed) or left_over:
        raise PosepipeError(
            f"checkpoint {path} does not fit the config {config}: {fitting} of the model's {len(needed)} tensors "
            f"are in it, and {len(left_over)} others; name the config with which it was trained"
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(path: Path) -> Any:
    """The content of a checkpoint, where everything but tensors and plain types may be inert."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if tarfile.is_tarfile(path):  # a form from 2016, which torch unpacks to disk
            raise
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_restricted_pickle())


def _weights(content: Any) -> dict[str, Tensor]:
    """The tensors by name in a checkpoint's content, as plain tensors and without a "module." before the name.

    ``dict.items`` because a file may set attributes of its dictionaries, "items" among them.
    """
    for part in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(dict.get(content, part), dict):
            content = dict.get(content, part)
    if not isinstance(content, dict):
        raise ValueError("no dictionary of weights")
    weights = {
        name.removeprefix("module."): tensor.detach()
        for name, tensor in dict.items(content)
        if type(name) is str and isinstance(tensor, Tensor)
    }
    if not weights:
        raise ValueError("no weights")
    return weights


class _Inert:
    """Replaces every object that is not rebuilt; operations of a pickle on it have no effect."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return self

    def _ignore(self, *_: Any) -> None:
        pass

    __setstate__ = __setitem__ = append = extend = add = _ignore


class _Rebuild:
    """One of torch's functions that make a tensor, closed against attributes that a pickle could set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, _: Any) -> None:
        raise pickle.UnpicklingError("a checkpoint may not change functions")


_REBUILT: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor"): _Rebuild(torch._utils._rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(torch._utils._rebuild_tensor_v2),
    ("torch._utils", "_rebuild_parameter"): _Rebuild(torch._utils._rebuild_parameter),
}


class _TensorUnpickler(pickle.Unpickler):
    """Rebuilds what ``_REBUILT`` names (torch itself adds its storage types), and looks nothing else up."""

    def find_class(self, module: str, name: str) -> Any:
        return _REBUILT.get((module, name), _Inert)


def _restricted_pickle() -> ModuleType:
    """The part of the ``pickle`` module that ``torch.load`` uses."""
    restricted = ModuleType("restricted_pickle")
    restricted.Unpickler = _TensorUnpickler  # type: ignore[attr-defined]
    restricted.load = lambda file, **options: _TensorUnpickler(file, **options).load()  # type: ignore[attr-defined]
    return restricted
