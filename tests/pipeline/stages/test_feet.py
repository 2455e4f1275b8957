"""Heels and big toes come with the people where a detector finds them, and are missing where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import posepipe.models
import pytest
import torch
from footage import RATE, a_track
from known_feet import seen_with_feet
from known_scene import people
from posepipe.models.body.body import body_size
from posepipe.models.method import Method, MethodSettings, Prediction, View
from posepipe.models.networks.feet import FootLifter
from posepipe.models.skeleton import BLAZEPOSE33, FEET, H36M17_FEET, HALPE26, SKELETONS
from posepipe.pipeline.arrays import Samples, Timeline, Track
from posepipe.pipeline.settings import LiftSettings, MorphSettings, MotionSettings, SampleSettings
from posepipe.pipeline.stages.fuse import lifted_joints
from posepipe.pipeline.stages.lift import lift_poses, lift_samples
from posepipe.pipeline.stages.morph import morph_skeleton
from posepipe.pipeline.stages.samples import TakeOfAthlete, build_samples
from posepipe.pipeline.stages.smooth import make_motion
from posepipe.pipeline.training.model_file import Model

FRAMES = 30
TIME = np.arange(FRAMES) / RATE
SEEN = seen_with_feet(FRAMES)
WANTED = MorphSettings(skeleton="h36m17+feet")
FOOT = slice(17, 21)
BODIES = people(2 * FRAMES)


class KnowsPeople(Method):
    """Answers with known people, whatever it sees."""

    Settings = MethodSettings

    def phases(self) -> tuple:
        return ()

    def losses(self, batch, phase) -> dict:
        return {}

    def predict(self, view: View) -> Prediction:
        assert torch.isfinite(view.keypoint).all()
        count = len(view.keypoint)
        assert view.keypoint.shape[1:] == (17, 2), "bodies are lifted without their feet"
        pose = torch.from_numpy(BODIES[:count] - BODIES[:count, :1]).float()
        return Prediction.in_camera_axes(pose, torch.ones(count), torch.full((count, 17), 0.1))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setitem(posepipe.models.METHODS, "fake", f"{__name__}:KnowsPeople")
    feet = FootLifter(H36M17_FEET).state_dict()
    return Model("fake", {}, "h36m17", {}, [], {"verdict": "clear"}, 40, {"detector": "fake detector"}, feet=feet)


def track(feet: bool = True, camera: int = 0) -> Track:
    """The athlete in one camera, on the skeleton of the results."""
    keypoint = SEEN[:, camera].copy()
    if not feet:
        keypoint[:, FOOT] = np.nan
    return a_track(keypoint, TIME, "h36m17+feet")


def samples_of(*tracks: Track) -> Samples:
    """The samples of one take."""
    views, frame = len(tracks), np.tile(np.arange(FRAMES, dtype=float)[:, None], len(tracks))
    timeline = Timeline(
        TIME, np.zeros(views), np.ones(views), frame, np.zeros(views), np.zeros(views, np.float32), []
    )
    return build_samples([TakeOfAthlete("run", list(tracks), timeline, [None] * views, False)], SampleSettings())


@pytest.mark.parametrize("name", SKELETONS)
def test_heels_and_toes_are_kept_where_a_detector_has_them(name: str) -> None:
    source = SKELETONS[name]
    keypoint = np.random.default_rng(0).uniform(0, 100, (FRAMES, len(source.joints), 2)).astype(np.float32)
    mapped = morph_skeleton(a_track(keypoint, TIME, name), WANTED)
    body = morph_skeleton(a_track(keypoint, TIME, name), MorphSettings(skeleton="h36m17"))
    assert mapped.skeleton == "h36m17+feet"
    np.testing.assert_array_equal(mapped.body.keypoint, body.keypoint)
    np.testing.assert_array_equal(mapped.body.confidence, body.confidence)
    for foot in FEET:
        found, sure = (array[:, H36M17_FEET.index(foot)] for array in (mapped.keypoint, mapped.confidence))
        same = foot if foot in source.joints else foot.replace("big_toe", "foot_index")
        if same in source.joints:
            np.testing.assert_array_equal(found, keypoint[:, source.index(same)])
            np.testing.assert_array_equal(sure, np.float32(0.9))
        else:
            assert np.isnan(found).all()
            assert not sure.any()


def test_feet_of_blazepose_and_halpe_are_those_of_their_sides() -> None:
    for source, toe in ((BLAZEPOSE33, "left_foot_index"), (HALPE26, "left_big_toe")):
        keypoint = np.tile(np.arange(len(source.joints), dtype=np.float32)[:, None], (2, 1, 2))
        mapped = morph_skeleton(a_track(keypoint, TIME[:2], source.name), WANTED)
        at = dict(zip(H36M17_FEET.joints, mapped.keypoint[0, :, 0], strict=True))
        assert (at["left_heel"], at["left_big_toe"]) == (source.index("left_heel"), source.index(toe))
        assert at["right_heel"] == source.index("right_heel")


def test_samples_have_feet_if_any_camera_shows_them() -> None:
    whole, mixed, bare = (
        samples_of(track(), track()),
        samples_of(track(), track(False)),
        samples_of(*2 * [track(False)]),
    )
    assert [found.skeleton for found in (whole, mixed, bare)] == ["h36m17+feet", "h36m17+feet", "h36m17"]
    assert (whole.confidence > 0).all()
    assert not mixed.confidence[:, 1, FOOT].any()
    assert not mixed.keypoint[:, 1, FOOT].any()
    assert bare.keypoint.shape[2] == 17


def test_missing_feet_do_not_count_as_a_person_half_seen() -> None:
    keypoint = SEEN[:, 0].copy()
    keypoint[:, 11:] = np.nan  # 11 of 17 joints, 11 of 21
    found = samples_of(*2 * [a_track(keypoint, TIME, "h36m17+feet")])
    assert len(found.instant) == FRAMES


@pytest.mark.parametrize(
    ("learnt", "shown", "feet"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_feet_are_lifted_if_model_and_clip_have_them(learnt: bool, shown: bool, feet: bool, model: Model) -> None:
    seen = track(shown)
    model = model if learnt else replace(model, feet=None)
    pose = lift_poses(seen, None, None, model, LiftSettings(device="cpu", height_m=1.8))
    assert pose.skeleton == "h36m17+feet"
    assert pose.there.all()
    assert np.isfinite(pose.joint[:, :17]).all()
    for array in (pose.joint, pose.canonical, pose.expected_error):
        assert np.isfinite(array[:, FOOT]).all() == feet
        assert np.isnan(array[:, FOOT]).all() != feet
    np.testing.assert_allclose(body_size(pose.joint, H36M17_FEET), 1.8, rtol=1e-5)
    np.testing.assert_array_equal(pose.keypoint, seen.keypoint)
    np.testing.assert_array_equal(pose.confidence, seen.confidence)
    motion = make_motion(pose, MotionSettings())
    assert motion.there.all()
    assert np.isfinite(motion.joint[:, FOOT]).all() == feet
    np.testing.assert_array_equal(motion.joint_raw, pose.joint)
    np.testing.assert_array_equal(motion.keypoint, seen.keypoint)
    body = make_motion(pose.body, MotionSettings())
    np.testing.assert_allclose(motion.joint[:, :17], body.joint, atol=1e-4 if feet else 1e-7)


def test_a_clip_on_the_body_alone_is_lifted_by_a_model_with_feet(model: Model) -> None:
    pose = lift_poses(track().body, None, None, model, LiftSettings(device="cpu"))
    assert (pose.skeleton, pose.joint.shape) == ("h36m17", (FRAMES, 17, 3))
    assert np.isfinite(pose.joint).all()


def test_samples_are_lifted_on_their_own_joints(model: Model) -> None:
    bare = samples_of(*2 * [track(False)])
    lifted = lift_samples(bare, model, LiftSettings(device="cpu"))
    assert (lifted.skeleton, lifted.joint.shape[2]) == ("h36m17", 17)
    whole = lift_samples(samples_of(track(), track()), replace(model, feet=None), LiftSettings(device="cpu"))
    assert whole.skeleton == "h36m17+feet"
    assert whole.there.all()
    assert np.isnan(whole.joint[:, :, FOOT]).all()


def test_a_view_without_feet_starts_with_them_at_its_ankles(model: Model) -> None:
    samples = samples_of(track(), track(False))
    poses = [lift_poses(one, None, None, model, LiftSettings(device="cpu")) for one in (track(), track(False))]
    start = lifted_joints(samples, [poses])
    assert np.isfinite(start).all()
    at = {joint: start[:, 1, number] for number, joint in enumerate(H36M17_FEET.joints)}
    np.testing.assert_array_equal(at["right_big_toe"], at["right_ankle"])
    np.testing.assert_allclose(start[:, 0], poses[0].joint)
