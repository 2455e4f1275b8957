"""What tracking goes by, one part at a time: likeness, velocity, what may be one person, who counts and is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from footage import found_people
from posepipe.pipeline.arrays import Detections, Identities
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import TrackSettings
from posepipe.pipeline.stages.track import (
    _continues,
    _link_cost,
    _velocity,
    camera_moves,
    choose,
    link,
    people_from,
    score_of,
    shares,
    similarity,
    track_people,
)
from posepipe.pipeline.stages.track import track_athlete as follow

BODY = np.stack([np.linspace(0, 20, 17), np.linspace(0, 100, 17)], -1)
"""Joints in a box of 20 x 100 px."""


def at(x: float, y: float = 0.0, size: float = 1.0) -> np.ndarray:
    """Somebody (17, 2) whose box begins there."""
    return size * BODY + (x, y)


def found(*pictures: list[np.ndarray], rate: float = 10.0, time: np.ndarray | None = None) -> Detections:
    none = np.zeros((0, 17, 2))
    time = np.arange(len(pictures)) / rate if time is None else time
    return found_people([np.array(each) if each else none for each in pictures], time)


def test_likeness_falls_with_the_distance_of_joints_in_heights() -> None:
    first, second = BODY, at(30, 40)  # 50 px apart
    assert similarity(first, second, np.array(500.0)) == pytest.approx(np.exp(-0.5))
    assert similarity(first, second, np.array(1000.0)) == pytest.approx(np.exp(-0.125))
    some = second.copy()
    some[5:] = np.nan
    some[0] = first[0]
    assert similarity(first, some, np.array(500.0)) == pytest.approx((1 + 4 * np.exp(-0.5)) / 5)
    assert similarity(first, np.full((17, 2), np.nan), np.array(500.0)) == 0


def test_a_velocity_is_that_of_the_last_fifth_of_a_second() -> None:
    x = [0, 50, 60, 75, 95]
    detections = found(*[[at(each)] for each in x])
    np.testing.assert_allclose(_velocity(detections, [0, 1, 2, 3, 4]), [(95 - 60) / 0.2, 0])
    np.testing.assert_allclose(_velocity(detections, [3, 4]), [200, 0])
    np.testing.assert_array_equal(_velocity(detections, [4]), [0, 0])
    np.testing.assert_array_equal(_velocity(detections, [1, 4]), [0, 0])  # too long ago
    detections.keypoint[2, :12] = np.nan
    detections.keypoint[4, 16] += (500, 500)
    np.testing.assert_allclose(_velocity(detections, [2, 3, 4]), [(95 - 60) / 0.2, 0])
    detections.keypoint[4] = np.nan
    np.testing.assert_array_equal(_velocity(detections, [2, 3, 4]), [0, 0])
    fast = found(*[[at(each)] for each in range(20)], rate=100.0)
    np.testing.assert_allclose(_velocity(fast, list(range(20))), [100, 0])  # of no more than eight detections


def test_the_cost_of_going_on_is_that_of_a_literal_twin() -> None:
    rng = np.random.default_rng(0)
    pictures = [[at(3 * frame, 2 * frame), at(200 - 4 * frame, 5, 1.2)] for frame in range(4)] + [[]]
    now = [at(15, 8, 1.05), at(170, 9, 1.3), at(400, 0), at(10, 0, 1.9), at(100, 30, 0.9)]
    detections = found(*pictures, [pose + rng.normal(0, 1, (17, 2)) for pose in now])
    pieces, new = [[0, 2, 4, 6], [1, 3, 5, 7], [0, 2]], np.arange(8, 13)
    cost = _link_cost(detections, pieces, new)
    centre = (detections.box[:, :2] + detections.box[:, 2:]) / 2
    sides = np.stack([detections.box[:, 2] - detections.box[:, 0], detections.box[:, 3] - detections.box[:, 1]], -1)
    height, time = sides.max(1), detections.time[detections.frame]
    possible = 0
    for row, piece in enumerate(pieces):
        last = piece[-1]
        for column, detection in enumerate(new):
            elapsed = time[detection] - time[last]
            shift = _velocity(detections, piece) * 0.2 * (1 - np.exp(-elapsed / 0.2))
            away = np.linalg.norm(centre[last] + shift - centre[detection]) / min(height[last], height[detection])
            growth = abs(np.log(height[detection] / height[last]))
            square = np.square(detections.keypoint[last] + shift - detections.keypoint[detection]).sum(-1)
            alike = np.exp(-square / (0.1**2 * height[last] * height[detection]) / 2).mean()
            if away > max(0.75, 6 * elapsed) or growth > np.log(1.6) + elapsed:
                assert cost[row, column] == np.inf
            else:
                assert cost[row, column] == pytest.approx(1 - alike + away + growth, rel=1e-5)
                possible += 1
    assert 5 < possible < 15


def test_a_small_box_counts_by_its_longer_side() -> None:
    lying = at(0)[:, ::-1]
    assert score_of(found([lying]), np.array([0])) == score_of(found([at(0)]), np.array([0])) == pytest.approx(100)
    assert score_of(found([0.001 * at(0)]), np.array([0])) == pytest.approx(1)


def test_a_score_is_frames_times_height_times_motion() -> None:
    still = found(*[[at(0)] for _ in range(5)])
    assert score_of(still, np.arange(5)) == pytest.approx(5 * 100)
    walking = found(*[[at(20 * frame)] for frame in range(5)])  # 0.8 heights in 0.4 s
    assert score_of(walking, np.arange(5)) == pytest.approx(5 * 100 * (1 + 2.0))
    slow = found(*[[at(4 * frame)] for frame in range(5)])
    assert score_of(slow, np.arange(5)) == pytest.approx(5 * 100 * (1 + 0.16 / 0.4))
    for away, most in ((8, 5 * 15 * 2 * 0.08 / (4 * 17 * 2) / 0.4), (800, 2.0)):
        waving = found(*[[at(0)] for _ in range(5)])
        waving.keypoint[2, 1:-1] += (away, 0)  # 15 of 17 joints go there and back in x
        assert score_of(waving, np.arange(5)) == pytest.approx(5 * 100 * (1 + most), rel=1e-5)


@pytest.mark.parametrize(
    ("piece", "same"),
    [
        ([at(70)], True),
        ([at(121)], False),  # 1.2 heights within 0.2 s
        ([at(119)], True),
        ([at(0, 0, 1.9)], True),  # 1.6 times e^0.2 larger is the most
        ([at(0, 0, 2.0)], False),
        ([at(0, 0, 0.53)], True),
        ([at(0, 0, 0.5)], False),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_piece_goes_on_after_a_gap_or_before_it_in_reach(
    piece: list[np.ndarray], same: bool, backwards: bool
) -> None:
    pictures = [[at(0)], [], piece]
    detections = found(*(pictures[::-1] if backwards else pictures))
    person, other = (np.array([1]), np.array([0])) if backwards else (np.array([0]), np.array([1]))
    assert _continues(detections, person, other) is same


def test_within_a_moment_a_piece_must_be_as_near_as_from_frame_to_frame() -> None:
    for x, same in ((74, True), (76, False)):
        detections = found([at(0)], [at(x)], rate=100.0)
        assert _continues(detections, np.array([0]), np.array([1])) is same


def test_who_is_there_at_the_same_time_is_somebody_else() -> None:
    detections = found([at(0), at(30)], [at(0)], [at(0)], [at(30)], [at(0)])  # 0, 1 | 2 | 3 | 4 | 5
    assert not _continues(detections, np.array([0, 2, 3, 5]), np.array([1, 4]))
    assert _continues(detections, np.array([0, 2, 3, 5]), np.array([4]))
    assert not _continues(detections, np.array([0, 2]), np.array([1]))
    assert not _continues(detections, np.array([2, 3]), np.array([1, 4]))  # it lasts longer on both sides


def test_pieces_end_with_a_gap_and_are_joined_to_people() -> None:
    there = [[at(0)]] * 3
    for gap, count in ((4, 1), (6, 2)):
        detections = found(*there, *[[]] * gap, *there)
        pieces = link(detections, gap_s=0.5)
        assert len(pieces) == count
        (person,) = people_from(detections, pieces)
        assert person.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(link(found(*there, *[[]] * 4, *there), gap_s=0.4999)) == 2


def test_the_best_piece_takes_what_continues_it_and_the_others_stay_people() -> None:
    detections = found([at(0), at(900)], [at(0), at(900)], [], [at(0, 0, 0.9)], [at(900, 0, 1.5)])
    pieces = [np.array([0, 2]), np.array([1, 3]), np.array([4]), np.array([5])]
    people = people_from(detections, pieces)
    assert [person.tolist() for person in people] == [[1, 3, 5], [0, 2, 4]]


def test_people_are_those_seen_a_fifth_as_often_as_the_main_one_and_a_dozen_at_most() -> None:
    pictures = [[at(0, 0, 3)] for _ in range(10)]
    pictures[4].append(at(1000))
    pictures[0] += [at(2000), at(3000, 0, 2)]
    pictures[1] += [at(2000), at(3000, 0, 2)]
    detections = found(*pictures)
    people = track_people([], detections, TrackSettings())
    assert people.frames.tolist() == [10, 2, 2]
    assert people.height.tolist() == [300, 200, 100]
    assert people.score.tolist() == pytest.approx([3000, 400, 200])
    assert people.person[detections.box[:, 0] == 1000].tolist() == [-1]
    assert people.person[detections.box[:, 0] == 2000].tolist() == [2, 2]
    crowd = found(*[[at(300 * place) for place in range(14)] for _ in range(2)])
    assert len(track_people([], crowd, TrackSettings()).frames) == 12


def test_who_is_meant_is_told_by_score_height_frames_or_number() -> None:
    people = Identities(
        person=np.zeros(1, np.int32),
        score=np.array([8.0, 6, 2]),
        height=np.array([50, 100, 25], np.float32),
        frames=np.array([3, 4, 12], np.int32),
    )
    assert shares(people, "main").tolist() == [1, 0.75, 0.25]
    assert shares(people, "largest").tolist() == [0.5, 1, 0.25]
    assert shares(people, "longest").tolist() == pytest.approx([0.25, 1 / 3, 1])
    merit = np.array([0.2, 1, 0.5])
    assert [choose(merit, person) for person in ("main", "0", "1", "2")] == [1, 0, 1, 2]
    with pytest.raises(PosepipeError, match="there is no person 3; the people found are 0 to 2, in order"):
        choose(merit, "3")
    with pytest.raises(PosepipeError, match="there is no person 1; there is only person 0"):
        choose(merit[:1], "1")


def test_a_camera_moves_if_more_than_a_tenth_of_the_looks_say_so() -> None:
    nan = np.nan
    assert camera_moves(np.array([0.0, 0, 0, nan])) is None
    assert camera_moves(np.array([0.0, 0, 0, 0, nan])) is False
    assert camera_moves(np.array([0.005, 0.005, 0.005, 0.005])) is False
    assert camera_moves(np.array([0.0, 0, 0, 0.006])) is True
    assert camera_moves(np.array([1.0] + 9 * [0.0])) is False
    assert camera_moves(np.array([1.0] + 8 * [0.0])) is True


def test_a_track_is_that_of_the_person_asked_for_without_unsure_joints() -> None:
    detections = found(*[[at(0, 0, 3), at(1000)] for _ in range(4)])
    detections.confidence[3, :3] = [0.09, 0.1, np.nan]
    detections.keypoint[3, 5] = np.nan
    people = track_people([], detections, TrackSettings())
    track = follow(detections, people, 1, TrackSettings(slow_motion=2.0))
    assert track.dropped == 4
    np.testing.assert_allclose(track.time, np.arange(4) / 20)
    np.testing.assert_array_equal(track.box, detections.box[1::2])
    missing = np.isnan(track.keypoint).all(-1)
    assert np.argwhere(missing).tolist() == [[1, 0], [1, 2], [1, 5]]
    np.testing.assert_array_equal(track.confidence == 0, missing)
