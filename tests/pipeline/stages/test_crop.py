"""Crops show the person where they say, only if a method needs them, and a fit of pictures runs end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from footage import RATE, FakeDetector, a_track, film, film_take, scene_cameras, seen
from posepipe.models import METHODS
from posepipe.models.method import Prediction, View
from posepipe.models.methods.epipolarpose import EpipolarPose
from posepipe.models.methods.iqbal import Iqbal
from posepipe.models.networks import pose_cnn
from posepipe.models.networks.pose_cnn import Pose25D, PoseCNN
from posepipe.pipeline.arrays import Crops, Frames, Pieces, Samples, Track
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.video import probe, probe_clip, read_frames
from posepipe.pipeline.footage.video.cropping import crop_square
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runtime.cache import Cache, SourceFile, Work, read_manifest
from posepipe.pipeline.settings import CropSettings, Settings, load_settings
from posepipe.pipeline.stages.crop import crop_people
from posepipe.pipeline.training.batches import SampleCrops
from posepipe.pipeline.training.checkpoint import Checkpoint

FRAMES = 24
SMALL = CropSettings(size_px=64, chunk_frames=10)


class SurePictures(Iqbal):
    """The method of Iqbal et al. for trainings of a few steps: joints apart, depths small, sure of its handedness."""

    def lift(self, read: Pose25D, K: torch.Tensor, crop_from_image: torch.Tensor) -> Any:
        """What it lifts, but for joints in one place or of depths beyond reason."""
        apart = torch.arange(read.depth.shape[1])[:, None] / 2
        return super().lift(Pose25D(read.point + apart, 0.1 * read.depth.tanh(), read.confidence), K, crop_from_image)

    def predict(self, view: View) -> Prediction:
        """What it predicts, with another parity."""
        predicted = super().predict(view)
        return replace(predicted, parity=torch.ones_like(predicted.parity))


class SureStudent(EpipolarPose):
    """EpipolarPose for trainings of a few steps: sure of its handedness."""

    def predict(self, view: View) -> Prediction:
        """What it predicts, with another parity."""
        predicted = super().predict(view)
        return replace(predicted, parity=torch.ones_like(predicted.parity))


METHODS["sure_pictures"] = f"{__name__}:SurePictures"
METHODS["sure_student"] = f"{__name__}:SureStudent"


def quick(*overrides: str) -> Settings:
    return load_settings(
        overrides=(
            "train.method=sure_pictures", "train.backbone=resnet18", "train.head_width=16", "train.epochs=1",
            "train.heatmap_epochs=1", "train.min_steps=6", "train.batch_size=2", "train.learning_rate=2e-3",
            "crop.size_px=64", "device=cpu", *overrides,
        )
    )  # fmt: skip


def write_calibration(folder: Path, count: int) -> None:
    """The scene's intrinsics, for posepipe.toml."""
    K = scene_cameras().K
    cameras = [f"[cam{camera}]\nmatrix = {K[camera].tolist()}\n" for camera in range(count)]
    (folder / "calib.toml").write_text("\n".join(cameras))
    (folder / "posepipe.toml").write_text('calibration = "calib.toml"\nmoving = false\n')


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> SourceFile:
    return SourceFile(film(tmp_path_factory.mktemp("clip") / "clip.mp4", 1, range(FRAMES)), "clip")


@pytest.fixture(scope="module")
def frames(clip: SourceFile) -> Frames:
    return probe_clip(clip)


@pytest.fixture
def track() -> Track:
    """The athlete of the clip, unseen in three frames."""
    keypoint = seen(1, range(FRAMES))
    box = np.concatenate([keypoint.min(1), keypoint.max(1)], -1)
    box[[0, 11, 12]] = np.nan
    return replace(a_track(keypoint, np.arange(FRAMES) / RATE), box=box)


# One picture


