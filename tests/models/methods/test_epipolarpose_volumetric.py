"""The student that sees pictures: labels become coordinates of crops and back, its loss is the literal one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.method import Batch, View
from posepipe.models.methods.epipolarpose import EpipolarPose, EpipolarPoseSettings
from posepipe.models.methods.epipolarpose_volumetric import Augmentation, VolumetricStudent
from posepipe.models.networks import pose_cnn
from posepipe.models.networks.crops import about_middle, chain
from posepipe.models.skeleton import COCO17, H36M17
from torch import Tensor, nn

SIZE, VIEWS = 64, 3


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ResNet-18 of an eighth of the width."""
    config = {"type": "ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8}
    monkeypatch.setitem(pose_cnn._CONFIGS, "resnet18", (config, 64, 32))


def small_method(**options: Any) -> EpipolarPose:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"student": "volumetric", "backbone": "resnet18", "head_width": 16, "depth_bins": 16}
    return EpipolarPose(H36M17, EpipolarPoseSettings(**(settings | options)))


def student(method: EpipolarPose) -> VolumetricStudent:
    assert isinstance(method.student, VolumetricStudent)
    return method.student


def batch(count: int = 2) -> Batch:
    """Random pictures, and labels of people that fill three quarters of them."""
    rig, world = cameras(VIEWS), people(count)
    keypoint = torch.from_numpy(rig.project(world)).float()
    low, high = keypoint.amin(-2), keypoint.amax(-2)
    scale = 0.75 * SIZE / (high - low).amax(-1)
    shift = SIZE / 2 - scale[..., None] * (low + high) / 2
    zero = torch.zeros_like(scale)
    rows = [scale, zero, shift[..., 0], zero, scale, shift[..., 1]]
    generator = torch.Generator().manual_seed(0)
    return Batch(
        keypoint=keypoint,
        confidence=torch.ones(count, VIEWS, 17),
        rig=torch.zeros(count, dtype=torch.int64),
        K=torch.from_numpy(rig.K).float().expand(count, -1, -1, -1),
        label=torch.from_numpy(rig.see(world)).float(),
        label_confidence=torch.ones(count, VIEWS, 17),
        crop=torch.randint(0, 256, (count, VIEWS, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator),
        crop_from_image=torch.stack(rows, -1).unflatten(-1, (2, 3)),
    )


def flat(data: Batch, *names: str) -> list[Tensor]:
    return [getattr(data, name).flatten(0, 1) for name in names]


class KnownHead(nn.Module):
    """Stands for a network: answers with given coordinates."""

    def __init__(self, place: Tensor) -> None:
        super().__init__()
        self.place = place

    def forward(self, picture: Tensor) -> Tensor:
        return self.place


def test_labels_are_coordinates_of_the_crop() -> None:
    data = batch()
    label, confidence, K, crop_from_image = flat(data, "label", "label_confidence", "K", "crop_from_image")
    found, visible = student(small_method()).targets(label, confidence, K, crop_from_image, SIZE)
    assert visible.all()
    assert found[..., :2].abs().max() < 0.4
    for n in range(len(label)):
        for j in range(17):
            u, v, w = (K[n] @ label[n, j]).tolist()
            x, y = (crop_from_image[n] @ torch.tensor([u / w, v / w, 1.0])).tolist()
            root, scale = label[n, 0, 2].item(), crop_from_image[n, 0, 0].item()
            side = SIZE / scale * root / K[n, 0, 0].item()  # metres that the crop is wide at the root
            z = (label[n, j, 2].item() - root) / side
            assert found[n, j].tolist() == pytest.approx([x / SIZE - 0.5, y / SIZE - 0.5, z], abs=1e-4)


@pytest.mark.parametrize("unit", [1.0, 20.0])
def test_a_network_that_knows_its_labels_predicts_the_true_shape(unit: float) -> None:
    data, method = batch(), small_method()
    label, confidence, K, crop_from_image = flat(data, "label", "label_confidence", "K", "crop_from_image")
    turned = about_middle(torch.full((6,), 0.9), torch.linspace(-0.5, 0.5, 6), SIZE, SIZE)
    for affine in (crop_from_image, chain(turned, crop_from_image)):
        place, _ = student(method).targets(unit * label, confidence, K, affine, SIZE)
        student(method).head = KnownHead(place)  # type: ignore[assignment]
        crop = torch.zeros(6, SIZE, SIZE, 3, dtype=torch.uint8)
        pose, seen = method.student(View(*flat(data, "keypoint", "confidence"), K, crop, affine))
        assert seen.all()
        torch.testing.assert_close(pose * label[:, :1, 2:], label, atol=1e-4, rtol=1e-4)


def test_without_intrinsics_the_pose_is_as_seen_from_far_away() -> None:
    data, method = batch(), small_method()
    label, confidence, K, crop_from_image = flat(data, "label", "label_confidence", "K", "crop_from_image")
    place, _ = student(method).targets(label, confidence, K, crop_from_image, SIZE)
    student(method).head = KnownHead(place)  # type: ignore[assignment]
    crop = torch.zeros(6, SIZE, SIZE, 3, dtype=torch.uint8)
    pose, _ = method.student(View(*flat(data, "keypoint", "confidence"), None, crop, crop_from_image))
    true, found = label - label[:, :1], pose - pose[:, :1]
    found = found * true.norm() / found.norm()
    assert 0.01 < (found - true).norm(dim=-1).mean() < 0.12  # metres; the person is five metres away


def test_joints_without_label_or_outside_are_not_learnt() -> None:
    data = batch(1)
    label, confidence, K, crop_from_image = flat(data, "label", "label_confidence", "K", "crop_from_image")
    confidence[0, 5], label[0, 5] = 0, 0
    confidence[1, 0], label[1, 0] = 0, 0  # the root
    label[2, 13] = torch.tensor([3.0, 0, 5])  # far to the side
    label[2, 12, 2] = -1  # behind the camera
    place, visible = student(small_method()).targets(label, confidence, K, crop_from_image, SIZE)
    assert place.isfinite().all()
    assert (~visible[0]).nonzero().flatten().tolist() == [5]
    assert not visible[1].any()
    assert (~visible[2]).nonzero().flatten().tolist() == [12, 13]


def test_the_loss_is_the_literal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posepipe.models.methods.epipolarpose_volumetric.AUGMENTATION", Augmentation(0, 0))
    data, method = batch(), small_method()
    assert data.label_confidence is not None
    data.label_confidence[0, 1, 4] = 0
    data.confidence[1, 2] = 0  # a missing view
    label, confidence, K, crop_from_image = flat(data, "label", "label_confidence", "K", "crop_from_image")
    place, visible = student(method).targets(label, confidence, K, crop_from_image, SIZE)
    answer = place[:5] + torch.randn(5, 17, 3, generator=torch.Generator().manual_seed(1))
    student(method).head = KnownHead(answer)  # type: ignore[assignment]
    total = 0.0
    for n in range(5):
        for j in range(17):
            for axis in range(3):
                x = abs(answer[n, j, axis].item() - place[n, j, axis].item()) * float(visible[n, j])
                total += 0.5 * x * x if x < 1 else x - 0.5
    assert method.losses(data, method.phases()[0])["label"].item() == pytest.approx(total / 5, rel=1e-4)


def test_the_loss_has_the_gradient_of_its_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posepipe.models.methods.epipolarpose_volumetric.AUGMENTATION", Augmentation(0, 0))
    data, method = batch(1), small_method()
    assert data.label_confidence is not None
    data.label_confidence[0, 1, 4] = 0

    def loss(place: Tensor) -> Tensor:
        student(method).head = KnownHead(place)  # type: ignore[assignment]
        return method.losses(data, method.phases()[0])["label"]

    place = 3 * torch.randn(VIEWS, 17, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, place.requires_grad_(), fast_mode=True)


def test_gradients_reach_the_network_and_neither_labels_nor_2d_poses() -> None:
    data, method = batch(), small_method()
    assert data.label is not None
    data.label.requires_grad_()
    data.keypoint.requires_grad_()
    method.losses(data, method.phases()[0])["label"].backward()
    assert data.label.grad is None and data.keypoint.grad is None
    gradient = student(method).head.network.backbone.conv1.weight.grad  # type: ignore[union-attr]
    assert gradient is not None and gradient.abs().max() > 0  # type: ignore[operator]


def test_a_batch_without_labels_has_a_gradient() -> None:
    data, method = batch(), small_method()
    data = Batch(**(vars(data) | {"label_confidence": torch.zeros(2, VIEWS, 17)}))
    loss = method.losses(data, method.phases()[0])["label"]
    loss.backward()
    assert loss == 0


def test_it_learns_by_heart() -> None:
    data, method = batch(), small_method()
    optimizer = torch.optim.Adam(method.parameters(), 3e-3)
    history = []
    for _ in range(30):
        loss = method.losses(data, method.phases()[0])["label"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert np.mean(history[-5:]) < 0.6 * np.mean(history[:5])


def test_prediction_does_not_depend_on_the_batch() -> None:
    data, method = batch(20), small_method().eval()
    data.confidence[3, 0] = 0
    fields = [getattr(data, name)[:, 0] for name in ("keypoint", "confidence", "K", "crop", "crop_from_image")]
    together = method.predict(View(*fields))
    assert together.joint[3].isnan().all() and together.joint[4].isfinite().all()
    assert together.joint[4:, 0].abs().max() < 1e-6
    for frames in (slice(0, 1), slice(7, 20)):
        part = method.predict(View(*(field[frames] for field in fields)))
        torch.testing.assert_close(part.joint, together.joint[frames], rtol=0, atol=0, equal_nan=True)


def test_settings_and_needs_follow_the_student() -> None:
    lifter, pictures = EpipolarPoseSettings(), EpipolarPoseSettings(student="volumetric")
    assert EpipolarPose.needs_with(lifter) == {"labels"}
    assert EpipolarPose.needs_with(pictures) == {"labels", "crops", "intrinsics"}
    assert (pictures.epochs, pictures.batch_size) == (140, 8)
    assert EpipolarPoseSettings(student="volumetric", epochs=3).epochs == 3
    (phase,) = small_method().phases()
    assert (phase.optimizer, phase.schedule, phase.milestones, phase.weight_decay) == ("adam", "steps", (90, 120), 0)
    assert lifter.epochs == 20
    with pytest.raises(ValueError, match="no backbone"):
        EpipolarPose(H36M17, EpipolarPoseSettings(width=8)).start_from({})


def test_a_backbone_is_taken_over() -> None:
    torch.manual_seed(9)
    other = pose_cnn.PoseCNN("resnet18", 1)
    method = small_method()
    method.start_from(other.state_dict())
    assert torch.equal(student(method).head.network.backbone.conv1.weight, other.backbone.conv1.weight)  # type: ignore


def test_a_skeleton_without_a_pelvis_is_rooted_between_the_hips() -> None:
    settings = EpipolarPoseSettings(student="volumetric", backbone="resnet18", head_width=8, depth_bins=16)
    method = EpipolarPose(COCO17, settings).eval()
    data = batch(2)
    view = View(*flat(data, "keypoint", "confidence", "K", "crop", "crop_from_image"))
    hips = [COCO17.index("left_hip"), COCO17.index("right_hip")]
    assert method.predict(view).joint[:, hips].mean(1).abs().max() < 1e-6
