"""Every method learns the known scene: its poses of people whom it never saw are better than none, and right-handed.

The scene is easy (no noise) and trainings last seconds, so that errors are many times those of real
ones; the floors leave room for other processors' rounding. A method of ``METHODS`` is included by being there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from footage import a_track
from known_scene import cameras, people
from posepipe.models import METHODS
from posepipe.models.body.metrics import joint_errors
from posepipe.models.networks import pose_cnn
from posepipe.models.skeleton import H36M17
from posepipe.pipeline import fit, infer
from posepipe.pipeline.arrays import Crops, Rig, Samples
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.settings import LabelSettings, LiftSettings, TrainModelSettings, load_settings, method_class
from posepipe.pipeline.stages.label import label_poses
from posepipe.pipeline.stages.lift import lift_poses
from posepipe.pipeline.stages.train import train_model
from posepipe.pipeline.training.training_set import TrainingSet

OURS = [name for name, path in METHODS.items() if path.startswith("posepipe.")]
VIEWS = 4
SMALL: dict[str, Any] = {
    "canonpose_epochs": 12, "min_steps": 25, "batch_size": 32, "width": 128, "window": 1,
    "precision": "fp32",
}  # fmt: skip
"""Settings of a training of seconds, as far as a method has them."""
BETTER_THAN_STANDING, BETTER_THAN_MIRRORED = 0.9, 0.6
"""Errors as shares of those of a person who only stands there, and of the same poses in a mirror: 0.46 to 0.71 and
0.27 to 0.44 were measured."""


def scene(count: int, seed: int, distance_m: float) -> tuple[dict[str, Any], np.ndarray]:
    """A keypoint file of people, and their poses (count * VIEWS, 17, 3) in mm as each camera sees them."""
    rig, pose = cameras(VIEWS, distance_m=distance_m), people(count, seed)
    rig.K[:, [0, 1], [0, 1]] *= distance_m / 5
    seen = rig.see(pose)
    content = {
        "keypoint": rig.project(pose).astype(np.float32), "confidence": np.full((count, VIEWS, 17), 0.9, np.float32),
        "joint_names": np.array(H36M17.joints), "image_size": np.full((VIEWS, 2), 1000),
        "rig": np.zeros(count, int), "K": rig.K, "R": rig.R, "t": rig.t,
    }  # fmt: skip
    return content, 1000 * (seen - seen[:, :, :1]).reshape(-1, 17, 3)


def assert_learnt(name: str, pose: np.ndarray, true: np.ndarray) -> None:
    """Poses (N, 17, 3) of people whom a method did not see are better than none, and not in a mirror."""
    assert np.isfinite(pose).all()
    found, mirrored = error_mm(pose, true), error_mm(pose * [1, 1, -1], true)
    standing = error_mm(np.broadcast_to(people(400, turn=False).mean(0), true.shape), true)
    print(f"{name}: {found:.0f} mm, mirrored {mirrored:.0f} mm, standing {standing:.0f} mm")
    assert found < BETTER_THAN_STANDING * standing
    assert found < BETTER_THAN_MIRRORED * mirrored


def error_mm(pose: np.ndarray, true: np.ndarray) -> float:
    return float(joint_errors(pose, true, "procrustes").mean())


@pytest.mark.parametrize("name", [name for name in OURS if "crops" not in method_class(name).needs])
def test_a_method_learns_the_known_scene(name: str, tmp_path: Path) -> None:
    kind = method_class(name)
    # Who knows nothing of cameras takes them for far away, and has to find them first.
    distance_m, epochs = (5.0, 8) if kind.needs else (30.0, 24)
    (shown, _), (new, true) = scene(400, 0, distance_m), scene(60, 1, distance_m)
    np.savez(tmp_path / "shown.npz", **shown)
    np.savez(tmp_path / "new.npz", **new)
    wanted = SMALL | {"epochs": epochs, "learning_rate": 3e-3 if kind.needs else 2e-3}
    small = [f"train.{option}={value}" for option, value in wanted.items() if option in kind.Settings.model_fields]
    settings = load_settings(overrides=[f"train.method={name}", *small, "device=cpu", "fuse.enabled=false"])
    done = fit(tmp_path / "shown.npz", out=tmp_path / "out", settings=settings)
    pose = infer(tmp_path / "new.npz", model=done.model, out=tmp_path / "new").pose.joint.reshape(-1, 17, 3)
    assert_learnt(name, pose, true)


SIZE, FILMED = 64, 3
DRAWN: dict[str, Any] = {
    "supervision": "labels", "backbone": "resnet18", "head_width": 32, "heatmap_epochs": 8, "epochs": 14,
    "min_steps": 20, "batch_size": 8, "learning_rate": 3e-3, "scale": 0.0, "rotation_deg": 0.0, "precision": "fp32",
}  # fmt: skip
"""Depths are learnt from labels: from the agreement of views it takes hours."""


def drawn(count: int, seed: int) -> tuple[Samples, list[Crops], np.ndarray]:
    """Samples of people, pictures of them by camera, and their poses (count * FILMED, 17, 3) in mm in camera axes.

    Every joint is a disc of its own colour, the darker the further it is behind the pelvis.
    """
    rig, pose = cameras(FILMED), people(count, seed)
    seen, keypoint = rig.see(pose), rig.project(pose)
    low, high = keypoint.min(2), keypoint.max(2)
    scale = 0.75 * SIZE / (high - low).max(-1)
    crop_from_image = np.zeros((count, FILMED, 2, 3), np.float32)
    crop_from_image[..., 0, 0] = crop_from_image[..., 1, 1] = scale
    crop_from_image[..., 2] = SIZE / 2 - scale[..., None] * (low + high) / 2
    hue = np.array([[[180 * joint // 17, 255, 255] for joint in range(17)]], np.uint8)
    colour = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0].astype(float)
    picture = np.zeros((count, FILMED, SIZE, SIZE, 3), np.uint8)
    for place in np.ndindex(count, FILMED):
        centre = scale[place] * keypoint[place] + crop_from_image[place][:, 2]
        depth = seen[place][:, 2] - seen[place][0, 2]
        for joint in np.argsort(-depth):
            shade = colour[joint] * np.clip(0.6 * (1 - depth[joint]), 0.15, 1)
            x, y = np.rint(16 * centre[joint]).astype(int).tolist()  # in sixteenths of a pixel
            cv2.circle(picture[place], (x, y), 56, shade.tolist(), -1, cv2.LINE_AA, 4)
    frame = np.arange(count, dtype=np.int32)
    crops = [Crops(np.ascontiguousarray(picture[:, view]), crop_from_image[:, view], frame) for view in range(FILMED)]
    known = [np.tile(array.astype(np.float32), (count, *[1] * array.ndim)) for array in (rig.K, rig.R, rig.t)]
    samples = Samples(
        keypoint.astype(np.float32), np.full((count, FILMED, 17), 0.9, np.float32), np.arange(count),
        np.zeros(count, np.int64), np.zeros(count, np.int64), *known, "h36m17", ["take"],
        np.tile(frame[:, None], FILMED),
    )  # fmt: skip
    return samples, crops, 1000 * (seen - seen[:, :, :1]).reshape(-1, 17, 3)


@pytest.mark.parametrize("name", [name for name in OURS if "crops" in method_class(name).needs])
def test_a_method_of_pictures_learns_drawn_people(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarter = {"type": "ResNet", "depth": 18, "stem_channels": 16, "base_channels": 16}
    monkeypatch.setitem(pose_cnn._CONFIGS, "resnet18", (quarter, 128, 32))
    (shown, crops, _), (new, pictures, true) = drawn(160, 0), drawn(40, 1)
    assert shown.K is not None and shown.R is not None and shown.t is not None
    rig = Rig(shown.K, shown.R, shown.t, np.zeros(shown.confidence.shape[:2], np.float32), "given", "given")
    options = method_class(name).Settings.model_validate(DRAWN).model_dump(mode="json")
    learnt_from = TrainingSet(shown, rig, label_poses(shown, rig, LabelSettings()), crops=[crops])
    training = TrainModelSettings(method=name, options=options, device="cpu")
    model = Cache(tmp_path / "cache").run(train_model, learnt_from, settings=training)
    poses = [
        lift_poses(
            a_track(new.keypoint[:, view], np.arange(len(new.take)) / 25), pictures[view],
            Camera(shown.K[0, view].astype(float)), model, LiftSettings(device="cpu"),
        ).joint
        for view in range(FILMED)
    ]  # fmt: skip
    assert_learnt(name, np.stack(poses, 1).reshape(-1, 17, 3), true)
