"""EpipolarPose: its loss against a literal loop, what its labels may lack, and a student that learns."""

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.body.metrics import joint_errors
from posepipe.models.method import Batch, View
from posepipe.models.methods.epipolarpose import EpipolarPose, EpipolarPoseSettings
from posepipe.models.skeleton import COCO17, H36M17
from torch import Tensor, nn


class KnownStudent(nn.Module):
    """Stands for a network: answers with given poses (N, J, 3) for given frames (N)."""

    def __init__(self, pose: Tensor, seen: Tensor) -> None:
        super().__init__()
        self.answer = pose, seen

    def forward(self, view: View) -> tuple[Tensor, Tensor]:
        return self.answer


def small_method(**settings: object) -> EpipolarPose:
    return EpipolarPose(H36M17, EpipolarPoseSettings(**({"width": 32} | settings)))


def labelled_scene(count: int = 6, views: int = 3) -> Batch:
    """Perspective images of people, and their true 3D joints in each camera's axes as labels."""
    rig, world = cameras(views), people(count)
    ones = torch.ones(count, views, 17)
    return Batch(
        keypoint=torch.from_numpy(rig.project(world)).float(),
        confidence=ones,
        rig=torch.zeros(count, dtype=torch.int64),
        label=torch.from_numpy(rig.see(world)).float(),
        label_confidence=ones.clone(),
    )


def label_loss(method: EpipolarPose, batch: Batch) -> float:
    return method.losses(batch, method.phases()[0])["label"].item()


def test_the_loss_is_the_literal_one() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = labelled_scene()
    assert batch.label is not None and batch.label_confidence is not None
    batch.label_confidence[0, 1, 16] = 0  # a wrist
    batch.label_confidence[2, :, 0] = 0  # the root
    batch.label_confidence[3, 0, 1:12] = 0  # most bones
    pose, seen = 2 * torch.randn(18, 17, 3, generator=generator), torch.ones(18, dtype=torch.bool)
    seen[4] = False
    method = small_method()
    method.student = KnownStudent(pose, seen)

    total, poses = 0.0, 0
    labels, confidences = batch.label.reshape(18, 17, 3).numpy(), batch.label_confidence.reshape(18, 17).numpy()
    for n, (label, confidence) in enumerate(zip(labels, confidences, strict=True)):
        bones = [(a, b) for a, b in H36M17.bone_indices if confidence[a] > 0 and confidence[b] > 0]
        if not seen[n] or confidence[0] == 0 or len(bones) < 8:
            continue
        scale = 0.25 / np.mean([np.linalg.norm(label[a] - label[b]) for a, b in bones])
        poses += 1
        for joint in np.flatnonzero(confidence):
            for axis in range(3):
                x = abs(float(pose[n, joint, axis]) - scale * float(label[joint, axis] - label[0, axis]))
                total += 0.5 * x * x if x < 1 else x - 0.5
    assert poses == 18 - 1 - 3 - 1
    assert label_loss(method, batch) == pytest.approx(total / poses, rel=1e-5)


def test_the_loss_has_the_gradient_of_its_finite_differences() -> None:
    batch = Batch(
        **{name: None if value is None else value.double() for name, value in vars(labelled_scene(2)).items()}
    )
    assert batch.label_confidence is not None
    batch.label_confidence[0, 1, 16] = 0
    method, seen = small_method().double(), torch.ones(6, dtype=torch.bool)

    def loss(pose: Tensor) -> Tensor:
        method.student = KnownStudent(pose, seen)
        return method.losses(batch, method.phases()[0])["label"]

    pose = 2 * torch.randn(6, 17, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, pose.requires_grad_())


def test_the_truth_has_no_loss_whatever_the_unit() -> None:
    batch = labelled_scene()
    assert batch.label is not None and batch.label_confidence is not None
    method = small_method()
    target, visible = method.targets(batch.label.flatten(0, 1), batch.label_confidence.flatten(0, 1))
    assert visible.all()
    assert target[:, 0].abs().max() < 1e-6
    bones = H36M17.bone_indices
    total = (target[:, bones[:, 0]] - target[:, bones[:, 1]]).norm(dim=-1).sum(-1)
    torch.testing.assert_close(total, torch.full((18,), 4.0))
    method.student = KnownStudent(target, torch.ones(18, dtype=torch.bool))
    for unit in (1.0, 0.01, 50.0):
        scaled = Batch(**(vars(batch) | {"label": unit * batch.label}))
        assert label_loss(method, scaled) < 1e-9


def test_a_batch_without_labels_has_a_gradient() -> None:
    batch = labelled_scene()
    batch = Batch(**(vars(batch) | {"label_confidence": torch.zeros(6, 3, 17), "label": torch.zeros(6, 3, 17, 3)}))
    method = small_method()
    loss = method.losses(batch, method.phases()[0])["label"]
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


def test_the_labels_are_not_moved_by_the_loss() -> None:
    batch = labelled_scene()
    assert batch.label is not None
    label = batch.label.requires_grad_()
    method = small_method()
    target, _ = method.targets(label.flatten(0, 1).detach(), torch.ones(18, 17))
    assert not target.requires_grad


def test_prediction_does_not_depend_on_the_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    view = View(500 * torch.rand(150, 17, 2, generator=generator), torch.rand(150, 17, generator=generator) + 0.1)
    method = small_method(width=256).eval()
    together = method.predict(view)
    for frames in (slice(0, 1), slice(70, 150)):
        part = method.predict(View(view.keypoint[frames], view.confidence[frames]))
        assert torch.equal(part.joint, together.joint[frames])
        assert torch.equal(part.parity, together.parity[frames])


def test_prediction_is_root_centred_in_camera_axes() -> None:
    batch = labelled_scene()
    batch.confidence[0, 0, 0] = 0
    prediction = small_method().eval().predict(View(batch.keypoint[:, 0], batch.confidence[:, 0]))
    assert prediction.joint.isnan().all((1, 2)).tolist() == [True] + 5 * [False]
    assert prediction.parity.isnan().tolist() == [True] + 5 * [False]
    assert prediction.joint[1:, 0].abs().max() < 1e-6
    assert torch.equal(prediction.canonical[1:], prediction.joint[1:])
    assert torch.equal(prediction.camera_from_canonical, torch.eye(3).expand(6, 3, 3))


def test_a_skeleton_without_a_pelvis_is_centred_between_the_hips() -> None:
    method = EpipolarPose(COCO17, EpipolarPoseSettings(width=32)).eval()
    joint = method.predict(View(500 * torch.rand(5, 17, 2), torch.ones(5, 17))).joint
    hips = [COCO17.index("left_hip"), COCO17.index("right_hip")]
    assert joint[:, hips].mean(1).abs().max() < 1e-6


def test_a_student_learns_right_handed_people() -> None:
    torch.manual_seed(0)
    batch = labelled_scene(count=300, views=4)
    method = small_method(width=256)
    (phase,) = method.phases()
    optimizer = torch.optim.AdamW(method.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=300)
    for _ in range(300):
        rows = torch.randperm(300)[:32]
        picked = Batch(**{name: None if part is None else part[rows] for name, part in vars(batch).items()})
        loss = method.losses(picked, phase)["label"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    method.eval()
    prediction = method.predict(View(batch.keypoint.flatten(0, 1), batch.confidence.flatten(0, 1)))
    assert batch.label is not None
    truth = (1000 * (batch.label - batch.label[:, :, :1])).flatten(0, 1).double().numpy()
    assert joint_errors(prediction.joint.double().numpy(), truth, "procrustes").mean() < 50
    assert (prediction.parity > 0).float().mean() > 0.95
