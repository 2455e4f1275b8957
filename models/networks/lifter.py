"""Networks that lift one normalised 2D pose to a canonical 3D pose and a camera rotation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..geometry.geometry import rotation_from_axis_angle, rotation_from_two_columns
from .precision import Precision, hidden_layers

Rotation = Literal["axis_angle", "two_columns"]

_ROTATIONS = {"axis_angle": (3, rotation_from_axis_angle), "two_columns": (6, rotation_from_two_columns)}
_SLOPE = 0.01


class PublishedBlock(nn.Module):
    """Residual block of two linear layers, each and the sum followed by a leaky ReLU (CanonPose, Fig. 3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        rectifier = nn.LeakyReLU(_SLOPE)
        self.layers = nn.Sequential(nn.Linear(width, width), rectifier, nn.Linear(width, width), rectifier)

    def forward(self, features: Tensor) -> Tensor:
        """Features (..., width) from features (..., width)."""
        return nn.functional.leaky_relu(features + self.layers(features), _SLOPE)


class NormalisedBlock(nn.Module):
    """Pre-activation residual block: layer norm, ReLU and linear layer, twice, added to the input.

    With pre-activation (He et al., ECCV 2016) training leaves the flat initial poses several times sooner.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.LayerNorm(width), nn.LeakyReLU(_SLOPE), nn.Linear(width, width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features (..., width) from features (..., width)."""
        return features + self.layers(features)


class Lifter(nn.Module):
    """Canonical 3D pose and camera rotation of one 2D pose (CanonPose, Fig. 3).

    One shared residual block, then two for the pose and two for the camera. The published network
    is 1024 wide, without normalisation, its rotation in axis-angle form.
    """

    def __init__(
        self, joints: int, width: int, layer_norm: bool, rotation: Rotation, precision: Precision = "fp32"
    ) -> None:
        super().__init__()
        numbers, self._matrix = _ROTATIONS[rotation]
        self.precision = precision

        block = NormalisedBlock if layer_norm else PublishedBlock

        def branch(outputs: int) -> nn.Sequential:
            return nn.Sequential(block(width), block(width), nn.Linear(width, outputs))

        self.common = nn.Sequential(nn.Linear(3 * joints, width), block(width))
        self.pose = branch(3 * joints)
        self.camera = branch(numbers)

    def forward(self, keypoint: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Canonical poses (..., J, 3) and rotations camera_from_canonical (..., 3, 3).

        Args:
            keypoint: (..., J, 2) root-centred, of unit norm.
            confidence: (..., J) in 0..1.
        """
        features = self.common[0](torch.cat([keypoint, confidence[..., None]], -1).flatten(-2))
        with hidden_layers(self.precision, self.training, features.device):
            features = self.common[1](features)
            pose, camera = self.pose[:-1](features), self.camera[:-1](features)
        pose, camera = self.pose[-1](pose.to(keypoint)), self.camera[-1](camera.to(keypoint))
        return pose.unflatten(-1, (-1, 3)), self._matrix(camera)


class DropoutBlock(nn.Module):
    """Residual block of twice linear, batch norm, ReLU and dropout (Martinez et al., ICCV 2017, Fig. 1)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dropout_layer(width, width, dropout), *dropout_layer(width, width, dropout))

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, width) from features (N, width)."""
        return features + self.layers(features)


def dropout_layer(inputs: int, width: int, dropout: float) -> list[nn.Module]:
    """Linear, batch norm, ReLU and dropout, for features (N, inputs)."""
    return [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]


Norm = Literal["batch", "layer"]


def residual_network(inputs: int, outputs: int, width: int, blocks: int, norm: Norm, dropout: float) -> nn.Sequential:
    """Linear layers with residual blocks between the first and the last, for features (N, inputs).

    Norm "batch" with two blocks is ResLinear (Martinez et al., ICCV 2017), with four the network of Li et al. (AAAI
    2020); "layer" has no dropout and learns in fewer epochs.
    """
    first: list[nn.Module] = [nn.Linear(inputs, width)]
    middle: list[nn.Module] = [NormalisedBlock(width) for _ in range(blocks)]
    if norm == "batch":
        first = dropout_layer(inputs, width, dropout)
        middle = [DropoutBlock(width, dropout) for _ in range(blocks)]
    return nn.Sequential(*first, *middle, nn.Linear(width, outputs))
