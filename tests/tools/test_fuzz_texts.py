"""Damaged files of 2D poses, descriptions and calibrations are read, or refused in one sentence, and that is all.

The short form of ``tools/fuzz_files.py``, without processes and networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.recording import Recording
from posepipe.pipeline.runtime.cache import SourceFile
from posepipe.pipeline.settings import KeypointSettings
from posepipe.pipeline.stages.import_poses import read_people

from tools.fuzz_texts import KEYPOINT_FILES, SETTINGS_FILES, figure, keypoint_variants, settings_variants

Variants = Callable[[int, Path], Iterator[list[str]]]


def read_poses(words: list[str]) -> None:
    said = {"rate_hz": 30.0} if "--set" in words else {}
    found = read_people(SourceFile(Path(words[1]), "key"), False, KeypointSettings(**said))
    assert (np.diff(found.time) > 0).all()
    assert found.frame.max() < len(found.time)
    shown = found.confidence > 0
    assert shown.any(1).all() and np.isfinite(found.keypoint[shown]).all()


def read_take(words: list[str]) -> None:
    for camera in Recording.open(Path(words[1])).takes[0].cameras:
        assert camera.calibration is None or np.isfinite(camera.calibration.K).all()


def attempt(variants: Variants, seed: int, count: int, use: Callable[[list[str]], None]) -> None:
    with TemporaryDirectory() as folder:
        for _, words in zip(range(count), variants(seed, Path(folder)), strict=False):
            try:
                use(words)
            except PosepipeError as error:
                assert str(error) and "\n" not in str(error)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_damaged_poses_are_read_or_refused(seed: int) -> None:
    attempt(keypoint_variants, seed, len(KEYPOINT_FILES), read_poses)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_damaged_descriptions_and_calibrations_are_read_or_refused(seed: int) -> None:
    attempt(settings_variants, seed, len(SETTINGS_FILES), read_take)


@pytest.mark.parametrize("make", KEYPOINT_FILES)
def test_what_is_damaged_was_whole(make: Callable[[np.ndarray, Path], Path], tmp_path: Path) -> None:
    read_poses(["infer", str(make(figure(), tmp_path)), "--set", "keypoints.rate_hz=30"])


def test_takes_whose_files_are_damaged_were_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.fuzz_texts.damaged", lambda data, rng: data)
    for _, words in zip(range(len(SETTINGS_FILES)), settings_variants(0, tmp_path), strict=False):
        cameras = Recording.open(Path(words[1])).takes[0].cameras
        named = "calibration" in (Path(words[1]) / "posepipe.toml").read_text()
        assert [camera.calibration is not None for camera in cameras] == [named, named]
