"""People who cross keep their identity in every camera, and are the same people in all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import a_track, athlete, found_people, scene_cameras, some_frames
from posepipe.models.geometry.weak_perspective import rank_residual
from posepipe.pipeline.arrays import Athletes, Detections, Identities, Timeline, Track
from posepipe.pipeline.settings import TrackSettings
from posepipe.pipeline.stages.match.exchanges import exchange_tracks, find_exchanges
from posepipe.pipeline.stages.match.people import _completed, _merge, match_people
from posepipe.pipeline.stages.match.views import SAME, disagreement
from posepipe.pipeline.stages.track.stage import joined, track_athlete, track_people

RATE, SECONDS, VIEWS = 25, 8, 4
TIME = np.arange(RATE * SECONDS) / RATE


def skier(seed: int, start: tuple[float, float], velocity: tuple[float, float]) -> np.ndarray:
    """Somebody (F, 17, 3) who moves smoothly and travels (m, m/s)."""
    path = np.array([*start, 0.0]) + TIME[:, None] * np.array([*velocity, 0.0])
    return athlete(TIME, seed) + path[:, None]


CROSSING = [skier(0, (-1.2, -0.2), (0.3, 0.0)), skier(1, (1.2, 0.2), (-0.3, 0.0))]
"""Two people who pass each other within 0.4 m after 4 s, in front of each other in every camera."""


def filmed(people: list[np.ndarray], camera: int, noise_px: float = 0.7, lost: float = 0.02) -> Detections:
    """All people (F, 17, 3) as a camera finds them: in no order, with noise, some lost, hidden ones lost as well."""
    rng = np.random.default_rng(camera)
    cameras = scene_cameras(VIEWS)
    joints = [cameras.project(person)[:, camera] for person in people]
    depth = np.stack([cameras.see(person)[:, camera, :, 2].mean(1) for person in people], 1)  # (F, P)
    frames = []
    for frame in range(len(TIME)):
        here = []
        for number, each in enumerate(joints):
            others = [
                other[frame] for rival, other in enumerate(joints) if depth[frame, rival] < depth[frame, number]
            ]
            size = np.ptp(each[frame], 0).max()
            hidden = any(np.linalg.norm((other - each[frame]).mean(0)) < 0.15 * size for other in others)
            if not hidden and rng.uniform() > lost:
                here.append(each[frame] + rng.normal(0, noise_px, (17, 2)))
        rng.shuffle(here)
        frames.append(np.array(here).reshape(-1, 17, 2))
    return found_people(frames, TIME)


def tracked(found: Detections) -> tuple[Identities, list[Track]]:
    settings = TrackSettings()
    people = track_people(some_frames(TIME), found, settings)
    return people, [track_athlete(found, people, number, settings) for number in range(len(people.score))]


def matched(found: list[Detections]) -> tuple[Athletes, list[list[Track]]]:
    people, tracks = zip(*map(tracked, found), strict=True)
    return match_people(list(tracks), list(people), timeline_of(len(found))), list(tracks)


def timeline_of(views: int) -> Timeline:
    """Cameras that all show every instant."""
    return Timeline(
        time=TIME,
        offset=np.zeros(views),
        rate=np.ones(views),
        frame=np.tile(np.arange(len(TIME), dtype=float)[:, None], (1, views)),
        lag=np.zeros(views),
        score=np.ones(views, np.float32),
        warnings=[],
    )


def during(track: Track, frames: slice) -> Track:
    """A track in which somebody is seen in these frames only."""
    confidence = np.zeros_like(track.confidence)
    confidence[frames] = track.confidence[frames]
    keypoint = np.where(confidence[..., None] > 0, track.keypoint, np.float32("nan"))
    return replace(track, confidence=confidence, keypoint=keypoint)


def who_is(track: Track, people: list[np.ndarray], camera: int) -> tuple[int, float]:
    """The person whom a track shows most of the time, and the share of its frames that do."""
    images = np.stack([scene_cameras(VIEWS).project(person)[:, camera] for person in people], 1)  # (F, P, J, 2)
    seen = track.confidence.any(1)
    error = np.linalg.norm(track.keypoint[seen, None] - images[seen], axis=-1).mean(-1)
    shown = error.argmin(1)
    most = int(np.bincount(shown).argmax())
    return most, float((shown == most).mean())


def test_two_athletes_who_cross_keep_their_identity_in_four_views_and_across_them() -> None:
    athletes, tracks = matched([filmed(CROSSING, camera) for camera in range(VIEWS)])
    assert len(athletes.person) == 2
    for row in athletes.person:
        shown = [who_is(joined(tracks[camera], each[each >= 0]), CROSSING, camera) for camera, each in enumerate(row)]
        assert len({person for person, _ in shown}) == 1  # one human everywhere
        assert min(share for _, share in shown) == 1.0  # and never the other one
    for camera in range(VIEWS):
        assert (tracked(filmed(CROSSING, camera))[0].person >= 0).mean() > 0.98


@pytest.mark.parametrize("seed", range(3))
def test_crossing_people_of_other_motions_and_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0.2, 0.5)
    people = [
        skier(2 * seed + 2, (-4 * speed, -0.3), (speed, rng.uniform(-0.05, 0.05))),
        skier(2 * seed + 3, (4 * speed, 0.3), (-speed, rng.uniform(-0.05, 0.05))),
    ]
    athletes, tracks = matched([filmed(people, camera) for camera in range(VIEWS)])
    for row in athletes.person[:2]:
        shown = [who_is(joined(tracks[camera], each[each >= 0]), people, camera) for camera, each in enumerate(row)]
        assert len(shown) == VIEWS
        assert len({person for person, _ in shown}) == 1
        assert min(share for _, share in shown) > 0.98


def test_somebody_whom_one_camera_shows_is_nobody_elsewhere() -> None:
    found = [filmed(CROSSING[:1], camera) for camera in range(3)]
    guest = np.repeat(skier(5, (0.9, 0.9), (0, 0))[:1], len(TIME), 0)
    found[1] = filmed([CROSSING[0], guest], 1)
    athletes, tracks = matched(found)
    assert athletes.person.shape == (2, 3, 1)
    assert (athletes.person[0] >= 0).all()
    assert who_is(tracks[1][athletes.person[0, 1, 0]], [CROSSING[0], guest], 1)[0] == 0
    np.testing.assert_array_equal(athletes.person[1, [0, 2], 0], [-1, -1])
    assert np.isnan(athletes.agreement[1]).all()
    assert (athletes.agreement[0] > 0.4).all()


def test_the_main_person_of_a_camera_may_be_somebody_else_in_another() -> None:
    near = [skier(0, (1.5, 1.0), (0, 0)), skier(1, (-1.5, -1.0), (0, 0))]  # each is larger in some camera
    athletes, tracks = matched([filmed(near, camera) for camera in range(VIEWS)])
    assert athletes.person.shape == (2, VIEWS, 1)
    assert set(athletes.person[0].ravel().tolist()) == {0, 1}
    for row in athletes.person[..., 0]:
        assert len({who_is(tracks[camera][one], near, camera)[0] for camera, one in enumerate(row)}) == 1


def test_of_one_person_in_each_camera_one_who_is_somebody_else_is_told_apart() -> None:
    found = [filmed(CROSSING[:1], 0), filmed(CROSSING[:1], 1), filmed([skier(7, (0, 0), (0, 0))], 2)]
    athletes, _ = matched(found)
    np.testing.assert_array_equal(athletes.person[..., 0], [[0, 0, -1], [-1, -1, 0]])
    assert (athletes.agreement[0, :2] > 0.4).all()


def test_pieces_of_a_camera_that_does_not_know_whose_they_are_are_told_by_the_others() -> None:
    found = [filmed(CROSSING, camera, lost=0.0) for camera in range(VIEWS)]
    people, tracks = (list(each) for each in zip(*map(tracked, found), strict=True))
    half = len(TIME) // 2
    first, second = tracks[1]
    tracks[1] = [during(first, slice(half)), during(first, slice(half, None)), second]
    three = np.ones(3, np.float32)
    people[1] = replace(people[1], score=three.astype(float), height=three, frames=three.astype(np.int32))
    athletes = match_people(tracks, people, timeline_of(VIEWS))
    assert sorted(athletes.person[:, 1].tolist()) == [[0, 1], [2, -1]]
    assert athletes.person.shape == (2, VIEWS, 2)


def test_pieces_that_agree_with_two_people_alike_stay_alone() -> None:
    cost = np.full((5, 5), np.nan)
    at_once = np.zeros((5, 5), bool)
    # 0 and 1 are people of one camera, 2 and 3 of another, and 4 a piece that the first camera has of one of them
    for a, b, value in ((0, 2, 0.3), (1, 3, 0.3), (2, 4, 0.4), (3, 4, 0.9)):
        cost[a, b] = cost[b, a] = value
    assert _completed([[0, 2], [1, 3], [4]], cost, at_once) == [[0, 2, 4], [1, 3]]
    cost[3, 4] = cost[4, 3] = 0.5
    assert _completed([[0, 2], [1, 3], [4]], cost, at_once) == [[0, 2], [1, 3], [4]]
    at_once[1, 4] = at_once[4, 1] = True  # so it is not the second one
    assert _completed([[0, 2], [1, 3], [4]], cost, at_once) == [[0, 2, 4], [1, 3]]
    cost[2, 4] = cost[4, 2] = 0.8
    assert _completed([[0, 2], [1, 3], [4]], cost, at_once) == [[0, 2], [1, 3], [4]]


def two_views(instants: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Poses (T, 17, 2) of two views and which joints are seen (T, 17): noise, of which some is alike."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(2, instants, 17, 2))
    pose[1] = 0.7 * pose[0] + 0.3 * pose[1]
    seen = rng.uniform(size=(2, instants, 17)) < 0.8
    return list(zip(np.where(seen[..., None], pose, 0), seen, strict=True))


@pytest.mark.parametrize(("instants", "rate"), [(40, 25.0), (700, 25.0), (1300, 100.0), (30, 5.0)])
def test_disagreement_is_half_the_residual_of_rank_three_and_half_the_correlation(instants: int, rate: float) -> None:
    (first, first_seen), (second, second_seen) = views = two_views(instants)
    both = first_seen & second_seen
    shared = [t for t in range(instants) if both[t].sum() >= 17 / 2]
    every = {40: 1, 700: 2, 1300: 2, 30: 1}[instants]
    squares = []
    for t in shared[::every]:
        residual = rank_residual(np.stack([first[t], second[t]])[None], np.stack([both[t], both[t]])[None])
        squares.append((residual**2).sum() / both[t].sum())
    step = {25.0: 2, 100.0: 8, 5.0: 1}[rate]
    products, ones, others = 0.0, 0.0, 0.0
    for t in range(instants - 2 * step):
        known = both[t] & both[t + 2 * step]
        a, b = ((view[t + 2 * step] - view[t])[known, 1] for view in (first, second))
        products, ones, others = products + a @ b, ones + a @ a, others + b @ b
    expected = 0.5 * np.sqrt(np.median(squares)) / 0.1 + 0.5 * (1 - products / np.sqrt(ones * others))
    assert disagreement(*views, np.arange(instants) / rate) == pytest.approx(expected)


def test_disagreement_takes_five_instants_and_half_a_second() -> None:
    def told(instants: int, rate: float) -> bool:
        views = [(pose, np.ones_like(seen)) for pose, seen in two_views(instants)]
        return bool(np.isfinite(disagreement(*views, np.arange(instants) / rate)))

    assert [told(instants, 1.0) for instants in (1, 3, 4, 5, 6)] == [False, False, False, True, True]
    assert [told(instants, 16.0) for instants in (7, 8, 9)] == [False, True, True]
    pose, seen = two_views(10)[0]
    hidden = np.zeros_like(seen)
    hidden[:, :8] = True  # fewer than half
    assert np.isnan(disagreement((pose, np.ones_like(seen)), (pose, hidden), np.arange(10.0)))


def test_people_are_grouped_by_the_means_of_their_disagreements() -> None:
    cost = np.full((5, 5), np.nan)
    for a, b, value in ((0, 2, 0.3), (0, 3, 0.6), (1, 2, 0.6), (1, 3, 0.4), (2, 4, 0.9), (0, 4, 0.5), (3, 4, 0.74)):
        cost[a, b] = cost[b, a] = value
    # 0 and 1 are people of one camera, 2 and 3 of another, 4 is alone in the third
    assert _merge(cost, [0, 0, 1, 1, 2], SAME) == [
        [0, 2, 4],
        [1, 3],
    ]  # 4 is 0.7 from 0 and 2
    cost[0, 4] = cost[4, 0] = 0.65
    assert _merge(cost, [0, 0, 1, 1, 2], SAME) == [[0, 2], [1, 3, 4]]
    cost[3, 4] = cost[4, 3] = 0.75
    assert _merge(cost, [0, 0, 1, 1, 2], SAME) == [[0, 2], [1, 3], [4]]
    assert _merge(np.full((2, 2), np.nan), [0, 1], SAME) == [[0], [1]]


def exchanged(track: Track, other: Track, frames: slice) -> tuple[Track, Track]:
    """Two tracks of a camera that takes two people for each other in these frames."""
    made = []
    for mine, theirs in ((track, other), (other, track)):
        arrays = {name: np.array(getattr(mine, name)) for name in ("keypoint", "confidence", "box")}
        for name, array in arrays.items():
            array[frames] = getattr(theirs, name)[frames]
        made.append(replace(mine, **arrays))
    return made[0], made[1]


def tracks_of(people: list[np.ndarray], views: int) -> list[list[Track]]:
    """Everybody's tracks (person, camera) as they are, but for noise."""
    rng = np.random.default_rng(0)
    tracks = []
    for person in people:
        joints = scene_cameras(views).project(person) + rng.normal(0, 0.7, (len(TIME), views, 17, 2))
        box = np.concatenate([joints.min(2), joints.max(2)], -1).astype(np.float32)
        tracks.append([replace(a_track(joints[:, view], TIME), box=box[:, view]) for view in range(views)])
    return tracks


