"""The finder's maps become people, and people in pictures of any size are found."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_person import HEIGHT, JOINTS, draw_person, place
from posepipe.models.skeleton import COCO17
from posepipe.pipeline.detectors.blazepose.finder import FinderNetwork, decoded

H, W = 40, 60


def maps_of(people: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    """The six maps of people as the network would say them exactly: boxes (4) and joints (17, 2) in cells."""
    centre, joint_heat = np.full((1, H, W), -9.0), np.full((17, H, W), -9.0)
    box_scale, box_offset = np.zeros((2, H, W)), np.zeros((2, H, W))
    joint_shift, joint_offset = np.zeros((34, H, W)), np.zeros((34, H, W))
    for number, (box, joint) in enumerate(people):
        middle = (box[:2] + box[2:])[::-1] / 2
        row, column = np.floor(middle).astype(int)
        centre[0, row, column] = 3 - number
        box_offset[:, row, column] = middle - [row, column]
        box_scale[:, row, column] = (box[2:] - box[:2])[::-1]
        rough = joint + np.random.default_rng(number).uniform(-0.8, 0.8, joint.shape)
        joint_shift[:, row, column] = (rough[:, ::-1] - [row, column]).ravel()
        for index, (x, y) in enumerate(joint):
            cell = int(y), int(x)
            joint_heat[index][cell] = 2
            joint_offset[2 * index : 2 * index + 2, cell[0], cell[1]] = y - cell[0], x - cell[1]
    maps = centre, box_scale, box_offset, joint_heat, joint_shift, joint_offset
    return tuple(each.astype(np.float32) for each in maps)


def somebody(seed: int, left: float, top: float, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    box = np.array([left, top, left + width, top + height])
    return box, np.random.default_rng(seed).uniform(box[:2], box[2:], (17, 2))


def test_maps_of_known_people_give_these_people() -> None:
    people = [somebody(1, 3.3, 4.1, 14, 30), somebody(2, 30.6, 10.2, 22, 25)]
    found = decoded(*maps_of(people))
    assert found.score[0] > found.score[1] > 0.8
    np.testing.assert_allclose(found.box, [box for box, _ in people], atol=1e-4)
    np.testing.assert_allclose(found.keypoint, [joint for _, joint in people], atol=1e-4)


def test_joints_without_a_heat_map_are_where_the_centre_says() -> None:
    maps = list(maps_of([somebody(1, 3.3, 4.1, 14, 30)]))
    maps[3][:] = -9
    row, column = np.argwhere(maps[0][0] > 0)[0]
    found = decoded(*maps)
    rough = maps[4][:, row, column].reshape(17, 2)[:, ::-1] + [column, row]
    np.testing.assert_allclose(found.keypoint[0], rough, atol=1e-4)


def test_nobody_in_empty_maps() -> None:
    found = decoded(*maps_of([]))
    assert (found.score.shape, found.box.shape, found.keypoint.shape) == ((0,), (0, 4), (0, 17, 2))


@pytest.fixture(scope="module")
def network() -> FinderNetwork:
    return FinderNetwork()


@pytest.mark.parametrize(
    ("size", "centre", "scale", "longer_side"),
    [((640, 480), (240, 320), 1.0, 320), ((720, 1280), (300, 380), 0.25, 853), ((900, 500), (330, 600), 0.6, 512)],
)  # fmt: skip
def test_a_person_is_found_in_pictures_of_any_shape(
    size: tuple[int, int], centre: tuple[float, float], scale: float, longer_side: int, network: FinderNetwork
) -> None:
    found = network.look(place(draw_person(), size, centre, scale), longer_side)
    assert found.score[0] > 0.5
    for joint, where in JOINTS.items():
        expected = (np.array(where) - [240, 320]) * scale + centre
        assert np.linalg.norm(found.keypoint[0, COCO17.index(joint)] - expected) < 0.08 * scale * HEIGHT
    assert abs(found.size[0] - scale * HEIGHT) < 0.2 * scale * HEIGHT
    assert len(network.look(np.full((*size, 3), 128, np.uint8), longer_side).score) == 0


def test_people_who_are_too_large_for_a_fine_look_do_not_count(network: FinderNetwork) -> None:
    image = place(draw_person(), (640, 480), (240, 320), 1.0)
    assert len(network.look(image, 320, largest=200).score) == 0
    assert len(network.look(image, 320, largest=300).score) == 1
