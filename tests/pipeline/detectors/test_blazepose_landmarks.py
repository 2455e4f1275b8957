"""BlazePose's landmarks in given regions: as MediaPipe finds them, and alike alone and among others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_person import draw_person, place
from posepipe.pipeline.detectors.blazepose.landmarks import LandmarkNetwork, refined
from posepipe.pipeline.detectors.blazepose.region import cut_out, regions_around, to_picture

RECORDED = json.loads(Path(__file__).with_name("mediapipe_landmarks.json").read_text())["pictures"]


def picture_of(record: dict) -> np.ndarray:
    return place(draw_person(), (640, 720), record["centre"], record["scale"], record["turn_deg"])


@pytest.fixture(scope="module")
def network() -> LandmarkNetwork:
    return LandmarkNetwork()


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: f"{record['turn_deg']:g} degrees")
def test_landmarks_are_those_of_mediapipe_in_the_same_region(record: dict, network: LandmarkNetwork) -> None:
    found = network.poses(picture_of(record), np.array([record["region"]]))
    height = np.ptp(record["keypoint"], axis=0).max()
    error = np.linalg.norm(found.keypoint[0] - record["keypoint"], axis=-1) / height
    assert np.median(error) < 0.001
    assert np.percentile(error, 95) < 0.005
    np.testing.assert_allclose(found.confidence[0], record["visibility"], atol=0.02)
    np.testing.assert_allclose(found.world[0], record["world"], atol=0.005)
    np.testing.assert_allclose(found.region[0, :3], record["next_region"][:3], atol=0.01 * height)
    assert abs(found.region[0, 3] - record["next_region"][3]) < 0.02


def test_several_people_are_found_as_each_alone(network: LandmarkNetwork) -> None:
    image = picture_of(RECORDED[0])
    regions = np.array([RECORDED[0]["region"], [300, 300, 500, 0.3], [100, 500, 90, -1.0]])
    together = network.poses(image, regions)
    for number in range(len(regions)):
        alone = network.poses(image, regions[number : number + 1])
        np.testing.assert_allclose(alone.keypoint[0], together.keypoint[number], atol=0.05)
        np.testing.assert_allclose(alone.presence[0], together.presence[number], atol=1e-3)


def test_without_regions_there_is_nobody(network: LandmarkNetwork) -> None:
    nobody = network.poses(np.zeros((40, 60, 3), np.uint8), np.zeros((0, 4)))
    assert (nobody.keypoint.shape, nobody.world.shape, nobody.region.shape) == ((0, 33, 2), (0, 33, 3), (0, 4))


def test_a_person_far_from_the_middle_of_the_region_is_looked_at_again(network: LandmarkNetwork) -> None:
    image, (x, y, side, angle) = picture_of(RECORDED[0]), RECORDED[0]["region"]
    near, far = [x + 0.02 * side, y, side, angle], [x + 0.15 * side, y, side, angle]
    settled = network.settled(image, np.array([far, near]), 0.08)
    once = network.poses(image, np.array([far, near]))
    again = network.poses(image, once.region)
    np.testing.assert_allclose(settled.keypoint[0], again.keypoint[0], atol=0.05)
    np.testing.assert_allclose(settled.keypoint[1], once.keypoint[1], atol=0.05)


def test_regions_are_upright_squares_around_the_person() -> None:
    up, right = [[100.0, 200.0], [100.0, 160.0]], [[100.0, 200.0], [140.0, 200.0]]
    np.testing.assert_allclose(
        regions_around(np.array([up, right])), [[100, 200, 100, 0], [100, 200, 100, np.pi / 2]]
    )


def test_what_is_cut_out_of_a_picture_goes_back_to_its_place() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    image[40:43, 100:103] = 255
    regions = np.array([[90.0, 45.0, 64.0, 0.5], [110.0, 30.0, 48.0, -2.0]])
    for crop, region in zip(cut_out(image, regions, 192), regions, strict=True):
        row, column = np.argwhere(crop[..., 0] > 128).mean(0)
        back = to_picture(region[None], np.array([[[column / 192, row / 192]]]))
        np.testing.assert_allclose(back[0, 0], [101, 41], atol=0.3)


def test_a_landmark_moves_to_the_centre_of_mass_of_a_sure_heat_map() -> None:
    """As of a literal twin, also where the window reaches over the edge, and not where the heat map is unsure."""
    rng = np.random.default_rng(0)
    logit = rng.normal(-4, 2, (2, 16, 12, 5)).astype(np.float32)
    logit[:, :, :, 4] = -5
    point = rng.uniform(-0.1, 1.1, (2, 5, 2))
    point[:, 4] = 0.5
    expected = point.copy()
    for n, j in np.ndindex(2, 5):
        x, y = (int(v) for v in point[n, j] * [12, 16])
        if not (0 <= x < 12 and 0 <= y < 16):
            continue
        cells = [(r, c) for r in range(max(y - 4, 0), min(y + 5, 16)) for c in range(max(x - 4, 0), min(x + 5, 12))]
        heat = [1 / (1 + np.exp(-logit[n, r, c, j])) for r, c in cells]
        if max(heat) >= 0.5:
            expected[n, j] = np.average(np.array(cells)[:, ::-1] / [12, 16], axis=0, weights=heat)
    np.testing.assert_allclose(refined(point, logit), expected, atol=1e-5)
    np.testing.assert_array_equal(refined(point, logit)[:, 4], point[:, 4])
    assert not np.allclose(expected[:, :4], point[:, :4])
