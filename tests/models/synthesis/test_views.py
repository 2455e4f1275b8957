"""Views of moving bodies: cameras, the detector's errors, and what methods get."""

from __future__ import annotations

import torch
from known_scene import people
from posepipe.models.skeleton import COCO17, H36M17
from posepipe.models.synthesis.bodies import STATURE, Bodies
from posepipe.models.synthesis.cameras import LEVEL, CameraRange, film
from posepipe.models.synthesis.detections import DetectorModel, with_residuals
from posepipe.models.synthesis.views import Synthesis, TrainingViews, training_views
from scipy.stats import spearmanr
from torch import Generator, Tensor

UP = torch.tensor([0.0, 0.0, 1.0])
ROOT = torch.from_numpy(H36M17.landmark_weights("pelvis")[0])
PLAIN = CameraRange(aside=0.0, pitch_deg=0.0, roll_deg=0.0, panning=0.0)


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def windows(count: int, size: int = 5) -> Tensor:
    pose = torch.from_numpy(people(count * size)).float().unflatten(0, (count, size))
    return pose + torch.linspace(-0.3, 0.3, size)[:, None, None]


def filmed(joint: Tensor, cameras: CameraRange) -> tuple[Tensor, Tensor]:
    return film(chance(), joint, ROOT, torch.full((len(joint),), 1.7), LEVEL, UP, cameras)


def views(synthesis: Synthesis, joint: Tensor, seed: int) -> TrainingViews:
    draws = chance(seed)
    return synthesis.detect(draws, synthesis.film(draws, joint))


def test_a_level_camera_stands_at_a_distance_and_sees_heights_as_they_are() -> None:
    joint = windows(200)
    image, seen = filmed(joint, PLAIN)
    torch.testing.assert_close(image, seen[..., :2] / seen[..., 2:])
    root = seen[:, 2, 0]
    torch.testing.assert_close(root[:, :2], torch.zeros(200, 2), rtol=0, atol=1e-4)
    assert root[:, 2].min() >= 1.7 * 1.8 - 1e-3 and root[:, 2].max() <= 1.7 * 25 + 1e-3
    assert root[:, 2].log().std() > 0.5
    torch.testing.assert_close(
        seen[..., 1] - seen[:, 2, None, :1, 1], joint[:, 2, None, :1, 2] - joint[..., 2], rtol=0, atol=1e-3
    )
    distance = torch.cdist(seen.flatten(1, 2), seen.flatten(1, 2))
    torch.testing.assert_close(distance, torch.cdist(joint.flatten(1, 2), joint.flatten(1, 2)), rtol=0, atol=0.02)
    heading = seen[:, 2, 4, [0, 2]] - root[:, [0, 2]]
    assert (heading[:, 0] > 0).float().mean() > 0.3 and (heading[:, 1] > 0).float().mean() > 0.3, "from one side only"


def test_cameras_that_look_down_are_above() -> None:
    joint = windows(300)
    _, seen = filmed(joint, CameraRange(aside=0.0, pitch_deg=0.0, roll_deg=0.0, steep=1.0, panning=0.0))
    head, ankle = H36M17.index("head"), H36M17.index("left_ankle")
    trunk = seen[:, 2, head] - seen[:, 2, ankle]
    assert trunk[:, 2].mean() < -0.2, "the head is nearer than the feet in most"


def test_cameras_that_follow_keep_the_athlete_in_their_pictures_and_see_travellers_from_changing_sides() -> None:
    joint = windows(200, 1).expand(200, 5, 17, 3)
    joint = joint + torch.linspace(-1, 1, 5)[:, None, None]
    for following in (CameraRange(aside=0.0, panning=1.0), CameraRange(aside=0.0, panning=0.0, travelling=1.0)):
        _, seen = filmed(joint, following)
        root = seen[:, :, 0]
        torch.testing.assert_close(root[..., 0], torch.zeros(200, 5), rtol=0, atol=1e-3)
        assert root[..., 2].min() > 0
        limbs = torch.cdist(seen[:, 0], seen[:, 0]) - torch.cdist(seen[:, 4], seen[:, 4])
        assert limbs.abs().max() < 0.02, "the body stays as it is"
    turned = torch.cosine_similarity(seen[:, 0, 4] - seen[:, 0, 1], seen[:, 4, 4] - seen[:, 4, 1], dim=-1)
    assert 0.05 < (turned < 0.8).float().mean() < 0.9
    _, still = filmed(joint, PLAIN)
    assert still[:, 4, 0, 0].abs().median() > 0.3


