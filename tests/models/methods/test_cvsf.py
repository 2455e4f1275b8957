"""CVSF: fusion that repairs a joint, its losses against literal loops, and what both cannot see."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from known_scene import cameras, people, weak_perspective
from posepipe.models.geometry.geometry import normalise_keypoints, rotation_from_axis_angle, unit_norm
from posepipe.models.method import Batch, View
from posepipe.models.methods.base import PUBLISHED
from posepipe.models.methods.canonpose import CanonPose, CanonPoseSettings
from posepipe.models.methods.cvsf import CVSF, CVSFSettings, consistency
from posepipe.models.methods.cvsf_fusion import epipolar_segments, view_frames
from posepipe.models.networks.heatmap import Grid
from posepipe.models.skeleton import COCO17, H36M17
from posepipe.pipeline.runtime.cache import Work
from posepipe.pipeline.stages.train import fit_method
from test_canonpose import FLIP, KnownLifter, exact_scene, noisy_scene
from test_losses import literal_distance
from torch import Tensor

WRIST, KNEE = H36M17.index("left_wrist"), H36M17.index("right_knee")
BIN = Grid(160, 0.65).bin_side


def small_method(**settings: Any) -> CVSF:
    return CVSF(H36M17, CVSFSettings(**({"width": 32} | settings)))


def normalised(batch: Batch) -> tuple[Tensor, Tensor]:
    return normalise_keypoints(batch.keypoint, batch.confidence, small_method().root.double())


def fuse(pose: Tensor, R: Tensor, batch: Batch, **settings: Any) -> Tensor:
    """Refined 2D poses (B, V, J, 2) given lifted poses and rotations."""
    observed, seen = normalised(batch)
    return small_method(**settings).double().fuse(observed, batch.confidence, seen, pose, R)


def corrupt(batch: Batch, joint: int, view: int = 0, by: tuple[float, float] = (0.2, -0.15)) -> Batch:
    """One joint of one view moved by a share of the pose's size, and unsure."""
    keypoint, confidence = batch.keypoint.clone(), batch.confidence.clone()
    centred = keypoint[:, view] - keypoint[:, view, :1]
    keypoint[:, view, joint] += centred.norm(dim=(-2, -1))[:, None] * torch.tensor(by)
    confidence[:, view, joint] = 0.1
    return Batch(keypoint, confidence, batch.rig)


def in_bins(found: Tensor, truth: Tensor, batch: Batch) -> Tensor:
    """Distances (B, V, J) in bins of refined poses from true ones, in the scale of the observed pose."""
    observed, _ = normalised(batch)
    sure = (batch.confidence == 1)[..., None]
    scale = (observed * sure).norm(dim=(-2, -1)) / (truth * sure).norm(dim=(-2, -1))
    return (found - truth * scale[..., None, None]).norm(dim=-1) / BIN


# Fusion


@pytest.mark.parametrize("fusion", ["hard", "soft"])
@pytest.mark.parametrize("joint", [WRIST, KNEE])
def test_three_clean_views_repair_a_joint(joint: int, fusion: str) -> None:
    pose, R, batch = exact_scene(count=40)
    truth, _ = normalised(batch)
    broken = corrupt(batch, joint)
    found = fuse(pose, R, broken, fusion=fusion)
    error = in_bins(found, truth, broken)
    if fusion == "hard":
        assert error[:, 0, joint].max() < 0.5
    assert error[:, 0, joint].median() < 0.5
    observed, _ = normalised(broken)
    others = torch.ones(4, 17, dtype=torch.bool)
    others[0, joint] = False
    torch.testing.assert_close(found[:, others], observed[:, others])


