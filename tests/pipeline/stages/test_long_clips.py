"""A clip may be hours long: what a stage works out on the way to its result must not grow with it."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from footage import a_track
from known_clip import a_moving_clip, the_pose
from posepipe.models.body.angles import joint_angles
from posepipe.models.skeleton import BLAZEPOSE33, H36M17
from posepipe.pipeline.arrays import Pose3D, Track, array_fields
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.pages.page import drawn_poses
from posepipe.pipeline.settings import MorphSettings, MotionSettings, SideSettings
from posepipe.pipeline.stages.adjust import adjust_clip
from posepipe.pipeline.stages.morph import morph_skeleton
from posepipe.pipeline.stages.place_root import place_root
from posepipe.pipeline.stages.sides import find_swaps
from posepipe.pipeline.stages.smooth import make_motion

SHOWN, RATE = 200, 25
LENGTHS = 4_500, 9_000
K = [[800.0, 0.0, 320.0], [0.0, 800.0, 240.0], [0.0, 0.0, 1.0]]


def long_track(frames: int, joints: int = 17, skeleton: str = "h36m17") -> Track:
    """Somebody for a moment in the middle of so many frames."""
    keypoint = np.full((frames, joints, 2), np.nan, np.float32)
    steps = np.random.default_rng(0).normal(0, 2, (SHOWN, joints, 2))
    keypoint[frames // 2 :][:SHOWN] = 300 + 40 * np.arange(joints)[:, None] % 170 + np.cumsum(steps, 0)
    return a_track(keypoint, np.arange(frames) / RATE, skeleton=skeleton)


def long_pose(frames: int) -> Pose3D:
    """Somebody's poses for a moment in the middle of so many frames."""
    brief = the_pose(a_moving_clip(SHOWN))
    arrays = {"time": np.arange(frames) / RATE}
    for name in array_fields(Pose3D):
        array = getattr(brief, name)
        if array is not None and name != "time":
            missing = 0 if name == "confidence" else False if array.dtype == bool else np.nan
            arrays[name] = np.full((frames, *array.shape[1:]), missing, array.dtype)
            arrays[name][frames // 2 :][:SHOWN] = array
    return replace(brief, **arrays)


STAGES: dict[str, tuple[Callable[[int], object], Callable[[object], object], int]] = {
    "morph": (lambda frames: long_track(frames, 33, BLAZEPOSE33.name),
              lambda track: morph_skeleton(track, MorphSettings()), 280),
    "sides": (long_track, lambda track: find_swaps([track], None, SideSettings()), 950),
    "place": (long_pose, lambda pose: place_root(pose, Camera(np.array(K, float), source="known")), 40),
    "adjust": (long_pose, lambda pose: adjust_clip.function(pose, Camera(np.array(K, float), source="known")), 560),
    "motion": (long_pose, lambda pose: make_motion.function(pose, MotionSettings()), 600),
    "angles": (long_pose, lambda pose: joint_angles(pose.joint, H36M17), 200),
    "page": (long_pose, lambda pose: drawn_poses(pose, H36M17, 10), 150),
}  # fmt: skip
"""What makes an input of so many frames, what is done with it, and the bytes per frame that it may take, its result
included. Of a stage with a large result it is the function, as the tests store what a stage gives and read it."""


@pytest.mark.parametrize("name", STAGES)
def test_a_longer_clip_takes_little_more_memory(name: str) -> None:
    prepare, run, allowed = STAGES[name]
    peaks = []
    for frames in LENGTHS:
        given = prepare(frames)
        tracemalloc.start()
        run(given)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (LENGTHS[1] - LENGTHS[0]) <= allowed


def test_a_motion_does_not_depend_on_how_long_nobody_is_seen() -> None:
    settings = MotionSettings()
    brief, long = (make_motion(long_pose(frames), settings) for frames in (2 * SHOWN, 10 * SHOWN))
    there = [np.flatnonzero(np.isfinite(made.joint).all((1, 2))) for made in (brief, long)]
    assert len(there[0]) == len(there[1]) == SHOWN
    assert np.array_equal(brief.joint[there[0]], long.joint[there[1]])


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
def test_what_rests_is_out_of_memory_and_comes_back(tmp_path: Path) -> None:
    track = long_track(20_000)
    track.save(tmp_path)
    loaded = Track.load(tmp_path, track.notes())
    assert np.array_equal(loaded.keypoint, track.keypoint, equal_nan=True)
    assert resident_kb(tmp_path / "keypoint.npy") > 2_000
    loaded.rest()
    assert resident_kb(tmp_path / "keypoint.npy") == 0
    assert np.array_equal(loaded.keypoint, track.keypoint, equal_nan=True)


def resident_kb(path: Path) -> int:
    """How much of a mapped file this process holds in memory."""
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line.endswith(str(path))]
    return sum(int(next(line for line in lines[start:] if line.startswith("Rss:")).split()[1]) for start in starts)
