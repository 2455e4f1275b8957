"""The measures on hand-calculated poses and against literal loops."""

import time

import numpy as np
import pytest
from posepipe.models.body import metrics
from scipy.spatial.transform import Rotation

CORNER = np.array([[[0.0, 0, 0], [100, 0, 0], [0, 100, 0], [0, 0, 100]]])


def mean_error(predicted: np.ndarray, true: np.ndarray, alignment: metrics.Alignment) -> float:
    return float(metrics.joint_errors(predicted, true, alignment).mean())


def test_half_the_size() -> None:
    true = np.array([[[0.0, 0, 0], [100, 0, 0], [0, 200, 0]]])
    assert mean_error(true / 2, true, "root") == pytest.approx(50)
    assert mean_error(true / 2, true, "scale") == pytest.approx(0)


def test_a_quarter_turn() -> None:
    true = np.array([[[0.0, 0, 0], [100, 0, 0], [0, 200, 0]]])
    turned = true @ Rotation.from_euler("z", 90, degrees=True).as_matrix().T
    assert mean_error(turned, true, "root") == pytest.approx(141.42, abs=0.01)
    assert mean_error(turned, true, "scale") == pytest.approx(100)
    assert mean_error(turned, true, "procrustes") == pytest.approx(0, abs=1e-9)
    assert mean_error(turned, true, "norm_scale") == pytest.approx(141.42, abs=0.01)
    assert mean_error(turned, true, "procrustes_scale") == pytest.approx(141.42, abs=0.01)


def test_one_joint_too_far() -> None:
    predicted = CORNER.copy()
    predicted[0, 3, 2] = 200
    assert mean_error(predicted, CORNER, "scale") == pytest.approx(25.00, abs=0.005)
    assert mean_error(predicted, CORNER, "procrustes") == pytest.approx(22.78, abs=0.005)


def test_mirrored_in_depth() -> None:
    mirrored = CORNER * [1, 1, -1]
    assert mean_error(mirrored, CORNER, "root") == pytest.approx(50)
    assert mean_error(mirrored, CORNER, "scale") == pytest.approx(66.67, abs=0.005)
    assert mean_error(mirrored, CORNER, "procrustes") == pytest.approx(42.82, abs=0.005)


def test_thresholds_are_strict() -> None:
    assert metrics.pck(np.array([[0, 149.9, 150, 151]])) == 50
    assert metrics.auc(np.array([[52.0]])) == pytest.approx(20 / 31 * 100)
    assert metrics.auc(np.zeros((1, 4))) == pytest.approx(30 / 31 * 100)


def test_correct_poses_score_is_the_exact_integral() -> None:
    errors = np.array([[50.0, 0], [150, 3], [20, 400]])
    assert metrics.cps(errors) == pytest.approx(400 / 3)
    middles = np.arange(0.005, 300, 0.01)
    area = sum(0.01 * (errors.max(1) < theta).mean() for theta in middles)
    assert metrics.cps(errors) == pytest.approx(area)


def test_correct_poses_score_is_half_a_millimetre_from_its_trapezoid() -> None:
    """The sum over whole millimetres, which other programs take for the integral."""
    errors = np.random.default_rng(1).gamma(4, 30, (200, 17))
    curve = (errors.max(1)[:, None] < np.arange(301)).mean(0)
    assert metrics.cps(errors) == pytest.approx((curve[1:] + curve[:-1]).sum() / 2, abs=0.5)


def test_a_hundred_thousand_poses_take_two_seconds_at_most() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 250, (100_000, 17, 3))
    predicted = 0.8 * true + rng.normal(0, 80, true.shape)
    began = time.process_time()
    metrics.evaluate(predicted, true)
    assert time.process_time() - began < 2


def test_evaluation_agrees_with_literal_loops() -> None:
    predicted, true = _random_poses()
    found = metrics.evaluate(predicted, true, root=2)
    metric, scaled, aligned = [], [], []
    for p, t in zip(predicted, true, strict=True):
        p_root, t_root = p - p[2], t - t[2]
        metric.append([np.linalg.norm(a - b) for a, b in zip(p_root, t_root, strict=True)])
        s = (p_root * t_root).sum() / (p_root * p_root).sum()
        scaled.append([np.linalg.norm(s * a - b) for a, b in zip(p_root, t_root, strict=True)])
        p_mean, t_mean = p - p.mean(0), t - t.mean(0)
        rotation, _ = Rotation.align_vectors(t_mean, p_mean)
        turned = rotation.apply(p_mean)
        s = (turned * t_mean).sum() / (turned * turned).sum()
        aligned.append([np.linalg.norm(s * a - b) for a, b in zip(turned, t_mean, strict=True)])
    assert found["MPJPE"] == pytest.approx(np.mean(metric))
    assert found["NMPJPE"] == pytest.approx(np.mean(scaled))
    assert found["PMPJPE"] == pytest.approx(np.mean(aligned))
    assert found["PCK"] == pytest.approx(100 * np.mean([e < 150 for row in metric for e in row]))
    assert found["N-PCK"] == pytest.approx(100 * np.mean([e < 150 for row in scaled for e in row]))
    shares = [np.mean([e < theta for row in metric for e in row]) for theta in range(0, 151, 5)]
    assert found["AUC"] == pytest.approx(100 * np.mean(shares))
    assert found["CPS"] == pytest.approx(np.mean([max(0.0, 300 - max(row)) for row in aligned]))


