"""What a detector makes of exact 2D poses: errors that depend on clip, joint and moment, and confidences.

The sizes are ours, after what BlazePose and MMPose's detectors do on real footage: errors of about 1 % of the height,
half of their variance lasting, more where a joint is hidden, a few gross ones, legs or sides now and then confused,
confidences that tell a part of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ..skeleton import Skeleton
from .bodies import STATURE
from .draws import happens, normal, uniform

SPREADS = {"nose": 0.006, "hip": 0.011, "knee": 0.009, "spine": 0.011, "thorax": 0.007, "head": 0.008,
           "shoulder": 0.008, "elbow": 0.009, "wrist": 0.011, "heel": 0.013, "toe": 0.013}  # fmt: skip
"""Standard deviations of errors along each axis, in statures."""
_OTHER_SPREAD = 0.01
_FAST, _SLOW, _LASTING = 0.5, 0.25, 0.25
"""Shares of the variance that change from frame to frame, over a third of a second or so, and not in a window."""
_LIKENESS = 0.35
"""Standard deviation of the logarithm of how well a clip suits the detector."""
_FIXED = 0.5
"""Errors that stay in a window however well the joint is seen, as a share of ``SPREADS``."""
_HIDDEN, _WORSE = 0.15, 3.0
_GROSS, _GROSS_ERROR = 0.028, (0.06, 0.22)
"""Share of joints that are far off, three times as many where hidden, and how far, in statures."""
_SWAPPED = 0.012
"""Share of frames in which left and right are confused, each of legs, arms and all."""
_FOOLED = 0.35
"""Share of gross errors that confidences know nothing of."""
_ALWAYS_SURE = 0.15
"""Share of windows whose confidences are all 1, as in files of poses without any."""
_LOST_JOINT, _LOST_FRAME = 0.01, 0.02
"""Shares of joints that a window lacks, never those of its root, and of frames without a person."""
_HELD = 0.2
"""Share of windows from a camera that is slower than the windows' steps, so that frames repeat."""


class Detections(NamedTuple):
    """2D poses of windows: keypoints (N, W, J, 2) and confidences (N, W, J) in 0..1, 0 where missing."""

    keypoint: Tensor
    confidence: Tensor


