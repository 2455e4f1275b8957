"""Imports OpenMMLab beside a current torch and without its compiled parts.

MMPose imports compiled operators of the full mmcv, mmdet and torchvision even for models that do not
use them. Where one of these is installed it is used; otherwise an empty module replaces it while
MMPose is imported, and functions of that module raise an error that names the missing package.
"""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor

_STAND_INS = {
    "torchvision": ("torchvision", "torchvision.transforms"),
    "mmcv._ext": ("mmcv._ext",),
    "mmdet": ("mmdet", "mmdet.utils"),
}
"""Modules that may be missing, and what MMPose imports of them without using it."""

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
    """Make MMPose importable inside the block, without its messages; stand-ins are removed afterwards."""
    with quiet():
        _mend_torchvision()
        missing = [name for name in _STAND_INS if find_spec(name) is None]
        stand_ins = {name: _StandIn(name, of) for of in missing for name in _STAND_INS[of]}
        before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
        sys.modules.update(stand_ins)
        try:
            yield
        finally:
            for name in stand_ins:
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
