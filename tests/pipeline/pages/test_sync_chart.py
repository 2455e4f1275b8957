"""The picture of aligned signals shows every camera, and is safe to put into a page."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
from footage import a_track, athlete, scene_cameras, some_frames
from posepipe.pipeline.footage.video import AUDIO_RATE
from posepipe.pipeline.pages.sync_chart import draw_signals
from posepipe.pipeline.settings import SynchronizeSettings
from posepipe.pipeline.stages.synchronize.stage import synchronize


def test_every_camera_has_its_row_and_sound_its_line() -> None:
    time = np.arange(100) / 25
    joints = scene_cameras().project(athlete(time))
    tracks = [a_track(joints[:, camera], time) for camera in range(2)]
    sound = np.random.default_rng(0).gamma(1, 1, 4 * AUDIO_RATE).astype(np.float32)
    frames = [replace(some_frames(time), audio_envelope=sound), some_frames(time)]
    names = ["left <wing>", "right"]
    timeline = synchronize(frames, tracks, names, [0.0, 0.5], SynchronizeSettings())
    drawn = ElementTree.fromstring(draw_signals(names, frames, tracks, timeline))
    assert [text.text for text in drawn.iter("text")][:2] == ["left <wing>", "right"]
    assert [path.get("class") for path in drawn.iter("path")] == ["motion", "sound", "motion"]
    assert all(path.get("d", "").startswith("M") for path in drawn.iter("path"))


def test_cameras_without_a_common_moment_are_drawn_as_well() -> None:
    time = np.arange(50) / 25
    nobody = a_track(np.full((50, 17, 2), np.nan), time)
    timeline = synchronize([some_frames(time)] * 2, [nobody] * 2, ["a", "b"], [0.0, 100.0], SynchronizeSettings())
    drawn = ElementTree.fromstring(draw_signals(["a", "b"], [some_frames(time)] * 2, [nobody] * 2, timeline))
    assert {path.get("d") for path in drawn.iter("path")} == {""}
