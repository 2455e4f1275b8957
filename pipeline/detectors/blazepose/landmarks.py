"""BlazePose's landmark network: the pose of the person in each region of a picture.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020, the model "full". What MediaPipe does
around the network is done here in the same way: https://github.com/google-ai-edge/mediapipe, ``pose_landmark``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runtime.utilisation import network
from ..openvino_runtime import network_of_pictures
from .region import cut_out, regions_around, to_picture

WEIGHTS = Path(__file__).parent / "weights" / "pose_landmark_full.tflite"
SIDE = 256
"""Of the network's pictures, px."""
OUTLINE = "Identity_2"
"""The output with the person's outline, a third of the network's time."""
JOINTS, ALIGNMENT = 33, slice(33, 35)
"""Landmarks of the skeleton come first, then the two points by which the next region is laid."""
WINDOW = 9
"""Side of the part of a heat map in which a landmark is refined, in cells."""
LEAST_HEAT = 0.5
"""Probability in that part from which on the heat map says more than the landmark itself."""


@dataclass(frozen=True)
class Poses:
    """What the network sees in regions (N) of one picture."""

    presence: np.ndarray  # (N) float32 in 0..1: probability that there is a person
    keypoint: np.ndarray  # (N, 33, 2) float32 px
    confidence: np.ndarray  # (N, 33) float32 in 0..1: visibility
    world: np.ndarray  # (N, 33, 3) float32 m: from the middle of the hips, x right, y down, z away from the camera
    region: np.ndarray  # (N, 4) float32: where the person is to be looked for next

    def __getitem__(self, chosen: np.ndarray) -> Poses:
        """Some of the poses."""
        return Poses(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @staticmethod
    def joined(*parts: Poses) -> Poses:
        """Poses of the same picture, one after the other."""
        names = Poses.__dataclass_fields__
        return Poses(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


NOBODY = Poses(*(np.zeros((0, *shape), np.float32) for shape in ((), (JOINTS, 2), (JOINTS,), (JOINTS, 3), (4,))))


class LandmarkNetwork:
    """The network, on the processor."""

    def __init__(self) -> None:
        self._network = network_of_pictures(WEIGHTS, mean=0.0, scale=255.0, channels_last=True, without=[OUTLINE])

    def poses(self, image: np.ndarray, regions: np.ndarray) -> Poses:
        """The poses in regions (N, 4) of a picture (H, W, 3) uint8 BGR."""
        if not len(regions):
            return NOBODY
        crops = cut_out(image, regions, SIDE)
        with network():
            found = self._network([crops], share_inputs=True)
        landmark = found["Identity"].reshape(len(crops), -1, 5).copy()
        landmark[..., :2] = refined(landmark[..., :2] / SIDE, found["Identity_3"])
        point = to_picture(regions, landmark[..., :2])
        return Poses(
            presence=found["Identity_1"][:, 0].copy(),
            keypoint=point[:, :JOINTS],
            confidence=sigmoid(landmark[:, :JOINTS, 3]),
            world=_turned(found["Identity_4"].reshape(len(crops), -1, 3)[:, :JOINTS], regions[:, 3]),
            region=regions_around(point[:, ALIGNMENT]),
        )

    def settled(self, image: np.ndarray, regions: np.ndarray, share: float) -> Poses:
        """The poses in regions (N, 4), once more where the next region is further away than a share of the side."""
        poses = self.poses(image, regions)
        moved = np.linalg.norm(poses.region[:, :2] - regions[:, :2], axis=1) > share * regions[:, 2]
        again = np.flatnonzero(moved)
        if not len(again):
            return poses
        order = np.argsort(np.concatenate([np.flatnonzero(~moved), again]))
        return Poses.joined(poses[~moved], self.poses(image, poses.region[again]))[order]


def refined(point: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Landmarks moved to the centre of mass of their heat maps nearby, where these are sure enough.

    Args:
        point: (N, J, 2) in shares of the region's sides.
        logit: (N, H, W, J) of the heat maps.
    """
    height, width = logit.shape[1:3]
    reach = np.arange(WINDOW) - WINDOW // 2
    cell = (point * [width, height]).astype(int)
    inside = ((cell >= 0) & (cell < [width, height])).all(-1)
    column, row = cell[..., :1] + reach, cell[..., 1:] + reach  # (N, J, WINDOW)
    there = ((row >= 0) & (row < height))[..., :, None] & ((column >= 0) & (column < width))[..., None, :]
    row, column = row.clip(0, height - 1), column.clip(0, width - 1)
    picture, joint = np.ogrid[: point.shape[0], : point.shape[1]]
    heat = sigmoid(logit[picture[..., None, None], row[..., :, None], column[..., None, :], joint[..., None, None]])
    heat = np.where(there, heat, 0)
    mass = heat.sum((-1, -2))
    centre = np.stack([(heat.sum(-2) * column).sum(-1) / width, (heat.sum(-1) * row).sum(-1) / height], -1)
    sure = inside & (heat.max((-1, -2)) >= LEAST_HEAT)
    return np.where(sure[..., None], centre / np.maximum(mass, 1e-9)[..., None], point)


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """Probabilities (...) of logits (...)."""
    return 1 / (1 + np.exp(-np.clip(logit, -80, None)))


def _turned(point: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Points (N, J, 3) of upright people turned about the line of sight by angles (N), as they are in the picture."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = np.moveaxis(point, -1, 0)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], -1).astype(np.float32)