def test_a_crop_shows_the_box_in_its_middle() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[60:120, 100:130] = (10, 20, 200)  # BGR
    crop, map_ = crop_square(image, np.array([100, 60, 130, 120.0]), 64, 0.75)
    assert crop.shape == (64, 64, 3) and crop.dtype == np.uint8
    red = crop[..., 0] > 100
    assert abs(red.any(1).sum() - 48) <= 1 and abs(red.any(0).sum() - 24) <= 1
    assert crop[32, 32].tolist() == [200, 20, 10]  # RGB
    corners = np.array([[99.5, 59.5, 1], [129.5, 119.5, 1]]) @ map_.T
    np.testing.assert_allclose(corners, [[19.5, 7.5], [43.5, 55.5]], atol=0.5)


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize(
    "box", [[40, 30, 80, 110], [-30, -20, 60, 70], [150, 120, 260, 190], [61.3, 40.7, 90.1, 99.9]]
)
def test_points_land_where_the_map_says(box: list[float], size: int) -> None:
    x, y = max(box[0], 0) + 20.0, max(box[1], 0) + 25.0
    rows, columns = np.mgrid[:160, :200]
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4.0**2))
    image = np.repeat((255 * spot).astype(np.uint8)[..., None], 3, -1)
    crop, map_ = crop_square(image, np.array(box), size, 0.75)
    bright = crop[..., 0].astype(float)
    rows, columns = np.mgrid[:size, :size]
    found = [(bright * columns).sum() / bright.sum(), (bright * rows).sum() / bright.sum()]
    np.testing.assert_allclose(found, map_ @ [x, y, 1], atol=0.1 * max(1, size / 100))


def test_a_box_outside_the_image_is_black() -> None:
    crop, _ = crop_square(np.full((50, 50, 3), 255, np.uint8), np.array([100, 100, 120, 140.0]), 32, 0.75)
    assert not crop.any()


# The stage


def test_every_frame_with_a_box_has_a_crop(clip: SourceFile, frames: Frames, track: Track, tmp_path: Path) -> None:
    crops = Cache(tmp_path).run(crop_people, clip, frames, track, settings=SMALL)
    assert isinstance(crops.picture, np.memmap)
    assert crops.picture.shape == (FRAMES - 3, 64, 64, 3)
    assert crops.frame.tolist() == [frame for frame in range(FRAMES) if frame not in (0, 11, 12)]
    for frame, (_, image) in enumerate(read_frames(clip.path, probe(clip.path))):
        if frame in crops.frame:
            expected, map_ = crop_square(image, track.box[frame], 64, 0.75)
            picture, stored = crops.at(np.array([frame]))
            np.testing.assert_array_equal(picture[0], expected)
            np.testing.assert_array_equal(stored[0], map_)
    inside = np.einsum(
        "fij,fkj->fki",
        crops.crop_from_image,
        np.pad(seen(1, crops.frame), [(0, 0)] * 2 + [(0, 1)], constant_values=1),
    )
    assert inside.min() > 0.1 * 64 and inside.max() < 0.9 * 64  # 75 % of it
    np.testing.assert_allclose(np.ptp(inside, axis=1).max(-1), 0.75 * 64, rtol=0.05)


def test_frames_without_a_crop_are_black(clip: SourceFile, frames: Frames, track: Track, tmp_path: Path) -> None:
    crops = Cache(tmp_path).run(crop_people, clip, frames, track, settings=SMALL)
    picture, map_ = crops.at(np.array([11, 5, -1, 12, 23]))
    assert picture.any((1, 2, 3)).tolist() == [False, True, False, False, True]
    np.testing.assert_array_equal(map_[2], np.eye(2, 3))


