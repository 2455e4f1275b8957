"""Iqbal et al.: exact input gives exact poses, losses are the literal ones, and gradients go where they should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.body.body import limb_lengths
from posepipe.models.body.handedness import Parity
from posepipe.models.body.metrics import evaluate
from posepipe.models.geometry.geometry import rigid_alignment
from posepipe.models.method import Batch, Labelled2D, View
from posepipe.models.methods.iqbal import Iqbal, IqbalSettings
from posepipe.models.methods.iqbal_losses import (
    SIGMA,
    consistency_loss,
    depth_loss,
    heatmap_loss,
    limb_loss,
    torso_loss,
)
from posepipe.models.methods.iqbal_reconstruction import reconstruct, within_a_torso
from posepipe.models.networks.crops import about_middle, chain, moved, rays, standardise, unpack
from posepipe.models.networks.pose_cnn import Pose25D, gaussians, read_25d
from posepipe.models.skeleton import COCO17, H36M17, SKELETONS
from torch import Tensor

COUNT, VIEWS, SIZE = 5, 3, 64
TORSO = torch.from_numpy(H36M17.landmark_weights("pelvis", "thorax")).double()


def small_method(**options: Any) -> Iqbal:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"backbone": "resnet18", "head_width": 8} | options
    return Iqbal(H36M17, IqbalSettings(**settings))


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Poses (B, V, 17, 3) in camera axes, in torsos; their images in crops (B, V, 17, 2); K of crops (B, V, 3, 3)."""
    rig, world = cameras(VIEWS), people(COUNT)
    world = world / np.linalg.norm(world[:, 8] - world[:, 0], axis=-1)[:, None, None]
    pose = np.einsum("vij,bnj->bvni", rig.R, world) + 10 * np.array([0, 0, 1.0])
    K = np.broadcast_to(rig.K, (COUNT, *rig.K.shape))
    image = np.einsum("bvij,bvnj->bvni", K, pose)
    image = image[..., :2] / image[..., 2:]
    return torch.from_numpy(pose), torch.from_numpy(image), torch.from_numpy(K.copy())


IDENTITY = torch.eye(3, dtype=torch.float64)[:2].expand(COUNT, VIEWS, 2, 3)


def relative(pose: Tensor) -> Tensor:
    """Depths (..., J) relative to the pelvis."""
    return pose[..., 2] - pose[..., :1, 2]


def test_the_distance_of_the_root_is_exact() -> None:
    pose, image, K = scene()
    found, solvable = reconstruct(rays(image, K, IDENTITY), relative(pose), TORSO)
    assert solvable.all()
    assert ((found[..., 0, 2] - pose[..., 0, 2]).abs() / pose[..., 0, 2]).max() < 1e-5
    torch.testing.assert_close(found, pose)
    single, _ = reconstruct(rays(image, K, IDENTITY).float(), relative(pose).float(), TORSO.float())
    assert ((single[..., 0, 2] - pose[..., 0, 2]).abs() / pose[..., 0, 2]).max() < 1e-4


def test_the_quadratic_equation_is_that_of_the_specification() -> None:
    pose, image, K = scene()
    ray, depth = rays(image, K, IDENTITY), relative(pose)
    found, _ = reconstruct(ray, depth, TORSO)
    k, pelvis = H36M17.index("thorax"), H36M17.index("pelvis")
    for b in range(COUNT):
        for v in range(VIEWS):
            (a_k, b_k, _), (a_l, b_l, _) = ray[b, v, k].tolist(), ray[b, v, pelvis].tolist()
            z_k, z_l = depth[b, v, k].item(), depth[b, v, pelvis].item()
            alpha, beta, gamma = z_k * a_k - z_l * a_l, z_k * b_k - z_l * b_l, z_k - z_l
            A = (a_k - a_l) ** 2 + (b_k - b_l) ** 2
            B = 2 * ((a_k - a_l) * alpha + (b_k - b_l) * beta)
            C = alpha**2 + beta**2 + gamma**2 - 1
            root = (-B + max(B * B - 4 * A * C, 0) ** 0.5) / (2 * A)
            assert found[b, v, pelvis, 2].item() == pytest.approx(root + z_l)


