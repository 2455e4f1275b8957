"""Fusion as a stage: what it is given, what a kill costs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from known_samples import samples_of_two_takes
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import FusedPoses, Samples, ViewPoses
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.npz import read
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runs.export import export
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runtime.cache import Cache, Work
from posepipe.pipeline.settings import FuseSettings, Settings
from posepipe.pipeline.stages import fuse
from posepipe.pipeline.stages.fuse import fuse_views
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


def test_given_cameras_give_metres(tmp_path: Path) -> None:
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
    assert clip.people[0].pose.joint.shape == (len(clip.time), 17, 3)
    assert np.isfinite(clip.people[0].pose.joint).any()
    with np.load(path, allow_pickle=False) as file:
        views, frames = len(file["camera_names"]), len(file["time"])
        assert file["residual"].shape == (frames, views, 17)
        assert file["covariance"].shape == (frames, 17, 3, 3)
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
