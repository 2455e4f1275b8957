"""Calibrations are scaled to the pictures, or refused, and in metres whatever their unit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import RATE, detected, picture_size, scene_cameras
from posepipe.models.body.body import body_size
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.camera import check_focal
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.results import Fit
from posepipe.pipeline.runs.up_to_date import infer_request
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK

VIEWS = (0, 2)
"""Cameras of the scene that stand upright."""


def calibrated_take(folder: Path, *, size: float = 1, length: float = 1, said: str = "") -> Path:
    """2D poses of two cameras, and their calibration in ``calib.toml``.

    Args:
        size: of the pictures that the calibration is for, beside that of these.
        length: units of its lengths in a metre.
        said: at the beginning of ``posepipe.toml``.
    """
    rig, (width, height) = scene_cameras(), picture_size(0)
    tables = []
    for view in VIEWS:
        detected(folder / f"cam{view}.json", view)
        K, rotation = np.diag([size, size, 1]) @ rig.K[view], cv2.Rodrigues(rig.R[view])[0].ravel()
        tables.append(
            f"[cam{view}]\nsize = [{width * size}, {height * size}]\nmatrix = {K.tolist()}\n"
            f"rotation = {rotation.tolist()}\ntranslation = {(length * rig.t[view]).tolist()}\n"
        )
    (folder / "calib.toml").write_text("\n".join(tables))
    shown = f'rate_hz = {RATE}\nskeleton = "h36m17"\nimage_size_px = [{width}, {height}]'
    (folder / "posepipe.toml").write_text(f"{said}\n[keypoints]\n{shown}\n")
    return folder


def fitted(take: Path) -> Fit:
    own = ("fuse.enabled=true", "synchronize.offsets=stated", "sides.repair=false")
    return fit(take, settings=load_settings(overrides=[*QUICK, *own]), exports=["npz"])


def stature_m(done: Fit, take: str) -> float:
    with np.load(done.model.parent / "takes" / take / "poses_multiview.npz") as poses:
        assert str(poses["unit"]) == "m"
        assert np.nanmedian(poses["focal"]) == pytest.approx(scene_cameras().K[0, 0, 0], rel=0.01)
        joint = poses["joint"][:, : len(H36M17.joints)]
    return float(np.median(body_size(joint[np.isfinite(joint).all((1, 2))], H36M17)))


@pytest.mark.parametrize(
    ("name", "change"),
    [("half_size", {"size": 0.5}), ("mm", {"length": 1000.0}), ("cm_large", {"length": 100.0, "size": 3})],
)
def test_sizes_and_units_of_a_calibration_make_no_difference(name: str, change: dict, tmp_path: Path) -> None:
    done = fitted(calibrated_take(tmp_path / name, **change))
    assert 1.5 < stature_m(done, name) < 2
    converted = [each for each in done.warnings if "converted to metres" in each]
    assert len(converted) == ("length" in change)
    with np.load(done.results[0] / "poses.npz") as poses:
        assert ("scaled from" in str(poses["root_camera"])) == ("size" in change)
        assert "given in calib.toml" in str(poses["root_camera"])


def test_another_aspect_is_refused(tmp_path: Path) -> None:
    take = calibrated_take(tmp_path / "run")
    text = (take / "calib.toml").read_text()
    (take / "calib.toml").write_text(text.replace("size = [128, 160]", "size = [160, 160]"))
    with pytest.raises(
        PosepipeError, match=r"cam0.json: its calibration does not belong to it: it is for pictures of 160"
    ):
        fitted(take)


def test_focal_lengths_that_no_lens_has_are_refused(tmp_path: Path) -> None:
    take = calibrated_take(tmp_path / "run", said='calibration = ""\nmoving = false')
    said = (take / "posepipe.toml").read_text()
    for focal_px in (10.0, 1e7):
        check = r"a focal length of .* px is none of pictures of 128x160 px: give it in px, not in mm"
        with pytest.raises(PosepipeError, match=check):
            check_focal(focal_px, picture_size(0))
        (take / "posepipe.toml").write_text(f"focal_px = {focal_px}\n{said}")
        with pytest.raises(PosepipeError, match=f"cam0.json: {check}"):
            fitted(take)
    for focal_px in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(PosepipeError, match=r"a focal length of .* px cannot be"):
            infer_request(take / "cam0.json", take / "model.pt", focal_px=focal_px)
