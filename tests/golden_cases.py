"""Tiny fits that reach every stage and every method once: what the golden results are results of.

Each case is a function that fits something in a folder and gives the results folder. Detection is replaced by what
the known scene has, methods are sure of their handedness (which takes longer to learn), and all arithmetic is fp32
on one thread.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from footage import RATE, FakeDetector, athlete, film, people_at, scene_cameras, seen
from known_scene import cameras, people
from posepipe.models import METHODS
from posepipe.models.networks.morph import Morph
from posepipe.models.skeleton import COCO17, H36M17
from posepipe.pipeline.detectors import People
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.settings import load_settings, method_class
from posepipe.pipeline.training.morph_file import MorphNetwork

BUILT_IN = {name: place for name, place in METHODS.items() if place.startswith("posepipe.models.")}
"""The methods of the package, by name."""
FRAMES = 40
_SIDES = [H36M17.joints.index(name.replace("left", "side").replace("right", "left").replace("side", "right"))
          for name in H36M17.joints]  # fmt: skip
_WALK = 0.4 * (np.arange(FRAMES + 10) / RATE - 0.8)[:, None, None] * np.array([1.0, 0, 0])
_TIME = np.arange(FRAMES + 10) / RATE
_SCENE = [athlete(_TIME, 0) + _WALK + [0, -0.4, 0], 0.8 * athlete(_TIME, 1) - _WALK + [0, 0.4, 0]]
_CROWD = np.stack([scene_cameras().project(pose) for pose in _SCENE], 2).astype(np.float32)  # (T, V, person, 17, 2)


class CrowdDetector(FakeDetector):
    """Finds two people, for some pictures with left and right of the first exchanged."""

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        for image in images:
            number = self.number(image)
            if number is None:
                yield people_at(np.zeros((0, len(H36M17.joints), 2), np.float32))
                continue
            camera, instant = number
            both = _CROWD[instant, camera].copy()
            if camera == 1 and 12 <= instant < 22:
                both[0] = both[0, _SIDES]
            yield people_at(both[:: 1 if instant % 3 else -1])


def __getattr__(name: str) -> Any:
    """A method by its name behind ``sure_``: sure of its handedness.

    That of Iqbal et al. has its joints apart and its depths small as well, without which it lifts nothing so early.
    """
    method = name.removeprefix("sure_")
    if method not in BUILT_IN or method == name:
        raise AttributeError(name)
    module, _, kind = BUILT_IN[method].partition(":")
    base = getattr(sys.modules.get(module) or __import__(module, fromlist=[kind]), kind)

    def predict(self: Any, view: Any) -> Any:
        predicted = base.predict(self, view)
        return replace(predicted, parity=torch.ones_like(predicted.parity))

    def lift(self: Any, read: Any, *where: Any) -> Any:
        apart = torch.arange(read.depth.shape[1])[:, None] / 2
        return base.lift(self, type(read)(read.point + apart, 0.1 * read.depth.tanh(), read.confidence), *where)

    more = {"lift": lift} if method == "iqbal" else {}
    made = globals()[name] = type(f"Sure{kind}", (base,), {"predict": predict, **more})
    return made


def prepare(patch: pytest.MonkeyPatch, detector: FakeDetector) -> None:
    """Put the fake detector and the sure methods in place."""
    torch.set_num_threads(1)
    import posepipe.pipeline.runs.infer  # noqa: F401 - so that it is patched

    for module in [module for name, module in sys.modules.items() if name.startswith("posepipe.pipeline.")]:
        if hasattr(module, "choose_detector"):
            patch.setattr(module, "choose_detector", lambda *_, **__: detector)
    for name in BUILT_IN:
        patch.setitem(METHODS, name, f"{__name__}:sure_{name}")


def quick(method: str, *more: str) -> Any:
    """Settings of a tiny fit: as many of the usual short cuts as the method knows, then ``more``."""
    options = {"epochs": 3, "width": 32, "precision": "fp32", "batch_size": 16, "min_steps": 2,
               "calibration_steps": 3, "pretraining_epochs": 1, "canonpose_epochs": 2, "heatmap_epochs": 1,
               "window": 9}  # fmt: skip
    known = method_class(method).Settings.model_fields
    own = [f"train.{name}={value}" for name, value in options.items() if name in known]
    return load_settings(overrides=[f"train.method={method}", "train.seed=1", "device=cpu", *own, *more])


def calibration(folder: Path, count: int, distortion: float = 0.0) -> None:
    """The intrinsics of the scene's cameras, for posepipe.toml."""
    K = scene_cameras().K
    said = [f"[cam{camera}]\nmatrix = {K[camera].tolist()}\ndistortions = [{distortion}, 0.0, 0.0, 0.0]\n"
            for camera in range(count)]  # fmt: skip
    (folder / "calib.toml").write_text("\n".join(said))
    (folder / "posepipe.toml").write_text('calibration = "calib.toml"\nmoving = false\n')


