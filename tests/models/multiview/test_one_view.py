"""A clip of one camera as a whole: a known scene whose lifted poses are turned and noisy is put right."""

from __future__ import annotations

import time as clock

import numpy as np
import pytest
from footage import athlete
from posepipe.models.geometry.least_squares import levenberg_marquardt
from posepipe.models.multiview import one_view
from posepipe.models.multiview.near_camera import rotation_by, turn_of
from posepipe.models.multiview.one_view import Frames, adjust_clip, learning_frames, windows
from posepipe.models.multiview.one_view_window import COST_TOLERANCE, Lifted, Scene, Shape, Usual, Window
from posepipe.models.multiview.start import body_of
from posepipe.models.skeleton import H36M17

BODY = body_of(H36M17)
TURN = np.radians([10.0, 0, 0])
SPREAD = 0.02


def a_clip(frames: int, rate_hz: float = 30.0, seed: int = 0) -> tuple[Lifted, np.ndarray, np.ndarray]:
    """What a network that pitches all poses by 10 degrees makes of a person who walks past; true joints and roots."""
    rng, time = np.random.default_rng(seed), np.arange(frames) / rate_hz
    x, y, z = np.moveaxis(athlete(time), -1, 0)
    true = np.stack([x, -z, y], -1) / 1.7
    true -= true[:, :1]
    root = np.stack([np.sin(time) / 2, np.full(frames, 0.1), 2.5 + 0.3 * time % 4], -1)
    place = true + root[:, None]
    point = place[..., :2] / place[..., 2:] + rng.normal(0, 0.003, (frames, 17, 2))
    joint = true @ rotation_by(TURN).T + rng.normal(0, SPREAD, true.shape) * (np.arange(17) > 0)[:, None]
    confidence = np.full((frames, 17), 0.9)
    lifted = Lifted(joint, np.full((frames, 17), SPREAD), point, confidence, root * rng.uniform(0.9, 1.1), time)
    return lifted, true, root


def rows_of(lifted: Lifted, frames: Frames) -> Lifted:
    return Lifted(*(values[frames] for values in lifted))


def off(joint: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(joint - true, axis=-1).mean())


def test_turned_and_noisy_poses_are_put_right() -> None:
    lifted, true, root = a_clip(90)
    made = adjust_clip(lifted.time, lambda frames: rows_of(lifted, frames), BODY)
    assert off(made.joint, true) < 0.35 * off(lifted.joint, true)
    np.testing.assert_allclose(rotation_by(made.turn[0].astype(float)), rotation_by(-TURN), atol=np.radians(3))
    assert off(made.root, root) < 0.04
    bones = H36M17.bone_indices
    length = np.linalg.norm(made.joint[:, bones[:, 0]] - made.joint[:, bones[:, 1]], axis=-1)
    assert (length.std(0) / length.mean(0)).max() < 0.03
    left, right = (length[:, [bone for bone, (_, end) in enumerate(H36M17.bones) if end.startswith(side)]].mean(0)
                   for side in ("left", "right"))  # fmt: skip
    np.testing.assert_allclose(left, right, rtol=0.02)


def test_windows_share_every_frame_and_equal_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for frames in (1, 39, 480, 481, 700, 921, 940, 5000):
        total = np.zeros(frames)
        for rows, share in windows(frames):
            total[rows] += share
        np.testing.assert_allclose(total, 1)
    lifted, true, _ = a_clip(200)
    whole = adjust_clip(lifted.time, lambda frames: rows_of(lifted, frames), BODY)
    monkeypatch.setattr(one_view, "WINDOW", 60)
    monkeypatch.setattr(one_view, "OVERLAP", 20)
    parts = adjust_clip(lifted.time, lambda frames: rows_of(lifted, frames), BODY)
    assert len(list(windows(200))) > 3
    assert off(parts.joint, whole.joint) < 0.15 * off(whole.joint, true)
    assert off(parts.root, whole.root) < 0.01
    np.testing.assert_array_equal(parts.length, whole.length)


def test_what_all_frames_share_is_learnt_on_frames_apart() -> None:
    assert len(learning_frames(np.array([3.0]))) == 1
    quick = learning_frames(np.arange(240) / 240)
    assert np.diff(quick).min() >= 14
    long = learning_frames(np.arange(100_000) / 60)
    assert len(long) == one_view.STRETCHES * one_view.STRETCH and long[0] == 0 and long[-1] > 99_000
    assert (np.diff(long) > 0).all()


def test_missing_joints_move_nothing() -> None:
    lifted, *_ = a_clip(40)
    hand = H36M17.index("left_wrist")
    lifted.expected[5:30, hand], lifted.confidence[5:30, hand], lifted.joint[5:30, hand] = np.inf, 0, 0
    other = lifted._replace(joint=lifted.joint.copy(), point=lifted.point.copy())
    other.point[5:30, hand] = 1
    made, same = (
        adjust_clip(one.time, lambda frames, one=one: rows_of(one, frames), BODY) for one in (lifted, other)
    )
    rest = np.arange(17) != hand
    np.testing.assert_allclose(made.joint[:, rest], same.joint[:, rest], atol=1e-6)
    assert np.isfinite(made.joint).all()


def test_the_system_has_the_gradient_of_the_cost() -> None:
    """Away from any minimum, by central differences along random directions."""
    lifted, *_ = a_clip(6)
    shape = Shape(rotation_by(np.array([0.1, -0.05, 0.02])), lifted.median_lengths(BODY))
    window = Window(lifted, BODY, shape, Usual(0.3, 1.0))
    rng = np.random.default_rng(1)
    scene = Scene(
        lifted.joint + rng.normal(0, 0.02, lifted.joint.shape),
        lifted.root + rng.normal(0, 0.02, lifted.root.shape),
        Shape(rotation_by(np.array([0.02, 0.04, -0.03])) @ shape.R, 1.05 * shape.length),
    )
    system = window._system(scene)
    for _ in range(5):
        step, common = rng.normal(size=system.right.shape), rng.normal(size=system.right_common.shape)

        def cost(by: float, step: np.ndarray = step, common: np.ndarray = common) -> float:
            turned = Shape(rotation_by(by * common[:3]) @ scene.shape.R, scene.shape.length + by * common[3:])
            joint = scene.joint + by * step[:, :-3].reshape(scene.joint.shape)
            return window.cost(Scene(joint, scene.root + by * step[:, -3:], turned))

        slope = (cost(1e-6) - cost(-1e-6)) / 2e-6
        # half the cost is what weighted squares stand for, and the right-hand side is its negative gradient
        assert -2 * ((system.right * step).sum() + system.right_common @ common) == pytest.approx(slope, rel=2e-2)


def test_it_converges() -> None:
    lifted, *_ = a_clip(30)
    window = Window(lifted, BODY, Shape(np.eye(3), lifted.median_lengths(BODY)), Usual(0.3, 1.0))
    scene = window.solve()
    _, least = levenberg_marquardt(scene, window.cost, window.linearise, COST_TOLERANCE / 30, 100)
    assert window.cost(scene) < 1.05 * least
    assert np.degrees(np.linalg.norm(turn_of(scene.shape.R))) == pytest.approx(10, abs=3)


def test_it_takes_little_time() -> None:
    """At most 15 ms of processor time for a frame."""
    lifted, *_ = a_clip(300)
    began = clock.process_time()
    adjust_clip(lifted.time, lambda frames: rows_of(lifted, frames), BODY)
    assert (clock.process_time() - began) / 300 < 0.015
