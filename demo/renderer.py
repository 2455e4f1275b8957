"""Draws solid shaded shapes: exact ray casting of round cones, vectorised over the pixels that each may cover.

A shape is a round cone (two spheres and what spans them) whose distances are measured in a metric Q, so that
flattened trunks, ellipsoid heads and thin skis are the same formula. The camera centre is the origin, which
makes every dot product with a viewing ray linear in the pixel's x and y.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

Colour = tuple[float, float, float]
"""Blue, green, red in 0..255."""


@dataclass(frozen=True)
class Light:
    """Where light comes from, in world axes."""

    sun: np.ndarray = field(default_factory=lambda: np.array([0.45, 0.50, 0.74]))  # (3) towards the sun
    direct: float = 0.66
    sky: float = 0.52
    bounce: float = 0.22
    """Light from the snow below."""


@dataclass(frozen=True)
class Paint:
    """A second colour on that part of a surface whose normal lies within a cone about a direction."""

    direction: np.ndarray  # (3) world
    cosine: float
    colour: Colour


@dataclass(frozen=True)
class Solid:
    """A round cone from ``start`` (radius[0]) to ``end`` (radius[1]), world axes, metres."""

    start: np.ndarray  # (3)
    end: np.ndarray  # (3)
    radius: tuple[float, float]
    colour: Colour
    axes: np.ndarray | None = None  # (3, 3) columns: directions that ``stretch`` refers to
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factors by which the surface is stretched along the axes."""
    paint: Paint | None = None
    clip: tuple[np.ndarray, np.ndarray] | None = None  # point (3), direction (3): only the side it points to exists
    gloss: float = 0.1

    def metric(self) -> np.ndarray:
        """The metric Q (3, 3) in which this is an ordinary round cone."""
        if self.axes is None:
            return np.eye(3)
        return (self.axes / np.square(self.stretch)) @ self.axes.T


class Canvas:
    """Colour, normals and depth of the solids drawn so far, at twice the resolution of the image they go to."""

    SAMPLES = 2

    def __init__(self, K: np.ndarray, R: np.ndarray, t: np.ndarray, box: tuple[int, int, int, int]) -> None:
        """The part of an image inside ``box`` (left, top, right, bottom; px), seen by one camera."""
        self.R, self.t, self.box = R, t, box
        left, top, right, bottom = box
        step = 1 / self.SAMPLES
        offset = step / 2 - 0.5
        u = left + offset + step * np.arange((right - left) * self.SAMPLES)
        v = top + offset + step * np.arange((bottom - top) * self.SAMPLES)
        self.x = ((u - K[0, 2]) / K[0, 0]).astype(np.float32)
        self.y = ((v - K[1, 2]) / K[1, 1]).astype(np.float32)
        shape = (len(v), len(u))
        self.depth = np.full(shape, np.inf, np.float32)
        self.normal = np.zeros((*shape, 3), np.float32)
        self.colour = np.zeros((*shape, 3), np.float32)
        self.gloss = np.zeros(shape, np.float32)

    def draw(self, solid: Solid) -> None:
        """Cast the rays that may hit one solid and keep the nearer surface."""
        a, b = self.R @ solid.start + self.t, self.R @ solid.end + self.t
        metric = self.R @ solid.metric() @ self.R.T
        window = self._window(a, b, max(solid.stretch) * np.array(solid.radius))
        if window is None:
            return
        rows, columns = window
        x, y = self.x[columns], self.y[rows]
        depth, normal_of = _cast(x[None, :], y[:, None], a, b, solid.radius, metric)
        nearer = depth < self.depth[window]
        if solid.clip is not None:
            nearer &= self._kept(solid.clip, x, y, np.where(nearer, depth, 0))
        row, column = np.nonzero(nearer)
        if len(row) == 0:
            return
        depth, normal = depth[row, column], normal_of(x[column], y[row], depth[row, column])
        colour = np.broadcast_to(np.float32(solid.colour), normal.shape)
        if solid.paint is not None:
            painted = normal @ (self.R @ solid.paint.direction).astype(np.float32) > solid.paint.cosine
            colour = np.where(painted[:, None], np.float32(solid.paint.colour), colour)
        row, column = row + rows.start, column + columns.start
        self.depth[row, column] = depth
        self.normal[row, column] = normal
        self.colour[row, column] = colour
        self.gloss[row, column] = solid.gloss

    def _window(self, a: np.ndarray, b: np.ndarray, radius: np.ndarray) -> tuple[slice, slice] | None:
        """Rows and columns that the two end spheres may cover, or None."""
        ends = np.stack([a, b])
        if (ends[:, 2] - radius < 0.1).any():
            return None
        reach = 1.02 * radius / (ends[:, 2] - radius)
        slices = []
        for axis, grid in ((1, self.y), (0, self.x)):
            middle = ends[:, axis] / ends[:, 2]
            low, high = np.searchsorted(grid, [(middle - reach).min(), (middle + reach).max()])
            if low >= high:
                return None
            slices.append(slice(int(low), int(high)))
        return slices[0], slices[1]

    def _kept(
        self, clip: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray, depth: np.ndarray
    ) -> np.ndarray:
        point, direction = self.R @ clip[0] + self.t, self.R @ clip[1]
        along = (x * direction[0])[None] + (y * direction[1] + direction[2])[:, None]
        return depth * along > point @ direction

    def blend(self, image: np.ndarray, light: Light) -> None:
        """Shade what was drawn and lay it over the image (H, W, 3) uint8 in place, anti-aliased."""
        covered = np.isfinite(self.depth)
        colour = np.zeros_like(self.colour)
        colour[covered] = self._shade(covered, light)
        alpha = covered.astype(np.float32)
        left, top, right, bottom = self.box
        size = (right - left, bottom - top)
        colour = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)[..., None]
        part = image[top:bottom, left:right]
        part[:] = np.clip(colour + (1 - alpha) * part, 0, 255).astype(np.uint8)

    def _shade(self, covered: np.ndarray, light: Light) -> np.ndarray:
        """Colours (N, 3) of the covered samples: sun, sky, bounce from the snow, highlights and contact shade."""
        normal = self.normal[covered]
        sun = (self.R @ (light.sun / np.linalg.norm(light.sun))).astype(np.float32)
        up = normal @ self.R[:, 2].astype(np.float32)
        facing = normal @ sun
        soft = np.clip((facing + 0.15) / 1.15, 0, 1)
        level = light.direct * soft + light.sky * (0.6 + 0.4 * up) + light.bounce * np.clip(-up, 0, 1)
        level *= self._openness(covered)
        half = sun - np.float32([0, 0, 1])
        half /= np.linalg.norm(half)
        shine = np.clip(normal @ half, 0, 1) ** 24 * self.gloss[covered] * 255
        rim = np.clip(1 + normal[:, 2], 0, 1) ** 3  # surfaces that turn away from the camera darken: a soft outline
        return self.colour[covered] * (level * (1 - 0.35 * rim))[:, None] + shine[:, None]

    def _openness(self, covered: np.ndarray) -> np.ndarray:
        """How open each covered sample is (N): less where its surroundings lie in front of it."""
        far = float(self.depth[covered].max()) + 0.05 if covered.any() else 1.0
        depth = np.where(covered, self.depth, far)
        size = max(3, int(0.05 * np.sqrt(covered.sum())) | 1)
        behind = np.clip((depth - cv2.blur(depth, (size, size))) / 0.12, 0, 1)
        return 1 - 0.45 * cv2.blur(behind, (3, 3))[covered]


