"""Lifted poses have the athlete's size, and are nowhere where the athlete was not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import posepipe.models
import pytest
import torch
from footage import a_track, seen
from known_scene import people
from posepipe.models.body.angles import segment_lengths
from posepipe.models.body.body import body_size
from posepipe.models.method import Method, MethodSettings, Prediction, View
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Crops, Pose3D, Samples, Track
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import LiftSettings, Segment
from posepipe.pipeline.stages import lift as lift_stage
from posepipe.pipeline.stages.lift import lift_poses, lift_samples
from posepipe.pipeline.training.model_file import Model

FRAMES = 12
TIME = np.arange(FRAMES) / 25
KNOWN = torch.from_numpy(people(FRAMES)).float()
TURN = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
PELVIS = H36M17.index("pelvis")


class KnowsTheScene(Method):
    """Answers with known people, each in its own size: frame ``k`` has its number as the x of the pelvis."""

    Settings = MethodSettings

    def phases(self) -> tuple:
        return ()

    def losses(self, batch, phase) -> dict:
        return {}

    def predict(self, view: View) -> Prediction:
        assert torch.isfinite(view.keypoint).all()
        frame = view.keypoint[:, PELVIS, 0].long()
        canonical = KNOWN[frame] * (1 + frame[:, None, None])
        count = len(frame)
        expected = 0.01 * (1 + frame[:, None]) * torch.arange(17)
        return Prediction(canonical @ TURN.T, canonical, TURN.expand(count, 3, 3), torch.ones(count), expected)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setitem(posepipe.models.METHODS, "fake", f"{__name__}:KnowsTheScene")
    recipe, handedness = {"detector": "fake detector"}, {"verdict": "clear"}
    return Model("fake", {}, "h36m17", {}, [], handedness, 40, recipe)


def numbered(missing: tuple[int, ...] = ()) -> Track:
    """A track whose pelvis tells the frame."""
    keypoint = seen(0, range(FRAMES)).copy()
    keypoint[:, PELVIS, 0] = np.arange(FRAMES)
    keypoint[list(missing)] = np.nan
    return a_track(keypoint, TIME)


def lift(track: Track, model: Model, **settings: float) -> Pose3D:
    return lift_poses(track, None, None, model, LiftSettings(device="cpu", **settings))


def assert_sized(pose: Pose3D, stature: float) -> None:
    """Every pose has the shape of the scene's, and the stature that is said."""
    scale = stature / body_size(KNOWN.numpy(), H36M17)
    np.testing.assert_allclose(pose.canonical, KNOWN.numpy() * scale[:, None, None], atol=1e-5)
    np.testing.assert_allclose(body_size(pose.joint, H36M17), stature, rtol=1e-5)
    np.testing.assert_allclose(pose.expected_error, 0.01 * np.arange(17) * scale[:, None], rtol=1e-5)


def test_without_a_height_the_stature_is_1(model: Model) -> None:
    pose = lift(numbered(), model)
    assert (pose.unit, pose.device) == ("body heights", "cpu")
    assert_sized(pose, 1.0)


def test_with_a_height_results_are_in_metres(model: Model) -> None:
    pose = lift(numbered(), model, height_m=1.8)
    assert pose.unit == "m"
    assert_sized(pose, 1.8)


def test_views_of_a_keypoint_file_are_scaled_each_for_itself(model: Model) -> None:
    track = numbered()
    keypoint = np.stack([track.keypoint, track.keypoint], 1)
    confidence = np.full(keypoint.shape[:3], 0.9, np.float32)
    confidence[3, 1] = 0
    samples = Samples(
        keypoint=keypoint, confidence=confidence, instant=np.arange(FRAMES), take=np.arange(FRAMES) // 6,
        rig=np.zeros(FRAMES, np.int64), K=None, R=None, t=None, skeleton="h36m17", takes=["first", "second"],
    )  # fmt: skip
    poses = lift_samples(samples, model, LiftSettings(device="cpu", height_m=1.8))
    scale = 1.8 / body_size(KNOWN.numpy(), H36M17)
    true = KNOWN.numpy() * scale[:, None, None]
    seen_there = confidence.any(-1)
    assert np.isnan(poses.joint[3, 1]).all() and np.isnan(poses.expected_error[3, 1]).all()
    assert (poses.unit, poses.skeleton, poses.takes) == ("m", "h36m17", ["first", "second"])
    np.testing.assert_array_equal(poses.take, samples.take)
    np.testing.assert_array_equal(poses.confidence, confidence)
    for view in range(2):
        there = seen_there[:, view]
        np.testing.assert_allclose(poses.canonical[there, view], true[there], atol=1e-5)
        np.testing.assert_allclose(poses.joint[there, view], true[there] @ TURN.numpy().T, atol=1e-5)
        expected = 0.01 * np.arange(17) * scale[there, None]
        np.testing.assert_allclose(poses.expected_error[there, view], expected, rtol=1e-5)