def test_a_torso_that_points_at_the_camera_is_left_out() -> None:
    pose, image, K = scene()
    ray, depth = rays(image, K, IDENTITY), relative(pose)
    depth[0, 0, 8] = 1.5  # longer in depth alone than a torso is: C > 0
    ray[1, 1, 8] = ray[1, 1, 0]  # behind the pelvis: A = 0
    ray, depth = ray.requires_grad_(), depth.requires_grad_()
    found, solvable = reconstruct(ray, depth, TORSO)
    assert (~solvable).nonzero().tolist() == [[0, 0], [1, 1]]
    assert found.isfinite().all()
    found.sum().backward()
    assert ray.grad is not None and depth.grad is not None
    assert ray.grad.isfinite().all() and depth.grad.isfinite().all()


def test_a_network_cannot_flee_to_poses_without_a_distance() -> None:
    pose, image, K = scene()
    ray, depth = rays(image, K, IDENTITY), relative(pose)
    torch.testing.assert_close(within_a_torso(ray, depth, TORSO), depth)
    wild = (40 * depth).requires_grad_()
    assert not reconstruct(ray, wild, TORSO)[1].any()
    drawn_in = within_a_torso(ray, wild, TORSO)
    assert reconstruct(ray, drawn_in, TORSO)[1].all()
    torch.testing.assert_close(drawn_in / drawn_in[..., 3:4], wild / wild[..., 3:4])  # all alike
    drawn_in.square().sum().backward()
    assert wild.grad is not None and wild.grad.isfinite().all()


def test_what_is_folded_along_the_axis_has_good_limbs_but_a_torso_that_tells() -> None:
    """Depths that do not depend on the picture at all."""
    bones, lengths = (torch.from_numpy(array) for array in limb_lengths(H36M17))
    pose, image, K = scene()
    ray, depth = rays(image, K, IDENTITY), torch.zeros(len(H36M17.joints), dtype=torch.float64)
    for (start, end), length in zip(bones.tolist(), lengths, strict=True):
        depth[end] = depth[start] + length
    folded = (0.95 / (TORSO[1] - TORSO[0]).dot(depth) * depth).expand(COUNT, VIEWS, -1)
    everywhere = torch.ones(COUNT * VIEWS, 17, dtype=torch.float64), torch.ones(COUNT * VIEWS, dtype=torch.bool)

    def losses(depth: Tensor) -> tuple[float, float]:
        lifted, solvable = reconstruct(ray, depth, TORSO)
        assert solvable.all()
        limbs = limb_loss(lifted.flatten(0, 1), *everywhere, bones, lengths)
        return limbs.item(), torso_loss(depth.flatten(0, 1), TORSO).item()

    (limbs, torso), (true_limbs, true_torso) = losses(folded), losses(relative(pose))
    assert limbs < true_limbs
    assert torso == pytest.approx(0.95**2)
    assert true_torso < torso / 5


def test_five_pixels_of_noise_move_the_root_by_some_percent() -> None:
    pose, image, K = scene()
    noisy = image + 5 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found, _ = reconstruct(rays(noisy, K, IDENTITY), relative(pose), TORSO)
    error = (found[..., 0, 2] - pose[..., 0, 2]).abs() / pose[..., 0, 2]
    assert 0.001 < error.mean() < 0.06


def test_skeletons_without_pelvis_and_neck_are_as_exact() -> None:
    torso = torch.from_numpy(COCO17.landmark_weights("pelvis", "thorax")).double()
    generator = torch.Generator().manual_seed(1)
    pose = torch.randn(4, 17, 3, generator=generator, dtype=torch.float64)
    pose = pose / ((torso[1] - torso[0]) @ pose).norm(dim=-1)[:, None, None]
    pose[..., 2] += 15
    depth = pose[..., 2] - (pose[..., 2] @ torso[0])[:, None]
    found, solvable = reconstruct(pose / pose[..., 2:], depth, torso)
    torch.testing.assert_close(found[solvable], pose[solvable])
    assert solvable.any()


def test_the_truth_is_consistent() -> None:
    pose, image, K = scene()
    found, solvable = reconstruct(rays(image, K, IDENTITY), relative(pose), TORSO)
    ones = torch.ones(COUNT, VIEWS, 17, dtype=torch.float64)
    assert consistency_loss(found, ones, solvable) < 1e-6
    R = torch.from_numpy(cameras(VIEWS).R).expand(COUNT, -1, -1, -1)
    assert consistency_loss(found, ones, solvable, R) < 1e-6
    mirrored = found * torch.tensor([1, 1, -1.0])
    assert consistency_loss(torch.stack([found[:, 0], mirrored[:, 1]], 1), ones[:, :2], solvable[:, :2]) > 0.05


