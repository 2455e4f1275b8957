"""Drawn gymnasts: rigid bones, joints that bend the right way, figures where the truth says, the same for a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from posepipe.models.body.handedness import Parity
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.recording import Recording
from torch import from_numpy

from demo.athlete import SIDES, Performance
from demo.exercises import EXERCISES, Gymnast, random_body
from demo.figure import Outfit, solids_of
from demo.renderer import Canvas
from tools import draw_bench
from tools.draw_bench import Session, make_session, plan, sessions


@pytest.fixture(scope="module", params=range(3))
def performance(request: pytest.FixtureRequest) -> Performance:
    """Twenty seconds of one of several athletes."""
    body = random_body(np.random.default_rng(request.param))
    return Gymnast(request.param, body).perform(np.arange(0, 20, 1 / 30))


def test_bones_are_constant_and_those_of_the_body(performance: Performance) -> None:
    start, end = H36M17.bone_indices.T
    length = np.linalg.norm(performance.joint[:, start] - performance.joint[:, end], axis=-1)
    limbs = ["hip" not in a + b or "knee" in b for a, b in H36M17.bones]
    assert np.ptp(length, axis=0)[limbs].max() < 1e-9
    thigh = length[0, H36M17.bones.index(("left_hip", "left_knee"))]
    assert thigh == pytest.approx(performance.body.length(performance.body.thigh))


def test_anatomy(performance: Performance) -> None:
    """Knees bend forwards and feet do not sink into the floor; poses are right-handed beyond doubt."""
    lowest = min(performance.of(f"{side}_ankle")[:, 2].min() for side in SIDES)
    assert lowest > 0.8 * performance.body.length(performance.body.ankle_height)
    assert np.abs(performance.joint[..., :2]).max() < 2.5 and performance.joint[..., 2].max() < 2.7
    assert (Parity(H36M17)(from_numpy(performance.joint)) > 0).float().mean() > 0.95


def test_motion_varies_and_is_smooth(performance: Performance) -> None:
    acceleration = np.diff(performance.joint, 2, axis=0) * 30**2
    assert np.linalg.norm(acceleration, axis=-1).max() < 150
    assert np.ptp(performance.of("pelvis")[:, 2]) > 0.25, "squats"
    reach = performance.of("left_wrist")[:, 2] - performance.of("head")[:, 2]
    assert reach.min() < -0.7 and reach.max() > 0
    assert len(EXERCISES) == 10


def test_the_split_holds_out_athletes_and_cameras() -> None:
    training, test = ([s for s in sessions() if s.test is which] for which in (False, True))
    assert not {s.athlete for s in training} & {s.athlete for s in test}
    centres = {clip.shot.centre.round(3).tobytes() for s in sessions() for clip in plan(s, 0)}
    assert len(centres) == sum(s.cameras for s in sessions())
    clip = plan(test[0], 0)[1]
    assert np.abs(np.diff(clip.shot.R, axis=0)).max() > 1e-4 and np.ptp(clip.shot.K, axis=0).max() == 0, "it pans"


def test_figures_are_inside_the_pictures_and_cover_their_joints() -> None:
    for session in sessions():
        for clip in plan(session, 0):
            pixel = clip.shot.project(clip.performance.joint)
            assert (pixel > 0).all() and (pixel < np.array(draw_bench.SIZE)).all()
    shot, performance = clip.shot, clip.performance
    for frame in range(0, len(performance.time), 40):
        canvas = Canvas(shot.K[frame], shot.R[frame], shot.t[frame], (0, 0, *shot.size))
        for solid in solids_of(performance, frame, Outfit()):
            canvas.draw(solid)
        column, row = np.round((pixel[frame] + 0.25) * canvas.SAMPLES).astype(int).T
        flesh = [name not in ("nose", "head") for name in H36M17.joints]  # those two lie on the skin itself
        assert (canvas.owner[row, column] >= 0)[flesh].all()


def test_a_take_is_a_calibrated_recording_and_the_same_for_a_seed(tmp_path: Path) -> None:
    session = Session("take", 0, 0, 2, 0.2, False)
    for out in ("one", "two"):
        make_session(session, tmp_path / out, 3)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert [str(file.name) for file in files] == ["calib.toml", "cam1.mp4", "cam2.mp4", "posepipe.toml"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    (take,) = Recording.open(tmp_path / "one" / "train").takes
    for camera, clip in zip(take.cameras, plan(session, 3), strict=True):
        known = camera.calibration
        assert known is not None and known.R is not None and known.t is not None
        seen = clip.performance.joint[0] @ known.R.T + known.t
        np.testing.assert_allclose(
            (seen @ known.K.T)[:, :2] / seen[:, 2:], clip.shot.project(clip.performance.joint)[0]
        )


def test_test_clips_come_with_their_truth(tmp_path: Path) -> None:
    make_session(Session("athlete", 6, 106, 2, 0.2, True), tmp_path, 0)
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["athlete_cam1.mp4", "athlete_cam2.mp4"]
    with np.load(tmp_path / "reference" / "athlete_cam2.npz") as truth:
        assert truth["joints_3d_cam"].shape == (3, 17, 3)
        np.testing.assert_allclose(truth["time"], np.arange(3) / draw_bench.FRAME_RATE)