def morph_file(folder: Path) -> Path:
    """A skeleton morph that moves joints a little."""
    torch.manual_seed(2)
    network = Morph(H36M17)
    with torch.no_grad():
        for parameter in network.layers[-1].parameters():
            parameter.mul_(0.2)
    MorphNetwork(network.state_dict(), "by hand", []).write(folder / "morph.pt")
    return folder / "morph.pt"


def arrays(folder: Path, *, R_and_t: bool = False, K: bool = False) -> Path:
    """A keypoint file of two takes of people who move, noise on all joints, some of them missing."""
    rig, rng = cameras(3), np.random.default_rng(0)
    pose = np.concatenate([athlete(np.arange(24) / 5, seed) for seed in (0, 1)])
    keypoint = rig.project(pose)
    keypoint += rng.normal(0, 0.5, keypoint.shape)
    keypoint[rng.random(keypoint.shape[:-1]) < 0.02] = np.nan
    known: dict[str, Any] = {"K": rig.K} if K else {}
    known |= {"R": rig.R, "t": rig.t} if R_and_t else {}
    path = folder / "arrays.npz"
    known |= {"take": np.repeat([0, 1], 24), "instant": np.tile(np.arange(24), 2), "rig": np.zeros(48, int)}
    names, sizes = np.array(H36M17.joints), np.full((3, 2), 1000)
    np.savez(path, keypoint=keypoint, joint_names=names, image_size=sizes, **known)
    return path


def video(folder: Path) -> Path:
    """Three calibrated cameras with distorted lenses, two people, sides exchanged, one clip longer than others."""
    take = folder / "run"
    for camera, instants in enumerate((range(FRAMES), range(4, FRAMES), range(FRAMES + 10))):
        film(take / f"cam{camera}.mp4", camera, instants)
    calibration(take, 3, 0.05)
    more = "detect.first_look_s=1.8", f"morph.network={morph_file(folder)}", "people.person=0"
    fit(take, out=folder / "out", settings=quick("canonpose", *more), exports=["npz"])
    return folder / "out"


def poses_of_cameras(folder: Path, *more: str, until: str = "samples") -> Path:
    """Files of 2D poses in the place of videos, of cameras whose places are given in mm."""
    take, rig = folder / "run", scene_cameras()
    take.mkdir()
    for camera in range(2):
        frames = [{"frame_id": frame, "instances": [{"keypoints": pose.tolist(), "keypoint_scores": [0.9] * 17}]}
                  for frame, pose in enumerate(seen(camera, range(FRAMES)))]  # fmt: skip
        (take / f"cam{camera}.json").write_text(json.dumps(frames))
    tables = [f"[cam{camera}]\nmatrix = {rig.K[camera].tolist()}\ntranslation = {(1000 * rig.t[camera]).tolist()}\n"
              f"rotation = {cv2.Rodrigues(rig.R[camera])[0].ravel().tolist()}\n" for camera in range(2)]  # fmt: skip
    (take / "calib.toml").write_text("\n".join(tables))
    (take / "posepipe.toml").write_text(f'moving = false\n[keypoints]\nrate_hz = {RATE}\nskeleton = "h36m17"\n')
    fit(take, out=folder / "out", settings=quick("canonpose", *more), until=until)
    return folder / "out"


def part(folder: Path) -> Path:
    """A part of such a take, whose offsets are found before it is cut."""
    return poses_of_cameras(folder, "from_s=0.5", "to_s=1.1", until="match")