@pytest.mark.parametrize("quotient", [True, False])
def test_agreement_of_views_tells_depths(quotient: bool) -> None:
    """Paper, Sec. 3.3: with exact 2D joints, correct depths are what agreement asks for; but for the mirror.

    The depths start at 0.3 of the true ones, and noise, in some views of the mirrored ones.
    """
    count, views = 24, 4
    rig, world = cameras(views), people(count, seed=4)
    world = world / np.linalg.norm(world[:, 8] - world[:, 0], axis=-1)[:, None, None]
    pose = torch.from_numpy(np.einsum("vij,bnj->bvni", rig.R, world) + 10 * np.array([0, 0, 1.0])).float()
    ray, torso = pose / pose[..., 2:], TORSO.float()
    bones, lengths = (torch.from_numpy(array) for array in limb_lengths(H36M17))
    parity = Parity(H36M17)
    torch.manual_seed(0)
    side = torch.where(torch.rand(count, views, 1) < 0.5, -1.0, 1.0)
    depth = side * 0.3 * relative_to_root(pose[..., 2]) + 0.05 * torch.randn(count, views, 17)
    depth = depth.requires_grad_()
    optimizer = torch.optim.Adam([depth])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=300)
    for _ in range(300):
        found, solvable = reconstruct(ray, relative_to_root(depth), torso)
        if quotient:
            sign = torch.where(parity(found) < 0, -1.0, 1.0)[..., None]
            found, solvable = reconstruct(ray, sign * relative_to_root(depth), torso)
        weight = solvable[..., None].expand(-1, -1, 17).float()
        limbs = limb_loss(found.flatten(0, 1), weight.flatten(0, 1), solvable.flatten(), bones, lengths)
        loss = 10 * consistency_loss(found, weight, solvable) + 100 * limbs
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    assert solvable.float().mean() > 0.6  # the others have left the range in which their distance can be told
    centred = [500 * (points - points[..., :1, :])[solvable].detach().double().numpy() for points in (found, pose)]
    scores = evaluate(*centred)
    if quotient:
        assert scores["PMPJPE"] < 20 and scores["NMPJPE"] < 35  # from a PMPJPE of 105; a torso is 500 mm
    else:
        assert scores["PMPJPE"] > 100  # views of either handedness, which no rotation brings together


def relative_to_root(depth: Tensor) -> Tensor:
    return depth - depth[..., :1]


def literal_consistency(pose: Tensor, weight: Tensor, shown: Tensor) -> float:
    """Eq. 8 and 10 in loops, with Kabsch's algorithm."""
    total, terms = 0.0, 0
    for views, weights, there in zip(pose.numpy(), weight.numpy(), shown.numpy(), strict=True):
        for c in range(len(views)):
            for other in range(len(views)):
                if c == other or not (there[c] and there[other]):
                    continue
                w = weights[c] * weights[other]
                target, source = views[c], views[other]
                middles = [(w[:, None] * points).sum(0) / w.sum() for points in (target, source)]
                H = ((source - middles[1]) * w[:, None]).T @ (target - middles[0])
                U, _, Vt = np.linalg.svd(H)
                R = Vt.T @ np.diag([1, 1, np.linalg.det(Vt.T @ U.T)]) @ U.T
                for j in range(len(w)):
                    moved_point = R @ (source[j] - middles[1]) + middles[0]
                    total += w[j] * np.abs(target[j] - moved_point).sum()
                    terms += 1
    return total / terms


