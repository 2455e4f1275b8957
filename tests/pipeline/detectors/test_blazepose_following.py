"""When the finder is asked, and whom it adds, in a scene where both networks know the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from posepipe.models.skeleton import BLAZEPOSE33, COCO17
from posepipe.pipeline.detectors.blazepose import following
from posepipe.pipeline.detectors.blazepose.finder import Found
from posepipe.pipeline.detectors.blazepose.following import Follower
from posepipe.pipeline.detectors.blazepose.landmarks import NOBODY, Poses
from posepipe.pipeline.detectors.blazepose.region import regions_of, steadied

COMMON = [BLAZEPOSE33.index(joint) for joint in COCO17.joints]
SHAPE = np.random.default_rng(0).uniform([-0.2, -0.5], [0.2, 0.5], (33, 2))
SHAPE[BLAZEPOSE33.index("left_ankle")] = [0.05, 0.5]
for side, x in (("left", 0.08), ("right", -0.08)):
    SHAPE[BLAZEPOSE33.index(f"{side}_hip")], SHAPE[BLAZEPOSE33.index(f"{side}_shoulder")] = [x, 0.0], [x, -0.3]
"""A person who stands, of height 1, around the hips."""

Scene = Callable[[int], list[tuple[float, float, float]]]
"""Hips and heights of the people at a picture's number."""


def poses_of(people: list[tuple[float, float, float]]) -> np.ndarray:
    return np.array([[x, y] + height * SHAPE for x, y, height in people]).reshape(-1, 33, 2)


class Networks:
    """Both networks, in a scene that they see perfectly; a region shows the person whose hips are nearest in it."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.looks = scene, []

    def look(self, image: np.ndarray, longer_side: int, largest: float = np.inf) -> Found:
        number, left, top = image[0, 0].tolist()
        self.looks.append((number, max(image.shape[:2]), longer_side))
        pose = poses_of(self.scene(number))[:, COMMON] - [8 * left, 8 * top]
        inside = ((pose >= 0) & (pose < image.shape[1::-1])).all((1, 2))
        size = np.ptp(pose, axis=1).max(1, initial=0) * longer_side / max(image.shape[:2])
        pose = pose[inside & (size < largest) & (size > 25)]
        box = np.concatenate([pose.min(1), pose.max(1)], 1)
        return Found(np.ones(len(pose)), box.astype(np.float32), pose.astype(np.float32))

    def poses(self, image: np.ndarray, regions: np.ndarray) -> Poses:
        people = poses_of(self.scene(int(image[0, 0, 0])))
        if not len(regions):
            return NOBODY
        if not len(people):
            return Poses(*(np.zeros((len(regions), *part.shape[1:]), np.float32) for part in vars(NOBODY).values()))
        hips = people[:, [BLAZEPOSE33.index(f"{side}_hip") for side in ("left", "right")]].mean(1)
        distance = np.linalg.norm(regions[:, None, :2] - hips[None], axis=-1) / regions[:, 2:3]
        pose = people[distance.argmin(1)].astype(np.float32)
        presence = (distance.min(1) < 0.3).astype(np.float32)
        world = np.zeros((len(pose), 33, 3), np.float32)
        return Poses(presence, pose, np.ones(pose.shape[:2], np.float32), world, regions_of(pose[:, COMMON]))

    def settled(self, image: np.ndarray, regions: np.ndarray, share: float) -> Poses:
        return self.poses(image, regions)


def picture(number: int, size: tuple[int, int] = (720, 1280)) -> np.ndarray:
    """A picture that knows its number, and each part of it where it is (in steps of 8 px)."""
    row, column = np.mgrid[: size[0], : size[1]] // 8
    return np.stack([np.full(size, number), column, row], -1).astype(np.uint8)


def follow(scene: Scene, count: int) -> tuple[list[np.ndarray], list[tuple[int, int, int]]]:
    """Poses in each picture, and the looks: picture's number, longer sides of what is seen and of what it becomes."""
    networks = Networks(scene)
    follower = Follower(networks, networks)  # type: ignore[arg-type]
    return [follower.next(picture(number)).keypoint for number in range(count)], networks.looks


def wrong(found: list[np.ndarray], scene: Scene) -> list[int]:
    """Numbers of the pictures in which not exactly those of the scene are found."""
    return [
        number
        for number, poses in enumerate(found)
        if len(poses) != len(scene(number))
        or any(np.abs(poses - true).mean((1, 2)).min() > 1 for true in poses_of(scene(number)))
    ]


def test_somebody_who_walks_is_followed_with_few_looks() -> None:
    found, looks = follow(lambda number: [(300 + 6 * number, 360, 400)], 60)
    assert wrong(found, lambda number: [(300 + 6 * number, 360, 400)]) == []
    assert {number for number, *_ in looks} == {0, 20, 40}


def test_small_people_are_looked_for_finely_more_often() -> None:
    _, near = follow(lambda number: [(600, 360, 400)], 90)
    _, far = follow(lambda number: [(600, 360, 80)], 90)
    fine = [[number for number, _, side in looks if side > 512] for looks in (near, far)]
    assert fine == [[0], [0, 30, 60]]


def test_whoever_comes_is_seen_soon_and_whoever_goes_is_let_go() -> None:
    def scene(number: int) -> list[tuple[float, float, float]]:
        return [(400, 360, 400)] * (number < 40) + [(900, 400, 300)] * (number >= 10)

    found, _ = follow(scene, 60)
    late = wrong(found, scene)
    assert late == list(range(10, 20))


def test_without_anybody_people_are_looked_for_often() -> None:
    _, looks = follow(lambda number: [], 30)
    assert {number for number, *_ in looks} == {0, 5, 10, 15, 20, 25}
    assert {number for number, _, side in looks if side > 512} == {0, 15}


def test_somebody_lost_is_looked_for_at_once_near_the_last_place() -> None:
    def scene(number: int) -> list[tuple[float, float, float]]:
        return [(400 if number < 13 else 560, 360, 200)]

    found, looks = follow(scene, 20)
    assert wrong(found, scene) == []
    assert any(seen < 1280 for number, seen, _ in looks if number == 13)


def test_people_who_cross_stay_two() -> None:
    def scene(number: int) -> list[tuple[float, float, float]]:
        return [(300 + 10 * number, 360, 300), (900 - 10 * number, 380, 330)]

    found, looks = follow(scene, 60)
    assert len([number for number in wrong(found, scene) if not 28 <= number <= 33]) == 0
    crossing = {number for number, seen, _ in looks if seen < 1280}
    assert crossing and min(crossing) > 15 and max(crossing) < 45


def test_no_more_than_so_many_are_followed_and_the_largest_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_PEOPLE", 2)
    found, _ = follow(lambda number: [(200, 360, 200), (600, 360, 400), (1000, 360, 300)], 3)
    for poses in found:
        assert np.ptp(poses[..., 1], axis=1).round().tolist() == pytest.approx([400, 300], rel=0.05)


def test_a_still_region_keeps_still_and_a_moving_one_moves() -> None:
    before = np.array([[100.0, 100, 200, 0.2]])
    trembling = steadied(before, before + np.array([1, 0, 0, 0]))[0]
    running = steadied(before, before + np.array([60, 0, 0, 0]))[0]
    assert 100 < trembling[0] < 100.4
    assert 150 < running[0] < 160
    np.testing.assert_allclose(steadied(before, before), before, rtol=1e-5)
