"""Iqbal et al.: a network of pictures that learns depth from the agreement of views.

Iqbal, Molchanov and Kautz, Weakly-Supervised 3D Human Pose Learning via Multi-view Images in the Wild (CVPR 2020).
Needs intrinsics and two or more synchronised views, but not where the cameras stand. The network sees a crop and
gives 2D joints and their relative depths in torsos; a torso of length 1 settles how far away the person is, so that
poses of different views can be compared after rigid alignment. Joints that the 2D detector is sure of stand for
2D labels.

Three things are ours. Agreement and limbs teach depths, not where joints are in the picture: those are bent more
easily than depths are learnt, until limbs have their lengths within a flat pose (*measured* on drawn footage after
15 epochs from random weights: depths vary by 0.03 torsos, the true ones by 0.3). Torsos are kept from pointing at
the camera (``torso_weight``): the paper's losses allow poses that are folded along the camera's axis, all alike,
which have limbs of the right lengths and agree (*measured* with a lifter of exact 2D joints in place of the
pictures, four views: PMPJPE 291 mm without, 45 with it). And the mirror quotient (``handedness``): perspective
alone breaks the mirror only weakly (*measured* on free depths of exact 2D joints, four views: PMPJPE 27 mm with it,
140 without, views being of either handedness).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..body.body import limb_lengths
from ..body.handedness import Parity
from ..method import Batch, LabelledFiles, Method, MethodSettings, Phase, Prediction, View, given, in_chunks
from ..networks.crops import Augmentation, augment, chain, moved, rays, standardise, unpack
from ..networks.pose_cnn import STRIDE, Backbone, Pose25D, PoseCNN, read_25d
from ..networks.precision import Precision, fastest_precision
from ..skeleton import Skeleton
from .iqbal_losses import bone_lengths, consistency_loss, depth_loss, heatmap_loss, limb_loss, torso_loss
from .iqbal_reconstruction import reconstruct, within_a_torso

SHARPNESS = 50.0
"""Factor of the heatmaps in their softmax (docs/methods.md)."""
_LEARNING_RATE_DROP = 5 / 6
"""Share of the training after which the learning rate falls tenfold (supplement: 50k of 60k steps)."""
_TINY = 1e-8
_FRAMES = 16
"""Pictures in the network at once when predicting."""


class IqbalSettings(MethodSettings):
    """Settings of the method of Iqbal et al."""

    backbone: Backbone = Field("hrnet_w32", description="network under the heads")
    backbone_weights: str = Field("", description="checkpoint of MMPose or torchvision to start from, a local file")
    head_width: int = Field(256, ge=1, description="channels of the transposed convolutions (ResNets only)")
    precision: Precision = Field(
        default_factory=fastest_precision, description="of the network in training; bf16 needs AMX to be faster"
    )
    epochs: int = Field(60, ge=1, description="passes over the training instants with all losses")
    heatmap_epochs: int = Field(10, ge=1, description="passes that train heatmaps only, before those with all losses")
    min_steps: int = Field(25, ge=1, description="least number of steps per epoch, for short footage")
    batch_size: int = Field(32, ge=1, description="synchronised instants per step")
    views: int = Field(4, ge=2, description="largest number of views per step; of more, some are drawn at random")
    learning_rate: float = Field(5e-4, gt=0, description="learning rate")
    pseudo_confidence: float = Field(
        0.45,
        ge=0,
        le=1,
        description="confidence above which detected joints serve as 2D labels; paper: 0.5, which a head estimated "
        "from the ears never reaches",
    )
    labelled_images: str = Field("", description="folder of additional pictures with 2D labels, to train heatmaps on")
    labelled_annotations: str = Field("", description="labels of labelled_images: JSON, as of COCO keypoints or MPII")
    labelled_share: float = Field(0.5, ge=0, lt=1, description="share of labelled pictures in a step")
    supervision: Literal["views", "labels"] = Field(
        "views",
        description="supervision of depths; views: consistency of the views; labels (fully supervised in the paper): "
        "3D poses, here triangulated from all views",
    )
    alignment: Literal["joints", "extrinsics"] = Field(
        "joints", description="rotation between views: from the poses, or (the paper's +R) as calibrated"
    )
    limb_lengths: Literal["anthropometric"] = Field(
        "anthropometric", description="source of mean limb lengths; the paper took them from 3D labels"
    )
    consistency_weight: float = Field(10.0, ge=0, description="weight of the consistency of views")
    limb_weight: float = Field(100.0, ge=0, description="weight of the limb lengths")
    torso_weight: float = Field(
        5.0,
        ge=0,
        description="weight of the depth of torsos, in torsos squared: most are seen from the side; paper: 0",
    )
    depth_weight: float = Field(5.0, ge=0, description="weight of labelled depths")
    handedness: Literal["quotient", "none"] = Field(
        "quotient", description="quotient: depths of left-handed poses are negated; none: as in the paper"
    )
    scale: float = Field(0.2, ge=0, lt=1, description="augmentation: largest change of size")
    rotation_deg: float = Field(30.0, ge=0, description="augmentation: largest rotation")


class Iqbal(Method):
    """Heatmaps and depth maps of one picture, and the 3D pose that they stand for."""

    Settings = IqbalSettings
    settings: IqbalSettings
    needs = frozenset({"intrinsics", "crops"})
    torso: Tensor
    bones: Tensor
    lengths: Tensor

    def __init__(self, skeleton: Skeleton, settings: IqbalSettings) -> None:
        super().__init__(skeleton, settings)
        self.network = PoseCNN(settings.backbone, 2 * len(skeleton.joints), settings.head_width, settings.precision)
        self.parity = Parity(skeleton)
        bones, lengths = limb_lengths(skeleton)
        torso = skeleton.landmark_weights("pelvis", "thorax")
        for name, array in {"torso": torso, "bones": bones, "lengths": lengths}.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @classmethod
    def needs_with(cls, settings: MethodSettings) -> frozenset[str]:
        """Labels as well if depths are learnt from them, extrinsics if they align the views."""
        assert isinstance(settings, IqbalSettings)  # noqa: S101 - as everywhere with a method's own settings
        more = {
            "labels": settings.supervision == "labels",
            "extrinsics": settings.supervision == "views" and settings.alignment == "extrinsics",
            "labelled_2d": bool(settings.labelled_images or settings.labelled_annotations),
        }
        return cls.needs | {name for name, needed in more.items() if needed}

    @classmethod
    def labelled_files(cls, settings: MethodSettings) -> LabelledFiles:
        """Pictures and labels as the settings name them."""
        assert isinstance(settings, IqbalSettings)  # noqa: S101 - as everywhere with a method's own settings
        return LabelledFiles(settings.labelled_images, settings.labelled_annotations)

    @property
    def settles_handedness(self) -> bool:
        """Whether the mirror quotient is on; labels know left from right."""
        return self.settings.handedness == "quotient" and self.settings.supervision == "views"

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a backbone, in their own shapes (...).

        Raises:
            ValueError: they belong to another backbone.
        """
        self.network.start_from(weights)

    def phases(self) -> tuple[Phase, ...]:
        """Heatmaps first, then all losses together."""
        settings = self.settings
        weights = {
            "consistency": settings.consistency_weight,
            "limbs": settings.limb_weight,
            "torso": settings.torso_weight,
        }
        if settings.supervision == "labels":
            weights = {"depth": settings.depth_weight}
        drop = round(_LEARNING_RATE_DROP * settings.epochs)
        return (
            self.phase("heatmaps", settings.heatmap_epochs, {"heatmap": 1.0}),
            self.phase("depths", settings.epochs, {"heatmap": 1.0} | weights, milestones=(drop,)),
        )

    def phase(self, name: str, epochs: int, weights: Mapping[str, float], milestones: tuple[int, ...] = ()) -> Phase:
        """A phase with the optimiser of the settings."""
        settings = self.settings
        return Phase(
            name=name,
            epochs=epochs,
            weights=weights,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            milestones=milestones,
            min_steps=settings.min_steps,
            labelled=self.labelled_pictures,
        )

    @property
    def labelled_pictures(self) -> int:
        """Pictures with 2D labels in a step, such that they have their share (paper: 128 beside 32 x 4)."""
        settings = self.settings
        if "labelled_2d" not in self.needs_with(settings):
            return 0
        return round(settings.batch_size * settings.views * settings.labelled_share / (1 - settings.labelled_share))

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Heatmaps (Eq. 6), and agreement of views (Eq. 8) and limb lengths (Eq. 11), or depths, of changed crops."""
        batch = self.some_views(batch)
        seen = (batch.confidence > 0).any(-1)  # (B, V); networks see these views only (N)
        picture, new_from_old = augment(unpack(given(batch.crop, "crops")[seen]), self.augmentation)
        crop_from_image = chain(new_from_old, given(batch.crop_from_image, "crops")[seen])
        point, certainty = moved(batch.keypoint[seen], crop_from_image), batch.confidence[seen]
        views = len(picture)
        if batch.labelled is not None:  # behind the views, in the same pass
            more, new_from_old = augment(unpack(batch.labelled.crop), self.augmentation)
            picture = torch.cat([picture, more])
            point = torch.cat([point, moved(batch.labelled.keypoint, new_from_old)])
            certainty = torch.cat([certainty, batch.labelled.confidence])
        heatmap, depth_map = self.maps(picture)
        read = read_25d(heatmap[:views].detach(), depth_map[:views], SHARPNESS)  # heatmaps learn from 2D labels alone
        terms = {"heatmap": heatmap_loss(heatmap, point / STRIDE, certainty > self.settings.pseudo_confidence)}
        if self.settings.supervision == "labels":
            label, known = given(batch.label, "labels")[seen], given(batch.label_confidence, "labels")[seen] > 0
            return terms | {"depth": depth_loss(read.depth, label, known, self.torso)}
        return terms | self.view_losses(batch, seen, read, crop_from_image)

    def view_losses(self, batch: Batch, seen: Tensor, read: Pose25D, crop_from_image: Tensor) -> dict[str, Tensor]:
        """Agreement (Eq. 8), limb lengths (Eq. 11) and torsos of what was read from the views seen (B, V)."""
        pose, solvable, _ = self.lift(read, given(batch.K, "intrinsics")[seen], crop_from_image)
        weight = read.confidence * solvable[:, None]
        everywhere = pose.new_zeros(*seen.shape, *pose.shape[1:]).masked_scatter(seen[..., None, None], pose)
        weights = weight.new_zeros(*seen.shape, weight.shape[1]).masked_scatter(seen[..., None], weight)
        shown = torch.zeros_like(seen).masked_scatter(seen, solvable)
        R = given(batch.R, "extrinsics") if self.settings.alignment == "extrinsics" else None
        return {
            "consistency": consistency_loss(everywhere, weights, shown, R),
            "limbs": limb_loss(pose, weight, solvable, self.bones, self.lengths),
            "torso": torso_loss(read.depth, self.torso),
        }

    @property
    def augmentation(self) -> Augmentation:
        """How crops are changed."""
        return Augmentation(self.settings.scale, self.settings.rotation_deg)

    def some_views(self, batch: Batch) -> Batch:
        """At most so many views as the settings say, the same of all instants."""
        views = batch.confidence.shape[1]
        if views <= self.settings.views:
            return batch
        drawn = torch.randperm(views)[: self.settings.views].to(batch.rig.device)
        parts: dict[str, Any] = {
            name: part[:, drawn] for name, part in vars(batch).items() if isinstance(part, Tensor) and part.ndim > 1
        }
        return replace(batch, **parts)

    def maps(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Heatmaps and depth maps (N, J, H/4, W/4) of pictures (N, 3, H, W) in 0..1."""
        heatmap, depth_map = self.network(standardise(picture)).chunk(2, 1)
        return heatmap, depth_map

    def lift(self, read: Pose25D, K: Tensor, crop_from_image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Poses (N, J, 3) in camera axes and torsos, which of them exist (N), and the network's parities (N)."""
        ray = rays(read.point, K, crop_from_image)
        depth = read.depth - (read.depth @ self.torso[0])[:, None]
        depth = within_a_torso(ray, depth, self.torso)
        pose, solvable = reconstruct(ray, depth, self.torso)
        parity = self.parity(pose)
        if self.settles_handedness:
            depth = depth * torch.where(parity < 0, -1.0, 1.0).to(depth)[:, None]
            pose, solvable = reconstruct(ray, depth, self.torso)
        return pose, solvable, parity

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses of one camera's frames, root-centred, in camera axes and torsos; NaN where there is none.

        A single factor brings a pose's limbs closest to their mean lengths (paper, Sec. 4.2).
        """
        inputs = given(view.crop, "crops"), given(view.K, "intrinsics"), given(view.crop_from_image, "crops")
        pose, solvable, parity = in_chunks(self._poses, *inputs, size=_FRAMES)
        missing = ~(solvable & (view.confidence > 0).any(-1))
        pose = pose.masked_fill(missing[:, None, None], torch.nan)
        return Prediction.in_camera_axes(pose, parity.masked_fill(missing, torch.nan))

    def _poses(self, crop: Tensor, K: Tensor, crop_from_image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        read = read_25d(*self.maps(unpack(crop)), SHARPNESS)
        pose, solvable, parity = self.lift(read, K, crop_from_image)
        lengths = bone_lengths(pose, self.bones)
        scale = (lengths @ self.lengths) / lengths.square().sum(-1).clamp_min(_TINY)
        return scale[:, None, None] * (pose - (self.torso[0] @ pose)[:, None]), solvable, parity
