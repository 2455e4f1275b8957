"""Fusion as a stage: what it is given, what a kill costs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from footage import RATE, athlete
from known_samples import samples_of_two_takes
from known_scene import Cameras, cameras, people
from posepipe.models.geometry.lens import bend_points
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import FusedPoses, Samples, ViewPoses
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.npz import read
from posepipe.pipeline.footage.camera import Camera, Lens
from posepipe.pipeline.runs.export import export
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runtime.cache import Cache, Work
from posepipe.pipeline.settings import FuseSettings, Settings
from posepipe.pipeline.stages import fuse
from posepipe.pipeline.stages.fuse import fuse_views
from posepipe.pipeline.stages.samples import undistort_samples
from quick_fit import Fitted

TAKES, INSTANTS, VIEWS = 2, 15, 3
SIZES = [[[1000, 1400], [1400, 1000], [1200, 900]], [[1400, 1000], [900, 1200], [1000, 1400]]]
"""Width and height (px) of pictures that stand and that lie."""
PICTURES = [[Camera.of_pictures(size) for size in take] for take in SIZES]


def middles(samples: Samples) -> np.ndarray:
    """Where the pictures (S, V, 2) have their middle."""
    return np.array(SIZES)[samples.take] / 2


def scene() -> tuple[Samples, ViewPoses, np.ndarray]:
    """Two takes of the known scene, what a lifter would make of their views, and the true joints in metres."""
    rig, count = cameras(VIEWS), TAKES * INSTANTS
    joint = people(count)
    seen = np.einsum("vab,tjb->tvja", rig.R, joint - joint[:, :1]) / 1.7
    samples = samples_of_two_takes(rig.project(joint), np.full((count, VIEWS, 17), 0.9), step=3)
    samples.keypoint[...] += (middles(samples) - 500)[:, :, None]
    lifted = ViewPoses(
        joint=(seen + np.random.default_rng(0).normal(scale=0.02, size=seen.shape)).astype(np.float32),
        canonical=seen.astype(np.float32),
        camera_from_canonical=np.broadcast_to(rig.R, (count, VIEWS, 3, 3)).astype(np.float32),
        confidence=samples.confidence,
        take=samples.take,
        instant=samples.instant,
        skeleton=H36M17.name,
        unit="body heights",
        takes=samples.takes,
    )
    return samples, lifted, joint


def in_known_cameras(samples: Samples, turn: np.ndarray | None = None) -> Samples:
    """The samples with all that can be known of their cameras, in a world that may be turned."""
    rig, turn = cameras(VIEWS), np.eye(3) if turn is None else turn
    K = np.tile(rig.K, (len(samples.instant), 1, 1, 1))
    K[..., :2, 2] = middles(samples)
    R, t = (np.broadcast_to(array, (len(K), *array.shape)).astype(np.float32) for array in (rig.R @ turn.T, rig.t))
    return replace(samples, K=K.astype(np.float32), R=R, t=t)


def off_mm(found: FusedPoses, joint: np.ndarray, metres_per_unit: float | None = None) -> float:
    """Mean distance of the poses in camera axes from the true ones, with one scale."""
    true = np.einsum("vab,tjb->tvja", cameras(VIEWS).R, joint - joint[:, :1])
    pose = found.joint_in_camera
    scale = metres_per_unit or (pose * true).sum() / np.square(pose).sum()
    return float(np.linalg.norm(scale * pose - true, axis=-1).mean()) * 1000


def test_takes_are_fused_in_the_axes_of_their_first_cameras(tmp_path: Path) -> None:
    samples, lifted, joint = scene()
    found = fuse_views(samples, lifted, PICTURES, work=Work(tmp_path))
    assert off_mm(found, joint) < 25
    assert found.camera_from_rig[::INSTANTS, 0] == pytest.approx(np.tile(np.eye(3), (TAKES, 1, 1)), abs=1e-5)
    assert found.unit == "body heights"
    assert found.trusted.mean() > 0.95
    np.testing.assert_array_equal(found.take, samples.take)
    camera = np.einsum("svab,sjb->svja", found.camera_from_rig, found.joint) + found.root[:, :, None]
    image = found.focal[..., None, None] * camera[..., :2] / camera[..., 2:] + middles(samples)[:, :, None]
    distance = np.linalg.norm(image - samples.keypoint, axis=-1)
    np.testing.assert_allclose(distance, found.residual, atol=0.05)


def test_given_picturesgive_metres(tmp_path: Path) -> None:
    samples, lifted, joint = scene()
    rig, known = cameras(VIEWS), in_known_cameras(samples)
    found = fuse_views(known, lifted, PICTURES, work=Work(tmp_path))
    assert (found.unit, found.cameras) == ("m", "all")
    assert off_mm(found, joint, metres_per_unit=1.0) < 20
    assert found.root[:, :, 2] == pytest.approx(rig.see(joint)[:, :, 0, 2], rel=0.02)
    of_focal = fuse_views(replace(known, R=None, t=None), lifted, PICTURES, work=Work(tmp_path / "focal"))
    assert of_focal.cameras == "focal"
    assert of_focal.focal == pytest.approx(1200.0, rel=1e-4)
    assert off_mm(of_focal, joint) < 20


def test_results_do_not_depend_on_the_axes_of_the_world(tmp_path: Path) -> None:
    """Poses and their covariances are in the axes of the first camera, so that turning the world changes nothing."""
    samples, lifted, _ = scene()
    turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]])
    one = fuse_views(in_known_cameras(samples), lifted, PICTURES, work=Work(tmp_path / "one"))
    other = fuse_views(in_known_cameras(samples, turn), lifted, PICTURES, work=Work(tmp_path / "other"))
    np.testing.assert_allclose(other.joint, one.joint, atol=2e-3)
    covariance, turned = one.covariance[:, 1:], other.covariance[:, 1:]  # the root itself is sure
    size = np.abs(covariance).max((-1, -2), keepdims=True)
    np.testing.assert_allclose(turned / size, covariance / size, atol=0.05)
    assert (np.linalg.eigvalsh(covariance) > 0).all()


def filmed(
    samples: Samples, rig: Cameras, joint: np.ndarray, views: tuple[int, ...], noise_px: float
) -> tuple[Samples, ViewPoses]:
    """Samples of some calibrated cameras of a rig, all in one take, with noise; nothing was lifted."""
    count, shape = len(joint), (len(joint), len(views), 17)
    rng = np.random.default_rng(1)
    keypoint = rig.project(joint)[:, list(views)] + rng.normal(0, noise_px, (*shape, 2))
    tile = {name: np.broadcast_to(getattr(rig, name)[list(views)], (count, len(views), *getattr(rig, name).shape[1:]))
            for name in ("K", "R", "t")}  # fmt: skip
    one = replace(
        samples,
        keypoint=keypoint.astype(np.float32),
        confidence=np.full(shape, 0.9, np.float32),
        instant=np.arange(count),
        take=np.zeros(count, int),
        rig=np.zeros(count, int),
        time=np.arange(count) / RATE,
        takes=["only"],
        **{name: array.astype(np.float32) for name, array in tile.items()},
    )
    lifted = np.zeros((*shape, 3), np.float32)
    turn = np.zeros((*shape[:2], 3, 3), np.float32)
    return one, ViewPoses(lifted, lifted, turn, one.confidence, one.take, one.instant, H36M17.name, "m", ["only"])


def opposite(angle_deg: float) -> Cameras:
    """Two cameras at the same height, at an angle as seen from the athlete."""
    angles = np.radians([0.0, angle_deg])
    zero, one = np.zeros(2), np.ones(2)
    forward = -np.stack([np.cos(angles), np.sin(angles), zero], -1)
    down = np.stack([zero, zero, -one], -1)
    R = np.stack([np.cross(down, forward), down, forward], 1)
    return replace(cameras(2), R=R, t=np.tile([0.0, 0.0, 3.3], (2, 1)))


@pytest.mark.parametrize("angle_deg", [20.0, 60.0, 140.0, 165.0, 178.0])
def test_two_calibrated_picturesgive_a_body_wherever_they_stand(tmp_path: Path, angle_deg: float) -> None:
    """Rays that are nearly one line, or wrong, meet far away or behind a camera; no joint starts or ends there."""
    rig, joint = opposite(angle_deg), athlete(np.arange(50) / RATE)
    samples, lifted = filmed(scene()[0], rig, joint, (0, 1), noise_px=6.0)
    swapped = samples.keypoint[20:26, 1][:, H36M17.mirror]
    samples.keypoint[20:26, 1] = swapped
    samples.confidence[::7, 0, 13] = 0
    samples.keypoint[30:34, 0, 9] += 150
    found = fuse_views(samples, lifted, [[Camera()] * 2], work=Work(tmp_path))
    bones = H36M17.bone_indices
    length = np.linalg.norm(found.joint[:, bones[:, 0]] - found.joint[:, bones[:, 1]], axis=-1)
    true = np.linalg.norm(joint[:, bones[:, 0]] - joint[:, bones[:, 1]], axis=-1)
    assert length.max() < 1.25 * true.max()
    seen = rig.see(joint)[:, 0]
    off = np.linalg.norm(found.joint_in_camera[:, 0] + found.root[:, 0, None] - seen, axis=-1)
    assert np.median(off) < (0.2 if angle_deg > 170 or angle_deg < 30 else 0.06)


SOMEBODY_ELSE = athlete(20 + 1.4 * np.arange(50) / RATE, 5) + np.array([0.5, 0.3, 0])


@pytest.mark.parametrize("wrong", [0, 2])
def test_a_calibrated_camera_that_films_somebody_else_is_left_out(tmp_path: Path, wrong: int) -> None:
    rig, joint = cameras(4), athlete(np.arange(50) / RATE)
    samples, lifted = filmed(scene()[0], rig, joint, (0, 1, 2, 3), noise_px=3.0)
    samples.keypoint[:, wrong] = rig.project(SOMEBODY_ELSE)[:, wrong]
    alone = replace(samples, confidence=np.where(np.arange(4)[:, None] == wrong, 0, samples.confidence))
    found = fuse_views(samples, lifted, [[Camera()] * 4], work=Work(tmp_path / "all"))
    without = fuse_views(alone, lifted, [[Camera()] * 4], work=Work(tmp_path / "without"))
    assert np.isfinite(found.root).all((0, 2)).tolist() == [view != wrong for view in range(4)]
    np.testing.assert_array_equal(found.joint, without.joint)


def test_a_camera_with_many_outliers_stays(tmp_path: Path) -> None:
    rig, joint = cameras(4), athlete(np.arange(50) / RATE)
    samples, lifted = filmed(scene()[0], rig, joint, (0, 1, 2, 3), noise_px=3.0)
    rng = np.random.default_rng(0)
    samples.keypoint[:, 3] += np.where(rng.random((50, 17, 1)) < 0.3, rng.normal(0, 100, (50, 17, 2)), 0)
    found = fuse_views(samples, lifted, [[Camera()] * 4], work=Work(tmp_path))
    assert np.isfinite(found.root).all()
    assert off_mm_of_all(found, rig.R[0], joint) < 20


def off_mm_of_all(found: FusedPoses, R: np.ndarray, joint: np.ndarray) -> float:
    """Mean distance (mm) of the poses in the first camera's axes from the true ones."""
    return float(np.linalg.norm(found.joint - (joint - joint[:, :1]) @ R.T, axis=-1).mean()) * 1000


