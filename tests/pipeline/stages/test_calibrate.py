"""Calibration: what is given passes, static rigs come from joints, and what cannot be found is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from known_scene import Cameras, cameras, people
from posepipe.models.body.body import MEAN_BONE_M
from posepipe.models.geometry.lens import distort
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Samples
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.settings import CalibrateSettings
from posepipe.pipeline.stages.calibrate import calibrate, describe_rig, person_size
from posepipe.pipeline.stages.samples import undistort_samples

INSTANTS = 40
SIZES = [
    [[1000, 1400], [1400, 1000], [1000, 1400], [1280, 960]],
    [[1400, 1000], [1000, 1400], [960, 1280], [1000, 1000]],
]
PICTURES = [[Camera.of_pictures(size) for size in take] for take in SIZES]
"""Width and height (px) of pictures that stand and that lie, of two rigs."""
JOINTS = CalibrateSettings(extrinsics="joints")


def walkers(count: int, seed: int) -> np.ndarray:
    """People (N, J, 3) who walk about."""
    place = np.random.default_rng(seed).uniform(-1.2, 1.2, (count, 1, 3)) * [1, 1, 0]
    return people(count, seed) + place


def two_rigs(noise_px: float = 0.0) -> tuple[Samples, list[Cameras], np.ndarray]:
    """Samples of two takes by two rigs, the rigs, and the people (S, J, 3)."""
    rigs = [cameras(4, seed) for seed in (0, 1)]
    world = [walkers(INSTANTS, seed) for seed in (0, 1)]
    keypoint = np.concatenate([rig.project(points) for rig, points in zip(rigs, world, strict=True)])
    keypoint += np.random.default_rng(0).normal(0, noise_px, keypoint.shape)
    take = np.repeat([0, 1], INSTANTS)

    def each(field: str) -> np.ndarray:
        return np.stack([getattr(rigs[index], field) for index in take]).astype(np.float32)

    samples = Samples(
        keypoint=keypoint.astype(np.float32),
        confidence=np.full(keypoint.shape[:-1], 0.9, np.float32),
        instant=np.tile(np.arange(INSTANTS), 2),
        take=take,
        rig=take.copy(),
        K=each("K"),
        R=each("R"),
        t=each("t"),
        skeleton="h36m17",
        takes=["first", "second"],
    )
    return samples, rigs, np.concatenate(world)


def in_the_middle(samples: Samples) -> Samples:
    """The samples of cameras of which nothing is known, in pictures of ``SIZES`` that show them around the middle."""
    middle = np.array(SIZES)[samples.take] / 2
    shifted = (samples.keypoint + (middle - 500)[:, :, None]).astype(np.float32)
    return replace(samples, keypoint=shifted, K=None, R=None, t=None)


def angles(R: np.ndarray, rig: Cameras) -> np.ndarray:
    """Angles in degrees between relative rotations (V, 3, 3) and the true ones."""
    apart = np.linalg.norm(R @ R[0].T - rig.R @ rig.R[0].T, axis=(1, 2))
    return np.degrees(2 * np.arcsin(apart / np.sqrt(8)))


def test_what_is_given_is_passed_through() -> None:
    samples, _, _ = two_rigs(noise_px=2)
    rig = calibrate(samples, [], CalibrateSettings())
    for name in ("K", "R", "t"):
        np.testing.assert_array_equal(getattr(rig, name), getattr(samples, name))
    assert (rig.source, rig.intrinsics) == ("given", "given")
    assert 0.5 < np.median(rig.residual) < 3
    assert describe_rig(rig).startswith("cameras are as given; detections lie ")


def test_a_wrong_calibration_shows_in_the_residual() -> None:
    samples, _, _ = two_rigs()
    assert np.median(calibrate(samples, [], CalibrateSettings()).residual) < 0.01
    wrong = replace(samples, R=samples.R[:, [1, 0, 2, 3]])
    assert np.median(calibrate(wrong, [], CalibrateSettings()).residual) > 20


@pytest.mark.parametrize(("noise_px", "degrees"), [(0.0, 0.01), (3.0, 0.5)])
def test_static_rigs_come_from_joints(noise_px: float, degrees: float) -> None:
    samples, rigs, world = two_rigs(noise_px)
    rig = calibrate(replace(samples, R=None, t=None), [], CalibrateSettings())
    assert (rig.source, rig.intrinsics) == ("from joints", "given")
    bones = H36M17.bone_indices
    for index, true in enumerate(rigs):
        members = samples.take == index
        assert (rig.R[members] == rig.R[members][0]).all()
        R, t = rig.R[members][0].astype(float), rig.t[members][0].astype(float)
        assert angles(R, true).max() < degrees
        people_of = world[members]
        length = np.median(np.linalg.norm(people_of[:, bones[:, 0]] - people_of[:, bones[:, 1]], axis=-1), 0).mean()
        true_centre = -np.einsum("vba,vb->va", true.R, true.t)
        centre = -np.einsum("vba,vb->va", R, t)
        expected = np.linalg.norm(true_centre[1:] - true_centre[0], axis=-1) * MEAN_BONE_M / length
        np.testing.assert_allclose(np.linalg.norm(centre[1:] - centre[0], axis=-1), expected, rtol=0.02)
    assert "found from the athlete's joints" in describe_rig(rig)


def test_distorted_rigs_are_found_once_their_lenses_are_undone() -> None:
    samples, rigs, _ = two_rigs()
    lenses = [[[-0.25, 0.08, 0.0, 0.0, 0.0], [0.0] * 5, [0.1, 0, 0.002, 0.001, 0], [-0.1, 0, 0, 0, 0]]] * 2
    K = samples.K.astype(float)
    middle, focal = K[:, :, None, :2, 2], K[:, :, None, [0, 1], [0, 1]]
    lens = np.array(lenses)[samples.take]
    seen = replace(
        samples, keypoint=(distort((samples.keypoint - middle) / focal, lens) * focal + middle).astype("f")
    )
    first = [int(np.flatnonzero(samples.take == take)[0]) for take in range(len(lenses))]
    known = [[Camera(K[index, view], distortion=np.array(each, float)) for view, each in enumerate(take)]
             for index, take in zip(first, lenses, strict=True)]  # fmt: skip
    found = calibrate(undistort_samples(seen, known), [], JOINTS)
    raw = calibrate(seen, [], JOINTS)
    assert max(angles(found.R[index].astype(float), rigs[index // INSTANTS]).max() for index in (0, INSTANTS)) < 0.01
    assert np.median(found.residual) < 0.02 < 0.2 < np.median(raw.residual)


def test_given_extrinsics_can_be_ignored() -> None:
    samples, rigs, _ = two_rigs()
    rig = calibrate(samples, [], JOINTS)
    assert rig.source == "from joints"
    np.testing.assert_array_equal(rig.R[0, 0], np.eye(3))
    assert angles(rig.R[0].astype(float), rigs[0]).max() < 0.01


def test_the_same_joints_give_the_same_rig(tmp_path: Any) -> None:
    samples, _, _ = two_rigs(noise_px=3)
    one, other = (calibrate(samples, [], JOINTS) for _ in range(2))
    np.testing.assert_array_equal(one.R, other.R)
    stored = Cache(tmp_path).run(calibrate, samples, [], settings=JOINTS)
    np.testing.assert_array_equal(stored.t, one.t)
    assert stored.source == "from joints"


def test_missing_and_unsure_joints_and_absent_cameras_do_no_harm() -> None:
    samples, rigs, _ = two_rigs()
    rng = np.random.default_rng(0)
    keypoint, confidence = samples.keypoint.copy(), samples.confidence.copy()
    unsure = rng.random(confidence.shape) < 0.1
    keypoint[unsure], confidence[unsure] = 1234, 0.2
    missing = rng.random(confidence.shape) < 0.1
    keypoint[missing], confidence[missing] = 0, 0
    keypoint[INSTANTS:, 3], confidence[INSTANTS:, 3] = 0, 0  # the second rig has three cameras
    rig = calibrate(replace(samples, keypoint=keypoint, confidence=confidence, R=None), [], CalibrateSettings())
    assert angles(rig.R[0].astype(float), rigs[0]).max() < 0.1
    assert angles(rig.R[-1].astype(float), rigs[1])[:3].max() < 0.1
    assert np.isnan(rig.residual[-1, 3]) and np.isfinite(rig.residual[-1, :3]).all()


def test_an_assumed_focal_length_is_corrected_by_the_joints() -> None:
    samples, rigs, _ = two_rigs(noise_px=1)
    unknown = in_the_middle(samples)
    rig = calibrate(unknown, PICTURES, CalibrateSettings(focal_px=1000))
    assert rig.intrinsics == "assumed"
    np.testing.assert_allclose(rig.K[:, :, 0, 0], 1200, rtol=0.02)
    np.testing.assert_array_equal(rig.K[..., :2, 2], np.array(SIZES)[samples.take] / 2)
    assert max(angles(rig.R[index].astype(float), rigs[index // INSTANTS]).max() for index in (0, INSTANTS)) < 0.5
    assert "assumed intrinsics" in describe_rig(rig)
    kept = calibrate(unknown, PICTURES, CalibrateSettings(focal_px=1000, refine_focal=False))
    assert (kept.K[:, :, 0, 0] == 1000).all()


def test_a_field_of_view_is_a_focal_length() -> None:
    samples, _, _ = two_rigs()
    view = float(np.degrees(2 * np.arctan(700 / 1200)))
    settings = CalibrateSettings(field_of_view_deg=view, refine_focal=False)
    rig = calibrate(in_the_middle(samples), PICTURES, settings)
    np.testing.assert_allclose(rig.K[0, 1], [[1200, 0, 700], [0, 1200, 500], [0, 0, 1]], rtol=1e-5)
    np.testing.assert_allclose(rig.K[0, 3, 0, 0], 1200 * 1280 / 1400, rtol=1e-5)
    stands = rig.K[0, 0]  # a field of view is that along the longer side, which is upright here
    np.testing.assert_allclose(stands, [[1200, 0, 500], [0, 1200, 700], [0, 0, 1]], rtol=1e-5)
    np.testing.assert_array_equal(
        Camera.of_focal_length((640, 480), 700).K, [[700, 0, 320], [0, 700, 240], [0, 0, 1]]
    )


def test_what_cannot_be_found_is_refused() -> None:
    samples, _, _ = two_rigs()
    unknown = replace(samples, R=None, t=None)
    with pytest.raises(PosepipeError, match=r"needs intrinsics: give a calibration .* in posepipe\.toml"):
        calibrate(replace(unknown, K=None), PICTURES, CalibrateSettings())
    with pytest.raises(PosepipeError, match="where image sizes are known"):
        calibrate(replace(unknown, K=None), [], CalibrateSettings(focal_px=1000))
    moving = replace(unknown, rig=np.where(samples.take == 1, -1, 0))
    with pytest.raises(PosepipeError, match="needs extrinsics: the cameras of take second move"):
        calibrate(moving, [], CalibrateSettings())
    assert calibrate(replace(samples, rig=moving.rig), [], CalibrateSettings()).source == "given"
    alone = samples.confidence.copy()
    alone[samples.take == 0, 2] = 0.1  # the third camera sees nothing surely
    with pytest.raises(PosepipeError, match="cameras of take first cannot be found"):
        calibrate(replace(unknown, confidence=alone), [], CalibrateSettings())


def test_the_size_of_a_person_is_that_of_what_is_seen() -> None:
    samples, _, _ = two_rigs()
    confidence = samples.confidence.copy()
    confidence[0, 0, 2:] = 0
    confidence[1, 1] = 0
    size = person_size(replace(samples, confidence=confidence))
    assert size[0, 0] == pytest.approx(
        np.linalg.norm(samples.keypoint[0, 0, 0] - samples.keypoint[0, 0, 1]), rel=1e-5
    )
    assert size[1, 1] == 1
