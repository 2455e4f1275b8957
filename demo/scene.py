"""The surroundings: a moving ski mat on a snow slope, with trees, banners, gates, mountains and sky.

A tripod turns but does not travel, so all that stands still is painted once per camera, on a plate that is
then warped to every frame; only the mat and the athletes' shadows are drawn anew.
"""

from __future__ import annotations

import cv2
import numpy as np

from .athlete import SLOPE, SlalomSkier
from .cameras import Shot
from .renderer import Light, Solid
from .scenery import HAZE, Painter, Tree, overlay, part_of

MAT = (5.4, 6.6)
"""Width across and length down the slope of the moving mat, m."""
_MAT_SCALE = 90  # texture pixels per metre


def cloud_noise(rng: np.random.Generator, size: int, steepness: float = 1.2) -> np.ndarray:
    """Tileable noise (size, size) float32, mean 0 and deviation 1, whose spectrum falls with frequency."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / np.maximum(frequency, 1) ** steepness
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (size, size))
    return (noise / noise.std()).astype(np.float32)


def sample_texture(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A tileable texture at pixel positions x, y (N); folded, as OpenCV takes at most 32767 columns."""
    number, sides = len(x), np.float32(texture.shape[::-1])
    if number == 0:  # a camera that looks down sees no sky
        return np.empty(0, np.float32)
    x, y = (
        np.pad(np.mod(v, side).astype(np.float32), (0, -len(v) % 1024)).reshape(-1, 1024)
        for v, side in zip((x, y), sides, strict=True)
    )
    return cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).ravel()[:number]


def _texture_to_plane(scale: float, origin: np.ndarray) -> np.ndarray:
    """From texture pixels to metres on the slope: ``scale`` pixels per metre, ``origin`` (2) m from its corner."""
    return np.array([[1 / scale, 0, -origin[0]], [0, 1 / scale, -origin[1]], [0, 0, 1]])


