"""What the pipeline expects of every method that learns from pictures: the contract of ``test_method_contract``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from footage import a_track
from known_scene import cameras, people
from posepipe.models import METHODS
from posepipe.models.method import Method, MethodSettings
from posepipe.pipeline.arrays import Crops, LabelledPictures, Labels, Pose3D, Rig, Samples
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.settings import LabelSettings, LiftSettings, TrainModelSettings, method_class
from posepipe.pipeline.stages.label import label_poses
from posepipe.pipeline.stages.lift import lift_poses
from posepipe.pipeline.stages.train import train_model
from posepipe.pipeline.training.model_file import Model
from posepipe.pipeline.training.training_set import TrainingSet
from test_crop import tiny  # noqa: F401 - a fixture
from test_method_contract import Killed

VIEWS, FRAMES, SIZE = 3, 8, 64
HIDDEN = 3, 1
"""A frame and a camera that does not show the athlete."""
SMALL = {
    "backbone": "resnet18", "head_width": 16, "precision": "fp32", "depth_bins": 8,
    "epochs": 2, "heatmap_epochs": 1, "min_steps": 3, "batch_size": 4,
}  # fmt: skip
"""What makes networks small and trainings short, for methods that have such settings."""
SURE = {"iqbal": "sure_pictures", "epipolarpose": "sure_student"}
"""Methods as ``test_crop`` has them for trainings of a few steps."""
OURS = [name for name, place in METHODS.items() if place.startswith("posepipe.")]
EVERY = [name for name in OURS if "crops" in method_class(name).needs]
"""Every method that learns from pictures whatever its settings."""
CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (SURE.get(name, name), {}) for name in EVERY} | {
    "epipolarpose, volumetric": ("sure_student", {"student": "volumetric"}),
    "iqbal, known rotations": ("sure_pictures", {"alignment": "extrinsics"}),
    "iqbal, from labels": ("sure_pictures", {"supervision": "labels"}),
    "iqbal, with 2D labels": (
        "sure_pictures", {"labelled_images": "pictures", "labelled_annotations": "labels.json", "views": 2},
    ),
}  # fmt: skip
"""Every method, and settings that change much of what one does."""


def settings_of(name: str) -> MethodSettings:
    method, options = CASES[name]
    kind = method_class(method).Settings
    return kind.model_validate({name: value for name, value in SMALL.items() if name in kind.model_fields} | options)


def training(name: str) -> TrainModelSettings:
    options = settings_of(name).model_dump(mode="json")
    return TrainModelSettings(method=CASES[name][0], options=options, device="cpu")


@pytest.fixture(scope="module")
def samples() -> Samples:
    """A take of a few frames."""
    rig, pose = cameras(VIEWS), people(FRAMES)
    confidence = np.full((FRAMES, VIEWS, 17), 0.9, np.float32)
    confidence[HIDDEN] = 0

    def everywhere(array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array.astype(np.float32), (FRAMES, *array.shape)).copy()

    return Samples(
        keypoint=rig.project(pose).astype(np.float32) * (confidence > 0)[..., None],
        confidence=confidence,
        instant=np.arange(FRAMES),
        take=np.zeros(FRAMES, np.int64),
        rig=np.zeros(FRAMES, np.int64),
        K=everywhere(rig.K),
        R=everywhere(rig.R),
        t=everywhere(rig.t),
        skeleton="h36m17",
        takes=["take"],
        frame=np.tile(np.arange(FRAMES, dtype=np.int32)[:, None], VIEWS),
    )


@pytest.fixture(scope="module")
def rig(samples: Samples) -> Rig:
    residual = np.zeros(samples.confidence.shape[:2], np.float32)
    return Rig(samples.K, samples.R, samples.t, residual, "given", "given")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def labels(samples: Samples, rig: Rig) -> Labels:
    return label_poses(samples, rig, LabelSettings())


@pytest.fixture(scope="module")
def crops(samples: Samples) -> list[list[Crops]]:
    """Coarse noise, of which the person takes up three quarters."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (VIEWS, FRAMES, 8, 8, 3), np.uint8)
    pictures = coarse.repeat(SIZE // 8, 2).repeat(SIZE // 8, 3)
    keypoint = cameras(VIEWS).project(people(FRAMES)).swapaxes(0, 1)
    low, high = keypoint.min(2), keypoint.max(2)
    scale = 0.75 * SIZE / (high - low).max(-1)
    maps = np.zeros((VIEWS, FRAMES, 2, 3), np.float32)
    maps[..., 0, 0] = maps[..., 1, 1] = scale
    maps[..., 2] = SIZE / 2 - scale[..., None] * (low + high) / 2
    frame = np.arange(FRAMES, dtype=np.int32)
    return [[Crops(*camera, frame) for camera in zip(pictures, maps, strict=True)]]


@pytest.fixture(scope="module")
def labelled() -> LabelledPictures:
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (6, SIZE, SIZE, 3), np.uint8)
    keypoint = random.uniform(8, SIZE - 8, (6, 17, 2)).astype(np.float32)
    return LabelledPictures(picture, keypoint, np.ones((6, 17), np.float32), "h36m17")


