"""Drawn views: the same people, filmed from sides where no camera stood."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_samples import samples_of_two_takes
from known_scene import cameras, people
from posepipe.models.method import Drawn
from posepipe.models.skeleton import H36M17
from posepipe.models.synthesis import limbs
from posepipe.pipeline.arrays import FusedPoses, Samples
from posepipe.pipeline.training import drawn_views
from posepipe.pipeline.training.drawn_views import DrawnViews
from torch import Tensor

TAKES, INSTANTS, VIEWS, FOCAL = 2, 6, 3, 900.0
COUNT = TAKES * INSTANTS
CENTRE = np.array([320.0, 240.0])
HALF = torch.arange(COUNT) % 2


def scene(noise_px: float = 0.0) -> tuple[Samples, FusedPoses]:
    """Samples with detection errors, and the people that were seen, 1.7 m tall, in statures."""
    rig, world = cameras(VIEWS), people(COUNT)
    world = world - world[:, :1] + 0.05 * np.arange(COUNT)[:, None, None]
    root, height = world[:, :1], 1.7
    place = np.einsum("vab,tb->tva", rig.R, root[:, 0]) + rig.t
    joint = world - root
    seen = np.einsum("vab,tjb->tvja", rig.R, joint) + place[:, :, None]
    error = np.random.default_rng(0).normal(scale=noise_px, size=(COUNT, VIEWS, 17, 2))
    confidence = np.full((COUNT, VIEWS, 17), 0.9, np.float32)
    confidence[2, 1] = 0
    keypoint = CENTRE + FOCAL * seen[..., :2] / seen[..., 2:] + error
    time = np.tile(np.arange(INSTANTS) / 50, TAKES)
    samples = samples_of_two_takes(np.where(confidence[..., None] > 0, keypoint, 0), confidence, time=time)
    fused = FusedPoses(
        joint=(joint / height).astype(np.float32),
        covariance=np.zeros((COUNT, 17, 3, 3), np.float32),
        trusted=np.ones((COUNT, 17), bool),
        camera_from_rig=np.tile(rig.R, (COUNT, 1, 1, 1)).astype(np.float32),
        root=(place / height).astype(np.float32),
        focal=np.full((COUNT, VIEWS), FOCAL, np.float32),
        bend=np.zeros((COUNT, VIEWS), np.float32),
        residual=np.linalg.norm(error, axis=-1).astype(np.float32),
        take=samples.take,
        instant=samples.instant,
        skeleton=H36M17.name,
        unit="body heights",
        takes=samples.takes,
        cameras="nothing",
    )
    return samples, fused


def draw(size: int, *how: object, noise_px: float = 0.0, seed: int = 0) -> Drawn:
    torch.manual_seed(seed)
    return DrawnViews(*scene(noise_px), HALF, size).draw(*how)  # type: ignore[arg-type]


def off_by(image: Tensor, pose: Tensor) -> Tensor:
    """Distances (N, J) of images from those of poses that are moved to where they fit best, at their depth."""
    image, pose = image.double(), pose.double()
    x, y = image.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    A = torch.cat([torch.stack([one, zero, -x], -1), torch.stack([zero, one, -y], -1)], 1)
    b = torch.cat([x * pose[..., 2] - pose[..., 0], y * pose[..., 2] - pose[..., 1]], 1)
    place = torch.linalg.lstsq(A, b[..., None]).solution.mT
    seen = pose + place
    assert (seen[..., 2] > 0).all()
    return (seen[..., :2] / seen[..., 2:] - image).norm(dim=-1) * place[..., 2]


def test_a_view_is_the_image_of_its_label() -> None:
    for size in (1, 3):
        drawn = draw(size, 200, 0, None)
        assert drawn.keypoint.shape == (200, size, 17, 2) and drawn.label.shape == (200, 17, 3)
        assert (drawn.confidence[:, size // 2] > 0).all()
        assert off_by(drawn.keypoint[:, size // 2], drawn.label).max() < 1e-3


def test_it_has_the_errors_and_confidences_of_real_detections() -> None:
    found = off_by(draw(1, 400, 0, None, noise_px=4.0).keypoint[:, 0], draw(1, 400, 0, None).label)
    _, fused = scene()
    wanted = 4.0 * (np.pi / 2) ** 0.5 * float(np.median(fused.root[..., 2])) / FOCAL
    assert found.mean().item() == pytest.approx(wanted, rel=0.15)
    drawn = draw(3, 400, 0, None)
    torch.testing.assert_close(drawn.confidence.unique(), torch.tensor([0.0, 0.9]))
    assert (drawn.keypoint[drawn.confidence == 0] == 0).all()


def shapes(pose: np.ndarray | Tensor) -> np.ndarray:
    """Distances (N, J) of joints from the pelvis, which no camera changes."""
    return np.linalg.norm(np.asarray(pose), axis=-1)


def test_people_are_those_of_the_footage_from_all_sides_and_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limbs, "SHARE", 0.0)
    _, fused = scene()
    drawn = draw(1, 600, 0, None)
    off = np.abs(shapes(drawn.label)[:, None] - shapes(fused.joint)[None]).max(-1)
    assert off.min(1).max() < 1e-5
    assert set(off.argmin(1)) == set(range(COUNT))
    across = drawn.label[:, H36M17.index("left_hip")] - drawn.label[:, H36M17.index("right_hip")]
    heading = torch.atan2(across[:, 2], across[:, 0])
    assert torch.histc(heading, 8, -torch.pi, torch.pi).min() > 600 / 8 / 2
    thorax = drawn.label[:, H36M17.index("thorax")]
    assert (thorax[:, 1] < 0).float().mean() > 0.97


def test_only_the_half_that_is_asked_for_is_filmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limbs, "SHARE", 0.0)
    _, fused = scene()
    for half in (0, 1):
        off = np.abs(shapes(draw(3, 200, 0, half).label)[:, None] - shapes(fused.joint)[None]).max(-1)
        assert set(off.argmin(1)) == set(np.flatnonzero(half == HALF).tolist())


def test_some_people_have_limbs_of_other_moments() -> None:
    _, fused = scene()
    off = np.abs(shapes(draw(1, 600, 0, None).label)[:, None] - shapes(fused.joint)[None]).max(-1)
    share = 1 - (1 - limbs.SHARE) ** 4
    assert 0.6 * share < (off.min(1) > 1e-4).mean() < 1.1 * share


def test_generic_views_follow_those_of_the_footage() -> None:
    alone, both = draw(3, 20, 0, None), draw(3, 20, 12, None)
    assert len(both.label) == 32
    torch.testing.assert_close(both.label[:20], alone.label)
    assert (both.confidence[20:, 1] > 0).any(-1).all()


def test_the_seed_of_torch_decides() -> None:
    one, same, other = (draw(3, 10, 5, None, seed=seed) for seed in (3, 3, 4))
    for name, value in vars(one).items():
        assert torch.equal(value, getattr(same, name))
    assert not torch.equal(one.label, other.label)


def test_windows_are_slower_and_faster_than_the_footage() -> None:
    assert min(drawn_views.PACES) < 1 < max(drawn_views.PACES)
    windows = DrawnViews(*scene(), HALF, 3).windows
    assert [each.step for each in windows if each] == pytest.approx([pace / 50 for pace in drawn_views.PACES])