class Plate:
    """What one camera sees of the still world, wide enough for all of its frames."""

    def __init__(self, scene: Scene, shot: Shot) -> None:
        self.R = shot.R[len(shot.R) // 2]
        self.focal = float(shot.K[:, 0, 0].max())
        corners = np.array([[x, y, 1.0] for x in (-1, shot.size[0]) for y in (-1, shot.size[1])])
        rays = np.einsum("fij,cj->fci", self.R @ shot.R.transpose(0, 2, 1) @ np.linalg.inv(shot.K), corners)
        reach = rays[..., :2] / rays[..., 2:] * self.focal
        low, high = np.floor(reach.min((0, 1))) - 2, np.ceil(reach.max((0, 1))) + 2
        self.size = tuple(int(v) for v in high - low)
        self.K = np.array([[self.focal, 0, -low[0]], [0, self.focal, -low[1]], [0, 0, 1]])
        self.t = -self.R @ shot.centre
        self.image = scene.paint(self.K, self.R, self.t, self.size)
        self._warped_by, self._warped = np.zeros((3, 3)), self.image

    def seen_by(self, K: np.ndarray, R: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The image (H, W, 3) uint8 for a camera at the same place."""
        homography = K @ R @ self.R.T @ np.linalg.inv(self.K)
        if not np.array_equal(homography, self._warped_by):  # a camera that stands still needs it only once
            self._warped = cv2.warpPerspective(self.image, homography, size, borderMode=cv2.BORDER_REPLICATE)
            self._warped_by = homography
        return self._warped.copy()


class Scene:
    """The world around the athlete; ``keep_clear`` are camera positions (C, 3) whose view nothing may block."""

    def __init__(self, seed: int, keep_clear: np.ndarray, light: Light | None = None) -> None:
        self.light = light or Light()
        rng = np.random.default_rng([seed, 2])
        self._noise = cloud_noise(rng, 512)
        self._fine = cloud_noise(rng, 512, 0.6)
        self._ridge = rng.uniform(0, 2 * np.pi, 8)
        self._clear = keep_clear @ SLOPE[:, :2]
        self.trees = self._plant(rng, 380)
        self.mat = self._weave(rng)

    def _blocks(self, place: np.ndarray, margin: float) -> bool:
        """Whether something at a place (across, down) would stand in front of the athlete for any camera."""
        for camera in self._clear:
            share = np.clip(place @ camera / (camera @ camera), 0, 1.1)
            if np.linalg.norm(place - share * camera) < margin + 1.5 * (1 - min(share, 1.0)):
                return True
        return False

    def _plant(self, rng: np.random.Generator, number: int) -> list[Tree]:
        trees = []
        for seed in range(number):
            place = np.array([rng.uniform(-60, 60), rng.uniform(_CREST, 75)])
            height = rng.uniform(2.2, 5.5)
            if np.linalg.norm(place) > 16 and not self._blocks(place, 3.2):
                trees.append(Tree(place, height, seed))
        return trees

    def _weave(self, rng: np.random.Generator) -> np.ndarray:
        """Texture of the mat (L, W, 3) uint8, tileable along its length of 12 mat lengths."""
        width, length = (int(v * _MAT_SCALE) for v in (MAT[0], 12 * MAT[1]))
        weave = np.tile(self._fine, (length // 512 + 1, 2))[:length, :width] * 4
        weave += cv2.resize(rng.standard_normal((length // 12, width // 12)).astype(np.float32), (width, length)) * 3
        mat = np.float32([222, 214, 205]) + weave[..., None]
        rows = np.arange(length)
        mat[(rows % _MAT_SCALE) < 3] -= 16
        return np.clip(mat, 0, 255).astype(np.uint8)

    def mark_turns(self, skier: SlalomSkier, time: np.ndarray) -> None:
        """Paint a disc on the mat at the inside of every turn that the skier will make at these times (T) s."""
        phase = skier.phase(time)
        for apex in np.arange(np.ceil(phase[0] / np.pi - 0.5), phase[-1] / np.pi - 0.5):
            moment = np.interp((apex + 0.5) * np.pi, phase, time)
            side = 1.0 if int(apex) % 2 == 0 else -1.0
            across = skier.across(np.array([moment]))[0] - 0.75 * side
            down = skier.along(np.array([moment]))[0] + skier.SPEED * moment
            colour = (60, 50, 215) if side > 0 else (205, 90, 30)
            for wrap in (-len(self.mat), 0, len(self.mat)):
                row = down * _MAT_SCALE % len(self.mat) + wrap
                centre = (int((across + MAT[0] / 2) * _MAT_SCALE * 16), int(row * 16))
                cv2.circle(self.mat, centre, int(0.20 * _MAT_SCALE * 16), colour, -1, cv2.LINE_AA, 4)
                cv2.circle(self.mat, centre, int(0.09 * _MAT_SCALE * 16), (240, 240, 240), -1, cv2.LINE_AA, 4)

    def lay_mat(self, image: np.ndarray, camera: np.ndarray, solids: list[Solid], travel: float) -> None:
        """Draw the mat after it has run for ``travel`` metres, and the shadows on the snow, in place.

        ``camera`` is the projection (3, 4) of world points.
        """
        rows = np.arange(int(MAT[1] * _MAT_SCALE)) + round((travel - MAT[1] / 2) * _MAT_SCALE)
        plane = np.column_stack([camera[:, :3] @ SLOPE[:, :2], camera[:, 3]])
        overlay(image, self.mat[rows % len(self.mat)], plane @ _texture_to_plane(_MAT_SCALE, np.array(MAT) / 2))
        outline = np.float32([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.float32(MAT) / 2
        outline = cv2.perspectiveTransform(outline[None], plane)
        cv2.polylines(image, np.int32(np.round(outline * 8)), True, (70, 66, 62), 2, cv2.LINE_AA, 3)
        self._cast_shadows(image, plane, solids)

    def _cast_shadows(self, image: np.ndarray, plane: np.ndarray, solids: list[Solid]) -> None:
        """Darken the slope where solids keep the sun away, in place; ``plane`` maps slope metres to the image."""
        sun, scale = self.light.sun @ SLOPE, _SHADOW_SCALE
        ends = np.stack([[solid.start, solid.end] for solid in solids]) @ SLOPE
        ends = ends[..., :2] - ends[..., 2:] * sun[:2] / sun[2]
        low = ends.min((0, 1)) - 0.4
        width, height = (int(v) for v in np.ceil((ends.max((0, 1)) + 0.4 - low) * scale))
        shade = np.zeros((height, width), np.uint8)
        for solid, (a, b) in zip(solids, np.int32((ends - low) * scale * 8).tolist(), strict=True):
            thickness = 2 * scale * sum(solid.radius) / 2 * sum(solid.stretch) / 3
            cv2.line(shade, a, b, 255, max(1, int(thickness)), cv2.LINE_AA, 3)
        shade = cv2.GaussianBlur(shade, (0, 0), 1.6)
        homography = plane @ _texture_to_plane(scale, -low)
        corners = np.float32([[[0, 0], [width, 0], [width, height], [0, height]]])
        part, shift = part_of(image, cv2.perspectiveTransform(corners, homography)[0])
        if part.size == 0:
            return
        dark = cv2.warpPerspective(shade, shift @ homography, (part.shape[1], part.shape[0]))
        tint = np.float32([0.36, 0.46, 0.54]) / 255
        part[:] = (part * (1 - dark[..., None] * tint)).astype(np.uint8)

    def paint(self, K: np.ndarray, R: np.ndarray, t: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The still world (H, W, 3) uint8 seen by one camera, painted at twice the resolution."""
        K = np.diag([2.0, 2.0, 1.0]) @ K
        width, height = 2 * size[0], 2 * size[1]
        v, u = np.mgrid[:height, :width].astype(np.float32)
        x, y = (u - np.float32(K[0, 2])) / np.float32(K[0, 0]), (v - np.float32(K[1, 2])) / np.float32(K[1, 1])
        ray = np.stack([x, y, np.ones_like(x)], -1) @ (R.astype(np.float32) @ SLOPE.astype(np.float32))
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        eye = -R.T @ t @ SLOPE
        ray = ray.reshape(-1, 3)
        image = np.empty_like(ray)
        slope, snow = self._snow(ray, eye)
        image[slope] = snow
        beyond = np.ones(len(ray), bool)
        beyond[slope] = False
        image[beyond] = self._sky_and_mountains(ray[beyond])
        painter = Painter(image.reshape(height, width, 3), K @ np.column_stack([R @ SLOPE, t]), eye)
        painter.forest(self.trees)
        painter.banners(self._blocks)
        return cv2.resize(painter.image, size, interpolation=cv2.INTER_AREA)

    def _sky_and_mountains(self, ray: np.ndarray) -> np.ndarray:
        """Background (N, 3) float32 for unit rays (N, 3) in slope axes."""
        rise = np.arcsin(np.clip(ray @ np.float32(SLOPE.T[:, 2]), -1, 1))
        azimuth = np.arctan2(ray[:, 0], ray[:, 1])
        blend = np.clip(rise / 0.5, 0, 1)[..., None]
        image = (1 - blend) * np.float32([245, 225, 200]) + blend * np.float32([225, 150, 80])
        cloud = sample_texture(self._noise, azimuth * 160, rise * 420)[..., None]
        image += np.clip(cloud - 0.5, 0, 1.5) * np.float32([10, 32, 55])
        for layer, (base, rough, colour) in enumerate(_RANGES):
            p = self._ridge[layer : layer + 4]
            waves = zip((0.5, 0.35, 0.2, 0.1), (5, 11, 27, 61), p, strict=True)
            ridge = base + rough * sum(height * np.sin(rate * azimuth + start) for height, rate, start in waves)
            ridge = ridge + rough * 0.10 * sample_texture(
                self._noise, azimuth * 400 + 90 * layer, 0 * azimuth + 40 * layer
            )
            inside = np.clip((ridge - rise) * 700, 0, 1)[..., None]
            rock = sample_texture(self._noise, azimuth * 900 + 70 * layer, rise * 1500 + azimuth * 500)[..., None]
            snow = np.clip(0.5 + 0.9 * rock + (rise - ridge)[..., None] * 6 + 0.3, 0, 1)
            tone = snow * np.float32([250, 242, 232]) + (1 - snow) * np.float32(colour)
            tone = 0.55 * tone + 0.45 * HAZE if layer == 0 else 0.8 * tone + 0.2 * HAZE
            image += inside * (tone - image)
        return image.astype(np.float32)

    def _snow(self, ray: np.ndarray, eye: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the rays (N, 3) meet the slope, as indices (M), and its colours there (M, 3)."""
        below = np.flatnonzero(ray[:, 2] < -1e-4)
        ray = ray[below]
        distance = -np.float32(eye[2]) / ray[:, 2]
        x, y = (np.float32(eye[i]) + distance * ray[:, i] for i in range(2))
        on_slope = (y > _CREST + 1.2 * np.sin(x / 7)) & (distance < 2000)
        below, distance, x, y = below[on_slope], distance[on_slope], x[on_slope], y[on_slope]
        near = np.clip(1.3 - distance / 70, 0.15, 1)
        tone = 5 * sample_texture(self._noise, x * 9, y * 9) + 6 * near * sample_texture(self._noise, x * 70, y * 45)
        tone += 9 * near * sample_texture(self._fine, x * 130, y * 130)
        colour = np.float32([238, 228, 218]) + tone[:, None] * np.float32([0.7, 1.0, 1.15])
        meander = x - 0.9 * np.sin(0.55 * y + self._ridge[0]) - 0.4 * np.sin(0.21 * y)
        grooves = np.maximum(1 - np.square((np.mod(meander, 5.3) - 2.6) / 0.13), 0)
        grooves += np.maximum(1 - np.square((np.mod(meander, 5.3) - 2.2) / 0.13), 0)
        clumps = np.clip(sample_texture(self._noise, x * 33 + 200, y * 33) - 1.6, 0, 1)
        colour -= (near * 22 * grooves)[:, None] * np.float32([0.7, 1.0, 1.2])
        colour -= (near * clumps)[:, None] * np.float32([60, 85, 105])
        haze = np.clip(distance / 260, 0, 0.8)[:, None]
        colour += haze * (HAZE - colour)
        edge = np.maximum(np.abs(x) - MAT[0] / 2, np.abs(y) - MAT[1] / 2)
        striped = np.sin(3.2 * (x + y)) > 0
        colour[edge < 0.28] = (70, 66, 62)
        colour[(edge < 0.28) & striped] = (40, 190, 240)
        return below, colour


_RANGES = ((0.132, 0.032, (150, 125, 110)), (0.078, 0.022, (96, 84, 70)))
"""Two mountain ranges: height and roughness of their ridges in radians, colour of the rock."""
_CREST = -23.0
"""The slope begins here: metres down the slope from the middle of the mat."""
_SHADOW_SCALE = 50  # shadow map pixels per metre
