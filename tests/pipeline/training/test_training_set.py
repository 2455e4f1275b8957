"""Every field of a training set, and of a take, counts in the keys of what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runtime.cache import SourceFile, flat_keys, key_of
from posepipe.pipeline.stages.samples import TakeOfAthlete
from posepipe.pipeline.training.training_set import TrainingSet


def file(name: str) -> SourceFile:
    """Something with a key."""
    return SourceFile(Path(name), name)


SET: dict[str, Any] = {name: file(name) for name in TrainingSet._fields} | {"crops": [[file("crops")]]}
TAKE: dict[str, Any] = {
    "name": "jump",
    "tracks": [file("track")],
    "timeline": file("timeline"),
    "cameras": [Camera(np.eye(3))],
    "moving": False,
    "rig": "hall",
}
OTHERS: list[tuple[type[NamedTuple], dict[str, Any], str, Any]] = [
    *((TrainingSet, SET, name, None if name != "samples" else file("other")) for name in TrainingSet._fields),
    (TrainingSet, SET, "crops", [[file("crops"), file("more")]]),
    (TakeOfAthlete, TAKE, "name", "run"),
    (TakeOfAthlete, TAKE, "tracks", [file("other")]),
    (TakeOfAthlete, TAKE, "timeline", file("other")),
    (TakeOfAthlete, TAKE, "cameras", [None]),
    (TakeOfAthlete, TAKE, "moving", True),
    (TakeOfAthlete, TAKE, "rig", ""),
]


@pytest.mark.parametrize(("kind", "fields", "name", "value"), OTHERS)
def test_every_field_counts(kind: Any, fields: dict[str, Any], name: str, value: Any) -> None:
    assert list(fields) == list(kind._fields)
    assert key_of(kind(**fields)) == key_of(kind(**dict(fields)))
    assert key_of(kind(**fields)) != key_of(kind(**(fields | {name: value})))


def test_what_goes_into_a_result_is_said_of_it() -> None:
    assert flat_keys((TrainingSet(**SET),)) == list(TrainingSet._fields)
    assert flat_keys(([TakeOfAthlete(**TAKE)],)) == ["track", "timeline", TAKE["cameras"][0].key]
