"""Static cameras are aligned by epipolar geometry however strong the perspective, and in spite of wrong joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.models.skeleton import SKELETONS
from posepipe.pipeline.arrays import Track
from posepipe.pipeline.stages.synchronize.clocks import Clocks
from posepipe.pipeline.stages.synchronize.epipolar import PairOfTracks

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


def lasting(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> np.ndarray:
    """Errors that stay much the same for some 0.3 s, about others that stay for good."""
    steps = rng.normal(0, 1, shape)
    for frame in range(1, shape[0]):
        steps[frame] = 0.9 * steps[frame - 1] + np.sqrt(1 - 0.9**2) * steps[frame]
    return size * (steps + rng.normal(0, 1, shape[1:]))


def test_errors_that_last_disturb_little_and_are_reckoned_with() -> None:
    lags, deviations = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        late = rng.uniform(-0.03, 0.03)
        exact = filmed(0, 2 + np.arange(150) / 30, seed), filmed(1, 2 - late + np.arange(150) / 30, seed)
        a, b = (replace(t, keypoint=t.keypoint + np.float32(lasting(rng, t.keypoint.shape, 1.0))) for t in exact)
        link = PairOfTracks((a, b), 0, 1, EXPECTED).link()
        lags.append(link.lag[0] - late)
        deviations.append(link.deviation[0])
    assert np.median(np.abs(lags)) < 0.005
    assert (np.abs(lags) < 3 * np.array(deviations)).all()


def test_sides_that_are_swapped_for_a_third_of_the_time_do_not_mislead() -> None:
    tracks = [filmed(camera, 2 - late + np.arange(150) / 30) for camera, late in ((0, 0.0), (1, 0.02))]
    keypoint = tracks[1].keypoint.copy()
    keypoint[60:110] = keypoint[60:110][:, SKELETONS[tracks[1].skeleton].mirror]
    link = PairOfTracks((tracks[0], replace(tracks[1], keypoint=keypoint)), 0, 1, EXPECTED).link()
    assert link.lag == pytest.approx(0.02, abs=0.004)
