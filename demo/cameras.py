"""Static cameras and pan-tilt-zoom cameras whose operators follow an athlete. x_cam = R x_world + t, OpenCV axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IMAGE_SIZE = (960, 540)


@dataclass(frozen=True)
class Shot:
    """One camera during one clip."""

    K: np.ndarray  # (F, 3, 3) px
    R: np.ndarray  # (F, 3, 3) camera from world
    t: np.ndarray  # (F, 3) m
    size: tuple[int, int]  # width, height in px

    @property
    def centre(self) -> np.ndarray:
        """Optical centre in the world (3) m; a tripod does not travel."""
        return -self.R[0].T @ self.t[0]

    def to_camera(self, point: np.ndarray) -> np.ndarray:
        """World points (F, ..., 3) in camera axes, metres."""
        extra = (1,) * (point.ndim - 2)
        return np.einsum("fij,f...j->f...i", self.R, point) + self.t.reshape(-1, *extra, 3)

    def project(self, point: np.ndarray) -> np.ndarray:
        """Pixels (F, ..., 2) of world points (F, ..., 3); pixel centres lie at whole numbers."""
        image = np.einsum("fij,f...j->f...i", self.K, self.to_camera(point))
        return image[..., :2] / image[..., 2:]


def look_at(centre: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Level camera rotations (F, 3, 3) at a centre (3) towards targets (F, 3)."""
    forward = target - centre
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right, axis=-1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], -2)


def _shot(centre: np.ndarray, target: np.ndarray, focal: np.ndarray, size: tuple[int, int]) -> Shot:
    rotation = look_at(centre, target)
    intrinsics = np.zeros((len(focal), 3, 3))
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
    intrinsics[:, :, 2] = [(size[0] - 1) / 2, (size[1] - 1) / 2, 1]
    return Shot(intrinsics, rotation, -np.einsum("fij,j->fi", rotation, centre), size)


def static_shot(
    centre: np.ndarray, target: np.ndarray, focal: float, frames: int, size: tuple[int, int] = IMAGE_SIZE
) -> Shot:
    """A camera on a locked tripod: centre (3) m, target (3) m, focal length in px."""
    return _shot(centre, np.repeat(target[None], frames, 0), np.full(frames, float(focal)), size)


def following_shot(
    centre: np.ndarray,
    path: np.ndarray,
    time: np.ndarray,
    focal: float,
    rng: np.random.Generator,
    *,
    lag_s: float = 0.35,
    zoom: float = 0.2,
    size: tuple[int, int] = IMAGE_SIZE,
) -> Shot:
    """A pan-tilt-zoom camera that follows a path (F, 3) with an operator's lag, and breathes its zoom by +-zoom."""
    aim = _follow(path, time, lag_s)
    wander = rng.uniform(0, 2 * np.pi, (3, 3))
    rates = np.array([0.31, 0.73, 1.37])
    drift = (np.sin(time[:, None, None] * rates + wander) * [0.10, 0.06, 0.03]).sum(-1)
    breath = np.sin(2 * np.pi * time / rng.uniform(7.0, 9.0) + rng.uniform(0, 2 * np.pi))
    breath = 0.8 * breath + 0.2 * np.sin(1.9 * time + rng.uniform(0, 2 * np.pi))
    return _shot(centre, aim + drift, focal * np.exp(zoom * breath), size)


def _follow(path: np.ndarray, time: np.ndarray, lag_s: float) -> np.ndarray:
    """A critically damped follower of a path (F, 3): a hand on the pan bar."""
    position, velocity = path[0].copy(), np.zeros(3)
    aim = np.empty_like(path)
    steps = np.diff(time, prepend=time[0])
    rate = 2 / lag_s
    for i, dt in enumerate(steps):
        for _ in range(4):
            velocity += dt / 4 * (rate**2 * (path[i] - position) - 2 * rate * velocity)
            position = position + dt / 4 * velocity
        aim[i] = position
    return aim
