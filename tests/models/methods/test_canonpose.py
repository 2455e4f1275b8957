"""CanonPose: its losses against literal loops, what they cannot see, and training that ends right-handed."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from known_scene import cameras, people, weak_perspective
from posepipe.models.body.metrics import joint_errors
from posepipe.models.geometry.geometry import project_perspective, rotation_from_axis_angle
from posepipe.models.method import Batch, View
from posepipe.models.methods.canonpose import CanonPose, CanonPoseSettings
from posepipe.models.methods.losses import partners
from posepipe.models.networks.lifter import Lifter
from posepipe.models.skeleton import COCO17, H36M17
from test_losses import literal_distance
from torch import Tensor, nn

FLIP = torch.tensor([1.0, 1.0, -1.0])


class KnownLifter(nn.Module):
    """Stands for a network: answers with given poses (B, V, J, 3) and rotations (B, V, 3, 3)."""

    def __init__(self, pose: Tensor, R: Tensor) -> None:
        super().__init__()
        self.answer = pose, R

    def forward(self, keypoint: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        return self.answer


def losses_of(pose: Tensor, R: Tensor, batch: Batch, **settings: object) -> dict[str, float]:
    """Terms that a network answering (pose, R) would have, permutations drawn under seed 0."""
    method = small_method(**({"flip": False, "bone_prior": "never"} | settings)).to(pose.dtype)
    method.lifter = KnownLifter(pose, R)
    torch.manual_seed(0)
    terms = method.losses(batch, method.phases()[0])
    return {name: term.item() for name, term in terms.items()}


def small_method(**settings: object) -> CanonPose:
    return CanonPose(H36M17, CanonPoseSettings(**({"width": 32} | settings)))


def exact_scene(
    count: int = 12, views: int = 4, moving: bool = False, turn: bool = True
) -> tuple[Tensor, Tensor, Batch]:
    """True poses (B, V, J, 3), true rotations (B, V, 3, 3) and their weak-perspective images."""
    pose = people(count, turn=turn)
    rigs = [cameras(views, seed=n if moving else 0) for n in range(count)]
    keypoint = np.stack([weak_perspective(p, rig) for p, rig in zip(pose, rigs, strict=True)])
    R = torch.from_numpy(np.stack([rig.R for rig in rigs]))
    poses = torch.from_numpy(pose)[:, None].expand(-1, views, -1, -1)
    confidence = torch.ones(count, views, 17, dtype=torch.float64)
    return poses, R, Batch(torch.from_numpy(keypoint), confidence, torch.zeros(count, dtype=torch.int64))


def noisy_scene() -> tuple[Tensor, Tensor, Batch]:
    """Random answers to random images of two rigs and one instant of moving cameras, views and joints missing."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    confidence = torch.rand(7, 3, 17, generator=generator, dtype=torch.float64) + 0.01
    confidence[0, 1] = 0
    confidence[4, 2] = 0
    confidence[2, 2, 9] = 0
    confidence[5, 0, 0] = 0
    keypoint = 300 * normal(7, 3, 17, 2) * (confidence > 0)[..., None]
    rig = torch.tensor([3, 3, 8, 3, 8, 3, -1])
    R = rotation_from_axis_angle(2 * normal(7, 3, 3))
    return normal(7, 3, 17, 3), R, Batch(keypoint, confidence, rig)