def _cast(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, radius: tuple[float, float], Q: np.ndarray):
    """Depths at which rays (x, y, 1) meet a round cone (inf = miss), and a function for the normals there.

    After Quilez's round cone, with dot products in the metric Q and rays that are not normalised, so that the
    ray parameter is the depth itself.
    """
    x, y = x.astype(np.float32), y.astype(np.float32)
    ra, rb = radius
    axis, slope = b - a, ra - rb
    qa, qb, q_axis = Q @ a, Q @ b, Q @ axis
    m0, m1, m5, m7 = float(axis @ q_axis), float(-axis @ qa), float(a @ qa), float(b @ qb)
    d2 = m0 - slope**2

    def along(v: np.ndarray) -> np.ndarray:
        return x * np.float32(v[0]) + (y * np.float32(v[1]) + np.float32(v[2]))

    m4 = x * (np.float32(Q[0, 0]) * x + 2 * (np.float32(Q[0, 1]) * y + np.float32(Q[0, 2]))) + (
        y * (np.float32(Q[1, 1]) * y + 2 * np.float32(Q[1, 2])) + np.float32(Q[2, 2])
    )
    m3, m6 = -along(qa), -along(qb)
    with np.errstate(invalid="ignore", divide="ignore"):
        h1, h2 = m3 * m3 - m4 * (m5 - ra**2), m6 * m6 - m4 * (m7 - rb**2)
        t1 = np.where(h1 > 0, (-m3 - np.sqrt(h1)) / m4, np.inf)
        t2 = np.where(h2 > 0, (-m6 - np.sqrt(h2)) / m4, np.inf)
        depth = np.minimum(t1, t2)
        if d2 > 1e-9:
            m2 = along(q_axis)
            k2, k1 = d2 * m4 - m2 * m2, d2 * m3 - m1 * m2 + m2 * (slope * ra)
            k0 = d2 * m5 - m1**2 + 2 * m1 * slope * ra - m0 * ra**2
            h = k1 * k1 - k0 * k2
            t0 = (-np.sqrt(h) - k1) / k2
            height = m1 - ra * slope + t0 * m2
            depth = np.where((h > 0) & (height > 0) & (height < d2), t0, depth)

    def normal_of(x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Unit normals (N, 3) at hits (N)."""
        point = np.stack([x * depth, y * depth, depth], -1)
        share = np.zeros_like(depth)
        if d2 > 1e-9:
            height = (point - a.astype(np.float32)) @ q_axis.astype(np.float32) - ra * slope
            share = np.clip(height / d2, 0, 1)
        elif rb > ra:
            share = share + 1
        centre = a + share[:, None] * axis
        normal = (point - centre.astype(np.float32)) @ Q.astype(np.float32)
        return normal / np.linalg.norm(normal, axis=-1, keepdims=True)

    return depth, normal_of


def box_around(pixel: np.ndarray, margin: float, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The part of an image (left, top, right, bottom; px) within ``margin`` of any of the pixels (N, 2), or None."""
    low = np.maximum(np.floor(pixel.min(0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(pixel.max(0) + margin), size).astype(int)
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