def test_losses_are_the_literal_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(COUNT, VIEWS, 17, 3, generator=generator, dtype=torch.float64)
    weight = torch.rand(COUNT, VIEWS, 17, generator=generator, dtype=torch.float64)
    shown = torch.rand(COUNT, VIEWS, generator=generator) > 0.3
    assert consistency_loss(pose, weight, shown).item() == pytest.approx(literal_consistency(pose, weight, shown))

    bones, lengths = (torch.from_numpy(array) for array in limb_lengths(H36M17))
    flat, weights, there = pose.flatten(0, 1), weight.flatten(0, 1), shown.flatten()
    terms = [
        weights[n, a].item() * weights[n, b].item() * ((flat[n, a] - flat[n, b]).norm().item() - length) ** 2
        for n in there.nonzero().flatten().tolist()
        for (a, b), length in zip(bones.tolist(), lengths.tolist(), strict=True)
    ]
    assert limb_loss(flat, weights, there, bones, lengths).item() == pytest.approx(np.mean(terms))

    heatmap = torch.randn(2, 3, 8, 10, generator=generator)
    bins = torch.tensor([[[2.0, 3.0], [9.0, 7.0], [5.5, 0.5]], [[9.5, 3.0], [1.0, 1.0], [4.0, 4.0]]])
    sure = torch.tensor([[True, True, False], [True, True, True]])  # one is not sure, one lies outside
    sure_and_inside = ((0, 0), (0, 1), (1, 1), (1, 2))
    errors = [
        (heatmap[n, j, y, x].item() - np.exp(-((x - bins[n, j, 0]) ** 2 + (y - bins[n, j, 1]) ** 2).item() / 8)) ** 2
        for n, j in sure_and_inside
        for y in range(8)
        for x in range(10)
    ]
    expected = sum(errors) / len(sure_and_inside)
    assert heatmap_loss(heatmap, bins, sure).item() == pytest.approx(expected, rel=1e-5)


def test_a_heatmap_weighs_about_as_much_as_agreement() -> None:
    """A joint that is a bin beside its label costs about what disagreement by a bin does, at the paper's weights."""
    bins = torch.tensor([[[8.0, 8.0]]])
    heat = heatmap_loss(gaussians(bins, 16, 16, SIGMA), bins + torch.tensor([1.0, 0.0]), torch.ones(1, 1).bool())
    bin_torsos = 4 / 20  # a torso of 20 px
    assert 0.3 < heat.item() / (10 * bin_torsos) < 3


