"""Li et al.: the rigid transform, each loss against a literal loop, virtual views, and prediction."""

import itertools

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.geometry.geometry import normalise_by_intrinsics
from posepipe.models.method import Batch, View
from posepipe.models.methods.li import (
    Li,
    LiSettings,
    project,
    to_other_cameras,
    two_views,
)
from posepipe.models.methods.li_virtual_views import look_at, looked_at, virtual_cameras
from posepipe.models.networks.lifter import residual_network
from posepipe.models.skeleton import H36M17
from scipy.spatial.transform import Rotation
from torch import Tensor, nn


class KnownAnswer(nn.Module):
    """Stands for a network: answers with given numbers (N, O)."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, numbers: Tensor) -> Tensor:
        return self.answer[: len(numbers)]


def small_method(**settings: object) -> Li:
    return Li(H36M17, LiSettings(**({"width": 32} | settings)))


def scene(count: int = 6, views: int = 3) -> tuple[Tensor, Batch]:
    """True joints (B, V, J, 3) in each camera's axes, and calibrated perspective images of them."""
    rig = cameras(views)
    world = people(count) + np.random.default_rng(1).uniform(-1, 1, (count, 1, 3)) * [1, 1, 0.1]
    K = rig.K + np.array([[30.0, 5, 40], [0, -20, -25], [0, 0, 0]])  # not square, skewed, off the middle
    seen = rig.see(world)
    image = np.einsum("vij,bvnj->bvni", K, seen)

    def repeated(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).expand(count, *array.shape)

    batch = Batch(
        keypoint=torch.from_numpy(image[..., :2] / image[..., 2:]),
        confidence=torch.ones(count, views, 17, dtype=torch.float64),
        rig=torch.zeros(count, dtype=torch.int64),
        K=repeated(K),
        R=repeated(rig.R),
        t=repeated(rig.t),
        label=torch.from_numpy(seen),
        label_confidence=torch.ones(count, views, 17, dtype=torch.float64),
    )
    return torch.from_numpy(seen), batch


def answering(placed: Tensor, **settings: object) -> Li:
    """A method whose networks say that the joints are at (B, V, J, 3)."""
    method = small_method(**({"encoding": "absolute"} | settings)).double()
    method.network.lifting = KnownAnswer((placed - placed[..., :1, :]).flatten(0, 1).flatten(1))
    position = placed[..., 0, :].flatten(0, 1).clone()
    position[:, 2] = torch.expm1(position[:, 2] - 0.3).log()  # the inverse of softplus
    method.network.placing = KnownAnswer(position)
    return method


def losses_of(method: Li, batch: Batch) -> dict[str, float]:
    return {name: term.item() for name, term in method.losses(batch, method.phases()[1]).items()}


# The rigid transform.


def test_there_and_back_is_the_identity() -> None:
    rng = np.random.default_rng(0)
    R = torch.from_numpy(Rotation.random(8, random_state=0).as_matrix()).reshape(4, 2, 3, 3)
    t, placed = torch.from_numpy(rng.normal(size=(4, 2, 3))), torch.from_numpy(rng.normal(size=(4, 2, 17, 3)))
    there = to_other_cameras(placed, R, t)[:, 0, 1]
    back = to_other_cameras(torch.stack([placed[:, 0], there], 1), R, t)[:, 1, 0]
    assert (back - placed[:, 0]).abs().max() < 1e-9
    own = to_other_cameras(placed, R, t).diagonal(dim1=1, dim2=2).movedim(-1, 1)
    assert (own - placed).abs().max() < 1e-9


