"""The student of EpipolarPose that sees pictures: joints in the cube of a crop and its depth.

Kocabas et al. (CVPR 2019), Sec. 3. Depth is measured in sides of the crop at the root's distance, as width and height
are: all three shrink alike when a person is small or far away, so neither labels nor predictions need a scale. (The
released code divides by 2 m, for crops 2 m wide.)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..geometry.geometry import project_perspective
from ..method import Batch, View, given
from ..networks.crops import Augmentation, augment, chain, moved, rays, standardise, unpack
from ..networks.pose_cnn import Backbone, VolumetricHead
from ..networks.precision import Precision
from ..skeleton import Skeleton

AUGMENTATION = Augmentation(scale=0.2, rotation_deg=30, colour=0.2, occlusion=0.5)
"""As in the paper (Sec. 4); things that occlude are parts of other pictures, not objects of a data set."""

_NEAREST = 1e-3


class VolumetricStudent(nn.Module):
    """Poses from crops."""

    root: Tensor

    def __init__(
        self, skeleton: Skeleton, backbone: Backbone, width: int, depth_bins: int, precision: Precision = "fp32"
    ) -> None:
        super().__init__()
        self.head = VolumetricHead(backbone, len(skeleton.joints), width, depth_bins, precision)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a backbone, in their own shapes (...).

        Raises:
            ValueError: they belong to another backbone.
        """
        self.head.network.start_from(weights)

    def forward(self, view: View) -> tuple[Tensor, Tensor]:
        """Poses (N, J, 3) in camera axes and in units of the root's distance or of the crop; which exist (N)."""
        crop, crop_from_image = given(view.crop, "crops"), given(view.crop_from_image, "crops")
        place = self.head(standardise(unpack(crop)))
        seen = (view.confidence > 0).any(-1)
        if view.K is None:  # without intrinsics, as if from far away
            return place, seen
        size = crop.shape[1]
        depth = 1 + place[..., 2] / focal(view.K, crop_from_image, size)[:, None]
        return depth[..., None] * rays(size * (place[..., :2] + 0.5), view.K, crop_from_image), seen

    def loss(self, batch: Batch) -> Tensor:
        """Smooth L1 distance to labels, summed over visible joints and axes, mean over pictures (Eq. 2)."""
        label, confidence = given(batch.label, "labels"), given(batch.label_confidence, "labels")
        seen = (batch.confidence > 0).any(-1) & (confidence > 0).any(-1)
        if not seen.any():
            return sum(p.sum() for p in self.parameters()) * 0.0  # type: ignore[return-value]
        picture, new_from_old = augment(unpack(given(batch.crop, "crops")[seen]), AUGMENTATION)
        crop_from_image = chain(new_from_old, given(batch.crop_from_image, "crops")[seen])
        K = given(batch.K, "intrinsics")[seen]
        target, visible = self.targets(label[seen], confidence[seen], K, crop_from_image, picture.shape[-1])
        distance = nn.functional.smooth_l1_loss(self.head(standardise(picture)), target, reduction="none").sum(-1)
        return (distance * visible).sum() / len(target)

    @torch.no_grad()
    def targets(
        self, label: Tensor, confidence: Tensor, K: Tensor, crop_from_image: Tensor, size: int
    ) -> tuple[Tensor, Tensor]:
        """Labels (N, J, 3) as coordinates in crops of ``size`` px, and which joints (N, J) are to be learnt.

        Joints without a label or outside the volume are not, nor is anything if the root has no label.
        """
        visible = (confidence > 0) & (label[..., 2] > _NEAREST)
        label = torch.where(visible[..., None], label, label.new_tensor([0.0, 0.0, 1.0]))
        rooted = (visible | (self.root == 0)).all(-1, keepdim=True)
        plane = moved(project_perspective(label, K), crop_from_image) / size - 0.5
        depth = label[..., 2] / (label[..., 2] @ self.root)[:, None] - 1
        place = torch.cat([plane, (depth * focal(K, crop_from_image, size)[:, None])[..., None]], -1)
        visible = visible & rooted & (place.abs() <= 0.5).all(-1)
        return place * visible[..., None], visible


def focal(K: Tensor, crop_from_image: Tensor, size: int) -> Tensor:
    """Focal lengths (N) of the cameras that crops are taken by, in sides of the crop."""
    return (torch.linalg.det(crop_from_image[..., :2]) * K[..., 0, 0] * K[..., 1, 1]).sqrt() / size