def test_labelled_depths_are_those_of_the_poses() -> None:
    pose, _, _ = scene()
    label, torso = pose[:, 0] * 0.5, TORSO  # of any size, as triangulation gives them
    known = torch.ones(COUNT, 17, dtype=torch.bool)
    depth = relative(pose[:, 0]) + 2.3  # depths are of no particular origin
    assert depth_loss(depth, label, known, torso) < 1e-12
    noise = torch.randn(COUNT, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise[:, 0] = 0
    known[0, 3], known[1, 8] = False, False  # an ankle; a thorax, without which there is no torso
    terms = [noise[n, j].item() ** 2 for n in range(COUNT) for j in range(17) if n != 1 and not (n == 0 and j == 3)]
    assert depth_loss(depth + noise, label, known, torso).item() == pytest.approx(np.mean(terms))


def test_the_supervised_variant_learns_depths_from_labels() -> None:
    method, data = small_method(supervision="labels"), batch()
    assert Iqbal.needs_with(method.settings) == {"intrinsics", "crops", "labels"}
    assert not method.settles_handedness
    phase = method.phases()[1]
    assert phase.weights == {"heatmap": 1.0, "depth": 5.0}
    rig, world = cameras(VIEWS), people(2)
    label = torch.from_numpy(rig.see(world)).float()
    torch.nn.init.normal_(method.network.final.weight)
    losses = method.losses(replace(data, label=label, label_confidence=torch.ones(2, VIEWS, 17)), phase)
    assert losses.keys() == {"heatmap", "depth"}
    losses["depth"].backward()
    assert method.network.final.weight.grad is not None and method.network.final.weight.grad[17:].abs().max() > 0


def test_labelled_pictures_share_a_step() -> None:
    method = small_method(labelled_images="pictures", labelled_annotations="labels.json", batch_size=32)
    assert "labelled_2d" in Iqbal.needs_with(method.settings)
    assert {phase.labelled for phase in method.phases()} == {128}, "the paper's 128 beside 32 x 4"
    assert small_method(labelled_images="p", labelled_share=0.2, batch_size=8).phases()[0].labelled == 8
    assert small_method().phases()[0].labelled == 0
    data, more = batch(), batch(4)
    assert more.crop is not None and more.crop_from_image is not None
    point = moved(more.keypoint[:, 0], more.crop_from_image[:, 0])
    labelled = Labelled2D(more.crop[:, 0], point, torch.ones(4, 17))
    method = small_method(scale=0, rotation_deg=0).eval()  # batch norm of each picture alone
    phase = method.phases()[1]
    alone, together = method.losses(data, phase), method.losses(replace(data, labelled=labelled), phase)
    torch.testing.assert_close(together["consistency"], alone["consistency"])
    torch.testing.assert_close(together["limbs"], alone["limbs"])
    heatmap, _ = method.maps(unpack(labelled.crop))
    others = heatmap_loss(heatmap, point / 4, labelled.confidence > 0)
    views = data.confidence.flatten(0, 1).shape[0]
    expected = (views * alone["heatmap"] + 4 * others) / (views + 4)
    torch.testing.assert_close(together["heatmap"], expected, rtol=1e-4, atol=1e-6)
    labelled.confidence[:] = 0.4  # no surer than detections that do not count
    torch.testing.assert_close(method.losses(replace(data, labelled=labelled), phase)["heatmap"], alone["heatmap"])


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    pose, image, K = (array[:2, 0] for array in scene())
    ray, depth = rays(image, K, IDENTITY[:2, 0]).requires_grad_(), relative(pose).requires_grad_()
    assert torch.autograd.gradcheck(lambda r, d: reconstruct(r, d, TORSO)[0], (ray, depth))
    bones, lengths = (torch.from_numpy(array) for array in limb_lengths(H36M17))
    weight, shown, known = torch.rand(2, 17).double(), torch.ones(2).bool(), torch.ones(2, 17).bool()
    assert torch.autograd.gradcheck(lambda p: limb_loss(p, weight, shown, bones, lengths), pose.requires_grad_())
    noisy = (depth.detach() + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda d: depth_loss(d, pose.detach(), known, TORSO), noisy)
    generator = torch.Generator().manual_seed(2)
    maps = torch.rand(2, 1, 2, 5, 6, generator=generator, dtype=torch.float64).requires_grad_()
    bins = torch.tensor([[[2.0, 1.0], [4.0, 3.0]]])
    assert torch.autograd.gradcheck(lambda m: heatmap_loss(m[0], bins, torch.ones(1, 2).bool()), maps)
    assert torch.autograd.gradcheck(lambda m: read_25d(m[0], m[1], 5.0)[:2], maps)


def test_alignment_is_a_constant_to_the_gradient_of_agreement() -> None:
    """The gradient is that of the loss with all rigid motions held fast."""
    torch.manual_seed(0)
    pose = (scene()[0][:1] + 0.1 * torch.randn(1, VIEWS, 17, 3, generator=torch.Generator().manual_seed(3))).double()
    weight, shown = torch.rand(1, VIEWS, 17).double(), torch.ones(1, VIEWS).bool()
    motions = {}
    for c in range(VIEWS):
        for other in range(VIEWS):
            w = (weight[0, c] * weight[0, other])[:, None]
            middles = [(w * points).sum(0) / w.sum() for points in (pose[0, c], pose[0, other])]
            U, _, Vt = np.linalg.svd((((pose[0, other] - middles[1]) * w).T @ (pose[0, c] - middles[0])).numpy())
            R = torch.from_numpy(Vt.T @ np.diag([1, 1, np.linalg.det(Vt.T @ U.T)]) @ U.T)
            motions[c, other] = R, middles[0] - R @ middles[1]

    def held_fast(points: Tensor) -> Tensor:
        distances = [
            (weight[0, c] * weight[0, other])[:, None] * (points[0, c] - points[0, other] @ R.T - t).abs()
            for (c, other), (R, t) in motions.items()
            if c != other
        ]
        return torch.stack(distances).sum(-1).mean()

    pose.requires_grad_()
    (found,) = torch.autograd.grad(consistency_loss(pose, weight, shown), pose)
    (expected,) = torch.autograd.grad(held_fast(pose), pose)
    torch.testing.assert_close(found, expected)


def test_no_gradient_reaches_the_alignment() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randn(4, 17, 3, generator=generator).requires_grad_() for _ in range(2))
    weight = torch.rand(4, 17, generator=generator).requires_grad_()
    aligned = rigid_alignment(source, target, weight)
    gradients = torch.autograd.grad(aligned.sum(), [source, target, weight], allow_unused=True)
    assert gradients[1] is None and gradients[2] is None
    assert gradients[0] is not None  # through the points themselves: rows of R summed
    with torch.no_grad():
        moved_by_one = rigid_alignment(source + 1, target, weight)
    torch.testing.assert_close(moved_by_one, aligned.detach(), atol=1e-4, rtol=0)  # T follows, yet has no gradient