def test_both_conventions_of_t_agree() -> None:
    """The paper's Eqs. 3 and 4 with camera centres in place of t, and the relative pose of a pair."""
    seen, batch = scene()
    R1, R2, t1, t2 = batch.R[0, 0], batch.R[0, 1], batch.t[0, 0], batch.t[0, 1]
    C1, C2 = -R1.T @ t1, -R2.T @ t2
    R12, t12 = R2 @ R1.T, R1 @ (C2 - C1)
    papers = (seen[:, 0] - t12) @ R12.T
    ours = to_other_cameras(seen, batch.R, batch.t)[:, 0, 1]
    torch.testing.assert_close(ours, papers, rtol=0, atol=1e-9)
    torch.testing.assert_close(ours, seen[:, 1], rtol=0, atol=1e-9)
    torch.testing.assert_close(t12, t1 - R1 @ R2.T @ t2)
    between = t2 - R12 @ t1  # what recoverPose calls t
    torch.testing.assert_close(t12, -R12.T @ between)
    wrong = (seen[:, 0] - R1 @ (t2 - t1)) @ R12.T  # Eq. 4 with X_c = R X_w + t
    assert (wrong - seen[:, 1]).abs().max() > 0.1


def test_images_are_those_of_the_intrinsics() -> None:
    seen, batch = scene()
    torch.testing.assert_close(normalise_by_intrinsics(batch.keypoint, batch.K), project(seen))


# Losses.


def noisy_scene() -> tuple[Tensor, Batch]:
    seen, batch = scene()
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(6, 3, 17, generator=generator, dtype=torch.float64) + 0.01
    confidence[0, 1] = 0
    confidence[2, 2, 9] = 0
    confidence[5, 0, 0] = 0
    noise = 0.3 * torch.randn(seen.shape, generator=generator, dtype=torch.float64)
    noise[4, 0, 3, 2] = -20  # behind the camera
    return seen + noise, Batch(**(vars(batch) | {"confidence": confidence}))


def literal_losses(placed: Tensor, batch: Batch, weighting: str = "source") -> dict[str, float]:
    """Eqs. 2, 5 and 6, and ours, written out joint by joint, for unordered pairs of views."""

    def image_of(point: np.ndarray) -> np.ndarray:
        return point[:2] / max(point[2], 0.1)

    K, R, t, c, x = (array.numpy() for array in (batch.K, batch.R, batch.t, batch.confidence, batch.keypoint))
    sums, pairs = {"pretraining": 0.0, "reprojection": 0.0, "transform": 0.0, "turn": 0.0}, 0
    for n, (one, other) in itertools.product(range(len(x)), itertools.combinations(range(x.shape[1]), 2)):
        if c[n, one, 0] == 0 or c[n, other, 0] == 0:
            continue
        pairs += 1
        for (a, b), j in itertools.product(((one, other), (other, one)), range(17)):
            X = {v: (np.linalg.inv(K[n, v]) @ [*x[n, v, j], 1])[:2] for v in (a, b)}
            Y = placed[n, :, j].numpy()
            tau = R[n, b] @ R[n, a].T @ (Y[a] - t[n, a]) + t[n, b]
            root = placed[n, :, 0].numpy()
            turned = R[n, b] @ R[n, a].T @ (Y[a] - root[a]) + root[b]
            weight = c[n, a, j] if weighting == "source" else np.sqrt(c[n, a, j] * c[n, b, j])
            sums["pretraining"] += np.linalg.norm(tau - Y[b])
            sums["reprojection"] += 1000 * c[n, a, j] * np.linalg.norm(X[a] - image_of(Y[a]))
            if c[n, b, j] > 0:
                sums["transform"] += 1000 * weight * np.linalg.norm(X[b] - image_of(tau))
                sums["turn"] += 1000 * weight * np.linalg.norm(X[b] - image_of(turned))
    return {name: value / pairs for name, value in sums.items()}


@pytest.mark.parametrize("weighting", ["source", "both"])
def test_losses_are_the_literal_ones(weighting: str) -> None:
    placed, batch = noisy_scene()
    placed[..., 0, 2] = placed[..., 0, 2].clamp_min(0.5)
    found = losses_of(answering(placed, weighting=weighting), batch)
    assert found == pytest.approx(literal_losses(placed, batch, weighting), rel=1e-6)


def test_the_truth_has_no_loss() -> None:
    seen, batch = scene()
    assert max(losses_of(answering(seen), batch).values()) < 1e-6