def literal_losses(pose: Tensor, R: Tensor, batch: Batch) -> dict[str, float]:
    """The three terms written out pair by pair, with the permutations that ``losses_of`` draws."""
    count, views = pose.shape[:2]
    seen = batch.confidence[..., 0] > 0
    torch.manual_seed(0)
    drawn = [partners(batch.rig) for _ in range(views)]

    def distance(n: int, target: int, image: Tensor) -> float:
        visible = (batch.confidence[n, target] > 0)[:, None]
        observed = (batch.keypoint[n, target] - batch.keypoint[n, target, 0]) * visible
        observed = observed / observed.norm()
        image = image * visible
        return literal_distance(observed.tolist(), image.tolist(), batch.confidence[n, target].tolist())

    terms = {"reprojection": [], "view": [[] for _ in range(views)], "camera": [[] for _ in range(views)]}
    for n, a, b in itertools.product(range(count), range(views), range(views)):
        if not (seen[n, a] and seen[n, b]):
            continue
        value = distance(n, b, (pose[n, a] @ R[n, b].T)[:, :2])
        (terms["reprojection"] if a == b else terms["view"][a]).append(value)
    for n, a, b in itertools.product(range(count), range(views), range(views)):
        s = int(drawn[a][0][n])
        alone = int((batch.rig == batch.rig[n]).sum()) == 1
        if a == b or alone or batch.rig[n] < 0 or not (seen[n, a] and seen[n, b] and seen[s, a] and seen[s, b]):
            continue
        relative = R[s, b] @ R[s, a].T
        terms["camera"][a].append(distance(n, b, (relative @ R[n, a] @ pose[n, a].T).T[:, :2]))
    return {
        "reprojection": float(np.mean(terms["reprojection"])),
        "view": sum(float(np.mean(values)) for values in terms["view"]),
        "camera": sum(float(np.mean(values)) for values in terms["camera"]),
    }


def test_losses_are_their_equations() -> None:
    pose, R, batch = noisy_scene()
    found = losses_of(pose, R, batch, handedness="none")
    for name, expected in literal_losses(pose, R, batch).items():
        assert found[name] == pytest.approx(expected, abs=1e-9), name


def test_the_truth_has_no_loss_at_any_size() -> None:
    pose, R, batch = exact_scene()
    for size in (1.0, 3.0, 30.0):
        assert max(losses_of(size * pose, R, batch).values()) < 1e-6


def test_moving_cameras_have_camera_loss_unless_they_are_declared() -> None:
    pose, R, batch = exact_scene(moving=True)
    found = losses_of(pose, R, batch)
    assert found["camera"] > 0.05
    assert max(found["reprojection"], found["view"]) < 1e-6
    declared = Batch(batch.keypoint, batch.confidence, torch.full_like(batch.rig, -1))
    assert losses_of(pose, R, declared)["camera"] == 0


def test_perspective_images_have_loss() -> None:
    pose, R, batch = exact_scene()
    keypoint = torch.from_numpy(cameras(4).project(people(12)))
    found = losses_of(pose, R, Batch(keypoint, batch.confidence, batch.rig))
    assert min(found.values()) > 1e-3


@pytest.mark.parametrize("scene", [exact_scene, noisy_scene])
def test_losses_cannot_see_a_reflection(scene) -> None:
    pose, R, batch = scene()
    mirrored = losses_of(pose * FLIP, R * FLIP[:, None] * FLIP, batch, handedness="none")
    for name, expected in losses_of(pose, R, batch, handedness="none").items():
        assert mirrored[name] == pytest.approx(expected, abs=1e-6), name


def test_the_quotient_forgives_mixed_branches() -> None:
    pose, R, batch = exact_scene()
    flip = torch.where(torch.rand(12, 4, 1) < 0.5, FLIP, torch.ones(3)).double()
    mixed = pose * flip[:, :, None], R * flip[..., None] * flip[..., None, :]
    assert max(losses_of(*mixed, batch, handedness="none").values()) > 0.05
    assert max(losses_of(*mixed, batch, handedness="quotient").values()) < 1e-6


def test_a_missing_view_counts_nowhere() -> None:
    pose, R, batch = noisy_scene()
    expected = losses_of(pose, R, batch)
    pose, R = pose.clone(), R.clone()
    pose[0, 1] = torch.randn(17, 3)
    R[4, 2] = torch.eye(3)
    assert losses_of(pose, R, batch) == pytest.approx(expected)


