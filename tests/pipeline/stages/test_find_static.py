"""Cameras of 2D poses without pictures stand still if all of them keep to one geometry throughout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import a_track
from known_scene import cameras, people
from posepipe.models.geometry.epipolar import project
from posepipe.pipeline.arrays import Timeline, Track
from posepipe.pipeline.stages.find_static import are_static
from scipy.spatial.transform import Rotation

FRAMES, RATE = 240, 30.0
TIME = np.arange(FRAMES) / RATE


def tracks(turn_deg_per_s: float = 0.0, noise_px: float = 1.5, count: int = 3) -> list[Track]:
    """What cameras see of somebody who walks across, of which the last one follows by turning."""
    rig, rng = cameras(count), np.random.default_rng(0)
    joint = people(FRAMES, turn=False)[:1] + 0.05 * rng.normal(size=(FRAMES, 17, 3))
    joint += np.linspace([-1.5, -1, 0], [1.5, 1, 0], FRAMES)[:, None]
    made = []
    for view in range(count):
        angle = np.radians(turn_deg_per_s) * (TIME - TIME.mean()) * (view == count - 1)
        turn = Rotation.from_euler("y", angle[:, None]).as_matrix()
        R, t = turn @ rig.R[view], turn @ rig.t[view]
        points, _ = project(joint, R[:, None], t[:, None])
        keypoint = points[:, 0] * 1200 + 500 + rng.normal(0, noise_px, (FRAMES, 17, 2))
        box = np.concatenate([keypoint.min(1), keypoint.max(1)], 1).astype(np.float32)
        made.append(replace(a_track(keypoint, TIME, moves=None), box=box))
    return made


def timeline(count: int = 3) -> Timeline:
    frame = np.tile(np.arange(FRAMES, dtype=float)[:, None], (1, count))
    nothing = np.zeros(count)
    return Timeline(TIME, nothing, nothing + 1, frame, nothing, nothing.astype(np.float32), [])


def test_cameras_that_stand_still_are_static() -> None:
    assert are_static(tracks(), timeline())
    assert are_static(tracks(noise_px=3), timeline())


@pytest.mark.parametrize("speed", [-6.0, -3.0, 1.0, 3.0, 10.0])
def test_a_camera_that_turns_is_not(speed: float) -> None:
    assert not are_static(tracks(speed), timeline())


def test_what_cannot_be_told_is_not_static() -> None:
    seen = tracks()
    hidden = replace(seen[1], confidence=np.zeros_like(seen[1].confidence))
    assert not are_static([seen[0], hidden, seen[2]], timeline())
    assert not are_static(seen[:1], timeline(1))
    assert not are_static(tracks(noise_px=25), timeline())
    apart = replace(timeline(), frame=np.where([True, False, True], timeline().frame, np.nan))
    assert not are_static(seen, apart)
