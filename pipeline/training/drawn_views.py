"""Views that no camera has filmed: of the reconstruction, drawn anew for every step of training.

A network trained on one athlete from four sides for some seconds works for these sides and movements only. Windows of
the reconstruction are therefore filmed by random cameras, with limbs of other moments and the detector's own errors
(``models.synthesis``). With a prior, poses that any body can take join them.

*Measured* on 15 to 20 s of one training session of the benchmark, PMPJPE / NMPJPE in mm, CanonPose in brackets, one
seed, 2500 steps, no prior. Three static cameras: their clips 24.3 / 37.9 (34.5 / 68.5), their fourth camera 34.9 /
72.9 (57.4 / 120.1), other people and rigs 53.8 / 79.6 (74.7 / 112.6); with single frames 31.2 / 46.5, 44.4 / 87.6
and 58.2 / 84.4. With the prior and 1280 steps 22.6 / 36.4, 34.2 / 70.1 and 40.9 / 67.4, where it knows some of the
other people's movements. Three panning cameras, no prior: 28.5 / 43.7 (31.3 / 86.8), the three others 35.7 / 54.4
(62.0 / 115.7), other people 52.8 / 74.4 (72.7 / 119.9).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from ...models.geometry.lens import bend_points
from ...models.method import Drawn
from ...models.skeleton import SKELETONS, Skeleton
from ...models.synthesis.cameras import CameraRange, film
from ...models.synthesis.detections import with_residuals
from ...models.synthesis.drawn_poses import drawn_poses
from ...models.synthesis.limbs import LimbExchange
from ...models.synthesis.views import Synthesis, TrainingViews, training_views
from ..arrays import FusedPoses, Samples
from .windows import windows_of

Array = NDArray[np.float64]

CAMERAS = CameraRange(nearest=2.5, farthest=20.0, pitch_deg=11.0, roll_deg=5.0)
"""Cameras around the athlete, pitched and rolled against those of the footage."""
PACES = (1.0, 0.7, 1.4, 2.0)
"""Steps between the frames of a window, in those of the footage; one is as likely as the other."""
_UP = torch.tensor([0.0, 0.0, 1.0])
_NEAREST = 1e-3
"""Depth, in the unit of the joints, below which nothing is projected."""


class Recorded(NamedTuple):
    """What N instants of the footage show in V views."""

    joint: Tensor  # (N, J, 3) root-relative, in axes of a world with z up
    R: Tensor  # (N, V, 3, 3) camera_from_world
    place: Tensor  # (N, V, 3) of the root in the axes of the camera
    error: Tensor  # (N, V, J, 2) of detections at the depth of the root, in the unit of the joints
    confidence: Tensor  # (N, V, J), 0 where missing


class DrawnViews:
    """Draws views of a reconstruction.

    Args:
        samples: 2D poses of N instants.
        fused: what they reconstruct, the athlete's stature being 1.
        half: (N) half of the footage that each belongs to.
        size: frames of a window.
    """

    def __init__(self, samples: Samples, fused: FusedPoses, half: Tensor, size: int) -> None:
        body = SKELETONS[fused.skeleton].body
        self.size, self.half = size, half
        self.root = torch.from_numpy(body.landmark_weights("pelvis")[0])
        self.exchange, self.synthesis = LimbExchange(body), Synthesis(body)
        self.recorded = _recorded(samples, fused, body)
        self.windows = [windows_of(samples, size, pace) for pace in PACES]

    def draw(self, filmed: int, generic: int, half: int | None) -> Drawn:
        """Views of the reconstruction, and generic ones behind them, by a generator that torch's own one seeds.

        Args:
            filmed: number of views of the reconstruction.
            generic: number of views of other poses.
            half: of the footage that is filmed; None: all of it.
        """
        chance = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        parts = [self._filmed(chance, filmed, half)]
        if generic:
            pose = drawn_poses(chance, generic, self.size)[:, :, : len(self.root)]
            parts.append(self.synthesis.detect(chance, self.synthesis.film(chance, pose)))
        return Drawn(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def _filmed(self, chance: Generator, count: int, half: int | None) -> TrainingViews:
        """Views (count) of the reconstruction."""
        known, now = self.recorded, self.size // 2
        shown = (known.confidence > 0).any(-1)
        shown &= torch.ones_like(shown) if half is None else (self.half == half)[:, None]
        sample, view = shown.nonzero()[torch.randint(int(shown.sum()), (count,), generator=chance)].T
        frame = self._frames(chance, sample, view)
        there, frame, camera = frame >= 0, frame.where(frame >= 0, sample[:, None]), view[:, None]
        # As the real camera saw the athlete through the window, standing or turning, in the world of its middle.
        way = known.place[frame, camera] - known.place[sample, view][:, None]
        seen = known.joint[frame] @ known.R[frame, camera].mT + way[:, :, None]
        base = known.R[sample, view]
        joint = self.exchange(chance, seen @ base[:, None])
        shot = film(chance, joint, self.root, torch.ones(count), base, _UP, CAMERAS)
        depth = shot.joint[:, now, :, 2] @ self.root
        confidence = known.confidence[frame, camera] * there[..., None]
        found = with_residuals(shot.image, 1 / depth, known.error[frame, camera], confidence)
        return training_views(*found, shot.joint[:, now], self.root)

    def _frames(self, chance: Generator, sample: Tensor, view: Tensor) -> Tensor:
        """Samples (N, size) of windows around views (N) of samples (N), -1 where there are none."""
        frame = sample[:, None].repeat(1, self.size)
        pace = torch.randint(len(PACES), sample.shape, generator=chance)
        views = self.recorded.confidence.shape[1]
        for number, windows in enumerate(self.windows):
            here = pace == number
            if windows is not None:
                around = torch.from_numpy(windows.around((sample * views + view)[here].numpy()))
                frame[here] = around.where(around < 0, around // views)
        return frame


def _recorded(samples: Samples, fused: FusedPoses, body: Skeleton) -> Recorded:
    """The reconstruction, level, and what the detector made of it."""
    joints, level = slice(len(body.joints)), _level(fused)
    there = np.isfinite(fused.root).all(-1)[..., None]
    R = np.where(there[..., None], fused.camera_from_rig @ level.mT[:, None], np.eye(3))
    error, confidence = _errors(samples, fused)
    arrays = (
        np.einsum("sab,sjb->sja", level, fused.joint)[:, joints],
        R,
        np.where(there, fused.root, 0),
        error[:, :, joints],
        confidence[:, :, joints],
    )
    return Recorded(*(torch.from_numpy(np.ascontiguousarray(array, np.float32)) for array in arrays))


def _level(fused: FusedPoses) -> Array:
    """Rotations (N, 3, 3) from the axes of each sample's rig to axes whose z is the mean direction of the trunk."""
    pelvis, thorax = SKELETONS[fused.skeleton].landmark_weights("pelvis", "thorax")
    trunk = (thorax - pelvis) @ fused.joint
    found = np.empty((len(trunk), 3, 3))
    for take in np.unique(fused.take).tolist():
        here = np.asarray(fused.take) == take
        up = (trunk[here] / np.linalg.norm(trunk[here], axis=-1, keepdims=True)).mean(0)
        up /= np.linalg.norm(up)
        ahead = np.cross(up, np.eye(3)[np.abs(up).argmin()])
        ahead /= np.linalg.norm(ahead)
        found[here] = [ahead, np.cross(up, ahead), up]
    return found


def _errors(samples: Samples, fused: FusedPoses) -> tuple[Array, Array]:
    """Errors (N, V, J, 2) of detections, in the joints' unit at the depth of the root, and confidences (N, V, J).

    The middle of a camera's pictures is where errors have none of their own: their median is 0.
    """
    joint = fused.joint_in_camera + fused.root[:, :, None]
    exists = np.isfinite(joint).all(-1) & (np.nan_to_num(joint[..., 2]) > _NEAREST) & (samples.confidence > 0)
    focal = np.where(exists.any(-1), fused.focal, 1)[..., None, None]
    depth = np.where(exists, joint[..., 2], 1)[..., None]
    image = bend_points(focal * np.nan_to_num(joint[..., :2]) / depth, np.nan_to_num(fused.bend))
    error = np.where(exists[..., None], samples.keypoint - image, np.nan)
    for take in np.unique(fused.take).tolist():
        here = np.asarray(fused.take) == take
        shown = exists[here].any((0, 2))
        error[np.ix_(here, shown)] -= np.nanmedian(error[np.ix_(here, shown)], (0, 2), keepdims=True)
    error = np.nan_to_num(error) * np.nan_to_num(fused.root[..., None, 2:]) / focal
    return error, np.where(exists, samples.confidence, 0)
