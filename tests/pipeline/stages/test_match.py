"""People who cross keep their identity in every camera, and are the same people in all of them."""

from __future__ import annotations

import numpy as np
import pytest
from footage import athlete, found_people, scene_cameras, some_frames
from posepipe.pipeline.arrays import Athletes, Detections, Identities, Timeline, Track
from posepipe.pipeline.settings import TrackSettings
from posepipe.pipeline.stages.match import match_people
from posepipe.pipeline.stages.track import track_athlete, track_people

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
    views = len(found)
    timeline = Timeline(
        time=TIME,
        offset=np.zeros(views),
        rate=np.ones(views),
        frame=np.tile(np.arange(len(TIME), dtype=float)[:, None], (1, views)),
        lag=np.zeros(views),
        score=np.ones(views, np.float32),
        warnings=[],
    )
    return match_people(list(tracks), list(people), timeline), list(tracks)


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
        assert (row >= 0).all()
        shown = [who_is(tracks[camera][person], CROSSING, camera) for camera, person in enumerate(row)]
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
        shown = [who_is(tracks[camera][person], people, camera) for camera, person in enumerate(row) if person >= 0]
        assert len(shown) == VIEWS
        assert len({person for person, _ in shown}) == 1
        assert min(share for _, share in shown) > 0.98


def test_somebody_whom_one_camera_shows_is_nobody_elsewhere() -> None:
    found = [filmed(CROSSING[:1], camera) for camera in range(3)]
    guest = np.repeat(skier(5, (0.9, 0.9), (0, 0))[:1], len(TIME), 0)
    found[1] = filmed([CROSSING[0], guest], 1)
    athletes, tracks = matched(found)
    assert athletes.person.shape == (2, 3)
    assert (athletes.person[0] >= 0).all()
    assert who_is(tracks[1][athletes.person[0, 1]], [CROSSING[0], guest], 1)[0] == 0
    np.testing.assert_array_equal(athletes.person[1, [0, 2]], [-1, -1])
    assert np.isnan(athletes.agreement[1]).all()
    assert (athletes.agreement[0] > 0.4).all()


def test_the_main_person_of_a_camera_may_be_somebody_else_in_another() -> None:
    near = [skier(0, (1.5, 1.0), (0, 0)), skier(1, (-1.5, -1.0), (0, 0))]  # each is larger in some camera
    athletes, tracks = matched([filmed(near, camera) for camera in range(VIEWS)])
    assert len({tuple(row) for row in athletes.person.tolist()}) == 2
    assert athletes.person.min() >= 0
    assert set(athletes.person[0].tolist()) == {0, 1}
    for row in athletes.person:
        assert len({who_is(tracks[camera][one], near, camera)[0] for camera, one in enumerate(row)}) == 1


def test_one_person_in_each_camera_is_taken_to_be_the_same_but_disagreement_is_measured() -> None:
    found = [filmed(CROSSING[:1], 0), filmed(CROSSING[:1], 1), filmed([skier(7, (0, 0), (0, 0))], 2)]
    athletes, _ = matched(found)
    np.testing.assert_array_equal(athletes.person, [[0, 0, 0]])
    assert athletes.agreement[0, 2] < 0.25
    assert athletes.agreement[0, 2] < athletes.agreement[0, :2].min()