def test_detections_are_off_by_about_a_percent_and_their_confidences_tell_a_part_of_it() -> None:
    image = torch.zeros(400, 9, 17, 2)
    keypoint, confidence = DetectorModel(H36M17)(chance(), image, torch.full((400,), 1 / STATURE))
    error = keypoint.norm(dim=-1)
    assert 0.008 < error.median() < 0.03 and 0.05 < error.quantile(0.99) < 0.3
    told = confidence[:, 4] * (confidence[:, 4] < 1)
    seen = told > 0
    assert -0.7 < spearmanr(error[:, 4][seen], told[seen]).statistic < -0.15
    assert (confidence[:, 4, [0, 1, 4]] > 0).all() and 0.001 < (confidence[:, 4] == 0).float().mean() < 0.03
    assert ((confidence >= 0) & (confidence <= 1)).all()
    likeness = torch.corrcoef(keypoint[..., 0].permute(1, 0, 2).flatten(1))
    assert 0.1 < likeness[4, 8] < likeness[4, 5] < 0.9, "errors last in part"


def test_sides_are_confused_now_and_then() -> None:
    image = torch.arange(17.0)[:, None].expand(500, 3, 17, 2) * 100
    keypoint, _ = DetectorModel(H36M17)(chance(), image, torch.full((500,), 1e-3))
    joint = (keypoint[..., 0] / 100).round().long()
    knee, elbow = H36M17.index("left_knee"), H36M17.index("left_elbow")
    for limb in (knee, elbow):
        share = (joint[..., limb] == H36M17.mirror[limb]).float().mean()
        assert 0.005 < share < 0.04
    assert ((joint == torch.arange(17)) | (joint == torch.from_numpy(H36M17.mirror))).all()


def test_real_residuals_grow_with_the_body_in_the_picture() -> None:
    residual, confidence = torch.randn(2, 3, 17, 2), torch.rand(2, 3, 17)
    found = with_residuals(torch.ones(2, 3, 17, 2), torch.tensor([2.0, 5.0]), residual, confidence)
    torch.testing.assert_close(found.keypoint - 1, residual * torch.tensor([2.0, 5.0])[:, None, None, None])
    assert found.confidence is confidence


def test_joints_that_are_not_known_are_neither_seen_nor_labels() -> None:
    keypoint, joint = torch.rand(4, 3, 17, 2), torch.rand(4, 17, 3) + 1
    keypoint[0, 1, 5], joint[1, 6] = torch.nan, torch.nan
    views = training_views(keypoint, torch.rand(4, 3, 17) + 0.1, joint, ROOT)
    assert views.confidence[0, 1, 5] == 0 and (views.confidence > 0).sum() == 4 * 3 * 17 - 1
    assert views.pose[1, 6].isnan().all() and views.keypoint.isfinite().all()
    batch = views.batch()
    assert batch.label_confidence[1, 0, 6] == 0 and batch.label.isfinite().all()
    assert batch.window.keypoint.shape == (4, 1, 3, 17, 2) and batch.label.shape == (4, 1, 17, 3)
    torch.testing.assert_close(batch.keypoint, batch.window.keypoint[:, :, 1])


def test_equal_seeds_give_equal_views_of_bodies_that_fit_their_pictures() -> None:
    synthesis, joint = Synthesis(H36M17), windows(64, 9)
    first, again, other = (views(synthesis, joint, seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.keypoint, other.keypoint)
    assert first.keypoint.shape == (64, 9, 17, 2) and first.pose.isfinite().all()
    image = first.keypoint[:, 4] - first.keypoint[:, 4, :1]
    likeness = torch.cosine_similarity(image.flatten(1), first.pose[..., :2].flatten(1))
    assert likeness.median() > 0.97
    assert Bodies(H36M17).bone_length(first.pose).std() > 0.005


def test_views_of_other_skeletons_are_drawn_too() -> None:
    joint = torch.randn(8, 3, 17, 3, generator=chance())
    found = views(Synthesis(COCO17), joint, 0)
    assert found.keypoint.isfinite().all() and found.pose.isfinite().all()