def test_a_turned_and_scaled_crop_gives_the_same_pose() -> None:
    method = small_method(handedness="none").double()
    pose, image, K = scene()
    box = torch.tensor([[0.4, 0.0, -60.0], [0.0, 0.4, -30.0]], dtype=torch.float64)
    turned = about_middle(torch.tensor([0.85]).double(), torch.tensor([-0.5]).double(), 256, 256)[0]
    ones = torch.ones(COUNT, 17, dtype=torch.float64)
    for crop_from_image in (box, chain(turned, box)):
        point = moved(image[:, 0], crop_from_image)
        read = Pose25D(point, relative(pose[:, 0]) + 3.7, ones)  # depths are of no particular origin
        found, solvable, _ = method.lift(read, K[:, 0], crop_from_image.expand(COUNT, 2, 3))
        assert solvable.all()
        torch.testing.assert_close(found, pose[:, 0])


def test_the_quotient_turns_depths_right_handed() -> None:
    pose, image, K = scene()
    ones = torch.ones(COUNT, 17, dtype=torch.float64)
    mirrored = Pose25D(image[:, 0], -relative(pose[:, 0]), ones)
    right, _, parity = small_method().double().lift(mirrored, K[:, 0], IDENTITY[:, 0])
    assert (parity < 0).all()
    torch.testing.assert_close(right, pose[:, 0])
    left, _, _ = small_method(handedness="none").double().lift(mirrored, K[:, 0], IDENTITY[:, 0])
    assert not torch.allclose(left, pose[:, 0], atol=0.1)


# The method