def test_a_batch_without_any_pair_has_a_gradient() -> None:
    _, _, batch = exact_scene(count=2, views=2)
    confidence = batch.confidence.clone()
    confidence[:, 1] = 0
    method = small_method().double()
    terms = method.losses(Batch(batch.keypoint, confidence, batch.rig), method.phases()[0])
    sum(terms.values()).backward()
    assert terms["view"] == 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


def test_a_mirrored_batch_shows_mirrored_people_to_a_mirrored_rig() -> None:
    pose, R, batch = exact_scene(count=40)
    method = small_method().double()
    torch.manual_seed(0)
    flipped = method.augment(batch).rig % 2 == 1
    assert 10 < flipped.sum() < 30
    across = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    mirrored = (pose @ across)[..., H36M17.mirror, :]
    pose = torch.where(flipped[:, None, None, None], mirrored, pose)
    R = torch.where(flipped[:, None, None, None], across @ R @ across, R)
    assert max(losses_of(pose, R, batch, flip=True, bone_prior="always").values()) < 1e-3
    assert (method.parity(pose) > 0).all()
    torch.manual_seed(0)
    label = method.augment(replace(batch, label=pose)).label
    torch.testing.assert_close(
        label, torch.where(flipped[:, None, None, None], (pose @ across)[..., H36M17.mirror, :], pose)
    )
    moving = method.augment(Batch(batch.keypoint, batch.confidence, torch.full_like(batch.rig, -1)))
    assert (moving.rig == -1).all()


def off_axis_scene(count: int = 12) -> tuple[Tensor, Tensor, Batch]:
    """Poses, rotations of cameras turned towards the root, and what cameras that are not turned see of them.

    The people stand anywhere in the pictures of four cameras that stay where they are.
    """
    rng = np.random.default_rng(5)
    rig, pose = cameras(4), torch.from_numpy(people(count))
    K, standing = torch.from_numpy(rig.K), torch.from_numpy(rig.R)
    across, up = (torch.from_numpy(rng.uniform(-0.5, 0.5, (count, 4))) for _ in range(2))
    zero = torch.zeros_like(across)
    turn = rotation_from_axis_angle(torch.stack([up, across, zero], -1))  # about an axis in the picture: the shortest
    R = turn @ standing
    seen = torch.einsum("bvij,bnj->bvni", R, pose)
    image = 0.05 * (seen - seen[:, :, :1])[..., :2]  # of somebody small: at focal length 1, the root in the middle
    points = nn.functional.pad(image, (0, 1), value=1.0) @ turn  # in the cameras' own axes
    keypoint = project_perspective(points, K)
    confidence, rig_number = torch.ones(count, 4, 17, dtype=K.dtype), torch.zeros(count, dtype=torch.int64)
    batch = Batch(keypoint, confidence, rig_number, K=K.expand(count, 4, 3, 3))
    return pose[:, None].expand(-1, 4, -1, -1), R, batch


def test_with_turned_views_the_truth_has_no_loss_wherever_people_stand() -> None:
    pose, R, batch = off_axis_scene()
    assert max(losses_of(pose, R, batch, ray_correction=True).values()) < 1e-6
    method = small_method()
    torch.manual_seed(0)
    flipped = (method.augment(batch).rig % 2 == 1)[:, None, None, None]
    assert flipped.any() and not flipped.all()
    across = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    pose_seen = torch.where(flipped, (pose @ across)[..., H36M17.mirror, :], pose)
    R_seen = torch.where(flipped, across @ R @ across, R)
    assert max(losses_of(pose_seen, R_seen, batch, ray_correction=True, flip=True).values()) < 1e-6
    assert min(losses_of(pose, R, batch).values()) > 0.02, "it is not the turn alone that makes them vanish"


