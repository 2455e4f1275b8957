"""What the pipeline expects of every method that learns from 2D poses, whatever its paper.

It resumes with the same bits, its file brings back the same predictions, each from one view, however frames are
batched and whatever other clips there are; and it says what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from footage import FakeDetector, a_track
from known_samples import reconstruction_of
from known_scene import cameras, people
from posepipe.models import METHODS
from posepipe.models.geometry.lens import distort
from posepipe.models.method import FirstTraining, Method, View, checked_needs
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import fit, infer
from posepipe.pipeline.arrays import Labels, Rig, Samples, TruePoses, ViewPoses
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.settings import (
    LabelSettings,
    LiftSettings,
    RefineModelSettings,
    TrainModelSettings,
    load_settings,
    method_class,
)
from posepipe.pipeline.stages import lift
from posepipe.pipeline.stages.label import label_poses
from posepipe.pipeline.stages.lift import lift_poses, lift_samples
from posepipe.pipeline.stages.refine import refine_model
from posepipe.pipeline.stages.train import train_model
from posepipe.pipeline.training.batches import cut_windows
from posepipe.pipeline.training.model_file import Model
from posepipe.pipeline.training.training_set import TrainingSet
from posepipe.pipeline.training.windows import Windows

VIEWS, TAKE = 3, 40


@dataclass(frozen=True)
class Case:
    """A method and settings that make it small."""

    method: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return "-".join([self.method, *(str(value) for _, value in self.options)])

    @property
    def training(self) -> TrainModelSettings:
        kind = method_class(self.method).Settings
        options = {name: value for name, value in SMALL.items() if name in kind.model_fields} | dict(self.options)
        settings = kind.model_validate(options)
        return TrainModelSettings(method=self.method, options=settings.model_dump(mode="json"), device="cpu")


SMALL = {"epochs": 2, "min_steps": 5, "calibration_steps": 5, "batch_size": 16, "filmed": 16, "width": 32}
"""What makes trainings short, for methods that have such settings."""

OURS = [name for name, place in METHODS.items() if place.startswith("posepipe.")]
EVERY = [Case(name) for name in OURS if "crops" not in method_class(name).needs]
"""Every method that learns from 2D poses; others stand in ``test_picture_contract``."""

LI, TEMPORAL = Case("li"), Case("li", (("backbone", "temporal"), ("temporal_frames", (3, 3))))
CASES = [
    *EVERY,
    Case("canonpose", (("recipe", "published"), ("handedness", "both"))),
    Case("cvsf", (("fusion", "soft"), ("first_stage_share", 0.5))),
    Case("li", (("backbone", "four_blocks"), ("encoding", "absolute"), ("pairs", "random"))),
    TEMPORAL,
    Case("li", (("virtual_views", 1),)),
    Case("posepipe", (("window", 9),)),
    Case("posepipe", (("window", 1),)),
    Case("canonpose", (("ray_correction", True),)),
]
"""Every method, and settings that change much of what one does."""


def walk(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints (TAKE, V, J, 2) px of people in a row, and K, R, t of the cameras in one array (V, 3, 7)."""
    rig, pose = cameras(VIEWS), people(TAKE, seed)
    return rig.project(pose), rig.K, np.concatenate([rig.R, rig.t[..., None]], -1)


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Two takes, with a view, an instant and a joint missing."""
    (first, K, place), (second, _, _) = walk(0), walk(1)
    keypoint = np.concatenate([first, second]).astype(np.float32)
    confidence = np.full(keypoint.shape[:-1], 0.9, np.float32)
    confidence[5:8, 1], confidence[TAKE + 3, 0, 13] = 0, 0
    instant = np.tile(np.arange(TAKE), 2)
    instant[20:TAKE] += 3

    def everywhere(array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array.astype(np.float32), (2 * TAKE, *array.shape)).copy()

    return Samples(
        keypoint=keypoint * (confidence > 0)[..., None],
        confidence=confidence,
        instant=instant,
        take=np.repeat([0, 1], TAKE),
        rig=np.zeros(2 * TAKE, np.int64),
        K=everywhere(K),
        R=everywhere(place[..., :3]),
        t=everywhere(place[..., 3]),
        skeleton="h36m17",
        takes=["first", "second"],
    )


@pytest.fixture(scope="module")
def rig(samples: Samples) -> Rig:
    residual = np.zeros(samples.confidence.shape[:2], np.float32)
    return Rig(samples.K, samples.R, samples.t, residual, "given", "given")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def labels(samples: Samples, rig: Rig) -> Labels:
    return label_poses(samples, rig, LabelSettings())


class Killed(BaseException):
    """Stands for kill -9."""


def train(folder: Path, case: Case, samples: Samples, rig: Rig, labels: Labels | None) -> Model:
    known = TrainingSet(samples, rig, labels, labels and reconstruction_of(samples, labels))
    return Cache(folder).run(train_model, known, settings=case.training)


def lifted(model: Model, folder: Path, samples: Samples) -> ViewPoses:
    model.write(folder / "model.pt")
    return lift_samples(samples, model, LiftSettings(device="cpu"))


def part(samples: Samples, rows: Any, views: Any = slice(None)) -> Samples:
    """Some samples and views."""
    by_view = {name: getattr(samples, name)[rows][:, views] for name in ("keypoint", "confidence", "K", "R", "t")}
    by_sample = {name: getattr(samples, name)[rows] for name in ("instant", "take", "rig")}
    return replace(samples, **by_view, **by_sample)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_method_keeps_the_contract(
    case: Case, samples: Samples, rig: Rig, labels: Labels, decided: None, tmp_path: Path, monkeypatch: Any
) -> None:
    given = [array.copy() for array in (samples.keypoint, samples.confidence, labels.joint)]
    whole = train(tmp_path / "whole", case, samples, rig, labels)
    assert all(np.isfinite(row["total"]) for row in whole.losses)
    assert list(whole.handedness["takes"]) == ["first", "second"]
    for before, array in zip(given, (samples.keypoint, samples.confidence, labels.joint), strict=True):
        np.testing.assert_array_equal(array, before)

    kind, steps = method_class(case.method), 0
    losses = kind.losses

    def mortal(self: Method, *args: Any) -> Any:
        nonlocal steps
        steps += 1
        learnt_from = [part for part in vars(args[0]).values() if isinstance(part, torch.Tensor)]
        assert not any(part.requires_grad for part in learnt_from), "2D poses and labels are constants"
        if steps == 8:  # in the second epoch
            raise Killed
        return losses(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "losses", mortal)
        with pytest.raises(Killed):
            train(tmp_path / "cut", case, samples, rig, labels)
    resumed = train(tmp_path / "cut", case, samples, rig, labels)
    assert {name: value.numpy().tobytes() for name, value in resumed.state.items()} == {
        name: value.numpy().tobytes() for name, value in whole.state.items()
    }

    poses = lifted(whole, tmp_path, samples)
    seen = (samples.confidence > 0).any(-1)
    assert np.isfinite(poses.joint[seen]).all() and np.isnan(poses.joint[~seen]).all()
    turned = np.einsum("svab,svjb->svja", poses.camera_from_canonical, poses.canonical)
    np.testing.assert_allclose(turned[seen], poses.joint[seen], atol=1e-5)

    again = lifted(Model.read(tmp_path / "model.pt"), tmp_path, samples)
    np.testing.assert_array_equal(again.joint, poses.joint)
    monkeypatch.setattr(lift, "BLOCK", 50)
    monkeypatch.setattr(lift, "LARGE_BLOCK", 50)
    np.testing.assert_array_equal(lifted(whole, tmp_path, samples).joint, poses.joint)
    one_take = lifted(whole, tmp_path, part(samples, samples.take == 1))
    np.testing.assert_array_equal(one_take.joint, poses.joint[samples.take == 1])
    one_view = lifted(whole, tmp_path, part(samples, slice(None), [1]))
    np.testing.assert_array_equal(one_view.joint[:, 0], poses.joint[:, 1])

    with pytest.raises(PosepipeError, match=r"was trained on skeleton h36m17, but this clip's .* are coco17"):
        lifted(whole, tmp_path, replace(samples, skeleton="coco17"))
    if whole.lifts_with_intrinsics:
        with pytest.raises(PosepipeError, match=f"'{case.method}' needs the camera's intrinsics.* --focal"):
            lifted(whole, tmp_path, replace(samples, K=None))


def test_a_model_with_a_refinement_unit_keeps_the_contract(
    samples: Samples, rig: Rig, labels: Labels, decided: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posepipe.models.networks.refinement.WIDTH", 32)
    without = train(tmp_path, Case("epipolarpose"), samples, rig, labels)
    found = lifted(without, tmp_path, samples)
    true = TruePoses(np.array(found.joint[..., ::-1]), "h36m17", "true.npz")
    settings = RefineModelSettings(epochs=1, seed=0, device="cpu")
    made = Cache(tmp_path).run(refine_model, found, true, without, settings=settings)
    poses = lifted(made, tmp_path, samples)
    assert not np.allclose(poses.joint, found.joint, atol=0.01, equal_nan=True)
    np.testing.assert_array_equal(np.isnan(poses.joint), np.isnan(found.joint))
    again = lifted(Model.read(tmp_path / "model.pt"), tmp_path, samples)
    np.testing.assert_array_equal(again.joint, poses.joint)
    one = lifted(made, tmp_path, part(samples, samples.take == 1, [1]))
    np.testing.assert_array_equal(one.joint[:, 0], poses.joint[samples.take == 1, 1])


# Windows


def test_a_pose_depends_on_the_frames_of_its_window_alone() -> None:
    method = method_class("li")(H36M17, method_class("li").Settings.model_validate(TEMPORAL.training.options)).eval()
    (keypoint, K, _), frames = walk(0), np.arange(TAKE)
    keypoints = torch.from_numpy(keypoint[:, 0]).float().requires_grad_()
    everywhere = torch.from_numpy(K[0]).float().expand(TAKE, 3, 3)
    index = Windows(frames, np.zeros(TAKE, int), frames >= 0, method.window).around(np.array([1, 20]))
    window = cut_windows(keypoints, torch.ones(TAKE, 17), everywhere, index)
    view = View(keypoints[[1, 20]], torch.ones(2, 17), everywhere[:2], window=window)
    pose = method.network.pose(*method._images(view))
    for number, seen in enumerate((range(6), range(16, 25))):
        (gradient,) = torch.autograd.grad(pose[number].sum(), keypoints, retain_graph=True)
        assert np.flatnonzero(gradient.abs().sum((1, 2)).numpy()).tolist() == list(seen)


def test_windows_keep_their_time_when_frame_rates_differ(
    samples: Samples, rig: Rig, decided: None, tmp_path: Path
) -> None:
    timed = replace(samples, time=0.04 * samples.instant)
    model = train(tmp_path, TEMPORAL, timed, rig, None)
    assert model.window_step_s == pytest.approx(0.04)
    assert train(tmp_path, TEMPORAL, samples, rig, None).window_step_s is None
    walked, K, _ = walk(2)

    def shapes(keypoint: np.ndarray, period_s: float) -> np.ndarray:
        track = a_track(keypoint.astype(np.float32), period_s * np.arange(len(keypoint)))
        settings = LiftSettings(device="cpu")
        joint = lift_poses(track, None, Camera(K[0]), model, settings).joint
        return joint / np.linalg.norm(joint, axis=(1, 2), keepdims=True)

    expected, between = shapes(walked[:, 0], 0.04), np.random.default_rng(0).uniform(0, 900, (TAKE, 17, 2))
    faster = np.stack([walked[:, 0], between], 1).reshape(-1, 17, 2)[:-1]
    np.testing.assert_allclose(shapes(faster, 0.02)[::2], expected, atol=1e-6)
    assert np.abs(shapes(faster, 0.04)[::2] - expected).max() > 1e-3


def test_a_clip_is_lifted_as_if_its_lens_did_not_distort(
    samples: Samples, rig: Rig, decided: None, tmp_path: Path
) -> None:
    model = train(tmp_path, LI, samples, rig, None)
    walked, K, _ = walk(2)
    K, lens, pinhole = K[0], np.array([-0.25, 0.08, 0.001, -0.001, 0.0]), walked[:, 0]
    seen = distort((pinhole - K[:2, 2]) / K[0, 0], lens) * K[0, 0] + K[:2, 2]

    def joints(keypoint: np.ndarray, distortion: np.ndarray | None) -> np.ndarray:
        track = a_track(keypoint.astype(np.float32), 0.04 * np.arange(TAKE))
        return lift_poses(track, None, Camera(K, distortion=distortion), model, LiftSettings(device="cpu")).joint

    expected = joints(pinhole, None)
    np.testing.assert_allclose(joints(seen, lens), expected, atol=1e-4)
    assert np.abs(joints(seen, None) - expected).max() > 1e-3


# What methods need


@pytest.mark.parametrize("name", OURS)
def test_a_method_says_all_that_it_needs(name: str) -> None:
    kind = method_class(name)
    settings = kind.Settings()
    needs = checked_needs(kind, kind.needs_with(settings))
    assert kind.needs <= needs
    assert not {"method", "seed", "prior"} & set(kind.Settings.model_fields), "these are settings of all methods"
    if "reconstruction" in needs:
        assert isinstance(kind.first_training(settings), FirstTraining)


def test_a_method_that_leaves_out_what_belongs_to_a_need_is_refused() -> None:
    for need, hook in (("reconstruction", "first_training"), ("labelled_2d", "labelled_files")):
        with pytest.raises(TypeError, match=f"Silent needs '{need}', so it must define {hook}"):
            type("Silent", (Method,), {"needs": frozenset({need})})
    with pytest.raises(TypeError, match="Wishful needs 'depth', which nobody gives; known: crops, extrinsics"):
        type("Wishful", (Method,), {"needs": frozenset({"depth"})})


PICTURES = "learns from pictures, and .*arrays.npz has none; give videos"
INTRINSICS = "needs intrinsics: add the array K, and if possible R and t, to .*arrays.npz"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["method=epipolarpose"], INTRINSICS),
        (["method=li"], INTRINSICS),
        (
            ["method=canonpose", "ray_correction=true"],
            f"{INTRINSICS}.*, or use .* canonpose with its defaults",
        ),
        (["method=li", "virtual_views=2"], INTRINSICS),
        (["method=li", "backbone=temporal"], INTRINSICS),
        (["method=epipolarpose", "student=volumetric"], PICTURES),
        (["method=iqbal"], PICTURES),
        (["method=iqbal", "supervision=labels"], PICTURES),
    ],
    ids=" ".join,
)
def test_what_a_method_needs_of_keypoints_is_said_before_anything_is_done(
    options: list[str], sentence: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "arrays.npz", keypoint=walk(0)[0], joint_names=np.array(H36M17.joints))
    settings = load_settings(overrides=[f"train.{option}" for option in options])
    with pytest.raises(PosepipeError, match=f"method {options[0].removeprefix('method=')!r} {sentence}"):
        fit(tmp_path / "arrays.npz", out=tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()


def test_a_focal_length_may_be_assumed_for_a_method_that_needs_no_more(decided: None, tmp_path: Path) -> None:
    arrays = {"keypoint": walk(0)[0], "joint_names": np.array(H36M17.joints), "image_size": np.full((VIEWS, 2), 1000)}
    np.savez(tmp_path / "arrays.npz", **arrays)
    quick = [
        "train.method=canonpose",
        "train.ray_correction=true",
        "train.epochs=1",
        "train.width=16",
        "calibrate.field_of_view_deg=45",
    ]
    settings = load_settings(overrides=[*quick, "train.min_steps=1", "device=cpu", "samples.static_cameras=true",
                                        "fuse.enabled=false"])  # fmt: skip
    done = fit(tmp_path / "arrays.npz", out=tmp_path / "out", settings=settings)
    assert any("assumed" in warning for warning in done.warnings)
    assert np.isfinite(np.load(tmp_path / "out/poses.npz")["joint"]).all()
    with pytest.raises(PosepipeError, match="this model of method 'canonpose' needs the camera's intrinsics"):
        infer(tmp_path / "arrays.npz", model=tmp_path / "out/model.pt", out=tmp_path / "alone")
    infer(tmp_path / "arrays.npz", model=tmp_path / "out/model.pt", out=tmp_path / "focal", focal_px=1200)


@pytest.mark.parametrize("method", ["epipolarpose", "li"])
def test_moving_cameras_must_be_given(method: str, tmp_path: Path) -> None:
    keypoint, K, _ = walk(0)
    K = np.broadcast_to(K, (TAKE, *K.shape))
    np.savez(tmp_path / "arrays.npz", keypoint=keypoint, joint_names=np.array(H36M17.joints), K=K)
    settings = load_settings(overrides=[f"train.method={method}", "samples.static_cameras=false"])
    with pytest.raises(PosepipeError, match=r"needs extrinsics: the cameras of take .* move"):
        fit(tmp_path / "arrays.npz", out=tmp_path / "out", settings=settings)


@pytest.mark.parametrize(
    "options",
    [
        ["method=epipolarpose"],
        ["method=li"],
        ["method=epipolarpose", "student=volumetric"],
        ["method=iqbal"],
        ["method=canonpose", "ray_correction=true"],
    ],
    ids=" ".join,
)
def test_what_a_method_needs_of_videos_is_said_before_any_is_looked_at(
    options: list[str], take: Path, detector: FakeDetector, tmp_path: Path
) -> None:
    settings = load_settings(overrides=[f"train.{option}" for option in options])
    name = options[0].removeprefix("method=")
    advice = "give a calibration file .* in posepipe.toml .*, or use --method canonpose"
    with pytest.raises(PosepipeError, match=f"method '{name}' needs intrinsics: {advice}"):
        fit(take, out=tmp_path / "out", settings=settings)
    assert detector.looked_at == 0


def test_cameras_that_are_said_to_move_must_be_placed_before_any_video_is_looked_at(
    take: Path, detector: FakeDetector, tmp_path: Path
) -> None:
    for chosen in (["samples.static_cameras=false"], ["samples.static_cameras=false", "calibrate.extrinsics=joints"]):
        settings = load_settings(overrides=["train.method=li", "calibrate.focal_px=1000", *chosen])
        with pytest.raises(PosepipeError, match=r"needs extrinsics: camera .*/cam\w* moves, .* moving = false"):
            fit(take, out=tmp_path / "out", settings=settings)
    assert detector.looked_at == 0


@pytest.mark.parametrize("method", ["canonpose", "cvsf"])
def test_methods_that_need_nothing_take_uncalibrated_keypoints(method: str) -> None:
    assert not method_class(method).needs
