"""Imports OpenMMLab beside a current Python and torch and without its compiled parts.

MMPose imports compiled operators of the full mmcv, mmdet, torchvision and others even for models that do not
use them. Where one of these is installed it is used; otherwise an empty module replaces it while
MMPose is imported, and functions of that module raise an error that names the missing package.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor

from .openmmlab_packages import why_not

_STAND_INS = {
    "torchvision": ("torchvision", "torchvision.transforms"),
    "mmcv._ext": ("mmcv._ext",),
    "mmdet": ("mmdet", "mmdet.utils"),
    "matplotlib": ("matplotlib",),
    "munkres": ("munkres",),
}
"""Modules that may be missing, and what MMPose imports of them without using it."""

_SAME_AS = {f"xtcocotools{part}": f"pycocotools{part}" for part in ("", ".coco", ".cocoeval", ".mask")}
"""Modules that others take the place of: xtcocotools has wheels for Python 3.11 at most, and those want numpy 1."""

_kept: list[torch.library.Library] = []  # operators vanish with the library that defined them


class MissingPartError(ImportError):
    """A model needs a package that is not installed; the message names it."""


class _StandIn(ModuleType):
    """A module whose every name is a function that raises ``MissingPartError``."""

    def __init__(self, name: str, missing: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self._missing = "the full mmcv (not mmcv-lite)" if missing == "mmcv._ext" else missing
        if name == "mmcv._ext":
            self.nms = nms

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> NoReturn:
            raise MissingPartError(f"this model uses {self.__name__}.{name}, which needs {self._missing}; install it")

        return missing


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy non-maximum suppression, equal to mmcv's compiled operator, for person detectors.

    Args:
        boxes: (N, 4) left, top, right, bottom.
        scores: (N).
        offset: what is added to right minus left for the width.

    Returns:
        Indices (K) of the kept boxes, best first: none has an IoU above ``iou_threshold`` with a better one.
    """
    area = (boxes[:, 2:] - boxes[:, :2] + offset).prod(1)
    left, kept = scores.argsort(descending=True, stable=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[left, :2])
        high = torch.minimum(boxes[best, 2:], boxes[left, 2:])
        overlap = (high - low + offset).clamp_min(0).prod(1)
        left = left[overlap <= iou_threshold * (area[best] + area[left] - overlap)]
    return torch.stack(kept) if kept else left


@contextmanager
def openmmlab_imports() -> Iterator[None]:
    """Make MMPose importable inside the block, without its messages; stand-ins are removed afterwards.

    Raises:
        MissingPartError: OpenMMLab's packages are not installed.
    """
    if reason := why_not():
        raise MissingPartError(reason)
    with quiet():
        _mend_torchvision()
        _mend_mmengine()
        missing = [name for name in _STAND_INS if find_spec(name) is None]
        others = {name: importlib.import_module(other) for name, other in _SAME_AS.items()}
        others |= {name: _StandIn(name, of) for of in missing for name in _STAND_INS[of]}
        before = {name: sys.modules[name] for name in others if name in sys.modules}
        sys.modules.update(others)
        try:
            yield
        finally:
            for name in others:
                del sys.modules[name]
            sys.modules.update(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress OpenMMLab's warnings and log lines below errors, which are meant for its developers."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _mend_torchvision() -> None:
    """Make torchvision importable although its compiled part does not fit the installed torch.

    Its import then fails on the first operator for which it registers a shape function; with the
    operators declared, everything written in Python works.
    """
    if find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        importlib.import_module("torchvision")


def _mend_mmengine() -> None:
    """Give mmengine what newer Pythons and setuptools no longer have.

    It asks ``pkgutil.find_loader``, which went with Python 3.14, if mmcv is a full one, and ``pkg_resources``, which
    went with setuptools 82, where a package lies.
    """
    from mmengine import utils
    from mmengine.config import config

    if not hasattr(pkgutil, "find_loader"):
        pkgutil.find_loader = find_spec  # type: ignore[assignment]
    for module in (utils, config):
        module.is_installed, module.get_installed_path = _is_installed, _folder_of


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def _folder_of(package: str) -> str:
    """Folder of an installed package.

    Raises:
        MissingPartError: it is not installed.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise MissingPartError(f"{package} is not installed")
    return str(Path(found.origin).parent)
