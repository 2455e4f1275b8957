from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.body.body import body_size
from posepipe.models.geometry.geometry import procrustes
from posepipe.models.multiview import adjust as bundle_adjustment
from posepipe.models.multiview.adjust import Array, Observed, PriorSigma, Scene, adjust
from posepipe.models.multiview.find import Found, Seen, find_athlete, is_mirrored, mirrored
from posepipe.models.multiview.near_camera import PARAMETERS, NearCameras, rotation_by
from posepipe.models.multiview.start import body_of
from posepipe.models.skeleton import H36M17

PICTURE = 1000.0


class Filmed(NamedTuple):
    """People filmed by cameras whose images are exact but for what a test adds."""

    joint: Array  # (T, J, 3) m
    R: Array  # (T, V, 3, 3)
    focal: Array  # (T, V) px
    keypoint: Array  # (T, V, J, 2) px from the principal point


def motion(instants: int, seed: int = 0) -> Array:
    """One person (T, 17, 3) who moves smoothly between random poses, 6 instants from one to the next."""
    keys = people(instants // 6 + 2, seed, turn=False)
    time = np.arange(instants) / 6
    low, share = time.astype(int), (time % 1)[:, None, None]
    share = share**2 * (3 - 2 * share)
    pose = (1 - share) * keys[low] + share * keys[low + 1]
    parents = {end: start for start, end in H36M17.bone_indices.tolist()}
    straight = pose.copy()
    for end, start in parents.items():  # bones keep their lengths
        along = pose[:, end] - pose[:, start]
        length = np.linalg.norm(keys[0, end] - keys[0, start])
        straight[:, end] = straight[:, start] + length * along / np.linalg.norm(along, axis=-1, keepdims=True)
    return straight


def filmed(instants: int, views: int, moving: bool = False, seed: int = 0) -> Filmed:
    """A person who walks a curve, seen by static cameras, or by cameras that follow and zoom."""
    rig, pose = cameras(views, seed), motion(instants, seed)
    way = np.linspace(-1, 1, instants)[:, None] * [1.0, 0.5, 0] + 0.3 * np.sin(np.arange(instants) / 9)[:, None]
    joint = pose + (way * [1, 1, 0])[:, None]
    R, focal = np.tile(rig.R, (instants, 1, 1, 1)), np.tile(rig.K[:, 0, 0], (instants, 1))
    if moving:
        phase = np.arange(instants)[:, None] / 15 + np.arange(views)
        R = rotation_by(np.stack([0.05 * np.sin(phase), 0.2 * np.cos(phase), 0.03 * np.sin(2 * phase)], -1)) @ R
        focal = focal * (1.3 + 0.3 * np.sin(phase))
    centre = -np.einsum("vba,vb->va", rig.R, rig.t)
    seen = np.einsum("tvab,tvjb->tvja", R, joint[:, None] - centre[:, None])
    return Filmed(joint, R, focal, focal[..., None, None] * seen[..., :2] / seen[..., 2:])


def seen_in(film: Filmed, moving: bool = False, mirror: bool = False) -> Seen:
    """What a detector and a lifter make of a film; the lifter is off by a tenth of the body."""
    rng = np.random.default_rng(1)
    local = film.joint - film.joint[:, :1]
    size = np.median(body_size(local, H36M17))
    lifted = np.einsum("tvab,tjb->tvja", film.R, local) / size
    lifted += rng.normal(scale=0.03, size=lifted.shape) + rng.normal(scale=0.03, size=lifted.shape[1:])
    instants = len(lifted)
    return Seen(
        keypoint=film.keypoint,
        confidence=np.ones(film.keypoint.shape[:-1]),
        lifted=lifted * [1, 1, -1 if mirror else 1],
        regular=np.ones(instants - 2, bool),
        moving=moving,
        picture=PICTURE,
    )


def error_mm(found: Found, film: Filmed) -> float:
    """PMPJPE."""
    pose, true = torch.from_numpy(found.scene.joint), torch.from_numpy(film.joint)
    return float((procrustes(pose, true).apply(pose) - true).norm(dim=-1).mean()) * 1000


def in_camera_mm(found: Found, film: Filmed) -> float:
    """NMPJPE in the axes of all cameras, with one scale."""
    local = found.scene.joint - found.scene.joint[:, :1]
    R = np.broadcast_to(found.scene.cameras.R, film.R.shape)
    pose = np.einsum("tvab,tjb->tvja", R, local)
    true = np.einsum("tvab,tjb->tvja", film.R, film.joint - film.joint[:, :1])
    scale = (pose * true).sum() / np.square(pose).sum()
    return float(np.linalg.norm(scale * pose - true, axis=-1).mean()) * 1000


def test_static_cameras_and_their_focal_lengths_are_found() -> None:
    film = filmed(60, 4)
    found = find_athlete(seen_in(film), H36M17)
    assert error_mm(found, film) < 6
    assert in_camera_mm(found, film) < 12
    assert found.scene.cameras.focal == pytest.approx(film.focal[0], rel=0.05)
    assert np.median(body_size(found.scene.joint, H36M17)) == pytest.approx(1)


def test_cameras_that_pan_and_zoom_are_found() -> None:
    film = filmed(60, 4, moving=True)
    found = find_athlete(seen_in(film, moving=True), H36M17)
    assert error_mm(found, film) < 8
    assert in_camera_mm(found, film) < 25


@pytest.mark.parametrize("moving", [False, True])
def test_a_mirrored_start_is_put_right(moving: bool) -> None:
    film = filmed(60, 4, moving)
    found = find_athlete(seen_in(film, moving, mirror=True), H36M17)
    assert error_mm(found, film) < 8


def test_outliers_and_missing_views_harm_little() -> None:
    film, rng = filmed(60, 4), np.random.default_rng(2)
    keypoint = film.keypoint + rng.normal(scale=2.0, size=film.keypoint.shape)
    wild = rng.random(keypoint.shape[:-1]) < 0.05
    keypoint[wild] += rng.normal(scale=80, size=(wild.sum(), 2))
    seen = seen_in(film)._replace(keypoint=keypoint)
    gone = rng.random(keypoint.shape[:-1]) < 0.1
    seen.confidence[gone] = 0
    seen.confidence[20:40, 2] = 0
    seen.lifted[20:40, 2] = np.nan
    seen.keypoint[seen.confidence == 0] = 0
    found = find_athlete(seen, H36M17)
    assert error_mm(found, film) < 15
    assert np.isnan(found.residual[20:40, 2]).all()
    assert found.trusted.mean() > 0.9


def test_constant_bones_tell_two_cameras_what_images_do_not() -> None:
    film = filmed(60, 2)
    flat = 240 * np.einsum("tvab,tjb->tvja", film.R, film.joint)[..., :2]  # perspective would tell as well
    film = film._replace(keypoint=flat)
    found = find_athlete(seen_in(film), H36M17)
    observed = Observed(film.keypoint, np.full(film.keypoint.shape[:-1], 1e-1), np.ones(58, bool))
    anyhow = PriorSigma(bone=10, acceleration=np.full(17, 10.0), turn=1, zoom=1, inverse_depth=1)
    # Two cameras are known up to one parameter; start elsewhere in the family.
    rig = found.scene.cameras
    turned = rig._replace(R=rig.R @ rotation_by(np.array([[0, 0, 0], [0.3, 0.3, 0]])))
    loose, _ = adjust(observed, body_of(H36M17), anyhow, found.scene._replace(cameras=turned), steps=15)
    assert np.median(bundle_adjustment.reprojection(observed, loose)) < 2
    assert 2 * error_mm(found, film) < error_mm(found._replace(scene=loose), film)


def test_the_twin_looks_the_same_and_is_told_apart() -> None:
    film = filmed(20, 3)
    found = find_athlete(seen_in(film), H36M17).scene
    assert mirrored(found).see() == pytest.approx(found.see())
    assert is_mirrored(mirrored(found), H36M17)
    assert not is_mirrored(found, H36M17)


@pytest.mark.parametrize(
    ("moving", "known", "bend"),
    [(moving, known, 0.0) for moving in (False, True) for known in ("nothing", "focal", "all")]
    + [(False, "nothing", 0.5)],
)
def test_the_right_hand_side_is_the_slope_of_the_cost(
    moving: bool, known: bundle_adjustment.Known, bend: float
) -> None:
    rng, body = np.random.default_rng(0), body_of(H36M17)
    shape = (6, 3) if moving else (3,)
    turns = rng.normal(size=3) + (0.01 if moving else 0.3) * rng.normal(size=(*shape, 3))
    rig = NearCameras(
        rotation_by(turns),
        0.1 * rng.normal(size=(*shape, 2)),
        np.exp(0.1 * rng.normal(size=shape)),
        0.2 + 0.1 * rng.uniform(size=shape),
        -0.2 * rng.uniform(size=shape),
    )
    scene = Scene(0.3 * rng.normal(size=(6, 17, 3)), rig, rng.uniform(0.2, 0.4, body.kind.max() + 1))
    points = scene.see() + 0.02 * rng.normal(size=(6, 3, 17, 2))
    observed = Observed(points, 1e4 * rng.uniform(0.5, 1, (6, 3, 17)), np.array([True, True, False, True]))
    zoom = 0.2 if known == "nothing" else np.inf
    sigma = PriorSigma(0.05, np.full(17, 0.05), 0.3, zoom, 0.1, bend, -0.2)
    size = None if known == "all" else float(scene.length.sum()) - 1e-4
    system = bundle_adjustment._system(observed, body, sigma, scene, size, known)

    def cost(change: Array, common: Array) -> float:
        tried = bundle_adjustment._moved(scene, change, common, known, bend)
        return bundle_adjustment._cost(observed, body, sigma, tried, size)

    assert system.right.shape[1] == 51 + (PARAMETERS - {"nothing": 1, "focal": 2, "all": 8}[known]) * 3 * moving
    none, step = (np.zeros_like(system.right), np.zeros_like(system.right_common)), 1e-6
    for _ in range(40):
        change = rng.normal(size=none[0].shape), rng.normal(size=none[1].shape)
        plus, minus = cost(*(step * part for part in change)), cost(*(-step * part for part in change))
        expected = (system.right * change[0]).sum() + (system.right_common * change[1]).sum()
        assert (minus - plus) / (2 * step) == pytest.approx(expected, rel=0.02, abs=50)