def test_a_killed_stage_goes_on_and_gives_the_same(
    clip: SourceFile, frames: Frames, track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Cache(tmp_path / "whole").run(crop_people, clip, frames, track, settings=SMALL)
    other_chunks = Cache(tmp_path / "chunks").run(
        crop_people, clip, frames, track, settings=SMALL.model_copy(update={"chunk_frames": 4})
    )
    keep, kept = Work.keep, []

    def dying(work: Work, part: Any, **said: Any) -> None:
        if len(kept) == 1:
            raise KeyboardInterrupt
        kept.append(part)
        keep(work, part, **said)

    cut = Cache(tmp_path / "cut")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Work, "keep", dying)
        cut.run(crop_people, clip, frames, track, settings=SMALL)
    assert len(list((tmp_path / "cut" / "crop_people").glob("*.parts/*"))) == 1
    resumed = cut.run(crop_people, clip, frames, track, settings=SMALL)
    for other in (resumed, other_chunks):
        for field in ("picture", "crop_from_image", "frame"):
            np.testing.assert_array_equal(getattr(other, field), getattr(whole, field))
    assert not list((tmp_path / "cut").rglob("*.parts"))


def test_pieces_are_saved_as_one_array(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 255, (7, 4, 4, 3), np.uint8)
    maps, frame = np.zeros((7, 2, 3), np.float32), np.arange(7, dtype=np.int32)
    Crops(Pieces([whole[:3], whole[3:4], whole[4:]]), maps, frame).save(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "picture.npy"), whole)
    with pytest.raises(ValueError, match="has 7 along 'crop'; expected 6 as in picture"):
        Crops(Pieces([whole[:2], whole[2:6]]), maps, frame)


# Samples


def some_crops(value: int, frames: list[int]) -> Crops:
    picture = np.full((len(frames), 4, 4, 3), value, np.uint8) + np.array(frames, np.uint8)[:, None, None, None]
    maps = np.full((len(frames), 2, 3), value, np.float32)
    return Crops(picture, maps, np.array(frames, np.int32))


def test_samples_find_their_crops() -> None:
    confidence = np.ones((4, 2, 17), np.float32)
    confidence[1, 1] = 0
    samples = Samples(
        keypoint=np.zeros((4, 2, 17, 2), np.float32),
        confidence=confidence,
        instant=np.array([0, 1, 0, 1]),
        take=np.array([0, 0, 1, 1]),
        rig=np.zeros(4, np.int64),
        K=None, R=None, t=None,
        skeleton="h36m17",
        takes=["a", "b"],
        frame=np.array([[0, 1], [1, 2], [0, 0], [3, -1]], np.int32),
    )  # fmt: skip
    crops = [[some_crops(10, [0, 1, 2]), some_crops(50, [0, 1, 2])], [some_crops(100, [0, 3]), some_crops(150, [0])]]
    pictures = SampleCrops(samples, crops)
    sample, view = np.array([0, 0, 1, 1, 2, 2, 3, 3]), np.array([0, 1] * 4)
    picture, maps = pictures.pick(sample, view)
    assert picture[:, 0, 0, 0].tolist() == [10, 51, 11, 0, 100, 150, 103, 0]
    assert maps[:, 0, 0].tolist() == [10, 50, 10, 1, 100, 150, 100, 1]
    with pytest.raises(ValueError, match="do not come from videos"):
        SampleCrops(replace(samples, frame=None), crops)