def test_with_turned_views_poses_are_in_the_axes_of_the_camera() -> None:
    pose, R, batch = off_axis_scene(count=64)  # as many as a chunk of frames
    method = small_method(ray_correction=True, flip=False, handedness="none").double().eval()
    method.lifter = KnownLifter(pose[:, 1], R[:, 1])
    assert batch.K is not None
    found = method.predict(View(batch.keypoint[:, 1], batch.confidence[:, 1], K=batch.K[:, 1]))
    standing = torch.from_numpy(cameras(4).R[1])
    torch.testing.assert_close(found.joint, (pose[:, 1] - pose[:, 1, :1]) @ standing.T)
    torch.testing.assert_close(found.camera_from_canonical, standing.expand(64, 3, 3))
    torch.testing.assert_close(found.canonical @ found.camera_from_canonical.mT, found.joint)
    with pytest.raises(ValueError, match="needs intrinsics"):
        method.predict(View(batch.keypoint[:, 1], batch.confidence[:, 1]))
    assert CanonPose.needs_with(method.settings) == {"intrinsics"} and not CanonPose.needs_with(CanonPoseSettings())


def test_a_pose_and_its_mirror_image_are_predicted_alike() -> None:
    view = _one_view(20)
    method = small_method().eval()
    image = View(view.keypoint[:, H36M17.mirror] * torch.tensor([-1.0, 1.0]), view.confidence[:, H36M17.mirror])
    expected = method.predict(view).joint[:, H36M17.mirror] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(method.predict(image).joint, expected)


def test_confidences_may_be_kept_from_the_network() -> None:
    view = _one_view(6)
    doubtful = View(view.keypoint, view.confidence / 3)
    told, untold = small_method().eval(), small_method(confidence_input=False).eval()
    assert torch.equal(untold.predict(view).joint, untold.predict(doubtful).joint)
    assert not torch.equal(told.predict(view).joint, told.predict(doubtful).joint)


def test_bones_are_judged_where_two_views_are_all() -> None:
    pose, R, batch = noisy_scene()
    two = (batch.confidence[..., 0] > 0).sum(1) == 2
    assert 0 < two.sum() < len(two)
    chosen = Batch(batch.keypoint[two], batch.confidence[two], batch.rig[two])
    found = losses_of(pose, R, batch, bone_prior="two_views")["bones"]
    assert found == pytest.approx(losses_of(pose[two], R[two], chosen, bone_prior="always")["bones"])
    assert "bones" not in losses_of(pose, R, batch)


def test_partners_stay_within_their_rig() -> None:
    rig = torch.tensor([7, 2, 7, -1, 7, 2, 5, -1])
    torch.manual_seed(3)
    draws = [partners(rig)[0] for _ in range(20)]
    assert all(rig[draw].tolist() == rig.tolist() and draw.sort().values.tolist() == list(range(8)) for draw in draws)
    assert len({tuple(draw.tolist()) for draw in draws}) > 5
    assert partners(rig)[1].tolist() == [True, True, True, False, True, True, False, False]
    torch.manual_seed(3)
    assert partners(rig)[0].tolist() == draws[0].tolist()


def test_prediction_does_not_depend_on_the_batch() -> None:
    view = _one_view(150)
    method = small_method(width=256).eval()
    together = method.predict(view)
    for frames in (slice(0, 1), slice(70, 150), slice(149, 150)):
        part = method.predict(View(view.keypoint[frames], view.confidence[frames]))
        for name in ("joint", "canonical", "camera_from_canonical", "parity"):
            assert torch.equal(getattr(part, name), getattr(together, name)[frames]), name


def test_prediction_is_root_centred_right_handed_and_rotated() -> None:
    method = small_method(flip=False).eval()
    prediction = method.predict(_one_view(40))
    assert prediction.joint[:, 0].abs().max() < 1e-6
    assert (method.parity(prediction.joint) >= 0).all()
    assert (prediction.parity < 0).any()
    turned = prediction.canonical @ prediction.camera_from_canonical.mT
    torch.testing.assert_close(turned, prediction.joint)
    torch.testing.assert_close(torch.linalg.det(prediction.camera_from_canonical), torch.ones(40))