def labelled_pictures(folder: Path) -> tuple[str, str]:
    """Settings that name two pictures with 2D labels."""
    (folder / "pictures").mkdir()
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [
        {"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]}  # fmt: skip
    for number in range(2):
        joints = np.random.default_rng(number).integers([30, 20], [170, 140], (17, 2))
        image = np.zeros((160, 200, 3), np.uint8)
        for x, y in joints.tolist():
            cv2.circle(image, (x, y), 5, (255, 255, 255), -1)
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), image)
        low, size = joints.min(0), np.ptp(joints, 0)
        labels = np.concatenate([joints, np.full((17, 1), 2)], 1).ravel().tolist()
        content["images"].append({"id": number, "file_name": f"{number}.png"})
        content["annotations"].append({"image_id": number, "category_id": 1, "keypoints": labels, "iscrowd": 0,
                                       "bbox": [*low.tolist(), *size.tolist()]})  # fmt: skip
    (folder / "labels.json").write_text(json.dumps(content))
    return f"train.labelled_images={folder / 'pictures'}", f"train.labelled_annotations={folder / 'labels.json'}"


def pictures(folder: Path, method: str, *more: str, until: str | None = None) -> Path:
    """Two calibrated cameras and a network of pictures."""
    take = folder / "run"
    for camera in range(2):
        film(take / f"cam{camera}.mp4", camera, range(6))
    calibration(take, 2)
    network = "train.backbone=resnet18", "train.head_width=16", "crop.size_px=64", "fuse.enabled=false"
    settings = quick(method, *network, "train.batch_size=2", "train.epochs=2", *more)
    fit(take, out=folder / "out", settings=settings, exports=["npz"], until=until)
    return folder / "out"


def iqbal(folder: Path) -> Path:
    """A network of pictures that learns from pictures with labels as well."""
    return pictures(folder, "iqbal", *labelled_pictures(folder))


def volumetric(folder: Path) -> Path:
    """EpipolarPose with the student that looks at pictures; what it lifts so early is left to chance."""
    return pictures(folder, "epipolarpose", "train.student=volumetric", "train.depth_bins=8", until="train")


def canonpose(folder: Path) -> Path:
    """Joints moved by a morph, and a refinement unit behind the method."""
    rig, pose = cameras(2, seed=5), people(40, 4)
    true = rig.see(pose)
    np.savez(folder / "true.npz", keypoint=rig.project(pose), joint_names=np.array(H36M17.joints),
             joint_3d_cam=true - true[..., :1, :])  # fmt: skip
    named = f"refine.reference={folder / 'true.npz'}", "refine.epochs=1", f"morph.network={morph_file(folder)}"
    fit(arrays(folder), out=folder / "out", settings=quick("canonpose", *named, "fuse.enabled=false"))
    return folder / "out"


def lifter(method: str, *more: str, K: bool = False, R_and_t: bool = False) -> Callable[[Path], Path]:
    """A fit of a keypoint file with a method."""

    def run(folder: Path) -> Path:
        path = arrays(folder, K=K, R_and_t=R_and_t)
        fit(path, out=folder / "out", settings=quick(method, "fuse.enabled=false", *more))
        return folder / "out"

    return run


CASES: dict[str, Callable[[Path], Path]] = {
    "video": video,
    "poses_of_cameras": poses_of_cameras,
    "canonpose": canonpose,
    "cvsf": lifter("cvsf", "keypoints.rate_hz=50"),
    "epipolarpose": lifter("epipolarpose", K=True),
    "li": lifter("li", K=True, R_and_t=True),
    "posepipe": lifter(
        "posepipe", "train.filmed=24", "train.min_steps=3", "train.epochs=2", "train.canonpose_epochs=20"
    ),
    "iqbal": iqbal,
    "volumetric": volumetric,
    "part": part,
}
"""The fits, by name. Where several reach a stage, the first one's result is the golden one."""


def run(case: str, folder: Path) -> Path:
    """The results folder of a case."""
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch, CrowdDetector() if case == "video" else FakeDetector())
        return CASES[case](folder)