@pytest.mark.parametrize("views", [2, 3, 4, 5, 6])
def test_any_number_of_views_refines(views: int) -> None:
    pose, R, batch = exact_scene(count=20, views=views)
    truth, _ = normalised(batch)
    for view in {0, views - 1}:
        broken = corrupt(batch, WRIST, view, by=(0.08, -0.06))
        before, _ = normalised(broken)
        error, worse = (in_bins(p, truth, broken)[:, view, WRIST] for p in (fuse(pose, R, broken), before))
        # One line leaves the error along it; two or more cross.
        assert (error < worse).all()
        assert views == 2 or error.median() < 0.5


def test_lines_pass_through_the_joints_that_they_come_from() -> None:
    pose, R, batch = exact_scene()
    observed, _ = normalised(batch)
    scale, shift = view_frames(observed, batch.confidence, unit_norm(pose), R, with_shift=True)
    lines = epipolar_segments(observed, batch.confidence, scale, R, CVSFSettings())
    assert shift.abs().max() < 1e-9
    offset = observed[..., None, :] - lines.origin
    along = (offset * lines.direction).sum(-1) / lines.direction.square().sum(-1)
    assert (offset - along[..., None] * lines.direction).norm(dim=-1).max() < 1e-9
    assert along.abs().max() < 1


def test_views_of_different_scale_shift_lines() -> None:
    pose, R, batch = exact_scene()
    truth, _ = normalised(batch)
    broken = corrupt(batch, WRIST)
    options = {"joint_sigma": 3 / 64, "line_sigma": 2 / 64}
    errors = {
        alignment: in_bins(fuse(pose, R, broken, alignment=alignment, **options), truth, broken)[:, 0, WRIST].mean()
        for alignment in ("none", "scale", "scale_and_shift")
    }
    assert errors["scale_and_shift"] < 0.1 and errors["scale"] < 0.3 and errors["none"] > 0.5


def test_a_root_gone_astray_in_one_view_moves_no_line_of_the_others() -> None:
    pose, R, batch = exact_scene(count=40)
    broken = corrupt(corrupt(batch, WRIST, view=0), 0, view=1, by=(0.05, 0.05))
    error = {
        alignment: (small_refined(pose, R, broken, alignment=alignment) - batch.keypoint).norm(dim=-1)[:, 0, WRIST]
        for alignment in ("scale", "scale_and_shift")
    }
    assert error["scale_and_shift"].mean() < 0.2 * error["scale"].mean()
    repaired = small_refined(pose, R, broken)[:, 1, 0] - batch.keypoint[:, 1, 0]
    astray = broken.keypoint[:, 1, 0] - batch.keypoint[:, 1, 0]
    assert repaired.norm(dim=-1).mean() < 0.3 * astray.norm(dim=-1).mean()


def small_refined(pose: Tensor, R: Tensor, batch: Batch, **settings: Any) -> Tensor:
    """Refined keypoints in px."""
    method = small_method(**settings).double()
    method.lifter = KnownLifter(pose, R)
    return method.refine(batch)


def test_refined_keypoints_are_in_pixels() -> None:
    pose, R, batch = exact_scene(count=20)
    broken = corrupt(batch, WRIST)
    found = small_refined(pose, R, broken)
    far = (broken.keypoint - batch.keypoint).norm(dim=-1)[:, 0, WRIST]
    assert ((found - batch.keypoint).norm(dim=-1)[:, 0, WRIST] < 0.05 * far).all()
    torch.testing.assert_close(found[:, 1:], batch.keypoint[:, 1:])


@pytest.mark.parametrize("fusion", ["hard", "soft"])
def test_cameras_in_one_line_give_finite_poses(fusion: str) -> None:
    """Parallel and opposite axes: epipolar segments are points."""
    pose, _, batch = exact_scene(count=4, views=4)
    opposite = torch.diag(torch.tensor([-1.0, 1.0, -1.0])).double()
    R = torch.stack([torch.eye(3).double(), opposite, torch.eye(3).double(), opposite]).expand(4, 4, 3, 3)
    R = R.clone().requires_grad_()
    keypoint = 300 * (pose @ R.detach().mT)[..., :2]
    broken = corrupt(Batch(keypoint, batch.confidence, batch.rig), WRIST)
    found = fuse(pose, R, broken, fusion=fusion)
    truth, _ = normalised(Batch(keypoint, batch.confidence, batch.rig))
    assert in_bins(found.detach(), truth, broken)[:, 0, WRIST].max() < 0.5
    if fusion == "soft":
        found.sum().backward()
        assert R.grad is not None and R.grad.isfinite().all()


