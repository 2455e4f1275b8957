"""How unlike the known 2D poses one is: of any size, at any place; more so for poses and views that nobody showed."""

from __future__ import annotations

import numpy as np
from footage import athlete
from posepipe.models.body.familiar import comparable, distance_to_nearest
from posepipe.models.skeleton import H36M17

RNG = np.random.default_rng(0)
SURE = np.ones((30, 17), np.float32)


def seen_from(angle_deg: float, first: float = 0.0) -> np.ndarray:
    """2D poses (30, J, 2) of an athlete seen by an upright camera from the side, or from wherever."""
    joint = athlete(first + np.arange(30) / 10, 0)
    angle = np.radians(angle_deg)
    x = np.cos(angle) * joint[..., 0] + np.sin(angle) * joint[..., 1]
    return (np.stack([x, -joint[..., 2]], -1) * 300 + (900, 500)).astype(np.float32)


def test_size_and_place_do_not_matter_and_the_same_pose_is_no_distance_away() -> None:
    pose = seen_from(0)
    known = comparable(pose, SURE, H36M17)
    there = np.sqrt(np.nanmean(np.square(known).sum(-1), -1))
    np.testing.assert_allclose(there, 1, atol=1e-5)
    np.testing.assert_allclose(comparable(0.3 * pose - 50, SURE, H36M17), known, atol=1e-5)
    np.testing.assert_allclose(distance_to_nearest(known, known), 0, atol=2e-3)


def test_it_is_the_least_root_mean_square_over_the_joints_that_both_show() -> None:
    confidence = np.where(RNG.random((30, 17)) < 0.2, 0, SURE).astype(np.float32)
    confidence[:, 0] = 1
    pose, known = (comparable(seen_from(angle), seen, H36M17) for angle, seen in ((0, confidence), (40, SURE)))
    known[5, 3] = np.nan
    slow = [np.nanmin([np.sqrt(np.nanmean(np.square(one - other).sum(-1))) for other in known]) for one in pose]
    np.testing.assert_allclose(distance_to_nearest(pose, known), slow, atol=1e-3)


def test_other_cameras_and_other_poses_are_further_away() -> None:
    known = comparable(seen_from(0), SURE, H36M17)
    same, turned, upside_down = (
        np.median(distance_to_nearest(comparable(pose, SURE, H36M17), known))
        for pose in (seen_from(0, first=0.05), seen_from(60), -seen_from(0))
    )
    assert same < 0.5 * turned < turned < upside_down


def test_who_does_not_show_the_root_is_not_compared() -> None:
    confidence = SURE.copy()
    confidence[3, H36M17.landmark("pelvis")] = 0
    pose = comparable(seen_from(0), confidence, H36M17)
    distance = distance_to_nearest(pose, comparable(seen_from(0), SURE, H36M17))
    assert np.flatnonzero(np.isnan(distance)).tolist() == [3]
