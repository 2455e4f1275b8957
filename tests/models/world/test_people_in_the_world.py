"""Up, floor, contacts, metres, events and measures of people who are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.models.skeleton import SKELETONS
from posepipe.models.world.events import find_aloft, find_events
from posepipe.models.world.find import Motion, Standing, find_standing
from posepipe.models.world.frame import frame_of, level_axes, vertical_axis
from posepipe.models.world.mass import mass_weights
from posepipe.models.world.measures import Walked, find_measures
from posepipe.models.world.soles import soles_of, supports
from posepipe.models.world.travel import steady_soles
from posepipe.models.world.vertical import Cue, angle_deg, of_level_ground, together
from walker import RATE, SKELETON, SPEED, STANCE, STRIDE, STRIDE_S, jump, turned, walk

NOISE_M = 0.004


def stands(joint: np.ndarray, noise: float = NOISE_M, up: Cue | None = None) -> Standing:
    noisy = joint + np.random.default_rng(1).normal(scale=noise, size=joint.shape)
    found = find_standing(Motion(joint, noisy, np.arange(len(joint)) / RATE, SKELETON), up)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(3))
def test_up_is_found_by_the_feet_of_somebody_who_walks(seed: int) -> None:
    joint, _ = walk()
    rig, rotation = turned(joint, seed)
    found = stands(rig, NOISE_M / 2)
    assert angle_deg(found.up.direction, rotation[:, 2]) < 1
    assert 0 < found.up.deg < 4
    assert len(found.ground.level) == 1
    assert not found.slope


def test_contacts_are_those_of_the_feet_that_stand() -> None:
    joint, standing = walk()
    found = stands(turned(joint)[0])
    agree = (found.contacts.standing == standing).mean()
    assert agree > 0.95
    assert found.contacts.probability[standing].min() > 0.05
    assert np.nanmean(found.contacts.probability[~standing]) < 0.2


def test_a_foot_that_is_held_up_does_not_stand() -> None:
    joint, _ = walk()
    still = np.repeat(joint[:1], 200, 0)
    lifted = [SKELETON.index(f"right_{name}") for name in ("ankle", "heel", "big_toe")]
    still[:, lifted] += [0, 0, 0.25]
    found = stands(still)
    assert found.contacts.standing[:, 0].all()
    assert not found.contacts.standing[:, 1].any()


def test_a_slope_has_no_floor_and_up_stands() -> None:
    joint, _ = walk(slope=0.4)
    found = stands(joint)
    assert found.slope
    assert angle_deg(found.up.direction, np.array([0.0, 0, 1])) < 10
    assert found.contacts.standing.any(1).mean() > 0.9


def test_stairs_have_several_levels() -> None:
    joint, standing = walk(stair=0.17)
    found = stands(joint, up=Cue("calibration", np.array([0.0, 0, 1]), 1e6 * np.eye(3)))
    steps = np.diff(found.ground.level)
    assert len(steps) > 4
    np.testing.assert_allclose(steps, 0.17, atol=0.03)
    assert (found.contacts.standing == standing).mean() > 0.9


@pytest.mark.parametrize("flight_s", [0.3, 0.45, 0.6])
def test_flight_tells_metres_and_says_how_well(flight_s: float) -> None:
    joint, _ = jump(flight_s)
    found = stands(turned(joint)[0], NOISE_M / 2)
    assert len(found.flights) == 3
    metres, deviation = found.metres or (0, 0)
    assert abs(metres / 2 - 1) < 1.96 * deviation
    assert abs(metres / 2 - 1) < 0.05
    assert deviation < 0.1


def test_who_does_not_fly_tells_no_metres() -> None:
    assert stands(walk()[0]).metres is None


def test_nobody_tells_nothing() -> None:
    joint = np.full((10, len(SKELETON.joints), 3), np.nan)
    assert find_standing(Motion(joint, joint, np.arange(10) / RATE, SKELETON)) is None


def test_ankles_serve_where_there_are_no_feet() -> None:
    joint, standing = walk()
    skeleton = SKELETON.body
    bare = joint[:, : len(skeleton.joints)]
    found = find_standing(Motion(bare, bare, np.arange(len(joint)) / RATE, skeleton))
    assert found is not None and found.soles.ankles
    assert angle_deg(found.up.direction, np.array([0.0, 0, 1])) < 1.5
    assert (found.contacts.standing == standing).mean() > 0.85
    lost = np.array(joint)
    lost[:, len(skeleton.joints) :] = np.nan
    again = find_standing(Motion(lost, lost, np.arange(len(joint)) / RATE, SKELETON))
    np.testing.assert_array_equal(again and again.contacts.standing, found.contacts.standing)


def test_gaps_stay_gaps() -> None:
    joint, _ = walk()
    joint[100:130] = np.nan
    found = stands(joint)
    assert np.isnan(found.contacts.probability[100:130]).all()
    assert not found.contacts.standing[101:129].any()
    assert np.isfinite(found.contacts.probability[:99]).all()


def test_events_of_a_walk_have_the_times_of_its_strides() -> None:
    joint, _ = walk()
    found = find_events(stands(joint).contacts, np.arange(len(joint)) / RATE)
    for side, begin in (("left", 0.0), ("right", 0.5)):
        strikes = np.array([one.time for one in found if one.kind == "foot_strike" and one.side == side])
        np.testing.assert_allclose((strikes - begin + 0.5) % STRIDE_S - 0.5, 0, atol=0.08)
        assert len(strikes) >= 5
    assert {one.kind for one in found} == {"foot_strike", "foot_off"}


def test_flights_have_take_off_and_landing() -> None:
    joint, _ = jump(0.45)
    found = stands(joint)
    aloft = find_aloft(found.contacts, np.arange(len(joint)) / RATE)
    assert len(aloft) == 3
    for one in aloft:
        assert one.landing - one.take_off == pytest.approx(0.45, abs=0.05)


def walked(joint: np.ndarray, unit: str = "m", deviation: float = 0.0) -> Walked:
    found = stands(joint)
    feet = supports(joint[:, found.soles.joint], found.soles)
    time = np.arange(len(joint)) / RATE
    return Walked(found.mass, feet, time, found.contacts, found.stature, unit, deviation)


def test_measures_of_a_walk_are_what_was_drawn() -> None:
    measures = {(one.name, one.side): one for one in find_measures(walked(walk()[0]))}
    expected = {
        "step_length": STRIDE / 2, "step_time": STRIDE_S / 2, "stride_length": STRIDE, "stride_time": STRIDE_S,
        "stance_share": 100 * STANCE,
    }  # fmt: skip
    for name, value in expected.items():
        for side in ("", "left", "right"):
            one = measures[name, side]
            assert one.low <= value + 0.03 * value and one.high >= value - 0.03 * value, one
            assert one.value == pytest.approx(value, rel=0.1)
    assert measures["cadence", ""].value == pytest.approx(120, rel=0.03)
    assert measures["walking_speed", ""].value == pytest.approx(SPEED, rel=0.03)
    assert measures["walking_speed", ""].unit == "m/s"
    assert measures["mean_speed", ""].value == pytest.approx(SPEED, rel=0.05)


def test_measures_of_jumps_and_unsure_scales() -> None:
    sure, unsure = (find_measures(walked(jump(0.45)[0], deviation=deviation)) for deviation in (0.0, 0.05))
    heights = [one for one in sure if one.name == "jump_height"]
    assert len(heights) == 3
    assert heights[0].value == pytest.approx(9.81 * 0.45**2 / 8, abs=0.02)
    wide = next(one for one in unsure if one.name == "jump_height")
    assert wide.high - wide.low > heights[0].high - heights[0].low
    assert not [one for one in sure if one.name == "step_length"]


def test_feet_that_stand_are_steadied_and_others_stay() -> None:
    joint, standing = walk()
    soles, time = soles_of(SKELETON), np.arange(len(joint)) / RATE
    true, both = joint[:, soles.joint], np.repeat(standing, 2, 1)
    points = true + np.random.default_rng(0).normal(scale=0.003, size=true.shape)
    steady = steady_soles(points, both, time)

    def slide(moved: np.ndarray) -> float:
        step = np.linalg.norm(np.diff(moved, axis=0), axis=-1)
        return float(step[both[1:] & both[:-1]].mean())

    assert slide(steady) < 0.5 * slide(points)
    np.testing.assert_array_equal(steady[~both], points[~both])
    assert np.abs(steady - true)[both].mean() < np.abs(points - true)[both].mean()
    starts = np.flatnonzero(~standing[:-1, 0] & standing[1:, 0]) + 1
    np.testing.assert_allclose(steady[starts, :2], points[starts, :2], atol=1e-12)
    np.testing.assert_array_equal(steady_soles(points[:1], both[:1], time[:1]), points[:1])


def test_the_world_has_its_origin_below_the_first_stance() -> None:
    joint, _ = walk()
    rig, _ = turned(joint)
    found = stands(rig, NOISE_M / 2)
    points = rig[:, found.soles.joint]
    placed = frame_of(found, points, 2.0).place(rig)
    heels = placed[:, [SKELETON.index("left_heel"), SKELETON.index("right_heel")]]
    assert abs(heels[..., 2].min() - 0.015) < 0.03
    head = placed[:, SKELETON.index("head"), 2]
    np.testing.assert_allclose(head, 0.95 + 0.78, atol=0.05)
    assert np.linalg.norm(placed[0, SKELETON.index("pelvis"), :2]) < 0.5
    travel = np.linalg.norm(placed[-1, 0, :2] - placed[0, 0, :2])
    assert travel == pytest.approx(SPEED * (len(joint) - 1) / RATE, rel=0.02)


def test_the_vertical_axis_of_a_calibration_becomes_z() -> None:
    for axis in range(3):
        for sign in (1.0, -1.0):
            made = vertical_axis(np.eye(3), sign * np.eye(3)[axis])
            assert made is not None
            np.testing.assert_allclose(made[2], sign * np.eye(3)[axis])
            np.testing.assert_allclose(np.linalg.det(made), 1)
    np.testing.assert_array_equal(vertical_axis(np.eye(3), np.array([0.0, 0.1, 1.0]) / np.hypot(0.1, 1)), np.eye(3))
    assert vertical_axis(np.eye(3), np.array([0.6, 0.0, 0.8])) is None


def test_level_axes_are_axes() -> None:
    for up in ([0, 0, 1], [0, -1, 0], [1, 0, 0], [0.6, 0, -0.8]):
        made = level_axes(np.array(up, float))
        np.testing.assert_allclose(made @ made.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(made), 1)
        np.testing.assert_allclose(made[2], up)


def test_cues_count_by_how_sure_they_are() -> None:
    def cue(source: str, direction: list[float], deg: float) -> Cue:
        unit = np.array(direction) / np.linalg.norm(direction)
        return Cue(source, unit, (np.eye(3) - np.outer(unit, unit)) / np.radians(deg) ** 2)

    both = together([cue("rough", [0.1, 0, 1], 5), cue("sure", [0, 0, 1], 0.5)])
    assert both.source == "sure"
    assert angle_deg(both.direction, np.array([0.0, 0, 1])) < 0.1
    assert both.deg < 0.5
    with pytest.raises(ValueError, match="no cue"):
        together([])


def test_feet_in_one_place_tell_little_of_the_ground() -> None:
    rng = np.random.default_rng(0)
    kind = np.array([0, 1] * 6)
    near = rng.normal(scale=0.01, size=(12, 3)) + kind[:, None] * [0.2, 0, 0.05]
    far = near + rng.normal(scale=1.0, size=(12, 3)) * [1, 1, 0]
    up = np.array([0.0, 0, 1])
    one, other = of_level_ground(near, kind, up, 1.75), of_level_ground(far, kind, up, 1.75)
    assert one is not None and other is not None
    assert one.deg > 20
    assert other.deg < 1
    assert angle_deg(other.direction, up) < 2


def test_the_centre_of_mass_of_somebody_who_stands_is_in_the_pelvis() -> None:
    for name, skeleton in SKELETONS.items():
        weights = mass_weights(skeleton)
        assert weights.sum() == pytest.approx(1), name
    joint, _ = walk()
    mass = np.einsum("j,tjc->tc", mass_weights(SKELETON), joint)
    assert 0.95 < mass[0, 2] < 1.08