def test_a_batch_is_its_samples() -> None:
    pose, R, batch = noisy_scene()
    for settings in ({}, {"fusion": "soft"}, {"joint_map": "reprojection"}, {"recipe": "paper"}):
        together = fuse(pose, R, batch, **settings)
        for n in range(len(batch.rig)):
            one = Batch(batch.keypoint[n : n + 1], batch.confidence[n : n + 1], batch.rig[n : n + 1])
            torch.testing.assert_close(fuse(pose[n : n + 1], R[n : n + 1], one, **settings)[0], together[n])


def literal_refined(pose: Tensor, R: Tensor, batch: Batch, m: int, j: int) -> Tensor | None:
    """Eq. 2 for one joint of one instant (V, ...), map drawn bin by bin; None: keep the detection."""
    observed, seen = (part[0] for part in normalised(batch))
    settings, confidence = CVSFSettings(), batch.confidence[0]
    scale, shift = (part[0] for part in view_frames(
        observed[None], batch.confidence * seen[None, :, None],
        unit_norm(pose - pose[..., :1, :]), R, with_shift=True,
    ))  # fmt: skip
    grid = Grid(settings.grid_bins, settings.grid_half_side)
    bins = grid.centres(observed)
    joint = observed[m, j] - shift[m, 0]
    total = confidence[m, j] * torch.exp(-(bins - joint).square().sum(-1) / (2 * settings.joint_sigma**2))
    z = torch.linspace(-0.6, 0.6, 4001, dtype=torch.float64)[:, None]
    segments = []
    for n in range(len(seen)):
        if n == m or not seen[n] or confidence[n, j] == 0:
            continue
        relative = R[0, m] @ R[0, n].T
        line = scale[n] / scale[m] * relative[:2, :2] @ (observed[n, j] - shift[n, 0]) + z * relative[:2, 2]
        ends, way = line[[0, -1]], line[-1] - line[0]
        share = (((bins - ends[0]) @ way) / (way @ way)).clamp(0, 1)
        square = (bins - ends[0] - share[:, None] * way).square().sum(-1)
        total = total + confidence[n, j] * torch.exp(-square / (2 * settings.line_sigma**2))
        segments.append(line[::40])
    clues = [joint[None], *segments]
    apart = [torch.cdist(a, b).min() for a, b in itertools.combinations(clues, 2)]
    if not apart or min(apart) > 3 * settings.line_sigma:
        return None
    return bins[total.argmax()] + shift[m, 0]


def test_fusion_is_the_maximum_of_the_drawn_map() -> None:
    pose, R, batch = noisy_scene()
    found = fuse(pose, R, batch, sub_pixel=False)
    observed, seen = normalised(batch)
    compared = 0
    for n, m, j in itertools.product(range(7), range(3), (0, 4, 9, 16)):
        one = Batch(batch.keypoint[n : n + 1], batch.confidence[n : n + 1], batch.rig[n : n + 1])
        expected = None
        if seen[n, m] and 0 < batch.confidence[n, m, j] < 0.85:
            expected = literal_refined(pose[n : n + 1], R[n : n + 1], one, m, j)
        torch.testing.assert_close(found[n, m, j], observed[n, m, j] if expected is None else expected)
        compared += expected is not None
    assert compared > 20


