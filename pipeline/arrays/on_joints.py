"""Hand-overs of a skeleton's joints, which can be had on the joints of another skeleton."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np

from ...models.skeleton import SKELETONS
from .hand_over import HandOver, array_fields

_MISSING = {"confidence": 0.0, "filled": False, "trusted": False}
"""Values of a joint that is missing, by the name of the array, where that is not NaN."""


LENGTH = "body heights, or m"
"""Unit of lengths, which the field ``unit`` tells."""


class OnJoints(HandOver):
    """Base of hand-overs whose arrays have an axis of joints; their skeleton may have feet that nobody found."""

    skeleton: str

    def on(self, skeleton: str) -> Self:
        """The same on the joints of another skeleton, by name; joints that this one lacks are missing."""
        if skeleton == self.skeleton:
            return self
        source, target = SKELETONS[self.skeleton], SKELETONS[skeleton]
        arrays: dict[str, Any] = {}
        for name, dims in array_fields(type(self)).items():
            axes, values = dims.names.split(), getattr(self, name)
            if values is not None and "joint" in axes:
                axis = axes.index("joint") - len(axes)
                arrays[name] = target.pick(np.asarray(values), source, axis, _MISSING.get(name, np.nan))
        return dataclasses.replace(self, **arrays, skeleton=skeleton)  # type: ignore[type-var]

    def in_metres(self, metres: float) -> Self:
        """The same in metres, given how many of them are one of its present unit of length."""
        fields = array_fields(type(self)).items()
        arrays = {name: getattr(self, name) for name, dims in fields if dims.unit == LENGTH}
        scaled: dict[str, Any] = {
            name: np.asarray(array) * np.float32(metres) for name, array in arrays.items() if array is not None
        }
        return dataclasses.replace(self, **scaled, unit="m")  # type: ignore[type-var]

    @property
    def body(self) -> Self:
        """The same without feet that were added to a body."""
        return self.on(SKELETONS[self.skeleton].body.name)
