"""The athlete is followed, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import athlete, found_people, scene_cameras, some_frames
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Detections, Track
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import TrackSettings
from posepipe.pipeline.stages.track.link import link
from posepipe.pipeline.stages.track.stage import track_athlete, track_people

RATE = 25
FRAMES = 100
TIME = np.arange(FRAMES) / RATE


def person(seed: int = 0, size: float = 1.0, at: tuple[float, float] = (0, 0), speed: float = 0.0) -> np.ndarray:
    """Somebody (F, 17, 2) of about 50 x ``size`` px who moves about a place that travels (px per s)."""
    joints = scene_cameras().project(athlete(TIME, seed))[:, 0]
    joints = (joints - joints.mean((0, 1))) * size
    return joints + np.array(at) + np.stack([speed * TIME, 0 * TIME], -1)[:, None]


def bystander(at: tuple[float, float], size: float = 1.0) -> np.ndarray:
    """Somebody who only stands there."""
    return np.repeat(person(5, size, at)[:1], FRAMES, 0)


def footage(*people: np.ndarray | tuple[np.ndarray, np.ndarray], shuffle: bool = True) -> Detections:
    """Detections of people (F, 17, 2), each in all frames or those of a mask (F), in no order within a frame."""
    rng = np.random.default_rng(0)
    shown = [one if isinstance(one, tuple) else (one, np.ones(FRAMES, bool)) for one in people]
    frames = [[joints[frame] for joints, mask in shown if mask[frame]] for frame in range(FRAMES)]
    for here in frames if shuffle else []:
        rng.shuffle(here)
    empty = np.zeros((0, len(H36M17.joints), 2))
    return found_people([np.array(here) if here else empty for here in frames], TIME)


def follow(found: Detections, **settings: float) -> Track:
    people = track_people(some_frames(found.time), found, TrackSettings(**settings))
    return track_athlete(found, people, 0, TrackSettings(**settings))


def assert_follows(track: Track, who: np.ndarray, frames: np.ndarray | None = None) -> None:
    """The track is exactly this person in these frames (a mask), and nobody in the others."""
    frames = np.ones(FRAMES, bool) if frames is None else frames
    np.testing.assert_array_equal(track.keypoint[frames], who[frames].astype(np.float32))
    assert np.isnan(track.keypoint[~frames]).all()
    assert np.isnan(track.box[~frames]).all()
    assert (track.confidence[frames] > 0).all()
    assert (track.confidence[~frames] == 0).all()


def during(start_s: float, end_s: float) -> np.ndarray:
    return (start_s <= TIME) & (end_s > TIME)


def test_somebody_alone_is_the_athlete() -> None:
    track = follow(footage(person()))
    assert_follows(track, person())
    assert track.dropped == 0
    assert track.skeleton == "h36m17"
    assert track.camera_moves is False
    np.testing.assert_array_equal(track.time, TIME)


def test_the_larger_one_is_the_athlete() -> None:
    small, large = person(1, 0.6, (-100, 0)), person(2, 1.0, (100, 0))
    track = follow(footage(small, large))
    assert_follows(track, large)
    assert track.dropped == FRAMES


def test_the_one_who_moves_is_the_athlete_not_a_slightly_larger_bystander() -> None:
    skier = person(0, 1.0, (-150, 0), speed=60)
    assert_follows(follow(footage(skier, bystander((100, 40), 1.2))), skier)


def test_the_one_who_is_there_most_of_the_time_is_the_athlete() -> None:
    skier, guest = person(0, 1.0, (-100, 0), speed=20), person(1, 1.2, (150, 0), speed=20)
    assert_follows(follow(footage(skier, (guest, during(1.0, 2.0)))), skier)


def test_a_bystander_in_between_is_not_taken_over() -> None:
    skier, there = person(0, 1.0, (-100, 0), speed=20), ~during(1.5, 2.5)
    track = follow(footage((skier, there), (bystander((150, 30)), ~there)))
    assert_follows(track, skier, there)
    assert track.dropped == (~there).sum()


def test_a_bystander_who_stands_where_the_athlete_was_but_is_smaller_is_not_taken_over() -> None:
    skier, there = person(0, 2.0, (0, 0)), during(0, 3.0)
    track = follow(footage((skier, there), (bystander((0, 0), 0.5), ~there)))
    assert_follows(track, skier, there)


@pytest.mark.parametrize("gap", [0.2, 0.4, 1.2])
def test_a_gap_is_bridged_and_stays_empty(gap: float) -> None:
    skier, there = person(0, 1.0, (-50, 0), speed=20), ~during(1.5, 1.5 + gap)
    assert_follows(follow(footage((skier, there))), skier, there)


def test_single_lost_frames_stay_empty() -> None:
    there = np.arange(FRAMES) % 7 != 3
    assert_follows(follow(footage((person(), there))), person(), there)


def test_people_who_cross_keep_their_tracks() -> None:
    skier, other = person(0, 1.0, (-100, 0), speed=50), person(3, 0.8, (100, 12), speed=-50)
    track = follow(footage(skier, other))
    right = np.linalg.norm(track.keypoint - skier, axis=-1).mean(1) < 1
    assert right.mean() > 0.95
    assert right[:40].all()
    assert right[-40:].all()


def test_pieces_are_people() -> None:
    found = footage(person(0, 1.0, (-100, 0)), person(1, 1.0, (100, 0)))
    pieces = link(found, gap_s=0.5)
    assert sorted(len(piece) for piece in pieces) == [FRAMES, FRAMES]
    for piece in pieces:
        assert len(np.unique(found.frame[piece])) == FRAMES
        assert np.ptp(found.box[piece, 0]) < 100  # one of the two places


def test_unsure_joints_are_missing() -> None:
    found = footage(person(), shuffle=False)
    confidence = found.confidence.copy()
    confidence[10, 3], confidence[11, 4] = 0.09, 0.11
    track = follow(replace(found, confidence=confidence))
    assert np.isnan(track.keypoint[10, 3]).all()
    assert track.confidence[10, 3] == 0
    assert track.confidence[11, 4] == pytest.approx(0.11)
    assert np.isfinite(track.keypoint[11]).all()
    assert follow(replace(found, confidence=confidence), min_confidence=0.5).confidence[11, 4] == 0


def test_slow_motion_is_turned_into_true_time() -> None:
    np.testing.assert_allclose(follow(footage(person()), slow_motion=4.0).time, TIME / 4)


def test_nobody_in_the_whole_clip_is_said() -> None:
    nobody = footage((person(), np.zeros(FRAMES, bool)))
    with pytest.raises(PosepipeError, match="no person was found"):
        follow(nobody)


def test_somebody_in_a_single_frame_is_enough() -> None:
    once = np.arange(FRAMES) == 30
    assert_follows(follow(footage((person(), once))), person(), once)