def batch(count: int = 2, views: int = VIEWS) -> Batch:
    """Random crops of people that fill them."""
    generator = torch.Generator().manual_seed(0)
    rig, world = cameras(views), people(count)
    keypoint = torch.from_numpy(rig.project(world)).float()
    low, high = keypoint.amin(-2), keypoint.amax(-2)
    scale = 0.75 * SIZE / (high - low).amax(-1)
    shift = SIZE / 2 - scale[..., None] * (low + high) / 2
    zero = torch.zeros_like(scale)
    rows = [scale, zero, shift[..., 0], zero, scale, shift[..., 1]]
    return Batch(
        keypoint=keypoint,
        confidence=torch.ones(count, views, 17),
        rig=torch.zeros(count, dtype=torch.int64),
        K=torch.from_numpy(rig.K).float().expand(count, -1, -1, -1),
        R=torch.from_numpy(rig.R).float().expand(count, -1, -1, -1),
        crop=torch.randint(0, 256, (count, views, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator),
        crop_from_image=torch.stack(rows, -1).unflatten(-1, (2, 3)),
    )


class KnownNetwork(torch.nn.Module):
    """Stands for a network: maps of known 2D poses (N, J, 2) in px of the crop and depths (N, J)."""

    def __init__(self, point: Tensor, depth: Tensor) -> None:
        super().__init__()
        self.maps = torch.cat([gaussians(point / 4, 64, 64, 2.0), depth[..., None, None].expand(-1, -1, 64, 64)], 1)

    def forward(self, picture: Tensor) -> Tensor:
        return self.maps


def test_a_network_that_knows_has_hardly_any_loss() -> None:
    data = batch()
    assert data.crop_from_image is not None
    four = 4 * data.crop_from_image  # a network of 256 px
    data = Batch(
        **(vars(data) | {"crop_from_image": four, "crop": torch.zeros(2, VIEWS, 8, 8, 3, dtype=torch.uint8)})
    )
    rig, world = cameras(VIEWS), people(2)
    torso = np.linalg.norm(world[:, 8] - world[:, 0], axis=-1)[:, None, None]
    depth = torch.from_numpy(np.einsum("vj,bnj->bvn", rig.R[:, 2], world) / torso).float()
    method = small_method(scale=0, rotation_deg=0, handedness="none", alignment="extrinsics")
    method.network = KnownNetwork(moved(data.keypoint, four).flatten(0, 1), depth.flatten(0, 1))  # type: ignore
    losses = method.losses(data, method.phases()[1])
    assert losses["heatmap"] < 1e-9
    assert losses["consistency"] < 0.1
    assert losses["limbs"] < 0.05


def test_phases_are_data() -> None:
    first, second = small_method(epochs=12).phases()
    assert first.weights == {"heatmap": 1.0}
    assert second.weights == {"heatmap": 1.0, "consistency": 10.0, "limbs": 100.0, "torso": 5.0}
    assert (second.epochs, second.milestones, second.learning_rate, second.batch_size) == (12, (10,), 5e-4, 32)


def test_gradients_reach_the_network_from_every_loss() -> None:
    method, data = small_method(), batch()
    for name in ("heatmap", "consistency", "limbs", "torso"):
        method.zero_grad()
        torch.nn.init.normal_(method.network.final.weight)
        losses = method.losses(data, method.phases()[1])
        assert losses.keys() == {"heatmap", "consistency", "limbs", "torso"}
        losses[name].backward()
        gradient = method.network.backbone.conv1.weight.grad  # type: ignore[union-attr]
        moves_points = method.network.final.weight.grad[: len(H36M17.joints)].abs().max() > 0  # type: ignore
        assert moves_points == (name == "heatmap"), name
        assert gradient is not None and gradient.isfinite().all() and gradient.abs().max() > 0, name  # type: ignore


def test_missing_views_and_too_many_views() -> None:
    method, data = small_method(views=2), batch(views=4)
    some = method.some_views(data)
    assert some.confidence.shape == (2, 2, 17)
    assert some.crop is not None and some.crop.shape == (2, 2, SIZE, SIZE, 3)
    gappy = small_method()
    data.confidence[0, 1] = 0
    losses = gappy.losses(data, gappy.phases()[1])
    assert all(loss.isfinite() for loss in losses.values())


def test_prediction_is_scaled_root_centred_and_does_not_depend_on_the_batch() -> None:
    method, data = small_method().eval(), batch(20)
    data.confidence[3, 0] = 0
    fields = [getattr(data, name)[:, 0] for name in ("keypoint", "confidence", "K", "crop", "crop_from_image")]
    with torch.no_grad():  # maps as large as those of a trained network
        method.network.final.weight *= 0.2 / method.network(standardise(unpack(fields[3]))).std()
    together = method.predict(View(*fields))
    assert together.joint.shape == (20, 17, 3)
    assert together.joint[3].isnan().all() and together.parity[3].isnan()
    there = together.joint[together.joint.isfinite().all((1, 2))]
    assert there[:, 0].abs().max() < 1e-5
    bones, lengths = (torch.from_numpy(array) for array in limb_lengths(H36M17))
    found = (there[:, bones[:, 0]] - there[:, bones[:, 1]]).norm(dim=-1)
    torch.testing.assert_close((found @ lengths) / found.square().sum(-1), torch.ones(len(there)))
    for frames in (slice(0, 1), slice(7, 20)):
        part = method.predict(View(*(field[frames] for field in fields)))
        torch.testing.assert_close(part.joint, together.joint[frames], rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(part.parity, together.parity[frames], rtol=0, atol=0, equal_nan=True)


def test_needs_extrinsics_only_to_align_with() -> None:
    assert Iqbal.needs_with(IqbalSettings()) == {"intrinsics", "crops"}
    assert "extrinsics" in Iqbal.needs_with(IqbalSettings(alignment="extrinsics"))
    data = batch()
    data = Batch(**(vars(data) | {"K": None}))
    method = small_method()
    with pytest.raises(ValueError, match="needs intrinsics"):
        method.losses(data, method.phases()[0])


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_limb_lengths_of_every_skeleton(skeleton: Any) -> None:
    bones, lengths = limb_lengths(skeleton)
    assert len(bones) >= 8
    assert ((lengths > 0.2) & (lengths < 1.3)).all()
    names = {
        frozenset((skeleton.joints[a], skeleton.joints[b])): length
        for (a, b), length in zip(bones, lengths, strict=True)
    }
    thigh, shin = (names[frozenset((f"left_{a}", f"left_{b}"))] for a, b in (("hip", "knee"), ("knee", "ankle")))
    assert thigh == pytest.approx(0.245 / 0.288, abs=1e-6)
    assert shin == pytest.approx(0.246 / 0.288, abs=1e-6)
    assert names[frozenset(("right_hip", "right_knee"))] == thigh