def lifted(model: Model, folder: Path, samples: Samples, crops: Crops, camera: int, frames: slice) -> Pose3D:
    """Poses of some frames of one camera's clip."""
    model.write(folder / "model.pt")
    assert samples.K is not None
    track = a_track(samples.keypoint[frames, camera], np.arange(FRAMES)[frames] / 25)
    track = replace(track, confidence=samples.confidence[frames, camera])
    shown = Crops(crops.picture[frames], crops.crop_from_image[frames], crops.frame[: len(track.time)])
    known = Camera(samples.K[0, camera].astype(float))
    return lift_poses(track, shown, known, model, LiftSettings(device="cpu"))


@pytest.mark.parametrize("name", CASES)
def test_a_method_of_pictures_keeps_the_contract(
    name: str,
    decided: None,
    tiny: None,  # noqa: F811
    samples: Samples,
    rig: Rig,
    labels: Labels,
    crops: list[list[Crops]],
    labelled: LabelledPictures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labelled_too = "labelled_2d" in method_class(CASES[name][0]).needs_with(settings_of(name))
    data = TrainingSet(samples, rig, labels, None, crops, labelled if labelled_too else None)
    whole = Cache(tmp_path / "whole").run(train_model, data, settings=training(name))
    assert all(np.isfinite(row["total"]) for row in whole.losses)

    kind, steps = method_class(CASES[name][0]), 0
    losses = kind.losses

    def mortal(self: Method, *args: Any) -> Any:
        nonlocal steps
        steps += 1
        learnt_from = [part for part in vars(args[0]).values() if isinstance(part, torch.Tensor)]
        assert not any(part.requires_grad for part in learnt_from), "2D poses and labels are constants"
        if steps == 5:  # in the second epoch
            raise Killed
        return losses(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "losses", mortal)
        with pytest.raises(Killed):
            Cache(tmp_path / "cut").run(train_model, data, settings=training(name))
    resumed = Cache(tmp_path / "cut").run(train_model, data, settings=training(name))
    assert {key: value.numpy().tobytes() for key, value in resumed.state.items()} == {
        key: value.numpy().tobytes() for key, value in whole.state.items()
    }

    frames, camera = slice(0, FRAMES), HIDDEN[1]
    poses = lifted(whole, tmp_path, samples, crops[0][camera], camera, frames)
    assert np.isfinite(np.delete(poses.joint, HIDDEN[0], 0)).all() and np.isnan(poses.joint[HIDDEN[0]]).all()
    again = lifted(Model.read(tmp_path / "model.pt"), tmp_path, samples, crops[0][camera], camera, frames)
    np.testing.assert_array_equal(again.joint, poses.joint)
    some = lifted(whole, tmp_path, samples, crops[0][camera], camera, slice(4, FRAMES))
    one, other = (pose / np.linalg.norm(pose[0]) for pose in (some.joint, poses.joint[4:]))
    np.testing.assert_allclose(one, other, atol=1e-6)  # clips differ in the scale that all their frames share

    with pytest.raises(PosepipeError, match="was trained on skeleton coco17"):
        lifted(replace(whole, skeleton="coco17"), tmp_path, samples, crops[0][camera], camera, frames)
