"""What people wear tells them apart, and light changes little of it."""

from __future__ import annotations

import numpy as np
import pytest
from posepipe.models.body.clothes import AXES, BINS, COLOURS, colours_worn, unlikeness
from posepipe.models.skeleton import COCO17, H36M17, Skeleton

HEIGHT, WIDTH = 200, 300


def standing(x: float, skeleton: Skeleton = H36M17) -> np.ndarray:
    """Joints (1, J, 2) px of somebody who stands at x: shoulders at 60, hips at 110, knees at 150."""
    pose = np.full((len(skeleton.joints), 2), (x, 20.0))
    for side, sign in (("left", 1), ("right", -1)):
        for joint, y, aside in (("shoulder", 60, 12), ("hip", 110, 8), ("knee", 150, 8), ("ankle", 190, 8)):
            pose[skeleton.index(f"{side}_{joint}")] = x + sign * aside, y
    return pose[None]


def picture(x: float, jacket: tuple[int, int, int], trousers: tuple[int, int, int]) -> np.ndarray:
    """Somebody in these colours before green."""
    drawn = np.full((HEIGHT, WIDTH, 3), (0, 160, 0), np.uint8)
    drawn[58:112, round(x) - 14 : round(x) + 15] = jacket
    drawn[112:192, round(x) - 14 : round(x) + 15] = trousers
    return drawn


RED, BLUE, WHITE, BLACK = (40, 40, 200), (200, 60, 40), (250, 250, 250), (5, 5, 5)


@pytest.mark.parametrize("skeleton", [H36M17, COCO17], ids=lambda skeleton: skeleton.name)
def test_the_colours_of_trunk_and_thighs_are_counted_and_not_those_behind(skeleton: Skeleton) -> None:
    (worn,) = colours_worn(picture(100, RED, BLACK), standing(100, skeleton), skeleton)
    shares = worn.reshape(-1, AXES, BINS)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    assert (shares > 0).sum(-1).max() <= 2  # one colour each, in two bins at most
    brightness = shares[:, 0] @ np.linspace(0, 1, BINS)
    np.testing.assert_allclose(brightness, [np.mean(RED) / 255, np.mean(BLACK) / 255], atol=1e-3)


def test_the_same_clothes_are_alike_elsewhere_and_in_other_light_and_others_are_not() -> None:
    def worn(x: float, jacket: tuple[int, int, int], light: float = 1.0) -> np.ndarray:
        image = (picture(x, jacket, BLACK) * light).astype(np.uint8)
        return colours_worn(image, standing(x), H36M17)[0]

    assert unlikeness(worn(80, RED), worn(200, RED)) == pytest.approx(0, abs=1e-6)
    assert unlikeness(worn(80, RED), worn(80, RED, 0.85)) < 0.04
    assert unlikeness(worn(80, RED), worn(80, BLUE)) > 0.15
    black, white = (colours_worn(picture(80, one, one), standing(80), H36M17)[0] for one in (BLACK, WHITE))
    assert unlikeness(black, white) == pytest.approx((245 / 255) / np.sqrt(AXES), rel=1e-3)  # of one axis of three


def test_a_little_more_light_moves_little() -> None:
    base = colours_worn(picture(80, RED, BLACK), standing(80), H36M17)[0]
    lit = [picture(80, (40 + more, 40 + more, 200 + more), BLACK) for more in range(0, 20, 2)]
    moved = np.array([unlikeness(base, colours_worn(image, standing(80), H36M17)[0]) for image in lit])
    np.testing.assert_allclose(np.diff(moved), np.diff(moved)[0], rtol=0.1)
    assert moved[1] > 0


def test_whoever_is_hardly_in_the_picture_wears_nothing_known() -> None:
    people = np.concatenate([standing(100), standing(-50), np.full((1, 17, 2), np.nan)])
    worn = colours_worn(picture(100, RED, BLUE), people, H36M17)
    assert worn.shape == (3, COLOURS)
    assert worn.dtype == np.float32
    assert np.isnan(worn).all(1).tolist() == [False, True, True]
    assert np.isnan(unlikeness(worn[0], worn[1]))
    assert colours_worn(picture(100, RED, BLUE), people[:0], H36M17).shape == (0, COLOURS)
    assert unlikeness(worn[:, None], worn[:0]).shape == (3, 0)
