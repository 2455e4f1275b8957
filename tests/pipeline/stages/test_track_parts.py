"""What tracking goes by, one part at a time: likeness, velocity, what may be one person, who counts and is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import found_people
from posepipe.pipeline.arrays import Detections, Identities
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import TrackSettings, load_settings
from posepipe.pipeline.stages.track.choose import choose, find_at, shares
from posepipe.pipeline.stages.track.join import join
from posepipe.pipeline.stages.track.link import _cost, assigned, gains, link, similarity, velocity
from posepipe.pipeline.stages.track.stage import camera_moves, joined, score_of, track_people
from posepipe.pipeline.stages.track.stage import track_athlete as follow

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
    np.testing.assert_allclose(velocity(detections, [0, 1, 2, 3, 4]), [(95 - 60) / 0.2, 0])
    np.testing.assert_allclose(velocity(detections, [3, 4]), [200, 0])
    np.testing.assert_array_equal(velocity(detections, [4]), [0, 0])
    np.testing.assert_array_equal(velocity(detections, [1, 4]), [0, 0])  # too long ago
    detections.keypoint[2, :12] = np.nan
    detections.keypoint[4, 16] += (500, 500)
    np.testing.assert_allclose(velocity(detections, [2, 3, 4]), [(95 - 60) / 0.2, 0])
    detections.keypoint[4] = np.nan
    np.testing.assert_array_equal(velocity(detections, [2, 3, 4]), [0, 0])
    fast = found(*[[at(each)] for each in range(20)], rate=100.0)
    np.testing.assert_allclose(velocity(fast, list(range(20))), [100, 0])


def test_the_cost_of_going_on_is_that_of_a_literal_twin() -> None:
    rng = np.random.default_rng(0)
    pictures = [[at(3 * frame, 2 * frame), at(200 - 4 * frame, 5, 1.2)] for frame in range(4)] + [[]]
    now = [at(15, 8, 1.05), at(170, 9, 1.3), at(400, 0), at(10, 0, 1.9), at(100, 30, 0.9)]
    detections = found(*pictures, [pose + rng.normal(0, 1, (17, 2)) for pose in now])
    pieces, new = [[0, 2, 4, 6], [1, 3, 5, 7], [0, 2]], np.arange(8, 13)
    cost = _cost(detections, pieces, new)
    centre = (detections.box[:, :2] + detections.box[:, 2:]) / 2
    sides = np.stack([detections.box[:, 2] - detections.box[:, 0], detections.box[:, 3] - detections.box[:, 1]], -1)
    height, time = sides.max(1), detections.time[detections.frame]
    possible = 0
    for row, piece in enumerate(pieces):
        last = piece[-1]
        for column, detection in enumerate(new):
            elapsed = time[detection] - time[last]
            shift = velocity(detections, piece) * 0.2 * (1 - np.exp(-elapsed / 0.2))
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


def seen_again(*after: np.ndarray, rate: float = 10.0) -> list[list[int]]:
    """The detections of each person, where one is seen for 0.2 s at 0, 0 and then, behind a gap, others are."""
    count = round(0.2 * rate) + 1
    detections = found(*[[at(0)]] * count, [], *[list(after)] * count, rate=rate)
    firsts = range(count, count + len(after))
    pieces = [np.arange(count), *(np.arange(first, count + count * len(after), len(after)) for first in firsts)]
    return [person.tolist() for person in join(detections, pieces)]


@pytest.mark.parametrize(
    ("after", "same"),
    [
        (at(70), True),
        (at(121), False),  # 1.2 heights within 0.2 s
        (at(0, 0, 1.5), True),
        (at(0, 0, 2.0), False),  # 1.6 times e^0.2 larger is the most
        (at(0, 0, 0.5), False),
    ],
)
def test_a_piece_goes_on_behind_a_gap_in_reach(after: np.ndarray, same: bool) -> None:
    assert seen_again(after) == ([[0, 1, 2, 3, 4, 5]] if same else [[0, 1, 2], [3, 4, 5]])


def test_within_a_moment_a_piece_must_be_as_near_as_from_frame_to_frame() -> None:
    assert [len(seen_again(at(x), rate=100.0)) for x in (70, 76)] == [1, 2]


def test_who_goes_on_is_left_open_where_two_are_as_likely() -> None:
    assert len(seen_again(at(-20, 3), at(20, -3))) == 3
    assert seen_again(at(0), at(100))[0] == [0, 1, 2, 3, 5, 7]


def test_clothes_tell_who_goes_on() -> None:
    detections = found(*[[at(0), at(60)]] * 4, [], [], *[[at(28), at(32)]] * 4)
    pieces = [np.arange(first, first + 8, 2) for first in (0, 1, 8, 9)]
    assert len(join(detections, pieces)) == 4
    worn = np.zeros((16, 48), np.float32)
    worn[[0, 2, 4, 6, 9, 11, 13, 15], ::8] = 1
    worn[[1, 3, 5, 7, 8, 10, 12, 14], 4::8] = 1
    people = join(replace(detections, colours=worn), pieces)
    assert [person.tolist() for person in people] == [[0, 2, 4, 6, 9, 11, 13, 15], [1, 3, 5, 7, 8, 10, 12, 14]]


def test_a_piece_is_cut_where_its_clothes_become_those_of_somebody_else() -> None:
    detections = found(*[[at(0), at(300)]] * 8, *[[at(0)]] * 8)
    worn = np.zeros((24, 48), np.float32)
    worn[:16:2, ::8], worn[1:16:2, 4::8], worn[16:, 4::8] = 1, 1, 1
    assert [len(piece) for piece in link(replace(detections, colours=worn), 0.5)] == [8, 8, 8]
    worn[16:] = 0
    worn[16:, 1::8] = 1  # in the shade, but like nobody else
    assert [len(piece) for piece in link(replace(detections, colours=worn), 0.5)] == [16, 8]


def test_an_assignment_gains_what_the_second_best_would_cost_more() -> None:
    cost = np.array([[1.0, 4.0, np.inf], [3.0, 2.0, np.inf], [np.inf, np.inf, 5.0]])
    chosen = assigned(cost)
    assert chosen.tolist() == [0, 1, 2]
    assert gains(cost, chosen).tolist() == [4.0, 4.0, np.inf]
    cost = np.array([[1.0, 1.5], [9.0, np.inf]])
    assert assigned(cost[:1]).tolist() == [0]
    assert gains(cost[:1], np.array([0])).tolist() == [0.5]  # it could have gone to the free column
    assert gains(cost[:, :1], np.array([0, -1])).tolist() == [8.0, np.inf]  # and somebody else could have come


def test_pieces_end_with_a_gap_and_are_joined_to_people() -> None:
    there = [[at(0)]] * 3
    for gap, count in ((4, 1), (6, 2)):
        detections = found(*there, *[[]] * gap, *there)
        pieces = link(detections, gap_s=0.5)
        assert len(pieces) == count
        (person,) = join(detections, pieces)
        assert person.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(link(found(*there, *[[]] * 4, *there), gap_s=0.4999)) == 2


def test_a_person_whom_a_camera_loses_has_one_track_of_all_pieces() -> None:
    detections = found([at(0), at(300)], [at(0)], [at(310)], [at(310)])
    people = Identities(
        person=np.array([0, 1, 0, 1, 1], np.int32),
        score=np.ones(2),
        height=np.ones(2, np.float32),
        frames=np.ones(2, np.int32),
    )
    tracks = [follow(detections, people, number, TrackSettings()) for number in range(2)]
    whole = joined(tracks, (1, 0))
    np.testing.assert_array_equal(whole.box[:, 0], [0, 0, 310, 310])
    np.testing.assert_array_equal(joined(tracks, (1,)).box[:, 0], [300, np.nan, 310, 310])
    assert not joined(tracks, ()).confidence.any()


def test_somebody_is_told_by_a_place_and_a_moment() -> None:
    detections = found(*[[at(10 * frame), at(300)] for frame in range(10)])
    people = track_people([], detections, TrackSettings())
    names = [f"person {number}" for number in range(len(people.score))]
    other, walker = people.person[:2][::-1]

    def who(text: str) -> int:
        place = load_settings(overrides=[f"people.person={text}"]).people.place
        assert place
        return find_at(place, detections, people, names)

    assert who("0s:15,50") == walker
    assert who("0.93s:105,50") == walker
    assert who("cam1@0.9s:310,95") == other
    with pytest.raises(PosepipeError, match=f"nobody is at 200,50 at 0 s; the nearest is person {other}, at 310,50"):
        who("0s:200,50")
    with pytest.raises(PosepipeError, match=r"nobody is seen at 3 s; person \d is at 0.90 s, at "):
        who("3s:200,50")


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