class DetectorModel:
    """Errors of detectors in general, for the joints of a skeleton."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.spread = torch.tensor([SPREADS.get(joint.split("_")[-1], _OTHER_SPREAD) for joint in skeleton.joints])
        self.mirror = torch.from_numpy(skeleton.mirror)
        self._kept = torch.zeros(len(self.spread), dtype=torch.bool)
        for name in ("pelvis", "left_hip", "right_hip", "left_shoulder", "right_shoulder"):
            self._kept[list(skeleton.landmark(name))] = True
        parts = {"leg": ("knee", "ankle", "heel", "toe", "hip"), "arm": ("shoulder", "elbow", "wrist")}
        ends = [joint.split("_")[-1] for joint in skeleton.joints]
        self._parts = [torch.tensor([end in part for end in ends]) for part in parts.values()]

    def __call__(self, chance: Generator, image: Tensor, unit: Tensor) -> Detections:
        """Detections of exact 2D poses.

        Args:
            image: (N, W, J, 2).
            unit: (N) mean length of a bone in units of the image.
        """
        count, size, joints = image.shape[:3]
        hidden = happens(chance, count, 1, joints, share=_HIDDEN)
        spread = self.spread * torch.where(hidden, _WORSE, 1.0) * normal(chance, count, 1, 1, spread=_LIKENESS).exp()
        error = self._errors(chance, count, size) * spread[..., None]
        plain = error.norm(dim=-1)
        gross = happens(chance, count, size, joints, share=_GROSS) & (
            hidden | happens(chance, count, size, joints, share=0.6)
        )
        wild = int(gross.sum())
        angle = uniform(chance, wild, high=2 * math.pi)
        far = uniform(chance, wild, low=_GROSS_ERROR[0], high=_GROSS_ERROR[1])
        error[gross] += far[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
        noticed = plain.clone()
        noticed[gross] = torch.where(happens(chance, wild, share=_FOOLED), plain[gross], error[gross].norm(dim=-1))
        error = error + normal(chance, count, 1, joints, 2, spread=_FIXED) * self.spread[:, None]
        keypoint = image + error * (STATURE * unit)[:, None, None, None]
        confidence = self._confidences(chance, noticed, spread)
        return _held(chance, *self._swapped(chance, keypoint, confidence))

    def _errors(self, chance: Generator, count: int, size: int) -> Tensor:
        """Errors (count, size, J, 2) of unit variance that last in part."""
        joints = len(self.spread)
        fast = normal(chance, count, size, joints, 2, spread=_FAST**0.5)
        lasting = normal(chance, count, 1, joints, 2, spread=_LASTING**0.5)
        few = (size + 2) // 3
        slow = normal(chance, count, 2 * joints, few, spread=_SLOW**0.5)
        slow = slow.repeat_interleave(3, -1)[..., :size].mT.unflatten(-1, (joints, 2))
        return fast + slow + lasting

    def _confidences(self, chance: Generator, noticed: Tensor, spread: Tensor) -> Tensor:
        """Confidences (N, W, J), lower where errors (N, W, J) are larger and where a joint is harder to see."""
        count, size, joints = noticed.shape
        logit = 1.5 - 0.9 * (spread / 0.012).log() - 0.4 * ((noticed + 0.004) / 0.014).log()
        logit = logit + normal(chance, count, size, joints, spread=0.6) + normal(chance, count, 1, 1)
        sure = happens(chance, count, 1, 1, share=_ALWAYS_SURE)
        confidence = torch.where(sure, 1.0, logit.sigmoid() * 0.95 + 0.03)
        lost = happens(chance, count, 1, joints, share=_LOST_JOINT) & ~self._kept
        away = happens(chance, count, size, 1, share=_LOST_FRAME)
        away[:, size // 2] = False
        return confidence * ~(lost | away)

    def _swapped(self, chance: Generator, keypoint: Tensor, confidence: Tensor) -> Detections:
        """Some frames with left and right confused, in legs, arms or both."""
        count, size, joints = confidence.shape
        swapped = torch.zeros(count, size, joints, dtype=torch.bool)
        for part in self._parts:
            swapped |= happens(chance, count, size, 1, share=_SWAPPED) & part
        swapped |= happens(chance, count, size, 1, share=_SWAPPED / 2)
        place = torch.where(swapped, self.mirror, torch.arange(joints))
        return Detections(keypoint.gather(2, place[..., None].expand(-1, -1, -1, 2)), confidence.gather(2, place))


def _held(chance: Generator, keypoint: Tensor, confidence: Tensor) -> Detections:
    """Windows of which some repeat frames, every second or third being new."""
    count, size = confidence.shape[:2]
    away = torch.arange(size) - size // 2
    every = torch.where(happens(chance, count, share=_HELD), torch.randint(2, 4, (count,), generator=chance), 1)[
        :, None
    ]
    frame = ((away / every).round().long() * every + size // 2).clamp(0, size - 1)
    row = torch.arange(count)[:, None]
    return Detections(keypoint[row, frame], confidence[row, frame])


def with_residuals(image: Tensor, unit: Tensor, residual: Tensor, confidence: Tensor) -> Detections:
    """Detections with errors of real ones: windows (N, W) of the same size from footage.

    Args:
        image: (N, W, J, 2) exact 2D poses.
        unit: (N) mean length of a bone in units of the image.
        residual: (N, W, J, 2) errors of the real windows, in mean bone lengths.
        confidence: (N, W, J) of these.
    """
    return Detections(image + residual * unit[:, None, None, None], confidence)
