"""Networks on pictures: a backbone of MMPose's registry, and heads for the positions and depths of joints.

Backbones use the parameter names of MMPose and torchvision, so that checkpoints of either can be
loaded. MMPose is imported when a network is built, not before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from .openmmlab import openmmlab_imports
from .precision import Precision, hidden_layers

Backbone = Literal["resnet18", "resnet34", "resnet50", "hrnet_w32"]

STRIDE = 4
"""Pixels of the picture per bin of the maps; bin i stands for pixel 4 i."""


def _branches(modules: int, block: str, blocks: int, channels: tuple[int, ...]) -> dict[str, Any]:
    count = len(channels)
    return {"num_modules": modules, "num_branches": count, "block": block, "num_blocks": (blocks,) * count,
            "num_channels": channels}  # fmt: skip


_CONFIGS: dict[str, tuple[dict[str, Any], int, int]] = {
    "resnet18": ({"type": "ResNet", "depth": 18}, 512, 32),
    "resnet34": ({"type": "ResNet", "depth": 34}, 512, 32),
    "resnet50": ({"type": "ResNet", "depth": 50}, 2048, 32),
    "hrnet_w32": (
        {
            "type": "HRNet",
            "in_channels": 3,
            "extra": {
                "stage1": _branches(1, "BOTTLENECK", 4, (64,)),
                "stage2": _branches(1, "BASIC", 4, (32, 64)),
                "stage3": _branches(4, "BASIC", 4, (32, 64, 128)),
                "stage4": _branches(3, "BASIC", 4, (32, 64, 128, 256)),
            },
        },
        32,
        4,
    ),
}
"""MMPose's config of a backbone, channels of its finest final feature map, and pixels per bin of that map."""


def build_backbone(name: Backbone) -> nn.Module:
    """A backbone with random weights, from pictures (N, 3, H, W) to a tuple of feature maps."""
    with openmmlab_imports():
        import mmpose.models  # noqa: F401 - puts the backbones into the registry
        from mmpose.registry import MODELS

        network = MODELS.build(_CONFIGS[name][0])
        network.init_weights()
    return network


