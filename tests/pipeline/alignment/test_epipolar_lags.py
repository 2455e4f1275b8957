"""Static cameras are aligned by epipolar geometry however strong the perspective, and in spite of wrong joints."""

from __future__ import annotations

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.pipeline.alignment.clocks import Clocks
from posepipe.pipeline.alignment.epipolar import PairOfTracks
from posepipe.pipeline.arrays import Track

EXPECTED = Clocks(np.zeros(2), np.ones(2), np.zeros(2))


def filmed(camera: int, time: np.ndarray, seed: int = 0, wrong: float = 0.0) -> Track:
    rng = np.random.default_rng([camera, seed])
    joints = scene_cameras().project(athlete(time))[:, camera]
    joints += rng.normal(0, 0.3, joints.shape)
    joints[rng.uniform(size=joints.shape[:2]) < wrong] += 30
    return a_track(joints, time - time[0])


@pytest.mark.parametrize("late", [-0.043, 0.0, 0.026])
@pytest.mark.parametrize("wrong", [0.0, 0.02])
def test_a_lag_is_found_to_a_fraction_of_a_frame(late: float, wrong: float) -> None:
    tracks = filmed(0, 2 + np.arange(150) / 25, wrong=wrong), filmed(1, 2 - late + np.arange(180) / 30, wrong=wrong)
    link = PairOfTracks(tracks, 0, 1, EXPECTED).link()
    assert link.lag == pytest.approx(late, abs=0.004)
    assert link.deviation.max() < 0.01


def test_too_few_joints_tell_nothing() -> None:
    tracks = filmed(0, np.arange(12) / 25), filmed(1, np.arange(12) / 25)
    assert not PairOfTracks(tracks, 0, 1, EXPECTED).usable