@pytest.mark.parametrize("views", [3, 4])
def test_a_camera_that_takes_two_people_for_each_other_is_corrected_by_the_others(views: int) -> None:
    right = tracks_of(CROSSING, views)
    assert len(find_exchanges(right, timeline_of(views)).camera) == 0
    wrong = [list(each) for each in right]
    wrong[0][1], wrong[1][1] = exchanged(right[0][1], right[1][1], slice(110, None))
    found = find_exchanges(wrong, timeline_of(views))
    assert found.camera.tolist() == [1]
    assert abs(int(found.start[0]) - 110) <= 3
    assert found.end.tolist() == [len(TIME)]
    for number in range(2):
        mended = exchange_tracks([each[1] for each in wrong], found, 1, number)
        same = (mended.keypoint == right[number][1].keypoint).all((1, 2))
        assert same.mean() > 0.98
        assert (mended.box[same] == right[number][1].box[same]).all()


def test_two_cameras_do_not_tell_which_of_them_is_wrong() -> None:
    tracks = tracks_of(CROSSING, 2)
    tracks[0][1], tracks[1][1] = exchanged(tracks[0][1], tracks[1][1], slice(100, None))
    assert len(find_exchanges(tracks, timeline_of(2)).camera) == 0


def hidden(track: Track) -> Track:
    """The track of somebody whom a camera never finds."""
    return replace(during(track, slice(0)), box=np.full_like(track.box, np.nan))