def test_frames_without_a_root_are_nan() -> None:
    view = _one_view(3)
    view.confidence[1, 0] = 0
    prediction = small_method().eval().predict(view)
    assert prediction.joint.isnan().all((1, 2)).tolist() == [False, True, False]
    assert prediction.parity.isnan().tolist() == [False, True, False]


def test_a_skeleton_without_a_pelvis_is_centred_between_the_hips() -> None:
    method = CanonPose(COCO17, CanonPoseSettings(width=32)).eval()
    joint = method.predict(_one_view(5)).joint
    hips = [COCO17.index("left_hip"), COCO17.index("right_hip")]
    assert joint[:, hips].mean(1).abs().max() < 1e-6


def test_the_published_recipe_is_the_paper() -> None:
    settings = CanonPoseSettings(recipe="published")
    (phase,) = CanonPose(H36M17, settings).phases()
    assert (phase.optimizer, phase.learning_rate, phase.milestones) == ("adam", 1e-4, (30, 60, 90))
    assert (phase.epochs, phase.batch_size, phase.weights["camera"]) == (100, 32, 0.1)
    assert (settings.width, settings.layer_norm, settings.rotation) == (1024, False, "axis_angle")
    assert CanonPoseSettings(recipe="published", width=64).width == 64
    assert CanonPoseSettings(**settings.model_dump()) == settings


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 8, 32])
def test_short_trainings_have_the_steps_that_tell_left_from_right(epochs: int) -> None:
    (phase,) = small_method(epochs=epochs, min_steps=25).phases()
    assert 200 <= phase.min_steps * min(epochs, 8) < 200 + epochs
    (published,) = small_method(recipe="published").phases()
    assert published.min_steps == 1


def test_the_weight_of_cameras_grows_in_our_recipe_only() -> None:
    (phase,) = small_method(epochs=8, camera_weight=0.4, camera_ramp=0.5).phases()
    assert [phase.weights_in(epoch)["camera"] for epoch in range(8)] == pytest.approx([0.1, 0.2, 0.3] + [0.4] * 5)
    assert all(phase.weights_in(epoch)["view"] == 1 for epoch in range(8))
    (published,) = small_method(recipe="published").phases()
    assert published.weights_in(0) == published.weights


def test_the_published_network_is_the_figure() -> None:
    lifter = Lifter(17, 8, layer_norm=False, rotation="axis_angle")
    keypoint, confidence = torch.randn(5, 17, 2), torch.rand(5, 17)
    numbers = torch.stack([keypoint[..., 0], keypoint[..., 1], confidence], -1).reshape(5, 51)
    linear = [layer for layer in lifter.modules() if isinstance(layer, nn.Linear)]
    assert len(linear) == 1 + 2 + 2 * (4 + 1)

    def rectified(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.01 * x)

    def block(x: Tensor, first: nn.Linear, second: nn.Linear) -> Tensor:
        return rectified(x + rectified(second(rectified(first(x)))))

    features = block(linear[0](numbers), *linear[1:3])
    pose = linear[7](block(block(features, *linear[3:5]), *linear[5:7])).reshape(5, 17, 3)
    axis_angle = linear[12](block(block(features, *linear[8:10]), *linear[10:12]))
    found, R = lifter(keypoint, confidence)
    torch.testing.assert_close(found, pose)
    torch.testing.assert_close(R, rotation_from_axis_angle(axis_angle))


def test_bf16_is_for_training_only() -> None:
    torch.manual_seed(0)
    lifter = Lifter(17, 64, layer_norm=True, rotation="two_columns", precision="bf16")
    seen = torch.randn(9, 17, 2), torch.rand(9, 17)
    short = lifter(*seen)
    lifter.eval()
    exact = lifter(*seen)
    lifter.train().precision = "fp32"
    for rounded, full, single in zip(short, exact, lifter(*seen), strict=True):
        assert torch.equal(full, single)
        assert not torch.equal(full, rounded)
        torch.testing.assert_close(rounded, full, atol=0.03, rtol=0)