def test_sure_missing_kept_and_lonely_joints_stay() -> None:
    pose, R, batch = noisy_scene()
    observed, _ = normalised(batch)
    moved = (fuse(pose, R, batch, kept_joints=("head",)) - observed).norm(dim=-1) > 1e-9
    assert moved.any()
    assert not moved[batch.confidence >= 0.85].any()
    assert not moved[batch.confidence == 0].any()
    assert not moved[..., H36M17.index("head")].any()
    alone = batch.confidence.clone()
    alone[:, 1:] = 0
    torch.testing.assert_close(fuse(pose, R, Batch(batch.keypoint, alone, batch.rig))[:, 0], observed[:, 0])


def test_evidence_that_has_nothing_in_common_changes_nothing() -> None:
    """Two views: one line, far from the detection."""
    pose, R, batch = exact_scene(views=2)
    far = corrupt(batch, WRIST, by=(3.0, 3.0))
    found = fuse(pose, R, far, line_sigma=0.01)
    torch.testing.assert_close(found, normalised(far)[0])


def test_soft_fusion_has_the_gradient_that_hard_fusion_lacks() -> None:
    pose, R, batch = exact_scene(count=3)
    broken = corrupt(batch, WRIST)
    gradients = {}
    for fusion in ("hard", "soft"):
        turn = torch.zeros(3, 4, 3, dtype=torch.float64, requires_grad=True)
        found = fuse(pose, rotation_from_axis_angle(turn) @ R, broken, fusion=fusion)
        assert found.requires_grad == (fusion == "soft")
        if fusion == "soft":
            (gradients[fusion],) = torch.autograd.grad(found[:, 0, WRIST].sum(), turn)
    assert gradients["soft"].norm(dim=-1).min() > 1e-3
    # The gradient is that of the maximiser, as far as the window resolves it.
    turn = torch.zeros(3, 4, 3, dtype=torch.float64)
    turn[:, 1, 1] = 0.02
    ends = [fuse(pose, rotation_from_axis_angle(s * turn) @ R, broken)[:, 0, WRIST].sum(-1) for s in (-1, 1)]
    measured = (ends[1] - ends[0]) / 0.04
    torch.testing.assert_close(gradients["soft"][:, 1, 1], measured, rtol=0.5, atol=0.05)


# Losses


def losses_of(pose: Tensor, R: Tensor, batch: Batch, **settings: Any) -> dict[str, float]:
    method = small_method(**({"flip": False, "bone_prior": "never"} | settings)).to(pose.dtype)
    method.lifter = KnownLifter(pose, R)
    torch.manual_seed(0)
    return {name: term.item() for name, term in method.losses(batch, method.phases()[-1]).items()}


@pytest.mark.parametrize("settings", [{}, {"fusion": "soft"}, {"recipe": "paper"}, {"recipe": "released"}])
def test_losses_are_their_equations(settings: dict[str, Any]) -> None:
    pose, R, batch = noisy_scene()
    settings = settings | {"handedness": "none"}
    found = losses_of(pose, R, batch, **settings)
    observed, seen = normalised(batch)
    fused = fuse(pose, R, batch, **settings)
    refined = (fused - fused[..., :1, :]) * (batch.confidence > 0)[..., None]
    second = pose / (1 if settings.get("recipe") else pose.norm(dim=(-2, -1), keepdim=True))

    def distance(n: int, m: int, target: Tensor, image: Tensor) -> float:
        visible = (batch.confidence[n, m] > 0)[:, None]
        pair = ((part / part.norm()).tolist() for part in (target * visible, image * visible))
        return literal_distance(*pair, batch.confidence[n, m].tolist())

    own, others, across, within = [], [[] for _ in range(3)], [], []
    for n, a, b in itertools.product(range(7), range(3), range(3)):
        if not (seen[n, a] and seen[n, b]):
            continue
        value = distance(n, b, refined[n, b], (pose[n, a] @ R[n, b].T)[:, :2])
        (own if a == b else others[a]).append(value)
        if a == b:
            within.append(distance(n, a, observed[n, a], refined[n, a]))
        else:
            across.append((second[n, a] - second[n, b]).abs().mean().item())
    expected = np.mean(own) + sum(np.mean(values) for values in others)
    assert found["refined_reprojection"] == pytest.approx(expected, abs=1e-6)
    assert found["refinement"] == pytest.approx(np.mean(within), abs=1e-6)
    assert found["consistency"] == pytest.approx(np.mean(across))
    assert found["agreement"] < 1e-5  # the known lifter answers twice the same


