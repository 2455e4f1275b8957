"""Hand-overs refuse what does not fit, and come back from the disk as they were."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from footage import a_track, some_frames
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from posepipe.pipeline.arrays import HandOver, Track, durable

TIME = np.arange(4) / 25
POSE = np.zeros((4, 17, 2), np.float32)


def track() -> Track:
    return a_track(POSE, TIME)


def test_takes_what_fits() -> None:
    assert track().keypoint.shape == (4, 17, 2)
    assert some_frames(TIME).audio_envelope is None


@pytest.mark.parametrize(
    ("field", "array", "sentence"),
    [
        ("keypoint", POSE.astype(np.float64), r"Track.keypoint is float64; expected float32"),
        ("keypoint", POSE[..., 0], r"Track.keypoint has 2 dimensions; expected \(frame, joint, xy\)"),
        ("keypoint", POSE[..., :1], r"Track.keypoint has 1 along 'xy'; expected 2"),
        (
            "confidence",
            np.zeros((4, 16), np.float32),
            r"Track.confidence has 16 along 'joint'; expected 17 as in",
        ),
        ("confidence", np.full((4, 17), 1.5, np.float32), r"Track.confidence runs from 1.5 to 1.5; expected 0..1"),
        ("confidence", np.full((4, 17), np.nan, np.float32), r"expected 0..1 without NaN"),
        ("box", np.zeros((3, 4), np.float32), r"Track.box has 3 along 'frame'; expected 4 as in time"),
        ("time", np.arange(4), r"Track.time is int64; expected float64"),
    ],
)
def test_refuses_what_does_not_fit(field: str, array: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(track(), **{field: array})


def load_again(handed: Track, folder: Path) -> Track:
    handed.save(folder)
    return Track.load(folder, json.loads(json.dumps(handed.notes())))


def test_each_array_is_a_file_that_numpy_alone_opens(tmp_path: Path) -> None:
    loaded = load_again(track(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "box.npy",
        "confidence.npy",
        "keypoint.npy",
        "time.npy",
    ]
    np.testing.assert_array_equal(np.load(tmp_path / "time.npy"), TIME)
    assert isinstance(loaded.keypoint, np.memmap)
    assert loaded.notes() == {"skeleton": "h36m17", "camera_moves": False, "dropped": 0}


def test_an_optional_array_may_be_absent(tmp_path: Path) -> None:
    silent = some_frames(TIME)
    silent.save(tmp_path)
    assert not (tmp_path / "audio_envelope.npy").exists()
    assert type(silent).load(tmp_path, silent.notes()).audio_envelope is None


@settings(max_examples=25, deadline=None)
@given(
    pose=arrays(np.float32, (3, 17, 2), elements=st.floats(width=32, allow_nan=True)),
    dropped=st.integers(0, 10**6),
)
def test_any_content_comes_back_bit_by_bit(
    pose: np.ndarray, dropped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    handed = replace(a_track(pose, TIME[:3]), dropped=dropped)
    loaded = load_again(handed, tmp_path_factory.mktemp("stored"))
    assert loaded.keypoint.tobytes() == handed.keypoint.tobytes()
    assert loaded.dropped == dropped
    assert loaded.key == handed.key


def test_the_key_is_that_of_the_content_unless_a_run_made_it() -> None:
    assert track().key == track().key
    moved = POSE.copy()
    moved[0, 0, 0] = 1e-6
    assert a_track(moved, TIME).key != track().key
    assert replace(track(), dropped=1).key != track().key
    assert track().with_key("made by a run").key == "made by a run"


def test_a_durable_file_is_closed_even_after_an_error(tmp_path: Path) -> None:
    with durable(tmp_path / "good") as good:
        good.write(b"all")
    assert (tmp_path / "good").read_bytes() == b"all"
    with pytest.raises(RuntimeError), durable(tmp_path / "bad") as bad:
        raise RuntimeError
    assert bad.closed


@dataclass(frozen=True)
class Notes(HandOver):
    """A hand-over without arrays."""

    said: Any


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        (np.bool_(True), True),
        ([np.float32(0.5), np.int64(3), np.float64(0.1), None, "text"], [0.5, 3, 0.1, None, "text"]),
        ({"cue": ("sound", np.str_("motion")), "of": {"take": np.bool_(False)}},
         {"cue": ["sound", "motion"], "of": {"take": False}}),
    ],
)  # fmt: skip
def test_what_is_no_array_is_plain_before_and_behind_the_disk(said: Any, stored: Any, tmp_path: Path) -> None:
    handed = Notes(said)
    assert json.dumps(handed.said) == json.dumps(stored) == json.dumps(Notes.load(tmp_path, handed.notes()).said)
    assert handed.key == Notes(stored).key


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"cues": [{"offset_s": np.zeros(2)}]}, r"Notes.said\['cues'\]\[0\]\['offset_s'\] is a ndarray"),
        (Path("clip.mp4"), r"Notes.said is a .*Path, which cannot be stored; expected plain values"),
        ({1: "one"}, r"Notes.said has the key 1; expected text"),
        ([{"a", "b"}], r"Notes.said\[0\] is a set"),
        (np.datetime64("2026-01-01"), "is a date"),
    ],
)
def test_what_cannot_be_stored_is_refused_where_it_is_made(said: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Notes(said)
