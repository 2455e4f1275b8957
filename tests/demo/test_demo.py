"""The demo draws a believable athlete whose exact motion is known."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest
from posepipe.models.skeleton import BLAZEPOSE33, H36M17, mapping_to_h36m17

from demo.athlete import SIDES, SLOPE, Performance, SlalomSkier
from demo.cameras import look_at, static_shot
from demo.figure import Outfit, solids_of
from demo.footage import PLACEMENTS, Placement, make_clip, plan_clip
from demo.renderer import Canvas, Solid

SECONDS = 0.5
DETECTION_RATE = 0.95
DETECTION_ERROR = 0.05


@pytest.fixture(scope="module")
def run() -> Performance:
    """Twelve seconds of skiing."""
    return SlalomSkier(seed=0).perform(np.arange(0, 12, 1 / 30))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very short demo."""
    out = tmp_path_factory.mktemp("footage")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(make_clip, placement, out, 0, SECONDS) for placement in PLACEMENTS]:
            job.result()
    return out


def read(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]


def bend(run: Performance, start: str, middle: str, end: str, towards: np.ndarray) -> np.ndarray:
    """How far the middle joint lies off the line between the others, along a direction (T), metres."""
    start, middle, end = run.of(start), run.of(middle), run.of(end)
    axis = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
    off = middle - start - ((middle - start) * axis).sum(-1, keepdims=True) * axis
    return (off * towards).sum(-1)


def test_bones_are_constant_and_symmetric(run: Performance) -> None:
    bones = H36M17.bone_indices
    length = np.linalg.norm(run.joint[:, bones[:, 0]] - run.joint[:, bones[:, 1]], axis=-1)
    assert np.ptp(length, axis=0).max() < 1e-9
    mirrored = H36M17.mirror[bones]
    other = np.linalg.norm(run.joint[:, mirrored[:, 0]] - run.joint[:, mirrored[:, 1]], axis=-1)
    np.testing.assert_allclose(length, other, atol=1e-9)


def test_anatomy(run: Performance) -> None:
    """Knees bend forwards, elbows backwards, the nose is in front, and both feet reach their skis."""
    left = run.of("left_hip") - run.of("right_hip")
    forward = np.cross(left, run.of("thorax") - run.of("pelvis"))
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    for side in SIDES:
        assert (bend(run, f"{side}_hip", f"{side}_knee", f"{side}_ankle", forward) > 0.02).all()
        elbow = bend(run, f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist", forward)
        assert np.median(elbow) < -0.02
        height = (run.of(f"{side}_ankle") @ SLOPE)[:, 2]
        assert 0.05 < height.min() < 0.2 and height.max() < 0.6
    middle = (run.of("thorax") + run.of("head")) / 2
    assert (((run.of("nose") - middle) * forward).sum(-1) > 0.02).mean() > 0.95


def test_motion_varies_and_is_smooth(run: Performance) -> None:
    acceleration = np.diff(run.joint, 2, axis=0) * 30**2
    assert np.linalg.norm(acceleration, axis=-1).max() < 120
    crouch = np.linalg.norm(run.of("left_hip") - run.of("left_ankle"), axis=-1)
    assert np.ptp(crouch) > 0.2
    assert np.ptp(run.of("left_wrist") - run.of("thorax"), axis=0).min() > 0.35
    assert not np.allclose(SlalomSkier(seed=1).perform(run.time).joint, run.joint, atol=0.05)


def test_a_sphere_is_drawn_where_it_is() -> None:
    """Its silhouette is the pinhole image of a sphere, its nearest depth is exact, its normals face the camera."""
    shot = static_shot(np.array([0.0, -5.0, 0.0]), np.zeros(3), 1000.0, 1)
    canvas = Canvas(shot.K[0], shot.R[0], shot.t[0], (300, 100, 660, 440))
    canvas.draw(Solid(np.zeros(3), np.zeros(3), (0.5, 0.5), (200, 200, 200)))
    covered = canvas.owner >= 0
    radius = 1000 * np.tan(np.arcsin(0.5 / 5.0))
    assert covered.sum() / 4 == pytest.approx(np.pi * radius**2, rel=0.01)
    assert canvas.depth.min() == pytest.approx(4.5, abs=1e-3)


@pytest.mark.parametrize("stretch", [(1.0, 1.0, 1.0), (1.0, 0.3, 1.0)])
def test_round_cones_match_marched_rays(stretch: tuple[float, float, float]) -> None:
    """The closed form agrees with stepping along each ray until it enters the solid."""
    rng = np.random.default_rng(0)
    axes = look_at(np.zeros(3), rng.standard_normal((1, 3)))[0].T
    start, end, radius = np.array([-0.3, 0.1, -0.2]), np.array([0.25, -0.2, 0.3]), (0.25, 0.12)
    solid = Solid(start, end, radius, (9, 9, 9), axes=axes, stretch=stretch)
    shot = static_shot(np.array([0.0, -4.0, 0.3]), np.zeros(3), 25.0, 1, (20, 20))
    canvas = Canvas(shot.K[0], shot.R[0], shot.t[0], (0, 0, 20, 20))
    canvas.draw(solid)
    ray = np.stack(np.broadcast_arrays(canvas.x[None, :], canvas.y[:, None], 1.0), -1) @ shot.R[0]
    step = np.linspace(3, 5, 201)
    to_unit = axes.T / np.array(stretch)[:, None]
    point = (shot.centre + ray[..., None, :] * step[:, None]) @ to_unit.T
    spheres = np.linspace(0, 1, 41)
    near = np.full(point.shape[:-1], np.inf)
    for share in spheres:
        centre = to_unit @ (start + share * (end - start))
        near = np.minimum(
            near, np.linalg.norm(point - centre, axis=-1) - (radius[0] + share * (radius[1] - radius[0]))
        )
    hit = (near < 0).any(-1)
    assert (hit != (canvas.owner >= 0)).sum() <= 3
    both = hit & (canvas.owner >= 0)
    assert both.sum() > 40
    np.testing.assert_allclose(canvas.depth[both], step[(near < 0).argmax(-1)][both], atol=0.03)


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda placement: placement.name)
def test_figure_covers_its_joints(placement: Placement) -> None:
    """Every joint lies inside the drawn silhouette, at or behind its surface, and inside the image."""
    clip = plan_clip(placement, 0, 12)
    pixel = clip.shot.project(clip.performance.joint)
    assert (pixel > 20).all() and (pixel < np.array(clip.shot.size) - 20).all()
    assert 150 < np.median(np.ptp(pixel[..., 1], axis=1)) < 330
    for frame in range(0, len(pixel), 60):
        shot = clip.shot
        canvas = Canvas(shot.K[frame], shot.R[frame], shot.t[frame], (0, 0, *shot.size))
        for solid in solids_of(clip.performance, frame, Outfit()):
            canvas.draw(solid)
        column, row = np.round((pixel[frame] + 0.25) * canvas.SAMPLES).astype(int).T
        depth = shot.to_camera(clip.performance.joint)[frame, :, 2]
        flesh = [name not in ("nose", "head") for name in H36M17.joints]  # those two lie on the skin itself
        assert (canvas.owner[row, column] >= 0)[flesh].all()
        assert (canvas.depth[row, column] < depth + 0.02)[flesh].all()