def test_the_first_liftings_terms_are_those_of_canonpose() -> None:
    pose, R, batch = noisy_scene()
    found = losses_of(pose, R, batch, flip=True, bone_prior="two_views")
    method = CanonPose(H36M17, CanonPoseSettings(width=32)).double()
    method.lifter = KnownLifter(pose, R)
    torch.manual_seed(0)
    for name, term in method.losses(batch, method.phases()[0]).items():
        assert found[name] == pytest.approx(term.item()), name


def test_agreement_is_the_root_mean_square() -> None:
    pose, R, batch = exact_scene(count=2)
    method = small_method().double()
    answers = iter([(pose, R), (pose + 0.1, R)])
    method.lift = lambda observed, confidence: (*next(answers), None)  # type: ignore[method-assign]
    assert method.losses(batch, method.phases()[-1])["agreement"].item() == pytest.approx(0.1, rel=1e-3)


def test_the_truth_has_no_loss_at_any_size() -> None:
    pose, R, batch = exact_scene()
    unsure = Batch(batch.keypoint, 0.5 * batch.confidence, batch.rig)
    for size in (1.0, 30.0):
        found = losses_of(size * pose, R, unsure)
        assert max(found[name] for name in ("reprojection", "view", "camera", "consistency")) < 1e-6
        assert max(found[name] for name in ("refinement", "refined_reprojection")) < 1e-2  # maxima between bins