def test_errors_come_joint_by_joint() -> None:
    predicted, true = _random_poses()
    assert metrics.joint_errors(predicted, true, "procrustes").shape == (20, 17)


def test_frames_without_a_prediction_must_be_left_out() -> None:
    predicted, true = _random_poses()
    predicted[3, 5, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 20 frames"):
        metrics.evaluate(predicted, true)
    kept = metrics.complete(predicted)
    assert kept.sum() == 19
    assert np.isfinite(metrics.evaluate(predicted[kept], true[kept])["PMPJPE"])


def test_shapes_must_agree() -> None:
    predicted, true = _random_poses()
    with pytest.raises(ValueError, match=r"\(20, 16, 3\) and \(20, 17, 3\)"):
        metrics.joint_errors(predicted[:, 1:], true, "root")


def test_errors_of_some_frames_and_joints() -> None:
    predicted, true = _random_poses()
    errors = metrics.all_errors(predicted, true)
    assert errors.summary() == metrics.evaluate(predicted, true)
    some = errors.of(np.arange(20) < 5, [0, 3])
    np.testing.assert_array_equal(some.procrustes, errors.procrustes[:5][:, [0, 3]])


def test_errors_do_not_depend_on_the_blocks_they_are_computed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, true = _random_poses()
    whole = metrics.joint_errors(predicted, true, "procrustes")
    monkeypatch.setattr(metrics, "_BLOCK", 7)
    np.testing.assert_allclose(metrics.joint_errors(predicted, true, "procrustes"), whole, rtol=1e-12)


def test_pose_structure_score_by_hand() -> None:
    """Flat poses: a root, and one joint at (x, y)."""
    centroids = np.array([[0.0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0]])
    true = _two_joints((3, 4))
    assert metrics.pss(_two_joints((4, 3)), true, centroids) == 0
    assert metrics.pss(_two_joints((30, 40)), true, centroids) == 100
    assert metrics.pss(_two_joints((4, 3), (30, 40)), _two_joints((3, 4), (3, 4)), centroids) == 50
    assert metrics.pss(_two_joints((3, 4)) + 70, true, centroids) == 100  # relative to the root


def test_clusters_of_poses() -> None:
    rng = np.random.default_rng(0)
    bases = rng.normal(size=(5, 17, 3))
    size = rng.uniform(300, 3000, (100, 1, 1))
    true = (np.repeat(bases, 20, axis=0) + rng.normal(0, 0.02, (100, 17, 3))) * size
    centroids = metrics.pose_clusters(true, 5)
    shapes = (bases - bases[:, :1]).reshape(5, -1)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    nearest = np.linalg.norm(shapes[:, None] - centroids, axis=-1)
    assert sorted(nearest.argmin(1)) == list(range(5))
    assert nearest.min(1).max() < 0.02
    np.testing.assert_array_equal(metrics.pose_clusters(true, 5), centroids)
    assert metrics.pss(true[::-1], true, centroids) == 20
    with pytest.raises(ValueError, match="100 poses are too few for 101 clusters"):
        metrics.pose_clusters(true, 101)


def _two_joints(*places: tuple[float, float]) -> np.ndarray:
    return np.array([[[0.0, 0, 0], [x, y, 0]] for x, y in places])


def _random_poses() -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true poses (20, 17, 3) in mm."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 250, (20, 17, 3))
    return 0.8 * true + rng.normal(0, 80, true.shape), true


def test_joint_detection_rate_is_strict_at_half_a_head() -> None:
    errors, crop_side = np.array([[10, 29.9, 30, 45]]), np.array([600.0])
    assert metrics.jdr(errors, crop_side) == 50
    assert metrics.jdr(np.concatenate([errors, errors]), np.array([600.0, 602.0])) == 62.5