def _one_view(frames: int) -> View:
    generator = torch.Generator().manual_seed(0)
    return View(
        500 * torch.rand(frames, 17, 2, generator=generator), torch.rand(frames, 17, generator=generator) + 0.1
    )


# Training from bad starts. ``pretrain`` plants the branch that each instant is lifted to.


def pretrain(
    method: CanonPose, batch: Batch, pose: Tensor, R: Tensor, mirrored: Tensor, cameras_too: bool = False
) -> None:
    """Teaches the network the truth, or its twin where ``mirrored`` (B, V), as 3D supervision would.

    ``cameras_too`` teaches the rotations as well, which a view of people who all face one way tells.
    """
    flip = torch.where(mirrored[..., None], FLIP, torch.ones(3))
    truth = (pose @ R.mT * flip[:, :, None]).float()
    truth = truth / truth.norm(dim=(-2, -1), keepdim=True)
    camera = (flip[..., None] * R * flip[..., None, :]).float()
    optimizer = torch.optim.Adam(method.parameters(), 1e-3)
    keypoint = truth[..., :2] / truth[..., :2].norm(dim=(-2, -1), keepdim=True)
    for _ in range(100):
        rows = torch.randint(len(truth), (32,))
        canonical, rotation = method.lifter(keypoint[rows], batch.confidence[rows].float())
        loss = (canonical @ rotation.mT - truth[rows]).square().sum((-2, -1)).mean()
        if cameras_too:
            loss = loss + (rotation - camera[rows]).square().sum((-2, -1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train(method: CanonPose, batch: Batch, steps: int) -> None:
    (phase,) = method.phases()
    optimizer = torch.optim.AdamW(method.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randperm(len(batch.rig))[:32]
        terms = method.losses(
            Batch(batch.keypoint[rows].float(), batch.confidence[rows].float(), batch.rig[rows]), phase
        )
        optimizer.zero_grad()
        sum(weight * terms[name] for name, weight in phase.weights.items()).backward()
        optimizer.step()
        schedule.step()


def procrustes_error(method: CanonPose, batch: Batch, pose: Tensor, R: Tensor) -> float:
    """PMPJPE in mm over all views."""
    method.eval()
    prediction = method.predict(View(batch.keypoint.float().flatten(0, 1), batch.confidence.float().flatten(0, 1)))
    method.train()
    truth = (1000 * pose @ R.mT).flatten(0, 1).numpy()
    return float(joint_errors(prediction.joint.double().numpy(), truth, "procrustes").mean())


@pytest.mark.parametrize("start", ["mirrored", "mixed"])
def test_training_with_the_quotient_ends_right_handed(start: str) -> None:
    pose, R, batch = exact_scene(count=300)
    torch.manual_seed(0)
    method = small_method(width=256)
    faces_left = (R @ (pose[..., 4, :] - pose[..., 1, :])[..., None])[..., 2, 0] > 0
    pretrain(method, batch, pose, R, faces_left if start == "mixed" else torch.ones_like(faces_left))
    train(method, batch, 600)
    assert procrustes_error(method, batch, pose, R) < 80


def test_training_without_the_quotient_stays_mirrored() -> None:
    """It ends near the twin of the truth, and far from the truth itself."""
    pose, R, batch = exact_scene(count=300, turn=False)
    torch.manual_seed(0)
    method = small_method(width=256, handedness="none")
    pretrain(method, batch, pose, R, torch.ones(300, 4, dtype=torch.bool), cameras_too=True)
    train(method, batch, 200)
    assert procrustes_error(method, batch, pose, R) > 150
    assert procrustes_error(method, batch, (pose @ R.mT * FLIP) @ R, R) < 110