def test_the_gradient_of_consistency_is_right() -> None:
    generator = torch.Generator().manual_seed(3)
    pose = torch.randn(2, 3, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    seen = torch.tensor([[True, True, True], [True, False, True]])
    assert torch.autograd.gradcheck(lambda p: consistency(unit_norm(p), seen), pose)


@pytest.mark.parametrize("settings", [{}, {"recipe": "paper"}, {"recipe": "released"}])
def test_each_loss_has_the_gradient_of_its_finite_differences(settings: dict[str, Any]) -> None:
    """Of both liftings, with the refined poses held fast, as they are in hard mode."""
    pose, R, batch = noisy_scene()
    few = Batch(batch.keypoint[1:3], batch.confidence[1:3], batch.rig[1:3])
    pose, R = pose[1:3], R[1:3]
    method = small_method(flip=False, handedness="none", bone_prior="never", **settings).double()
    refined = fuse(pose, R, few, **settings)
    method.fuse = lambda *seen: refined  # type: ignore[method-assign]

    def losses(pose: Tensor, second: Tensor, axis_angle: Tensor) -> tuple[Tensor, ...]:
        answers = iter([(pose, rotation_from_axis_angle(axis_angle) @ R, None), (second, R, None)])
        method.lift = lambda observed, confidence: next(answers)  # type: ignore[method-assign]
        torch.manual_seed(0)
        terms = method.losses(few, method.phases()[-1])
        return tuple(terms[name] for name in terms if name != "refinement")  # which is a constant then

    turn = torch.zeros(2, 3, 3, dtype=torch.float64)
    second = 1.3 * pose + 0.1 * torch.randn(pose.shape, generator=torch.Generator().manual_seed(6))
    inputs = tuple(array.clone().requires_grad_() for array in (pose, second, turn))
    assert torch.autograd.gradcheck(losses, inputs, fast_mode=True)


def test_consistency_cannot_be_lowered_by_shrinking() -> None:
    pose, R, batch = noisy_scene()
    small = losses_of(0.1 * pose, R, batch)
    assert small["consistency"] == pytest.approx(losses_of(pose, R, batch)["consistency"])
    raw = losses_of(0.1 * pose, R, batch, equal_size=False)["consistency"]
    assert raw == pytest.approx(0.1 * losses_of(pose, R, batch, equal_size=False)["consistency"])
    assert consistency(pose, torch.zeros(7, 3, dtype=torch.bool)) == 0


@pytest.mark.parametrize("settings", [{}, {"fusion": "soft"}, {"joint_map": "reprojection"}])
@pytest.mark.parametrize("scene", [exact_scene, noisy_scene])
def test_losses_cannot_see_a_reflection(scene: Any, settings: dict[str, Any]) -> None:
    pose, R, batch = scene()
    mirrored = losses_of(pose * FLIP, R * FLIP[:, None] * FLIP, batch, handedness="none", **settings)
    for name, expected in losses_of(pose, R, batch, handedness="none", **settings).items():
        assert mirrored[name] == pytest.approx(expected, abs=1e-6), name


def test_the_quotient_forgives_mixed_branches() -> None:
    pose, R, batch = exact_scene()
    unsure = Batch(batch.keypoint, 0.5 * batch.confidence, batch.rig)
    flip = torch.where(torch.rand(12, 4, 1) < 0.5, FLIP, torch.ones(3)).double()
    mixed = pose * flip[:, :, None], R * flip[..., None] * flip[..., None, :]
    assert losses_of(*mixed, unsure, handedness="none")["refinement"] > 0.05
    assert max(losses_of(*mixed, unsure).values()) < 1e-2


def test_a_missing_view_counts_nowhere() -> None:
    pose, R, batch = noisy_scene()
    expected = losses_of(pose, R, batch)
    pose, R = pose.clone(), R.clone()
    pose[0, 1] = torch.randn(17, 3)
    R[4, 2] = torch.eye(3)
    assert losses_of(pose, R, batch) == pytest.approx(expected)


@pytest.mark.parametrize("fusion", ["hard", "soft"])
@pytest.mark.parametrize("views_seen", [0, 1, 2])
def test_gradients_are_finite_whatever_is_missing(fusion: str, views_seen: int) -> None:
    _, _, batch = exact_scene(count=3, views=3)
    confidence = 0.5 * batch.confidence
    confidence[:, views_seen:] = 0
    method = small_method(fusion=fusion)
    terms = method.losses(Batch(batch.keypoint.float(), confidence.float(), batch.rig), method.phases()[0])
    sum(terms.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
    assert all(term.isfinite() for term in terms.values())


def test_only_soft_fusion_trains_by_refinement() -> None:
    _, _, batch = exact_scene(count=3)
    batch = Batch(batch.keypoint.float(), 0.5 * batch.confidence.float(), batch.rig)
    for fusion in ("hard", "soft"):
        method = small_method(fusion=fusion)
        phase = method.phases()[-1]
        term = method.losses(batch, phase)["refinement"]
        assert term.requires_grad == (fusion == "soft")
        assert ("refinement" in phase.weights) == (fusion == "soft")


def test_nothing_is_fused_before_refined_poses_count() -> None:
    _, _, batch = exact_scene(count=3)
    method = small_method().double()
    first, second = method.phases()
    assert "refined_reprojection" not in method.losses(batch, first)
    assert "refined_reprojection" in method.losses(batch, second)


# Prediction, recipes, training


def test_prediction_is_the_first_lifting_of_one_view() -> None:
    torch.manual_seed(0)
    method = small_method().eval()
    torch.manual_seed(0)
    other = CanonPose(H36M17, CanonPoseSettings(width=32)).eval()
    view = View(500 * torch.rand(70, 17, 2), torch.rand(70, 17) + 0.1)
    found, expected = method.predict(view), other.predict(view)
    for name in ("joint", "canonical", "camera_from_canonical", "parity"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_recipes() -> None:
    first, second = small_method(recipe="paper").phases()
    assert (first.epochs, second.epochs, second.milestones, second.learning_rate) == (100, 100, (30, 60, 90), 1e-4)
    assert (first.batch_size, first.weights["camera"]) == (64, 0)
    assert (first.weights["reprojection"], first.weights["consistency"]) == (1, 0.01)
    assert (second.weights["reprojection"], second.weights["refined_reprojection"]) == (0.01, 1)
    first, second = small_method(recipe="released").phases()
    assert (first.weights["camera"], first.weights["agreement"], second.weights["agreement"]) == (0.1, 0.1, 0.001)
    released = CVSFSettings(recipe="released", width=64)
    assert (released.joint_map, released.grid_bins, released.width) == ("reprojection", 64, 64)
    assert PUBLISHED.items() - {("epochs", 100), ("batch_size", 32), ("width", 1024)} <= released.model_dump().items()
    assert CVSFSettings(**released.model_dump()) == released
    first, second = small_method().phases()
    assert second.weights["reprojection"] == 0.1
    assert first.epochs + second.epochs == CVSFSettings().epochs
    assert [phase.epochs for phase in small_method(epochs=1).phases()] == [1]


def test_every_weight_has_its_loss() -> None:
    _, _, batch = exact_scene(count=2)
    for recipe, fusion in itertools.product(("ours", "paper", "released"), ("hard", "soft")):
        method = small_method(recipe=recipe, fusion=fusion, width=32).double()
        for phase in method.phases():
            assert phase.weights.keys() <= method.losses(batch, phase).keys()


class Nowhere(Work):
    """Keeps nothing."""

    def __init__(self) -> None:
        pass

    def parts(self, kind: Any) -> list[Any]:
        return []

    def keep(self, part: Any, instead: bool = False) -> None:
        pass


def start_near(method: CVSF, data: Batch, pose: Tensor, R: Tensor) -> None:
    """Teach the lifter a little of the truth: what follows does not depend on which mirror world it finds first."""
    observed, _ = normalise_keypoints(data.keypoint, data.confidence, method.root)
    optimizer = torch.optim.AdamW(method.lifter.parameters(), 5e-3)
    for _ in range(40):
        found, turned = method.lifter(observed, data.confidence)
        loss = (unit_norm(found) - unit_norm(pose)).square().sum((-1, -2)) + (turned - R).square().sum((-1, -2))
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()


def test_it_trains_and_refines_better_for_it() -> None:
    rig, person = cameras(4), people(120, turn=False)
    pose, R = (torch.from_numpy(array).float() for array in (person, rig.R))
    keypoint = torch.from_numpy(weak_perspective(person, rig)).float()
    data = Batch(keypoint, torch.full(keypoint.shape[:3], 0.7), torch.zeros(len(person), dtype=torch.int64))
    torch.manual_seed(0)
    method = small_method(
        width=128, epochs=3, first_stage_share=1 / 3, min_steps=8, batch_size=32, learning_rate=1e-3, flip=False
    )
    before = method.losses(data, method.phases()[1])["refinement"].item()
    start_near(method, data, pose[:, None], R)
    history = fit_method(method, data, seed=0, work=Nowhere())
    assert [row["phase"] for row in history] == ["views", "refined", "refined"]
    assert history[2]["reprojection"] < history[0]["reprojection"]
    assert history[2]["refinement"] < 0.7 * before


def test_a_skeleton_without_a_pelvis_refines() -> None:
    _, _, batch = exact_scene(count=2)
    data = Batch(batch.keypoint.float(), 0.5 * batch.confidence.float(), batch.rig)
    found = CVSF(COCO17, CVSFSettings(width=32)).refine(data)
    assert found.isfinite().all() and (found != data.keypoint).any()
