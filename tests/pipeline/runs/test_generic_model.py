"""Clips without a model of their own: the generic one lifts them, and everything says that it did."""

from __future__ import annotations

import json
import logging
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from known_clip import film
from known_scene import cameras
from posepipe.models.body.metrics import joint_errors
from posepipe.models.skeleton import COCO17, H36M17, H36M17_FEET
from posepipe.models.synthesis.drawn_poses import drawn_poses
from posepipe.pipeline import fit, infer, load_model, load_settings
from posepipe.pipeline.cli import app
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.batch import batch
from posepipe.pipeline.runs.infer import find_model
from posepipe.pipeline.training import generic_lifter
from posepipe.pipeline.training.generic_lifter import IN_WORDS, SHA256, generic_file, read_model
from typer.testing import CliRunner

RATE, FRAMES = 25.0, 30
TIMES = {"keypoints": {"rate_hz": RATE}}
LARGEST_MB, LONGEST_S, SLACK = 16, 1.0, 5


def moving() -> np.ndarray:
    """Poses (FRAMES, 17, 3) in m of a body that moves slowly from one drawn pose to another, facing a camera."""
    chance = torch.Generator().manual_seed(5)
    pose = drawn_poses(chance, 1, FRAMES)[0, :, : len(H36M17.joints)].double().numpy()
    return pose - pose[:, :1] + [0, 0, 1]


def on_coco(joint: np.ndarray) -> np.ndarray:
    """The joints (F, 17, 3) of COCO of the same body, with ears where they make the head of H36M-17."""
    at = {name: joint[:, H36M17.index(name)] for name in H36M17.joints}
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    aside = 0.3 * (at["left_shoulder"] - at["right_shoulder"])
    ears = (2 * at["head"] + shoulders) / 3
    eyes = (ears + at["nose"]) / 2
    at |= {"left_ear": ears + aside / 2, "right_ear": ears - aside / 2}
    at |= {"left_eye": eyes + aside / 4, "right_eye": eyes - aside / 4}
    return np.stack([at[name] for name in COCO17.joints], 1)


def shown_file(path: Path, names: tuple[str, ...], joint: np.ndarray) -> Path:
    """A keypoint file of two cameras that see joints (F, J, 3)."""
    keypoint = cameras(2).project(joint)
    np.savez(
        path, keypoint=keypoint.astype(np.float32), confidence=np.full(keypoint.shape[:3], 0.9, np.float32),
        joint_names=np.array(names), image_size=np.full((2, 2), 1000),
    )  # fmt: skip
    return path


def true_poses(joint: np.ndarray) -> np.ndarray:
    seen = cameras(2).see(joint)
    return 1000 * (seen - seen[:, :, :1])


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without any model, in which commands run."""
    folder = tmp_path / "clips"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_package_holds_it_small_and_quick_to_read() -> None:
    path = generic_file()
    assert path.stat().st_size < 1e6 * LARGEST_MB
    began = time.perf_counter()
    model = read_model(path)
    model.build()
    assert time.perf_counter() - began < SLACK * LONGEST_S
    assert model.build_feet() is not None and "generic" in model.supervision
    assert {value.dtype for value in model.state.values()} == {torch.float16}
    assert read_model(path).key == model.key and SHA256.keys() == {path.stem}


def test_another_file_in_its_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic_lifter, "WEIGHTS", tmp_path)
    with pytest.raises(PosepipeError, match=r"the generic model is missing in .*install posepipe again"):
        generic_file()
    path = tmp_path / "h36m17.pt"
    content = torch.load(Path(generic_lifter.__file__).parent / "generic" / "h36m17.pt", weights_only=True)
    torch.save(content | {"instants": 1}, path)
    with pytest.raises(PosepipeError, match="is not the generic model of this version"):
        read_model(path)


@pytest.mark.parametrize("kind", ["h36m17", "coco17"])
def test_a_file_of_2d_poses_is_lifted_without_a_fit(kind: str, alone: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "posepipe")
    joint = moving()
    shown = (H36M17.joints, joint) if kind == "h36m17" else (COCO17.joints, on_coco(joint))
    made = infer(shown_file(alone / "clip.npz", *shown), overrides=TIMES, device="cpu")
    limbs = [index for index, name in enumerate(H36M17.joints) if name.startswith(("left", "right"))]
    pose, true = made.pose.joint[:, :, limbs].reshape(-1, 12, 3), true_poses(joint)[:, :, limbs].reshape(-1, 12, 3)
    found, mirrored = (joint_errors(some, true, "procrustes").mean() for some in (pose, pose * [1, 1, -1]))
    assert found < 100 and found < 0.6 * mirrored
    assert made.pose.expected_error is not None
    assert [record.message for record in caplog.records].count(IN_WORDS) == 1
    with np.load(made.files[0]) as file:
        assert "generic model" in json.loads(str(file["provenance"]))["supervision"]
    record = json.loads((made.files[1] / "result.json").read_text())
    assert "generic model" in record["from"]["supervision"]


def test_a_file_of_one_camera_is_lifted_with_its_feet(alone: Path) -> None:
    chance = torch.Generator().manual_seed(5)
    joint = drawn_poses(chance, 1, FRAMES)[0].double().numpy()
    joint[..., 2] += 1
    keypoint = cameras(2).project(joint)[:, 0]
    np.savez(alone / "cam.npz", keypoint=keypoint, joint_names=np.array(H36M17_FEET.joints), rate=RATE)
    made = infer(alone / "cam.npz", device="cpu", exports=("npz",))
    feet = made.pose.joint[:, 17:]
    assert np.isfinite(feet).all() and np.isfinite(made.pose.joint_lifted).all()
    record = json.loads((alone / "cam_posepipe" / "result.json").read_text())
    assert "generic model" in record["about"]["provenance"]["supervision"]


def test_a_model_of_a_fit_beside_the_clip_goes_before_it(alone: Path) -> None:
    clip = shown_file(alone / "clip.npz", H36M17.joints, moving())
    assert find_model(clip) == generic_file()
    shutil.copy(generic_file(), alone / "model.pt")
    assert find_model(clip) == alone / "model.pt"
    made = infer(clip, model="generic", out=alone / "out", overrides=TIMES, device="cpu")
    assert np.isfinite(made.pose.joint).all()


def test_the_command_says_what_it_took(alone: Path) -> None:
    shown_file(alone / "clip.npz", H36M17.joints, moving())
    done = CliRunner().invoke(app, ["infer", "clip.npz", "--set", f"keypoints.rate_hz={RATE}", "--device", "cpu"])
    assert done.exit_code == 0 and IN_WORDS in done.stderr


def test_arrays_in_memory_are_lifted_by_it() -> None:
    joint = moving()
    keypoint = cameras(2).project(joint)[:, 0]
    pose = load_model("generic").lift(
        keypoint, np.ones(keypoint.shape[:2]), time_s=np.arange(FRAMES) / RATE, device="cpu"
    )
    assert joint_errors(pose.joint, true_poses(joint)[:, 0], "procrustes").mean() < 100


def test_a_batch_needs_no_model(alone: Path) -> None:
    (alone / "broken.mp4").write_text("no video")
    (row,) = batch([alone], out=alone / "out", device="cpu")
    assert "not a video" in row.error


def test_a_fit_of_one_camera_points_to_infer(alone: Path) -> None:
    film(alone / "cam.mp4", np.arange(9) / 9)
    with pytest.raises(PosepipeError, match="for 3D poses from one camera use `posepipe infer`"):
        fit(alone, settings=load_settings())