def test_same_seed_same_footage(footage: Path, tmp_path: Path) -> None:
    make_clip(PLACEMENTS[2], tmp_path, 0, SECONDS)
    for name in ("training/cam3.mp4", "reference/cam3.npz"):
        assert (tmp_path / name).read_bytes() == (footage / name).read_bytes()


def test_reference_agrees_with_itself(footage: Path) -> None:
    clips = {path.stem: np.load(path) for path in sorted((footage / "reference").glob("*.npz"))}
    assert sorted(clips) == ["cam1", "cam2", "cam3", "cam4", "cam5"]
    for clip in clips.values():
        world, root = clip["joints_3d_world"].astype(float), H36M17.index("pelvis")
        camera = np.einsum("fij,fkj->fki", clip["R"], world) + clip["t"][:, None]
        np.testing.assert_allclose(clip["joints_3d_cam"], camera - camera[:, root, None], atol=1e-5)
        image = np.einsum("fij,fkj->fki", clip["K"], camera)
        np.testing.assert_allclose(clip["keypoint"], image[..., :2] / image[..., 2:], atol=1e-2)
        assert tuple(clip["joint_names"]) == H36M17.joints
        assert clip["joints_3d_cam"].dtype == np.float32
    moving = [np.ptp(clip["R"], axis=0).max() > 0 for clip in clips.values()]
    assert moving == [False, False, True, True, False]
    np.testing.assert_array_equal(clips["cam1"]["joints_3d_world"], clips["cam4"]["joints_3d_world"])
    assert not np.allclose(clips["cam1"]["joints_3d_world"], clips["cam5"]["joints_3d_world"], atol=0.05)


def test_embedded_detector_finds_the_athlete(footage: Path) -> None:
    from posepipe.pipeline.detectors.blazepose.detector import BlazePoseDetector

    detector, mapping = BlazePoseDetector(), mapping_to_h36m17(BLAZEPOSE33)
    for placement in PLACEMENTS:
        found = list(detector.detect(read(footage / placement.folder / f"{placement.name}.mp4")))
        truth = np.load(footage / "reference" / f"{placement.name}.npz")["keypoint"]
        assert len(found) == len(truth) == round(SECONDS * 30)
        assert np.mean([len(people.box) == 1 for people in found]) >= DETECTION_RATE
        error = [
            np.linalg.norm(mapping.apply(people.keypoint[0], people.confidence[0])[0] - joint, axis=-1)
            / np.ptp(joint[:, 1])
            for people, joint in zip(found, truth, strict=True)
            if len(people.box)
        ]
        assert np.median(error) <= DETECTION_ERROR