def test_two_picturesthat_agree_on_nobody_are_refused(tmp_path: Path) -> None:
    rig, joint = cameras(4), athlete(np.arange(50) / RATE)
    samples, lifted = filmed(scene()[0], rig, joint, (0, 1), noise_px=3.0)
    samples.keypoint[:, 1] = rig.project(SOMEBODY_ELSE)[:, 1]
    with pytest.raises(PosepipeError, match="no two cameras of take only agree on the person"):
        fuse_views(samples, lifted, [[Camera()] * 2], work=Work(tmp_path))


WIDE_PX = 0.4775 * 1000
"""Focal length of an equidistant lens that sees 120 degrees along 1000 px."""


def film_wide(joint: np.ndarray) -> tuple[Cameras, np.ndarray]:
    """Four cameras near a person, and what fisheye lenses of 120 degrees show (T, V, J, 2) px, with noise."""
    rig = cameras(4, distance_m=3.2)
    K = np.array([[WIDE_PX, 0, 500], [0, WIDE_PX, 500], [0, 0, 1]])
    seen = rig.see(joint)
    flat = (seen[..., :2] / seen[..., 2:]).reshape(1, -1, 2)
    image = cv2.fisheye.distortPoints(flat, K, np.zeros(4)).reshape(*seen.shape[:-1], 2)
    noisy = image + np.random.default_rng(2).normal(0, 2.0, image.shape)
    return replace(rig, K=np.tile(K, (4, 1, 1))), noisy


