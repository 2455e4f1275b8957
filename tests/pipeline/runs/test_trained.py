"""A model in memory lifts arrays as infer lifts files, and refuses what does not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray
from known_clip import a_clip, the_pose, two_people
from posepipe.models.body.body import body_size
from posepipe.models.method import View
from posepipe.models.methods.canonpose import CanonPose
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import TrainedModel, as_dataset, load_model
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import exporter
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.stages.place_root import place_root
from posepipe.pipeline.training.model_file import Model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    torch.manual_seed(0)
    settings = CanonPose.Settings(width=32)
    state = dict(CanonPose(H36M17, settings).state_dict())
    path = tmp_path_factory.mktemp("model") / "model.pt"
    Model("canonpose", settings.model_dump(), "h36m17", state, [], {"verdict": "clear"}, 1, {"detector": "a"}).write(
        path
    )
    return load_model(path)


def poses_2d() -> tuple[np.ndarray, np.ndarray]:
    pose = the_pose(a_clip(12))
    return pose.keypoint.copy(), pose.confidence.copy()


def test_arrays_are_lifted_by_the_network_of_the_file(model: TrainedModel) -> None:
    keypoints, confidence = poses_2d()
    confidence[3] = 0
    keypoints[5, 13] = np.nan
    time = np.arange(12) / 50
    lifted = model.lift(keypoints, confidence, time_s=time, height_m=1.7, device="cpu")

    network = CanonPose(H36M17, CanonPose.Settings.model_validate(model.options))
    network.load_state_dict(model.state)
    sure = np.where(np.isnan(keypoints).any(-1), 0, confidence).astype(np.float32)
    shown = np.delete(np.arange(12), 3)
    pixels = np.where(sure[..., None] > 0, keypoints, 0).astype(np.float32)
    with torch.no_grad():
        found = network.eval().predict(View(torch.from_numpy(pixels[shown]), torch.from_numpy(sure[shown])))
    scale = 1.7 / body_size(found.canonical.numpy(), H36M17)[:, None, None]
    np.testing.assert_allclose(lifted.joint[shown], scale * found.joint.numpy(), atol=1e-5)
    np.testing.assert_allclose(lifted.canonical[shown], scale * found.canonical.numpy(), atol=1e-5)
    np.testing.assert_array_equal(lifted.time, time)
    np.testing.assert_allclose(lifted.confidence[shown], sure[shown])
    assert np.isnan(lifted.joint[3]).all() and (lifted.confidence[3] == 0).all()
    assert lifted.unit == "m"


def test_where_the_person_stands_if_the_camera_is_told(model: TrainedModel) -> None:
    keypoints, confidence = poses_2d()
    K = np.array([[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]])
    size = (1920, 1080)
    plain = model.lift(keypoints, confidence)
    assert plain.root_trajectory is None and plain.root_camera == ""
    known = model.lift(keypoints, confidence, K=K)
    assert known.root_camera == "focal length of 1500 px, given"
    np.testing.assert_array_equal(known.joint, plain.joint)
    np.testing.assert_array_equal(known.root_trajectory, place_root(plain, Camera(K)).root_trajectory)
    same = model.lift(keypoints, confidence, focal_px=1500, image_size_px=size)
    np.testing.assert_array_equal(same.root_trajectory, known.root_trajectory)
    assert same.root_camera == "focal length of 1500 px, given; principal point in the middle"
    guess = model.lift(keypoints, confidence, image_size_px=size)
    assert guess.root_camera.startswith("focal length of 1663 px, assumed: a field of view of 60°")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keypoints": np.zeros((12, 5, 2))}, "should be .frame, 17, 2."),
        ({"confidence": np.zeros((3, 17))}, "the joints of h36m17"),
        ({"time_s": np.zeros(12)}, "12 rising times"),
        ({"confidence": np.zeros((12, 17))}, "no frame shows enough"),
        ({"height_m": 30}, "height_m"),
        ({"focal_px": 900.0}, "image_size_px"),
        ({"K": np.eye(2)}, "K as .3, 3."),
        ({"K": np.eye(3), "focal_px": 900.0}, "in its place"),
        ({"device": "cuda:99"}, "not available"),
    ],
)
def test_what_does_not_fit_is_refused(model: TrainedModel, change: dict[str, Any], sentence: str) -> None:
    keypoints, confidence = poses_2d()
    with pytest.raises(PosepipeError, match=sentence):
        model.lift(**{"keypoints": keypoints, "confidence": confidence, **change})


def test_models_that_need_more_than_arrays_say_so(model: TrainedModel) -> None:
    keypoints, confidence = poses_2d()
    for change, sentence in (
        ({"window_step_s": 0.02}, "give the time of each frame"),
        ({"recipe": {"crop": {}}}, "look at pictures"),
        ({"method": "li", "options": {}}, "intrinsics"),
    ):
        with pytest.raises(PosepipeError, match=sentence):
            dataclasses.replace(model, **change).lift(keypoints, confidence)


def test_a_data_set_is_that_of_the_netcdf_file(tmp_path: Path) -> None:
    clip = two_people(8)
    exporter("netcdf")(clip, tmp_path / "poses.nc")
    made = as_dataset({person.name: person.pose for person in clip.people})
    with xarray.open_dataset(tmp_path / "poses.nc") as file:
        for name in ("position", "confidence", "time"):
            np.testing.assert_array_equal(made[name], file[name])
            assert made[name].dims == file[name].dims
        assert [str(name) for name in file["individual"].values] == made["individual"].values.tolist()
    assert made.position.sel(individual="ann", keypoint="left_wrist", space="y").shape == (8,)
    assert as_dataset(clip.people[0].pose).sizes["individual"] == 1
