"""The benchmark of the world counts what it says."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.models.skeleton import H36M17_FEET

from tools.bench_world import SIMULATED, describe_flights, samples_of, simulated_flights


def test_simulated_flights_tell_metres_within_their_intervals() -> None:
    found = simulated_flights()
    assert len(found) == SIMULATED
    said = describe_flights(found)
    assert said["within the interval"] >= 0.9
    assert said["median error, %"] < 4


def test_flights_are_counted() -> None:
    said = describe_flights([(0.02, 0.04), (-0.06, 0.05), (0.01, 0.06)])
    assert said == pytest.approx(
        {"flights": 3, "median error, %": 2.0, "within the interval": 2 / 3, "median interval, +-%": 5.0}
    )


def test_joints_are_those_of_the_results_and_cameras_only_where_given() -> None:
    names = np.array(H36M17_FEET.joints[::-1])
    frames, views = 4, 2
    data = {
        "joint_names": names, "clip_name": np.array(["walk"]), "frame_index": np.arange(frames),
        "sequence_id": np.zeros(frames, int), "subject_id": np.zeros(frames, int), "time_s": np.arange(frames) / 50,
        "poses_2d": np.arange(frames * views * 21 * 2, dtype=np.float32).reshape(frames, views, 21, 2),
        "confidences": np.ones((frames, views, 21), np.float32),
        **{f"camera_{name}": np.zeros((frames, views, 3, 3), np.float32) for name in "KR"},
        "camera_t": np.zeros((frames, views, 3), np.float32),
    }  # fmt: skip
    known, unknown = samples_of(data, True), samples_of(data, False)
    np.testing.assert_array_equal(known.keypoint[:, :, 0], data["poses_2d"][:, :, -1])
    assert known.R is not None
    assert unknown.K is unknown.R is unknown.t is None