def walk() -> np.ndarray:
    """A person (T, 17, 3) who walks through most of the pictures."""
    time = np.arange(96) / RATE
    return athlete(time) + np.stack([1.6 * np.sin(1.1 * time), 1.4 * np.cos(0.9 * time), 0 * time], -1)[:, None]


def test_fisheyes_as_calibrated_are_used(tmp_path: Path) -> None:
    joint = walk()
    rig, image = film_wide(joint)
    samples, lifted = filmed(scene()[0], rig, joint, (0, 1, 2, 3), noise_px=0)
    samples.keypoint[...] = image
    lenses = [[Camera.given(K, np.zeros(4), R, t, "fisheye") for K, R, t in zip(rig.K, rig.R, rig.t, strict=True)]]
    free = undistort_samples(samples, lenses)
    found = fuse_views(free, lifted, lenses, work=Work(tmp_path))
    assert off_mm_of_all(found, rig.R[0], joint) < 15
    as_pinholes = fuse_views(samples, lifted, lenses, work=Work(tmp_path / "pinholes"))
    assert off_mm_of_all(as_pinholes, rig.R[0], joint) > 30


@pytest.mark.parametrize("lens", ["pinhole", "wide"])
def test_wide_lenses_of_which_nothing_is_known_are_found(tmp_path: Path, lens: Lens) -> None:
    joint = walk()
    rig, image = film_wide(joint)
    samples, lifted = filmed(scene()[0], rig, joint, (0, 1, 2, 3), noise_px=0)
    samples.keypoint[...] = image
    lifted.joint[...] = np.einsum("vab,tjb->tvja", rig.R, joint - joint[:, :1]) / 1.7
    unknown = replace(samples, K=None, R=None, t=None)
    pictures = [[Camera.of_pictures((1000, 1000), lens)] * 4]
    found = fuse_views(unknown, lifted, pictures, work=Work(tmp_path))
    assert found.bend * WIDE_PX**2 == pytest.approx(-0.36, rel=0.2)
    camera = found.joint_in_camera + found.root[:, :, None]
    shown = bend_points(found.focal[..., None, None] * camera[..., :2] / camera[..., 2:], found.bend) + 500
    np.testing.assert_allclose(np.linalg.norm(shown - samples.keypoint, axis=-1), found.residual, atol=0.05)
    assert np.median(found.residual) < 4
    scale = np.linalg.norm(joint - joint[:, :1], axis=-1).sum() / np.linalg.norm(found.joint, axis=-1).sum()
    assert off_mm_of_all(replace(found, joint=found.joint * np.float32(scale)), rig.R[0], joint) < 60