class PoseCNN(nn.Module):
    """Maps (N, channels, H/4, W/4) of pictures (N, 3, H, W): a backbone with transposed convolutions.

    With a ResNet it is the network of Xiao et al., Simple Baselines for Human Pose Estimation (ECCV 2018), Sec. 2:
    each transposed convolution 4 x 4 of stride 2 is followed by batch norm and a ReLU.

    Args:
        width: channels of the transposed convolutions.
        precision: of the arithmetic in training; weights and predictions always have single precision.
    """

    def __init__(self, backbone: Backbone, channels: int, width: int = 256, precision: Precision = "fp32") -> None:
        super().__init__()
        self.precision = precision
        _, features, stride = _CONFIGS[backbone]
        self.backbone = build_backbone(backbone)
        layers: list[nn.Module] = []
        for _ in range(round(math.log2(stride / STRIDE))):
            layers += [nn.ConvTranspose2d(features, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            nn.init.normal_(layers[-3].weight, std=0.001)  # type: ignore[arg-type]
            features = width
        self.deconv_layers = nn.Sequential(*layers)
        self.final = nn.Conv2d(features, channels, 1)
        nn.init.normal_(self.final.weight, std=0.001)
        nn.init.zeros_(self.final.bias)  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions are faster so

    def forward(self, picture: Tensor) -> Tensor:
        """Maps (N, channels, H/4, W/4) of pictures (N, 3, H, W)."""
        picture = picture.contiguous(memory_format=torch.channels_last)
        with hidden_layers(self.precision, self.training, picture.device):
            maps = self.final(self.deconv_layers(self.backbone(picture)[0]))
        return maps.to(picture.dtype)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Load the backbone of a checkpoint, and its transposed convolutions if they fit.

        Args:
            weights: tensors (...) of the checkpoint by name.

        Raises:
            ValueError: tensors of this backbone are missing, or have other shapes.
        """
        own = self.state_dict()
        renamed = {_renamed(name): tensor for name, tensor in weights.items()}
        fitting = {name: tensor for name, tensor in renamed.items()
                   if name in own and not name.startswith("final.") and own[name].shape == tensor.shape}  # fmt: skip
        needed = [name for name in own if name.startswith("backbone.") and not name.endswith("num_batches_tracked")]
        if missing := [name for name in needed if name not in fitting]:
            raise ValueError(
                f"{len(needed) - len(missing)} of the backbone's {len(needed)} tensors are in it; "
                f"{missing[0].removeprefix('backbone.')}, for one, is not, or has another shape"
            )
        self.load_state_dict(own | fitting)


def _renamed(name: str) -> str:
    """The name here of a part of a checkpoint of MMPose (``backbone.``, ``head.``) or of torchvision (bare)."""
    for prefix in ("head.", "keypoint_head."):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name if name.startswith("backbone.") else f"backbone.{name}"


class VolumetricHead(nn.Module):
    """Joints in the cube of picture and depth, by integration over a volume of likelihoods.

    Kocabas et al. (CVPR 2019), Sec. 3, after Sun et al., Integral Human Pose Regression (ECCV 2018).
    """

    def __init__(
        self, backbone: Backbone, joints: int, width: int, depth_bins: int, precision: Precision = "fp32"
    ) -> None:
        super().__init__()
        self.depth_bins = depth_bins
        self.network = PoseCNN(backbone, joints * depth_bins, width, precision)

    def forward(self, picture: Tensor) -> Tensor:
        """Coordinates (N, J, 3) in -0.5..0.5 of pictures (N, 3, H, W): x, y, and depth relative to the root."""
        return soft_argmax_3d(self.network(picture).unflatten(1, (-1, self.depth_bins)))


def soft_argmax_3d(volume: Tensor) -> Tensor:
    """Expected coordinates (N, J, 3), x, y, z in ``index / size - 0.5``, of logits (N, J, depth, height, width)."""
    probability = volume.flatten(2).softmax(-1).view_as(volume)
    marginals = [probability.sum(axes) for axes in ((2, 3), (2, 4), (3, 4))]  # along x, y, z
    return torch.stack([_mean_index(marginal) / marginal.shape[-1] - 0.5 for marginal in marginals], -1)


def _mean_index(probability: Tensor) -> Tensor:
    return (probability * torch.arange(probability.shape[-1], device=probability.device)).sum(-1)


class Pose25D(NamedTuple):
    """Joints in a picture with relative depths."""

    point: Tensor  # (N, J, 2) px of the picture
    depth: Tensor  # (N, J) in torsos, relative to each other
    confidence: Tensor  # (N, J) height of the heatmap there, 0..1, without gradient


def read_25d(heatmap: Tensor, depth_map: Tensor, sharpness: float) -> Pose25D:
    """Soft-argmax (N, J, 2) of heatmaps, and the latent depths there (Iqbal et al., CVPR 2020, Eq. 4, 5 and below 8).

    Confidences have no gradient; otherwise training would lower them where views disagree.

    Args:
        heatmap, depth_map: (N, J, height, width).
        sharpness: of the softmax.
    """
    probability = (sharpness * heatmap.flatten(2)).softmax(-1).view_as(heatmap)
    bins = torch.stack([_mean_index(probability.sum(2)), _mean_index(probability.sum(3))], -1)
    depth = (probability * depth_map).sum((2, 3))
    return Pose25D(STRIDE * bins, depth, height_at(heatmap, bins).clamp(0, 1).detach())


def height_at(heatmap: Tensor, bins: Tensor) -> Tensor:
    """Heights (N, J) of heatmaps (N, J, height, width) at fractional bins (N, J, 2), bilinearly."""
    size = torch.tensor([heatmap.shape[-1] - 1, heatmap.shape[-2] - 1], device=bins.device).clamp_min(1)
    grid = (2 * bins / size - 1).flatten(0, 1)[:, None, None]
    maps = heatmap.flatten(0, 1)[:, None]
    sampled = nn.functional.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return sampled.view(heatmap.shape[:2])


def gaussians(bins: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Maps (N, J, height, width) with a Gaussian of height 1 at each point (N, J, 2) in bins."""
    x, y = bins.unbind(-1)
    across = (-0.5 * ((torch.arange(width, device=x.device) - x[..., None]) / sigma).square()).exp()
    down = (-0.5 * ((torch.arange(height, device=y.device) - y[..., None]) / sigma).square()).exp()
    return down[..., :, None] * across[..., None, :]