def test_a_wrong_size_is_seen_by_where_the_other_cameras_are_only() -> None:
    seen, batch = scene()
    found = losses_of(answering(1.1 * seen), batch)
    assert max(found["reprojection"], found["turn"]) < 1e-6
    assert min(found["transform"] / 1000, found["pretraining"]) > 0.1


def test_a_wrong_distance_of_the_person_hardly_disturbs_the_comparison_of_poses() -> None:
    """Views that place a person up to a tenth too far or near: the distance shifts the pose in all other views."""
    seen, batch = scene(views=4)
    share = 1 + 0.1 * (2 * torch.rand(6, 4, 1, 1, generator=torch.Generator().manual_seed(0)) - 1)
    found = losses_of(answering(seen + (share - 1) * seen[..., :1, :]), batch)
    assert 0 < found["turn"] < 0.1 * found["transform"]


def test_pretraining_is_content_with_one_point_of_the_room() -> None:
    _, batch = scene()
    point = torch.zeros(6, 17, 3, dtype=torch.float64) + torch.tensor([0.1, 0.2, 0.3]).double()
    placed = point[:, None] @ batch.R.mT + batch.t[..., None, :]
    assert losses_of(answering(placed), batch)["pretraining"] < 1e-6


def test_a_missing_view_counts_nowhere() -> None:
    placed, batch = noisy_scene()
    expected = losses_of(answering(placed), batch)
    placed = placed.clone()
    placed[0, 1] += 1
    batch.keypoint[0, 1] = 0
    assert losses_of(answering(placed), batch) == pytest.approx(expected)


def test_gradients_are_finite_and_a_batch_without_pairs_has_none() -> None:
    _, batch = noisy_scene()
    method = small_method(pairs="random").double()
    for confidence in (batch.confidence, torch.zeros_like(batch.confidence)):
        method.zero_grad()
        terms = method.losses(Batch(**(vars(batch) | {"confidence": confidence})), method.phases()[0])
        sum(terms.values()).backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
    assert all(term == 0 for term in terms.values())