def test_a_kill_costs_one_take_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, lifted, _ = scene()
    whole = Cache(tmp_path / "whole").run(fuse_views, samples, lifted, PICTURES)
    honest, calls = fuse.find_athlete, []

    def killed(*given: object) -> object:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(fuse, "find_athlete", killed)
    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path / "killed").run(fuse_views, samples, lifted, PICTURES)
    resumed = Cache(tmp_path / "killed").run(fuse_views, samples, lifted, PICTURES)
    assert len(calls) == 3  # the first take was kept
    for name in ("joint", "covariance", "camera_from_rig", "residual"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))


def test_instants_and_views_that_show_nothing(tmp_path: Path) -> None:
    samples, lifted, _ = scene()
    samples.confidence[3] = 0
    samples.confidence[:INSTANTS, 2] = 0
    lifted.joint[samples.confidence.max(-1) == 0] = np.nan
    found = fuse_views(samples, lifted, PICTURES, work=Work(tmp_path))
    assert np.isfinite(found.joint).all()
    assert not found.trusted[3].any()
    assert np.isnan(found.camera_from_rig[:INSTANTS, 2]).all()


def test_what_was_never_lifted_is_refused(tmp_path: Path) -> None:
    samples, lifted, _ = scene()
    lifted.joint[INSTANTS:] = np.nan
    with pytest.raises(PosepipeError, match="no view of take second was lifted to 3D"):
        fuse_views(samples, lifted, PICTURES, work=Work(tmp_path))


def test_fit_writes_a_file_per_take_that_is_like_any_poses(fitted: Fitted, quick: Settings, tmp_path: Path) -> None:
    settings = quick.model_copy(update={"fuse": FuseSettings()})
    fit(fitted.footage, out=fitted.out, settings=settings)
    path = fitted.out / "takes" / fitted.footage.name / "poses_multiview.npz"
    page = path.with_name("view_multiview.html").read_text(encoding="utf-8")
    assert "3D motion from all cameras together" in page
    report = (fitted.out / "report.html").read_text(encoding="utf-8")
    assert f"{quote(fitted.footage.name)}/view_multiview.html" in report
    clip = read([path])
    assert clip.people[0].pose.joint.shape == (len(clip.time), 21, 3)
    assert np.isfinite(clip.people[0].pose.joint).any()
    with np.load(path, allow_pickle=False) as file:
        views, frames = len(file["camera_names"]), len(file["time"])
        assert file["residual"].shape == (frames, views, 21)
        assert file["covariance"].shape == (frames, 21, 3, 3)
        assert file["root"].item().startswith("root-relative")
    written = export(path, ["trc", "c3d"], tmp_path / "more")
    assert {file.name for file in written} == {"poses_multiview.trc", "poses_multiview.c3d"}
    assert "Off the skeleton of all views" in report
    path.with_name("poses_multiview.csv").unlink()
    assert not fit(fitted.footage, out=fitted.out, settings=settings).nothing_to_do
    assert path.with_name("poses_multiview.csv").exists()
    assert fit(fitted.footage, out=fitted.out, settings=settings).nothing_to_do


def test_samples_follow_each_other_in_the_usual_step_of_a_take() -> None:
    take = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    instant = np.array([0, 2, 4, 5, 7, 0, 2, 4, 8])
    assert fuse._regular(take, instant).tolist() == [True, False, False, False, False, True, False]
    assert fuse._regular(np.arange(4), np.zeros(4, int)).tolist() == [False, False]
