"""posepipe's own method: its loss in literal form, what windows and mirrors do, and expected errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.method import Batch, Drawn, View, Window
from posepipe.models.methods.posepipe import Posepipe, PosepipeSettings
from posepipe.models.methods.posepipe_window_lifter import WindowLifter
from posepipe.models.skeleton import H36M17
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr
from torch import Tensor

MIRROR = torch.from_numpy(H36M17.mirror)


def small_method(**settings: object) -> Posepipe:
    torch.manual_seed(0)
    return Posepipe(H36M17, PosepipeSettings(**({"width": 32, "precision": "fp32"} | settings)))


def scene(count: int, views: int = 2) -> Batch:
    """People before cameras, with true labels."""
    rig, world = cameras(views), people(count)
    return Batch(
        keypoint=torch.from_numpy(rig.project(world)).float(),
        confidence=torch.rand(count, views, 17, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.1,
        rig=torch.zeros(count, dtype=torch.int64),
        label=torch.from_numpy(rig.see(world)).float(),
        label_confidence=torch.rand(count, views, 17, generator=torch.Generator().manual_seed(1)),
    )


def windows(batch: Batch, size: int) -> Batch:
    """Each instant among its neighbours; the first and the last repeated."""
    places = torch.arange(len(batch.rig))[:, None] + torch.arange(size) - size // 2
    places = places.clamp(0, len(batch.rig) - 1)
    return replace(
        batch,
        window=Window(batch.keypoint[places].transpose(1, 2), batch.confidence[places].transpose(1, 2)),
    )


@pytest.mark.parametrize("phase", [0, 1])
def test_the_losses_are_those_of_their_equations(phase: int) -> None:
    method, batch = small_method(window=1).eval(), scene(5)
    batch.label_confidence[2, 1] = 0
    lifter = (method.lifter, method.uncertainty)[phase]
    terms = method.losses(batch, method.phases()[phase])
    likelihood = shape = weight = 0.0
    for instant in range(5):
        for view in range(2):
            keypoint, confidence = batch.keypoint[instant, view], batch.confidence[instant, view]
            centred = keypoint - keypoint[0]
            pose, spread = lifter((centred / centred.norm())[None, None], confidence[None, None])
            label = batch.label[instant, view] - batch.label[instant, view, 0]
            bones = [(label[a] - label[b]).norm() for a, b in H36M17.bone_indices.tolist()]
            label = label * 0.25 / (sum(bones) / len(bones))
            sureness = batch.label_confidence[instant, view]
            turned = turned_onto(label, (pose[0] - pose[0, 0]).detach(), sureness)
            for joint, sure in enumerate(sureness):
                b = spread[0, joint].exp() + 1e-3
                distance = (pose[0, joint] - pose[0, 0] - label[joint]).norm()
                likelihood += sure * (distance / b + 3 * b.log())
                shape += sure * (pose[0, joint] - pose[0, 0] - turned[joint]).norm()
                weight += sure
    torch.testing.assert_close(terms["pose"], likelihood / weight)
    torch.testing.assert_close(terms["shape"], shape / weight)
    assert 0 < terms["shape"] < terms["distance"]


def test_drawn_views_count_like_those_of_cameras() -> None:
    method, batch = small_method(window=1).eval(), scene(5)
    batch.label_confidence[:] = 1
    phase = method.phases()[0]
    first, second = (
        Batch(**{name: value[part] for name, value in vars(batch).items() if isinstance(value, Tensor)})
        for part in (slice(2), slice(2, None))
    )
    drawn = Drawn(*(part.flatten(0, 1) for part in (
        0.01 * second.keypoint[:, :, None], second.confidence[:, :, None], 0.3 * second.label)))  # fmt: skip
    whole, joined = method.losses(batch, phase), method.losses(replace(first, drawn=drawn), phase)
    for name, value in whole.items():
        torch.testing.assert_close(joined[name], value)


def test_a_prior_is_where_training_starts() -> None:
    known, method = small_method(), small_method()
    with torch.no_grad():
        for parameter in known.parameters():
            parameter.add_(0.1)
    plain = method.phases()[0]
    method.start_from(known.state_dict())
    for mine, theirs in zip(method.state_dict().values(), known.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
    started = method.phases()[0]
    assert (plain.generic, started.learning_rate) == (0, plain.learning_rate / 2)
    assert 0 < started.generic < started.filmed == plain.filmed
    with pytest.raises(ValueError, match="another network"):
        small_method(width=16).start_from(known.state_dict())


def turned_onto(label: Tensor, pose: Tensor, weight: Tensor) -> Tensor:
    """The label turned and moved to where the pose is, after SciPy."""
    if not weight.any():
        return label
    source, target, share = (part.double().numpy() for part in (label, pose, weight / weight.sum()))
    here, there = share @ source, share @ target
    turn, _ = Rotation.align_vectors(target - there, source - here, weights=share)
    return torch.from_numpy(turn.apply(source - here) + there).float()


def test_the_expected_error_is_the_most_likely_one() -> None:
    """Of distances with mean m, the likelihood is largest at spread m / 3, which is said to be an error of m."""
    distance = torch.from_numpy(np.random.default_rng(0).gamma(3, 0.02, 10_000))
    spread = torch.linspace(-7, 0, 20_001, dtype=torch.float64)
    best = spread[(distance.mean() / spread.exp() + 3 * spread).argmin()]
    assert 3 * best.exp().item() == pytest.approx(distance.mean().item(), rel=1e-3)


def test_mirrored_people_are_lifted_to_mirrored_poses() -> None:
    method = small_method(window=3).eval()
    batch = windows(scene(20), 3)

    def mirrored(points: Tensor) -> Tensor:
        return (points * torch.tensor([-1.0, *[1.0] * (points.shape[-1] - 1)]))[..., MIRROR, :]

    window = Window(batch.window.keypoint[:, 0], batch.window.confidence[:, 0])
    seen = View(batch.keypoint[:, 0], batch.confidence[:, 0], window=window)
    twin = View(
        mirrored(seen.keypoint),
        seen.confidence[:, MIRROR],
        window=Window(mirrored(window.keypoint), window.confidence[..., MIRROR]),
    )
    there, here = method.predict(twin), method.predict(seen)
    torch.testing.assert_close(there.joint, mirrored(here.joint), rtol=0, atol=1e-6)
    torch.testing.assert_close(there.expected_error, here.expected_error[:, MIRROR], rtol=1e-5, atol=0)


def test_scale_and_place_in_the_image_do_not_matter() -> None:
    method, batch = small_method(window=1).eval(), scene(4)
    seen = View(batch.keypoint[:, 0], batch.confidence[:, 0])
    moved = View(seen.keypoint * 0.4 + torch.tensor([300.0, -20]), seen.confidence)
    torch.testing.assert_close(method.predict(moved).joint, method.predict(seen).joint, rtol=0, atol=1e-5)
    resized = replace(batch, label=batch.label * 1.7)
    phase = method.phases()[0]
    torch.testing.assert_close(method.losses(resized, phase)["pose"], method.losses(batch, phase)["pose"])


def test_every_frame_of_the_window_counts_and_missing_ones_do_not() -> None:
    lifter = WindowLifter(17, 27, 32, "fp32")
    seen, confidence = torch.randn(1, 27, 17, 2, requires_grad=True), torch.rand(1, 27, 17)
    (gradient,) = torch.autograd.grad(lifter(seen, confidence)[0].sum(), seen)
    assert (gradient.abs().sum((2, 3)) > 0).all()
    method = small_method(window=9).eval()
    batch = windows(scene(9, 1), 9)
    confidence = batch.window.confidence.clone()
    confidence[:, :, 6] = 0
    wild = batch.window.keypoint.clone()
    wild[:, :, 6] = 5000
    views = [
        View(batch.keypoint[:, 0], batch.confidence[:, 0], window=Window(keypoint[:, 0], confidence[:, 0]))
        for keypoint in (batch.window.keypoint, wild)
    ]
    torch.testing.assert_close(*(method.predict(view).joint[4] for view in views))


def test_frames_without_a_root_have_no_pose() -> None:
    method, batch = small_method(window=1).eval(), scene(3)
    confidence = batch.confidence[:, 0].clone()
    confidence[1, 0] = 0
    found = method.predict(View(batch.keypoint[:, 0], confidence))
    for array in (found.joint, found.expected_error):
        assert torch.isnan(array[1]).all() and torch.isfinite(array[[0, 2]]).all()


def learnt(method: Posepipe, batch: Batch, steps: int) -> None:
    """A short training."""
    half = torch.arange(len(batch.rig)) // 50 % 2
    for phase in method.phases():
        optimizer = torch.optim.AdamW(method.parameters(), phase.learning_rate)
        mine = torch.arange(len(batch.rig)) if phase.half is None else (half == phase.half).nonzero().flatten()
        for _ in range(steps):
            places = mine[torch.randint(len(mine), (64,))]
            picked = {name: value[places] for name, value in vars(batch).items() if isinstance(value, Tensor)}
            optimizer.zero_grad()
            method.losses(Batch(**picked), phase)["pose"].backward()
            optimizer.step()
    method.eval()


def test_it_learns_how_far_off_joints_are_in_footage_that_it_does_not_know() -> None:
    """Joints that are seen with little confidence are noisy; errors that are expected follow those that are made.

    So little footage is learnt by heart: what the uncalibrated network expects of its errors is far too little.
    """
    torch.manual_seed(0)
    exact = scene(600, 1)
    noisy = torch.rand(exact.confidence.shape) < 0.3
    noisy[..., 0] = False
    size = (exact.keypoint - exact.keypoint[..., :1, :]).norm(dim=(-2, -1))[..., None, None] / 17**0.5
    shown = replace(
        exact,
        keypoint=exact.keypoint + torch.randn(exact.keypoint.shape) * size * torch.where(noisy, 0.6, 0.02)[..., None],
        confidence=torch.where(noisy, 0.2, 0.9),
        label_confidence=torch.ones_like(exact.confidence),
    )
    known, unknown = (
        Batch(**{name: value[part] for name, value in vars(shown).items() if isinstance(value, Tensor)})
        for part in (slice(100), slice(100, None))
    )
    method = small_method(window=1, width=128)
    learnt(method, known, 300)
    assert method.calibration.detach().exp()[1:].mean() > 1.2
    found = method.predict(View(unknown.keypoint[:, 0], unknown.confidence[:, 0]))
    true, _ = method.targets(unknown.label[:, 0], unknown.label_confidence[:, 0])
    error = (found.joint - true).norm(dim=-1)
    told = spearmanr(error[:, 1:].flatten(), found.expected_error[:, 1:].flatten()).statistic
    assert told > 0.3
    assert 0.8 < found.expected_error.mean() / error.mean() < 1.6


def test_calibration_is_how_many_times_too_small_the_expected_errors_are() -> None:
    """It is least unlikely at the mean of the distances of a joint, and of its mirror image, over those expected."""
    method, batch = small_method(window=1), scene(30, 1)
    phase = method.phases()[2]
    optimizer = torch.optim.Adam([method.calibration], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        method.losses(batch, phase)["pose"].backward()
        optimizer.step()
    assert all(parameter.grad is None for parameter in method.lifter.parameters())
    assert all(parameter.grad is None for parameter in method.uncertainty.parameters())
    true, _ = method.targets(batch.label[:, 0], batch.label_confidence[:, 0])
    with torch.no_grad():
        pose, spread, _ = method._with_its_mirror_image(
            method.uncertainty, batch.keypoint, batch.confidence[:, 0][:, None]
        )
    ratio = (batch.label_confidence[:, 0] * (pose - true).norm(dim=-1) / (3 * spread)).sum(0)
    weight = batch.label_confidence[:, 0].sum(0)
    ratio, weight = ratio + ratio[MIRROR], weight + weight[MIRROR]
    found = ((method.calibration + method.calibration[MIRROR]) / 2).exp().detach()
    torch.testing.assert_close(found[1:], (ratio / weight)[1:], rtol=0.01, atol=0)


def test_expected_errors_are_calibrated_on_views_that_the_uncertainty_has_not_learnt() -> None:
    student, uncertainty, calibration = small_method().phases()
    assert (student.half, uncertainty.half, calibration.half) == (None, 0, 1)
    assert (calibration.filmed, calibration.generic) == (0, 0)


def test_windows_are_checked() -> None:
    with pytest.raises(ValueError, match="must be 1, 3, 9, 27, 81 or 243"):
        PosepipeSettings(window=5)
