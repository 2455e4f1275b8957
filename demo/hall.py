"""A sports hall: a floor with lines and a round wall of panels, painted once per camera, in colours of its own."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from .renderer import Colour, Light, Solid
from .scene import cloud_noise, sample_texture

_WALL_M, _CEILING_M = 9.0, 5.0
"""Radius and height of the wall."""


def random_colour(rng: np.random.Generator, saturation: float, value: tuple[float, float]) -> Colour:
    """A colour (blue, green, red) of any hue, at most so saturated, with a value between two bounds in 0..1."""
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0, saturation), rng.uniform(*value))
    return 255 * blue, 255 * green, 255 * red


class Hall:
    """The still world round the origin of the floor."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        self.light = Light(sun=np.array([*rng.uniform(-0.5, 0.5, 2), 0.8]), direct=rng.uniform(0.65, 0.9),
                           sky=rng.uniform(0.6, 0.75), bounce=0.2)  # fmt: skip
        self._noise = cloud_noise(rng, 512)
        self._floor, self._line = random_colour(rng, 0.5, (0.45, 0.9)), random_colour(rng, 0.8, (0.2, 1.0))
        self._spacing = rng.uniform(1.5, 4.0, 2)
        self._panels = np.float32([random_colour(rng, 0.6, (0.25, 0.95)) for _ in range(12)])
        self._widths = np.sort(rng.uniform(0, 2 * np.pi, 24))
        self._grain = rng.uniform(4, 14, 2)

    def paint(self, K: np.ndarray, R: np.ndarray, t: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The hall (H, W, 3) uint8 seen by one camera inside or outside the wall, painted at twice the resolution."""
        K = np.diag([2.0, 2.0, 1.0]) @ K
        v, u = np.mgrid[: 2 * size[1], : 2 * size[0]].astype(np.float32)
        pixel = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3)
        ray = pixel @ (np.linalg.inv(K).T @ R).astype(np.float32)
        eye = (-R.T @ t).astype(np.float32)
        flat, inward = (ray[:, :2] ** 2).sum(1), ray[:, :2] @ eye[:2]
        # The far side of the wall, also for cameras outside: they look in through the near side.
        distance = (-inward + np.sqrt(np.maximum(inward**2 - flat * (eye[:2] @ eye[:2] - _WALL_M**2), 0))) / flat
        height = eye[2] + distance * ray[:, 2]
        image = self._wall(eye[:2] + distance[:, None] * ray[:, :2], height)
        ground = np.flatnonzero(height < 0)
        place = eye[:2] - (eye[2] / ray[ground, 2])[:, None] * ray[ground, :2]
        image[ground] = self._ground(place)
        picture = np.clip(image, 0, 255).astype(np.uint8).reshape(*v.shape, 3)
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)

    def _wall(self, place: np.ndarray, height: np.ndarray) -> np.ndarray:
        azimuth = np.arctan2(place[:, 0], place[:, 1]) + np.pi
        panel = np.searchsorted(self._widths, azimuth) + 5 * (height > 1.3) + 3 * (height > 2.6)
        colour = self._panels[panel % len(self._panels)]
        tone = self._grain[0] * sample_texture(self._noise, azimuth * 700, height * 80)
        return colour * np.clip(1.05 - 0.08 * height, 0.5, 1.05)[:, None] + tone[:, None]

    def _ground(self, place: np.ndarray) -> np.ndarray:
        colour = np.float32(self._floor) + self._grain[1] * sample_texture(self._noise, *(place.T * 90))[:, None]
        lines = (np.mod(place, self._spacing) < 0.06).any(1)
        colour[lines] = self._line
        return colour

    def cast_shadow(self, image: np.ndarray, camera: np.ndarray, solids: list[Solid]) -> None:
        """Darken the floor where solids keep the light away, in place; ``camera`` (3, 4) projects world points."""
        ends = np.stack([[solid.start, solid.end] for solid in solids])
        ends = ends - ends[..., 2:] * (self.light.sun / self.light.sun[2])
        pixel = ends @ camera[:, :3].T + camera[:, 3]
        scale = np.linalg.norm(camera[0, :3]) / pixel[..., 2].mean()
        shade = np.zeros(image.shape[:2], np.uint8)
        for solid, (a, b) in zip(solids, np.int32(8 * pixel[..., :2] / pixel[..., 2:]).tolist(), strict=True):
            width = max(round(scale * sum(solid.radius) * sum(solid.stretch) / 5), 1)
            cv2.line(shade, a, b, 255, width, cv2.LINE_AA, 3)
        rows, columns = (np.flatnonzero(shade.any(axis)) for axis in (1, 0))
        if len(rows) == 0:
            return
        part = np.s_[max(rows[0] - 8, 0) : rows[-1] + 9, max(columns[0] - 8, 0) : columns[-1] + 9]
        dark = cv2.GaussianBlur(shade[part], (0, 0), 2.5)
        image[part] = (image[part] * (1 - dark[..., None] * np.float32(0.4 / 255))).astype(np.uint8)