def test_the_loss_has_the_gradient_of_its_finite_differences() -> None:
    seen, batch = scene(count=2)
    placed = (seen + 0.05 * torch.randn(seen.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()

    def total(placed: Tensor) -> Tensor:
        moved = to_other_cameras(placed, batch.R, batch.t)
        return (project(moved) - normalise_by_intrinsics(batch.keypoint, batch.K)[:, None]).norm(dim=-1).sum()

    assert torch.autograd.gradcheck(total, placed)


@pytest.mark.parametrize("weighting", ["source", "both"])
def test_each_loss_has_the_gradient_of_its_finite_differences(weighting: str) -> None:
    placed, batch = noisy_scene()
    few = Batch(**{name: None if value is None else value[[2, 5]] for name, value in vars(batch).items()})
    placed = placed[[2, 5]].clone()
    placed[..., 0, 2] = placed[..., 0, 2].clamp_min(0.5)

    def losses(placed: Tensor) -> tuple[Tensor, ...]:
        method = answering(placed, weighting=weighting)
        return tuple(method.losses(few, method.phases()[1]).values())

    assert torch.autograd.gradcheck(losses, placed.requires_grad_(), fast_mode=True)


def test_a_random_pair_is_two_views_that_exist() -> None:
    placed, batch = noisy_scene()
    method = answering(placed)
    seen = method._seen(batch)
    exists = method._exists(seen.confidence)
    drawn = set()
    for seed in range(40):
        torch.manual_seed(seed)
        pair = two_views(seen, exists)
        assert pair.image.shape == (6, 2, 17, 2)
        assert (pair.confidence[..., 0] > 0).all()
        for n in range(6):
            views = [int((seen.R[n] == R).all((1, 2)).nonzero()) for R in pair.R[n]]
            assert len(set(views)) == 2
            drawn.add((n, *views))
    assert {(2, a, b) for a, b in itertools.permutations(range(3), 2)} <= drawn


# Virtual views.


def test_virtual_views_of_the_truth_have_no_loss() -> None:
    seen, batch = scene(views=4)
    R, t = virtual_cameras(batch.R, batch.t, 2)
    world = (seen[:, 0] - batch.t[:, 0, None]) @ batch.R[:, 0]
    everywhere = torch.cat([seen, world[:, None] @ R.mT + t[..., None, :]], 1)
    method = answering(everywhere, virtual_views=2)
    assert everywhere.shape[1] == 12
    assert max(losses_of(method, batch).values()) < 1e-6
    assert small_method(virtual_views=2).needs_with(method.settings) == {"intrinsics", "extrinsics", "labels"}
    assert "labels" not in Li.needs_with(small_method().settings)


def test_virtual_cameras_stand_between_real_ones_and_look_where_they_look() -> None:
    angle = 2 * np.pi * np.arange(4)[[2, 0, 3, 1]] / 4 + 0.3
    centre = torch.from_numpy(np.stack([3 * np.cos(angle) + 1, 3 * np.sin(angle) + 2, np.full(4, 2.5)], -1))[None]
    target = torch.tensor([[[1.0, 2.0, 1.0]]]).double()
    R, t = look_at(centre, target.expand_as(centre), torch.tensor([0, 0, 1.0]).double())
    torch.testing.assert_close(looked_at(centre, R[:, :, 2]), target[:, 0], atol=1e-5, rtol=0)
    found, shift = virtual_cameras(R, t, 1)
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(1, 4).double())
    place = -(found.mT @ shift[..., None]).squeeze(-1)[0]
    bearing = np.sort(np.arctan2(place[:, 1] - 2, place[:, 0] - 1) % (np.pi / 2))
    np.testing.assert_allclose(bearing, 0.3 + np.pi / 4, atol=1e-4)
    torch.testing.assert_close(place[:, 2], torch.full((4,), 2.5).double(), atol=1e-4, rtol=0)
    seen = target[0, 0] @ found[0].mT + shift[0]
    torch.testing.assert_close(seen[:, :2], torch.zeros(4, 2).double(), atol=1e-4, rtol=0)
    assert (seen[:, 2] > 3).all()
    assert (found[0, :, 1, 2] < 0).all()  # y points down


# Networks, recipes, prediction.


def test_the_published_recipe_is_the_paper() -> None:
    settings = LiSettings(recipe="published")
    method = Li(H36M17, settings)
    first, second = method.phases()
    assert (first.epochs, first.learning_rate, dict(first.weights)) == (20, 1e-3, {"pretraining": 1.0})
    assert (second.epochs, second.milestones, second.batch_size) == (300, (100, 200), 1024)
    assert second.weights == {"reprojection": 1.0, "transform": 1.0, "turn": 0.0}
    assert (settings.width, settings.backbone, settings.pairs) == (1024, "four_blocks", "random")
    assert settings.encoding == "absolute"
    assert LiSettings(**settings.model_dump()) == settings
    linear = [layer for layer in method.network.lifting.modules() if isinstance(layer, nn.Linear)]
    assert len(linear) == 1 + 4 * 2 + 1
    assert not set(map(id, method.network.lifting.parameters())) & set(map(id, method.network.placing.parameters()))


@pytest.mark.parametrize(("backbone", "layers"), [("reslinear", 6), ("four_blocks", 10), ("temporal", 10)])
def test_one_setting_chooses_a_backbone_of_the_paper(backbone: str, layers: int) -> None:
    method = Li(H36M17, LiSettings(backbone=backbone))
    for network in (method.network.lifting, method.network.placing):
        found = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv1d)]
        assert len(found) == layers
        assert {layer.weight.shape[0] for layer in found[:-1]} == {1024}
        assert sum(isinstance(layer, nn.BatchNorm1d) for layer in network.modules()) == layers - 1
        dropouts = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]
        assert dropouts == [0.25] * (layers - 1)
    assert method.window == (243 if backbone == "temporal" else 1)
    assert small_method(backbone=backbone, width=16).settings.width == 16