def test_a_track_that_goes_on_as_that_of_somebody_unseen_is_divided() -> None:
    right = tracks_of(CROSSING, 4)
    wrong = [list(each) for each in right]
    wrong[0][1], _ = exchanged(right[0][1], right[1][1], slice(110, None))
    wrong[1][1] = hidden(right[1][1])
    found = find_exchanges(wrong, timeline_of(4))
    first, second = (exchange_tracks([each[1] for each in wrong], found, 1, number) for number in range(2))
    assert not first.confidence[110:].any()
    assert not second.confidence[:110].any()
    assert first.confidence.any(1).mean() + second.confidence.any(1).mean() > 0.9
    assert (second.keypoint == right[1][1].keypoint).all((1, 2))[second.confidence.any(1)].all()


@pytest.mark.parametrize("whose", [0, 1])
def test_a_piece_that_no_camera_agreed_with_is_given_to_whom_the_others_show(whose: int) -> None:
    tracks = tracks_of([*CROSSING, skier(7, (0, 0), (0, 0))], 3)
    nobody = [hidden(track) for track in tracks[0]]
    piece = tracks[(0, 2)[whose]][1]
    taken = [[tracks[0][0], nobody[1], tracks[0][2]], tracks[1], [nobody[0], piece, nobody[2]]]
    found = find_exchanges(taken, timeline_of(3))
    given = exchange_tracks([each[1] for each in taken], found, 1, 0).confidence.any(1)
    assert given.mean() > 0.4 if whose == 0 else given.mean() == 0  # as the last one is somebody else


def test_people_who_never_meet_are_not_exchanged_and_a_moment_is_too_short() -> None:
    tracks = tracks_of(CROSSING, 3)
    tracks[0][1], tracks[1][1] = exchanged(tracks[0][1], tracks[1][1], slice(100, 108))
    assert len(find_exchanges(tracks, timeline_of(3)).camera) == 0
    apart = tracks_of([skier(0, (-3, 0), (0, 0)), skier(1, (3, 0), (0, 0))], 3)
    assert len(find_exchanges(apart, timeline_of(3)).camera) == 0
    nowhere = [replace(track, confidence=np.zeros_like(track.confidence)) for track in apart[1]]
    assert len(find_exchanges([apart[0], nowhere], timeline_of(3)).camera) == 0