def test_with_lengths_of_segments_these_are_met(model: Model) -> None:
    pose = lift(numbered(), model, segments_m={"thigh": 0.5, "left_shank": 0.45})
    length = segment_lengths(pose.joint, H36M17)
    thigh = np.median(length["left_thigh"] + length["right_thigh"]) / 2
    assert thigh + np.median(length["left_shank"]) == pytest.approx(0.95, rel=1e-5)
    assert pose.unit == "m"
    sizes = body_size(pose.joint, H36M17)
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-5)


def test_every_segment_that_can_be_given_is_measured(model: Model) -> None:
    for name in get_args(Segment):
        assert lift(numbered(), model, segments_m={name: 0.4}).unit == "m"


def test_the_pose_is_the_canonical_one_as_the_camera_sees_it(model: Model) -> None:
    pose = lift(numbered(), model)
    seen_by_camera = np.einsum("fij,fnj->fni", pose.camera_from_canonical, pose.canonical)
    np.testing.assert_allclose(pose.joint, seen_by_camera, atol=1e-6)
    np.testing.assert_array_equal(pose.joint[:, PELVIS], 0)


def test_what_was_lifted_goes_along(model: Model) -> None:
    track = numbered()
    pose = lift(track, model)
    np.testing.assert_array_equal(pose.time, track.time)
    np.testing.assert_array_equal(pose.keypoint, track.keypoint)
    np.testing.assert_array_equal(pose.confidence, track.confidence)
    assert pose.skeleton == "h36m17"


def test_frames_without_the_person_are_nan(model: Model) -> None:
    pose = lift(numbered(missing=(0, 5)), model)
    gone = np.isin(np.arange(FRAMES), (0, 5))
    for values in (pose.joint, pose.canonical, pose.camera_from_canonical):
        assert np.isnan(values[gone]).all()
        assert np.isfinite(values[~gone]).all()
    assert (pose.confidence[gone] == 0).all()
    whole = lift(numbered(), model)  # how large a pose is does not depend on the others' frames being there
    np.testing.assert_allclose(body_size(pose.joint[~gone], H36M17), body_size(whole.joint[~gone], H36M17), rtol=1e-5)


@pytest.mark.parametrize(
    ("lost", "lifted"), [(["left_wrist"], True), (["pelvis"], False), (H36M17.joints[6:15], False)], ids=str
)
def test_a_frame_needs_the_root_and_half_of_the_joints(lost: list[str], lifted: bool, model: Model) -> None:
    keypoint = numbered().keypoint.copy()
    keypoint[4, [H36M17.index(joint) for joint in lost]] = np.nan
    pose = lift(a_track(keypoint, TIME), model)
    assert np.isfinite(pose.joint[4]).all() == lifted
    assert np.isfinite(np.delete(pose.joint, 4, 0)).all()
    assert (pose.confidence[4] > 0).any() == lifted


def test_a_clip_that_shows_too_little_is_refused(model: Model) -> None:
    with pytest.raises(PosepipeError, match="no frame shows enough of the athlete"):
        lift(numbered(missing=tuple(range(FRAMES))), model)


def test_a_model_of_another_skeleton_is_refused(model: Model) -> None:
    with pytest.raises(PosepipeError, match=r"trained on skeleton coco17, but .* h36m17"):
        lift(numbered(), replace(model, skeleton="coco17"))


def test_a_device_that_is_not_there_is_said(model: Model) -> None:
    with pytest.raises(PosepipeError, match="is not available here"):
        lift_poses(numbered(), None, None, model, LiftSettings(device="cuda:99"))


def test_heights_that_no_person_has_are_refused() -> None:
    assert LiftSettings(height_m=1.2).height_m == 1.2
    with pytest.raises(ValueError, match="not both"):
        LiftSettings(height_m=1.8, segments_m={"thigh": 0.4})
    for height in (180, 0, -1.8):
        with pytest.raises(ValueError, match="height_m"):
            LiftSettings(height_m=height)


@pytest.mark.parametrize(("pictures", "windows", "sizes"), [
    (False, False, [5, 5, 2]), (True, False, [4, 4, 4]), (False, True, [4, 4, 4]),
])  # fmt: skip
def test_frames_with_pictures_or_their_neighbours_come_in_smaller_blocks(
    pictures: bool, windows: bool, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lift_stage, "BLOCK", 5)
    monkeypatch.setattr(lift_stage, "LARGE_BLOCK", 4)
    track = numbered()
    crops = Crops(
        np.zeros((FRAMES, 8, 8, 3), np.uint8), np.zeros((FRAMES, 2, 3), np.float32), np.arange(FRAMES, dtype=np.int32)
    )
    clip = np.zeros(FRAMES, np.int64)
    seen = lift_stage.Seen(track.keypoint, track.confidence, TIME, clip, None, crops if pictures else None, clip)
    blocks = list(lift_stage._blocks(seen, 3 if windows else 1, None, torch.device("cpu")))
    assert [len(block.keypoint) for block in blocks] == sizes
    assert all((block.crop is not None) == pictures for block in blocks)
    assert all((block.window is not None) == windows for block in blocks)
    np.testing.assert_array_equal(torch.cat([block.keypoint for block in blocks]), track.keypoint)