def test_windows_have_a_middle_and_real_cameras() -> None:
    with pytest.raises(ValueError, match="odd number of frames"):
        small_method(temporal_frames=(3, 4))
    with pytest.raises(ValueError, match="virtual views show single instants"):
        small_method(backbone="temporal", virtual_views=2)
    method = small_method(backbone="temporal", temporal_frames=(3, 3))
    assert method.window == 9
    with pytest.raises(ValueError, match="needs windows"):
        method.predict(one_view(4))


def test_reslinear_is_two_residual_blocks() -> None:
    network = residual_network(4, 3, 8, 2, "batch", 0.25).eval()
    x = torch.randn(5, 4)
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]

    def layer(x: Tensor, index: int) -> Tensor:
        return norms[index](linear[index](x)).relu()

    features = layer(x, 0)
    for block in range(2):
        features = features + layer(layer(features, 1 + 2 * block), 2 + 2 * block)
    torch.testing.assert_close(network(x), linear[-1](features))


def one_view(frames: int) -> View:
    generator = torch.Generator().manual_seed(0)
    K = torch.tensor([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]).repeat(frames, 1, 1)
    keypoint = 500 * torch.rand(frames, 17, 2, generator=generator)
    return View(keypoint, torch.rand(frames, 17, generator=generator) + 0.1, K)


@pytest.mark.parametrize("backbone", ["layer_norm", "reslinear", "four_blocks"])
def test_prediction_does_not_depend_on_the_batch(backbone: str) -> None:
    view = one_view(150)
    method = small_method(width=256, backbone=backbone).eval()
    together = method.predict(view)
    for frames in (slice(0, 1), slice(70, 150)):
        part = method.predict(View(view.keypoint[frames], view.confidence[frames], view.K[frames]))
        assert torch.equal(part.joint, together.joint[frames])


def test_prediction_is_root_centred_and_needs_intrinsics() -> None:
    view = one_view(4)
    view.confidence[1, 0] = 0
    method = small_method().eval()
    prediction = method.predict(view)
    assert prediction.joint.isnan().all((1, 2)).tolist() == [False, True, False, False]
    assert prediction.joint[[0, 2, 3], 0].abs().max() < 1e-6
    with pytest.raises(ValueError, match="intrinsics"):
        method.predict(View(view.keypoint, view.confidence))


@pytest.mark.parametrize("encoding", ["parts", "absolute"])
def test_roots_are_before_the_camera(encoding: str) -> None:
    method = small_method(encoding=encoding)
    image = 100 * torch.randn(50, 1, 17, 2)
    assert (method.network.position(image, torch.ones(50, 1, 17))[:, 2] >= 0.3).all()


def test_in_parts_a_network_that_says_nothing_puts_people_where_their_size_suggests() -> None:
    seen, _ = scene()
    method = small_method().double()
    method.network.placing = KnownAnswer(torch.zeros(18, 3, dtype=torch.float64))
    found = method.network.position(project(seen)[:, :, None], torch.ones(6, 3, 1, 17).double())
    torch.testing.assert_close(project(found), project(seen[..., 0, :]))
    assert (found[..., 2] / seen[..., 0, 2]).log().abs().max() < 0.5


def test_parts_hold_the_whole_image() -> None:
    seen, _ = scene()
    image = project(seen)
    shape, place, size = small_method().double().network._parts(image)
    torch.testing.assert_close(shape * size[..., None] + place[..., None, :], image)
    torch.testing.assert_close(shape.square().mean((-2, -1)), torch.ones(6, 3).double())


def test_missing_joints_are_put_amid_the_others() -> None:
    image, confidence = torch.randn(4, 17, 2), torch.ones(4, 17)
    confidence[1, 5:9] = 0
    filled = small_method().network._filled(image, confidence)
    assert torch.equal(filled[[0, 2, 3]], image[[0, 2, 3]])
    others = [joint for joint in range(17) if not 5 <= joint < 9]
    torch.testing.assert_close(filled[1, 5:9], image[1, others].mean(0).expand(4, 2))