# Fit and infer


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ResNet-18 of an eighth of the width."""
    config = {"type": "ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8}
    monkeypatch.setitem(pose_cnn._CONFIGS, "resnet18", (config, 64, 32))


def test_a_fit_of_pictures_runs_end_to_end(tiny: None, detector: FakeDetector, tmp_path: Path) -> None:
    take = film_take(tmp_path / "run", 2, range(12))
    write_calibration(take, 2)
    backbone = tmp_path / "backbone.pth"
    torch.manual_seed(5)
    torch.save({"state_dict": PoseCNN("resnet18", 1).state_dict()}, backbone)
    settings = quick(f"train.backbone_weights={backbone}")
    done = fit(take, settings=settings, exports=["npz"])
    cache = done.folder / "cache"
    assert len(list((cache / "crop_people").iterdir())) == 2
    assert read_manifest(next((cache / "crop_people").iterdir()))["settings"]["size_px"] == 64
    with np.load(done.results[0] / "poses.npz") as poses:
        assert poses["joint"].shape == (12, 21, 3)
        assert np.isfinite(poses["joint"]).any()
    clip = film(tmp_path / "new" / "new.mp4", 2, range(30, 36))
    looked_at = detector.looked_at
    with pytest.raises(PosepipeError, match=r"needs the camera's intrinsics: .* with --focal"):
        infer(clip, model=done.model)
    assert detector.looked_at == looked_at and not clip.with_name("new_posepipe").exists(), "said first"
    made = infer(clip, model=done.model, exports=["npz"], focal_px=float(scene_cameras().K[0, 0, 0]))
    assert made.pose.joint.shape == (6, 21, 3)
    assert next((made.folder / "cache" / "crop_people").iterdir())
    with pytest.raises(PosepipeError, match="look at pictures"):
        np.savez(tmp_path / "poses.npz", keypoint=np.zeros((3, 2, 17, 2)))
        infer(tmp_path / "poses.npz", model=done.model)


def test_an_interrupted_training_on_pictures_ends_with_the_same_bits(
    tiny: None, detector: FakeDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = film_take(tmp_path / "run", 2, range(8))
    write_calibration(take, 2)
    whole = fit(take, out=tmp_path / "whole", settings=quick("train.min_steps=2"), until="train")
    keep = Work.keep

    def dying(work: Work, part: Any, **said: Any) -> None:
        keep(work, part, **said)
        if isinstance(part, Checkpoint):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Work, "keep", dying)
        fit(take, out=tmp_path / "cut", settings=quick("train.min_steps=2"), until="train")
    cut = fit(take, out=tmp_path / "cut", settings=quick("train.min_steps=2"), until="train")
    assert (cut.folder / "model.pt").read_bytes() == (whole.folder / "model.pt").read_bytes()


def test_a_student_of_pictures_runs_end_to_end(tiny: None, detector: FakeDetector, tmp_path: Path) -> None:
    take = film_take(tmp_path / "run", 3, range(12))
    write_calibration(take, 3)
    chosen = ("method=sure_student", "student=volumetric", "backbone=resnet18", "head_width=16", "depth_bins=16",
              "epochs=2", "min_steps=3")  # fmt: skip
    settings = load_settings(overrides=[*(f"train.{name}" for name in chosen), "crop.size_px=64", "device=cpu"])
    done = fit(take, settings=settings, exports=["npz"])
    with np.load(done.results[0] / "poses.npz") as poses:
        assert np.isfinite(poses["joint"][:, :17]).all()
    clip = film(tmp_path / "new" / "new.mp4", 2, range(30, 36))
    assert np.isfinite(infer(clip, model=done.model, exports=["npz"]).pose.body.joint).all()  # without a focal length


def test_a_focal_length_may_be_assumed(tiny: None, detector: FakeDetector, tmp_path: Path, caplog: Any) -> None:
    take = film_take(tmp_path / "run", 3, range(12))
    (take / "posepipe.toml").write_text("moving = false\n")
    focal = float(scene_cameras().K[0, 0, 0])
    chosen = (f"calibrate.focal_px={focal}", "calibrate.refine_focal=false", "train.min_steps=2")
    done = fit(take, settings=quick(*chosen), exports=["npz"])
    assert any("assumed" in warning for warning in done.warnings)
    with np.load(done.results[0] / "poses.npz") as poses:
        assert np.isfinite(poses["joint"]).any()


def test_what_pictures_need_is_said_first(detector: FakeDetector, tmp_path: Path) -> None:
    take = film_take(tmp_path / "run", 2, range(3))
    with pytest.raises(PosepipeError, match="needs intrinsics"):
        fit(take, settings=quick())
    write_calibration(take, 2)
    with pytest.raises(PosepipeError, match=r"train\.backbone_weights names .*nothing\.pth"):
        fit(take, settings=quick("train.backbone_weights=nothing.pth"))
    assert detector.looked_at == 0


def test_other_methods_store_no_crops(finished: Any) -> None:
    assert not (finished.out / "cache" / "crop_people").exists()
    assert "crop" not in torch.load(finished.out / "model.pt", weights_only=True)["recipe"]
