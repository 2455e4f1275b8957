"""Static cameras are aligned by epipolar geometry however strong the perspective, and in spite of wrong joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.models.skeleton import SKELETONS
from posepipe.pipeline.arrays import Track
from posepipe.pipeline.stages.synchronize import epipolar
from posepipe.pipeline.stages.synchronize.clocks import Clocks
from posepipe.pipeline.stages.synchronize.epipolar import Matches, PairOfTracks, _bands, _rays, _stretches
from scipy.ndimage import gaussian_filter1d

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


def test_instants_are_those_that_both_show_in_blocks_of_long_takes() -> None:
    def times(first_s: float, second_s: float, lag: float) -> np.ndarray:
        first, second = (a_track(np.zeros((2, 17, 2)), np.array([1.0, end])) for end in (first_s, second_s))
        return _stretches(first, second, lag)

    np.testing.assert_allclose(
        times(7.0, 9.0, 0.0), [1.1 + np.arange(148) / 25]
    )  # the second is 0.1 s away from ends
    np.testing.assert_allclose(times(7.0, 9.0, 0.5), [1.0 + np.arange(150) / 25])
    np.testing.assert_allclose(times(9.0, 6.02, -2.0), [3.1 + np.arange(121) / 25])
    assert times(2.0, 9.0, -3.0).shape == (0, 1)
    blocks = times(62.0, 90.0, 0.5)
    assert blocks.shape == (6, 254)
    np.testing.assert_allclose(np.diff(blocks[:, 0]), 61 / 6, atol=0.05)
    np.testing.assert_allclose(blocks[0, 0], 1 + 1525 / 12 / 25 - 127 / 25, atol=0.05)
    hours = times(7201.0, 7300.0, 0.5)
    assert hours.shape == (24, 125)
    np.testing.assert_allclose(hours.mean(1), 1 + 7200 * (np.arange(24) + 0.5) / 24, atol=0.1)


def test_rays_are_homogeneous_with_a_spread_of_one_about_the_origin() -> None:
    track = filmed(0, np.arange(50) / 25)
    keypoint = track.keypoint.copy()
    keypoint[10:30, 3] = np.nan
    place, pace, known = _rays(replace(track, keypoint=keypoint), np.array([[0.5, 0.52], [0.8, 0.9]]))
    assert place.shape == pace.shape == (2, 2, 23, 3)
    assert not known[..., 3].any()
    assert known[..., :3].all()
    np.testing.assert_array_equal(place[..., 2], known)
    assert not pace[..., 2].any()
    assert not place[~known].any()
    np.testing.assert_allclose(pace[0, 0, 5], (place[0, 1, 5] - place[0, 0, 5]) / 0.02, atol=0.5)
    everywhere, *_ = _rays(track, track.time[None])
    assert np.abs(everywhere[..., :2].mean((0, 1, 2))).max() < 0.2
    assert everywhere[..., :2].std() == pytest.approx(1, abs=0.2)
    nobody = _rays(replace(track, keypoint=np.full_like(keypoint, np.nan)), track.time[None])
    assert not any(each.any() for each in nobody)


def test_bands_are_differences_of_weighted_gaussian_means_and_add_up() -> None:
    rng = np.random.default_rng(0)
    value, weight = rng.normal(size=(2, 40, 3, 4)), rng.uniform(size=(2, 40, 3))
    weight[:, :5] = 0
    bands = _bands(value, weight)
    assert len(bands) == 5
    np.testing.assert_allclose(sum(bands), value, atol=1e-12)
    levels = [value]
    for width in (0.08, 0.16, 0.32, 0.64):
        means = np.zeros_like(value)
        for block, joint in np.ndindex(2, 3):
            smooth = [gaussian_filter1d(values, width * 25, mode="constant") for values in
                      (weight[block, :, joint], *(weight[block, :, joint] * value[block, :, joint, n] for n in range(4)))]  # fmt: skip # noqa: E501
            means[block, :, joint] = (np.array(smooth[1:]) / np.maximum(smooth[0], 1e-3)).T
        levels.append(means)
    for number in range(4):
        np.testing.assert_allclose(bands[number], levels[number] - levels[number + 1], atol=1e-12)


def some_matches() -> tuple[Matches, np.ndarray]:
    """Matches of two cameras with a wrong lag, and a fundamental matrix that nearly fits."""
    time = np.arange(1, 5, 1 / 25).reshape(2, 50)
    x, x_pace, known = _rays(filmed(0, np.arange(150) / 25, wrong=0.02), time)
    y, y_pace, seen = _rays(filmed(1, np.arange(150) / 25, wrong=0.02), time + 0.02)
    keep = np.random.default_rng(0).uniform(size=known.shape) > 0.05
    matches = Matches(x, y, x_pace, y_pace, known & seen & keep)
    F = matches.start()
    assert F is not None
    assert np.linalg.norm(F) == pytest.approx(1)
    return matches, F


def literal_normal(matches: Matches, F: np.ndarray) -> dict[str, np.ndarray]:
    """Sums over all joints and bands, one after the other."""
    B, L, J = matches.known.shape
    parts = np.zeros((B, L, J, 11))
    for place in np.ndindex(B, L, J):
        x, y = matches.x[place], matches.y[place]
        gradient = np.concatenate([(F @ x)[:2], (F.T @ y)[:2]])
        scale = 1 / max(np.linalg.norm(gradient), 1e-9) if matches.known[place] else 0.0
        parts[place] = scale * np.array([*np.outer(y, x).ravel(), matches.y_pace[place] @ F @ x,
                                         y @ F @ matches.x_pace[place]])  # fmt: skip
    whole = parts[..., :9] @ F.ravel()
    far = 6.0 * np.median(np.abs(whole[matches.known])) + 1e-9
    bands = _bands(parts, matches.known / (1 + (whole / far) ** 2))
    normal = {"matrix_twice": np.zeros((9, 9)), "mixed": np.zeros((B, 9)), "lag_twice": np.zeros(B),
              "matrix": np.zeros(9), "lag": np.zeros(B)}  # fmt: skip
    for width, band in zip((0.08, 0.16, 0.32, 0.64, 1.28), bands, strict=True):
        distance = band[..., :9] @ F.ravel()
        size = 1.5 * np.median(np.abs(distance[matches.known])) + 1e-9
        for place in np.argwhere(matches.known):
            b, A, v, own, d = place[0], band[*place, :9], band[*place, 9], band[*place, 10], distance[*place]
            weight = 0.1 / (width * 25) / (size**2 + d**2)
            normal["matrix_twice"] += weight * np.outer(A, A)
            normal["mixed"][b] += weight * v * A
            normal["lag_twice"][b] -= weight * v * own
            normal["matrix"] += weight * d * A
            normal["lag"][b] += weight * d * v
    return normal


def test_normal_equations_are_those_of_literal_sums() -> None:
    matches, F = some_matches()
    found, expected = matches._normal_equations(F), literal_normal(matches, F)
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-6, atol=1e-6 * np.abs(values).max())


def test_a_step_solves_the_whole_system_on_matrices_of_norm_one_and_rank_two() -> None:
    matches, F = some_matches()
    late = np.array([0.01, -0.02])
    normal, (better, change, deviation) = matches._normal_equations(F), matches.step(F, late)
    cofactor = np.stack([np.cross(F[1], F[2]), np.cross(F[2], F[0]), np.cross(F[0], F[1])])
    system = np.zeros((13, 13))  # matrix, lags, and a multiplier for each of the two conditions
    system[:9, :9], system[9:11, :9], system[:9, 9:11] = normal.matrix_twice, normal.mixed, normal.mixed.T
    system[9:11, 9:11] = np.diag(normal.lag_twice + 0.1**-2)
    system[11, :9], system[12, :9] = F.ravel(), cofactor.ravel()
    system[:9, 11:] = system[11:, :9].T
    right = -np.concatenate([normal.matrix, normal.lag + late / 0.1**2, [0, 0]])
    step = np.linalg.solve(system, right)
    np.testing.assert_allclose(change, step[9:11], rtol=1e-5)
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(np.linalg.inv(system))[9:11]), rtol=1e-5)
    moved = F + step[:9].reshape(3, 3)
    u, s, v = np.linalg.svd(moved)
    expected = u @ np.diag([s[0], s[1], 0]) @ v / np.hypot(s[0], s[1])
    np.testing.assert_allclose(better, expected, atol=1e-7)


def test_a_start_needs_two_hundred_matches() -> None:
    matches, _ = some_matches()
    places = np.argwhere(matches.known)
    for count, enough in ((199, False), (200, True)):
        known = np.zeros_like(matches.known)
        known[tuple(places[:: len(places) // count][:count].T)] = True
        F = replace(matches, known=known).start()
        assert (F is not None) is enough


def test_blocks_whose_lag_is_not_told_are_left_out_and_lags_out_of_reach_are_of_no_use() -> None:
    tracks = filmed(0, 2 + np.arange(150) / 25), filmed(1, 2.06 + np.arange(150) / 25)
    pair = PairOfTracks(tracks, 3, 5, Clocks(np.zeros(6), np.ones(6), np.zeros(6)))
    assert pair.usable
    link = pair.link()
    assert (link.first, link.second, link.common) == (3, 5, 0.0)
    assert link.lag == pytest.approx(-0.06, abs=0.004)
    assert link.time == pytest.approx(pair._time.mean())
    for deviation, told in ((0.049, 1), (0.05, 0)):
        pair._deviation[:] = deviation
        assert len(pair.link().lag) == told
    far = filmed(0, 2 + np.arange(150) / 25), filmed(1, 2.15 + np.arange(150) / 25)
    assert not PairOfTracks(far, 0, 1, EXPECTED).usable
    expected = Clocks(np.array([0.0, 0.1]), np.ones(2), np.zeros(2))
    known = PairOfTracks(far, 0, 1, expected)
    assert known.usable
    assert known.link().lag == pytest.approx(-0.15, abs=0.004)


def test_lags_of_joints_that_stand_still_are_not_told() -> None:
    matches, F = some_matches()
    still = replace(matches, x_pace=0 * matches.x_pace, y_pace=0 * matches.y_pace)
    _, change, deviation = still.step(F, np.array([0.01, -0.02]))
    np.testing.assert_allclose(deviation, 0.1)  # what is known beforehand
    np.testing.assert_allclose(change, [-0.01, 0.02])


def test_lags_that_do_not_come_to_rest_are_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = filmed(0, 2 + np.arange(150) / 25), filmed(1, 2.06 + np.arange(150) / 25)
    monkeypatch.setattr(epipolar, "ROUNDS", 1)
    assert not PairOfTracks(tracks, 0, 1, EXPECTED).usable
