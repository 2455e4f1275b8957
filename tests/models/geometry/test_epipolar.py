"""Relative poses, triangulation, rigs and bundle adjustment: a known scene is projected and recovered."""

import cv2
import numpy as np
import pytest
from known_scene import Cameras, cameras, people
from posepipe.models.geometry.bundle import (
    Bundle,
    _centres,
    _cost,
    _moved,
    _normal_equations,
    _residual,
    _solve,
    adjust_bundle,
)
from posepipe.models.geometry.epipolar import (
    Array,
    Link,
    RelativePose,
    cheirality,
    correct_matches,
    cross_product_matrix,
    essential_from_fundamental,
    essential_matrix,
    join_links,
    normalise_by_intrinsics,
    project,
    relative_pose,
    ring,
    triangulate,
    triangulate_pair,
    triangulate_robustly,
    vector_median,
)

FOCAL = 1200.0
PELVIS, THORAX = 0, 8


def angle(A: Array, B: Array) -> float:
    """Angle between two rotations in rad, exact for small ones."""
    return float(2 * np.arcsin(np.linalg.norm(A - B) / np.sqrt(8)))


def scene(seed: int = 0, count: int = 50, noise_px: float = 0.0, views: int = 4) -> tuple[Cameras, Array, Array]:
    """Cameras, people (N, J, 3) who walk about, and their normalised images (N, V, J, 2)."""
    rng = np.random.default_rng(seed)
    rig = cameras(views, seed)
    world = people(count, seed) + rng.uniform(-1, 1, (count, 1, 3)) * [1.5, 1.5, 0.0]
    keypoint = rig.project(world)
    keypoint += rng.normal(0, noise_px, keypoint.shape) if noise_px else 0
    return rig, world, normalise_by_intrinsics(keypoint, rig.K)


def pair(rig: Cameras, first: int = 0, second: int = 1) -> tuple[Array, Array]:
    """True R and unit t of a pair."""
    R = rig.R[second] @ rig.R[first].T
    t = rig.t[second] - R @ rig.t[first]
    return R, t / np.linalg.norm(t)


def pooled(points: Array, view: int) -> Array:
    return points[:, view].reshape(-1, 2)


# One pair.


@pytest.mark.parametrize("seed", range(6))
def test_a_pose_is_found_exactly_without_noise(seed: int) -> None:
    rig, _, points = scene(seed)
    found = relative_pose(pooled(points, 0), pooled(points, 1), 1 / FOCAL)
    R, t = pair(rig)
    assert found is not None
    assert angle(found.R, R) < 1e-4
    np.testing.assert_allclose(found.t, t, atol=1e-4)
    assert found.agreeing > 0.99


def test_fifty_pooled_frames_with_noise_give_a_pose_within_three_degrees() -> None:
    errors, single = [], []
    for seed in range(10):
        rig, _, points = scene(seed, noise_px=3)
        for frames, found in ((50, errors), (1, single)):
            pose = relative_pose(pooled(points[:frames], 0), pooled(points[:frames], 1), 5 / FOCAL)
            found.append(np.degrees(angle(pose.R, pair(rig)[0])) if pose else 180.0)
    assert np.median(errors) < 3
    assert np.median(errors) < np.median(single) / 2  # hence the pooling


def test_outliers_do_not_move_a_pose() -> None:
    rig, _, points = scene(3, noise_px=1)
    wrong = np.random.default_rng(0).random(len(pooled(points, 0))) < 0.2
    first = np.where(wrong[:, None], np.random.default_rng(1).uniform(-0.3, 0.3, (len(wrong), 2)), pooled(points, 0))
    found = relative_pose(first, pooled(points, 1), 3 / FOCAL)
    assert found is not None and angle(found.R, pair(rig)[0]) < np.radians(1)
    assert found.agreeing < 0.85


def test_too_few_joints_give_no_pose() -> None:
    _, _, points = scene()
    assert relative_pose(pooled(points, 0)[:4], pooled(points, 1)[:4], 1 / FOCAL) is None


def test_the_essential_matrix_of_a_fundamental_one_is_right_and_the_swapped_one_is_wrong() -> None:
    rig, world, points = scene()
    K1, K2 = rig.K[0], np.array([[900.0, 0, 320], [0, 950.0, 240], [0, 0, 1]])
    R, t = pair(rig)
    E = essential_matrix(R, t)
    F = np.linalg.inv(K2).T @ E @ np.linalg.inv(K1)
    image = rig.project(world)[:, 0].reshape(-1, 2), _pixels(pooled(points, 1), K2)
    np.testing.assert_allclose(_constraint(F, *image), 0, atol=1e-9)
    np.testing.assert_allclose(essential_from_fundamental(F, K1, K2), E, atol=1e-12)
    swapped = K1.T @ F @ K2
    assert np.abs(_constraint(swapped, pooled(points, 0), pooled(points, 1))).max() > 1e-3
    rotations = cv2.decomposeEssentialMat(swapped)[:2]
    assert min(angle(R, found) for found in rotations) > 0.01


def _pixels(points: Array, K: Array) -> Array:
    return points @ K[:2, :2].T + K[:2, 2]


def _constraint(E: Array, first: Array, second: Array) -> Array:
    one = np.ones((len(first), 1))
    return np.einsum("na,ab,nb->n", np.hstack([second, one]), E, np.hstack([first, one]))


def test_corrected_matches_satisfy_the_epipolar_constraint_and_are_near() -> None:
    rig, _, points = scene(noise_px=3)
    E = essential_matrix(*pair(rig))
    first, second = pooled(points, 0), pooled(points, 1)
    corrected = correct_matches(E, first, second)
    assert np.abs(_constraint(E, first, second)).max() > 1e-3
    assert np.abs(_constraint(E, *corrected)).max() < 1e-9
    # No point on a pair of epipolar lines is nearer: moving along them only adds distance.
    moved = sum(((new - old) ** 2).sum(-1) for new, old in zip(corrected, (first, second), strict=True))
    lines = np.hstack([first, np.ones((len(first), 1))]) @ E.T
    one_sided = (_constraint(E, first, second) / np.linalg.norm(lines[:, :2], axis=-1)) ** 2
    assert (moved <= one_sided + 1e-12).all()


def test_a_sideways_motion_is_triangulated_as_well() -> None:
    R, t = np.stack([np.eye(3)] * 2), np.array([[0, 0, 0], [-1.0, 0, 0]])
    world = people(4).reshape(-1, 3) + np.array([0, 0, 5])
    points, _ = project(world, R, t)
    found = triangulate_pair(points[0], points[1], R, t)
    np.testing.assert_allclose(found, world, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_triangulated_points_reproject(seed: int) -> None:
    rig, world, points = scene(seed)
    found = triangulate_pair(pooled(points, 0), pooled(points, 1), rig.R[:2], rig.t[:2])
    image, depth = project(found, rig.R[:2], rig.t[:2])
    expected = np.stack([pooled(points, 0), pooled(points, 1)])
    assert FOCAL * np.abs(image - expected).max() < 1e-3
    assert (depth > 0).all()
    np.testing.assert_allclose(found.reshape(world.shape), world, atol=1e-6)


# Any number of views.


def test_all_views_triangulate_far_from_the_origin() -> None:
    rig, world, points = scene()
    shift = np.array([300.0, -200.0, 50.0])
    t = rig.t - rig.R @ shift
    np.testing.assert_allclose(triangulate(points, rig.R, t), world + shift, atol=1e-8)


def test_triangulation_is_the_weighted_linear_system() -> None:
    rig, _, points = scene(count=2, noise_px=4)
    weight = np.random.default_rng(0).uniform(0.1, 1, points.shape[:-1])
    centre = -np.einsum("vba,vb->va", rig.R, rig.t)
    origin = centre.mean(0)
    size = np.linalg.norm(centre - origin, axis=-1).mean()
    found = triangulate(points, rig.R, rig.t, weight)
    for n, joint in ((0, 3), (1, 9)):
        rows = []
        for view in range(4):
            P = np.hstack([rig.R[view], (rig.t[view] + rig.R[view] @ origin)[:, None] / size])
            x, y = points[n, view, joint]
            rows += [weight[n, view, joint] * (x * P[2] - P[0]), weight[n, view, joint] * (y * P[2] - P[1])]
        null = np.linalg.svd(np.array(rows))[2][-1]
        np.testing.assert_allclose(found[n, joint], size * null[:3] / null[3] + origin, atol=1e-9)


def test_views_of_no_weight_do_not_count() -> None:
    rig, world, points = scene(count=5)
    points[:, 2] = 0
    weight = np.ones(points.shape[:-1])
    weight[:, 2] = 0
    np.testing.assert_allclose(triangulate(points, rig.R, rig.t, weight), world, atol=1e-8)


def test_a_view_that_contradicts_the_others_loses_its_weight() -> None:
    rig, world, points = scene(count=20, noise_px=0)
    points[:, 1, 5] += 0.1
    confidence = np.ones(points.shape[:-1])
    tolerance = np.full(points.shape[:2], 0.01)
    plain = np.linalg.norm(triangulate(points, rig.R, rig.t) - world, axis=-1)[:, 5]
    robust = np.linalg.norm(
        triangulate_robustly(points, rig.R, rig.t, confidence, tolerance, rounds=8) - world, axis=-1
    )[:, 5]
    assert np.median(robust) < np.median(plain) / 5


def test_the_vector_median_is_the_most_central_candidate() -> None:
    rng = np.random.default_rng(0)
    candidates, exists = rng.normal(size=(4, 30, 3)), rng.random((4, 30)) < 0.7
    exists[:, :3] = [[True, True, False], [True, True, False], [True, False, False], [True, False, False]]
    candidates[~exists] = np.nan
    found = vector_median(candidates, exists)
    for n in range(30):
        there = candidates[exists[:, n], n]
        if len(there) == 0:
            assert np.isnan(found[n]).all()
        elif len(there) == 2:
            np.testing.assert_allclose(found[n], there.mean(0))
        else:
            sums = [sum(np.linalg.norm(one - other) for other in there) for one in there]
            np.testing.assert_array_equal(found[n], there[np.argmin(sums)])


# Rigs.


def links_of(points: Array, pairs: list[tuple[int, int]], tolerance: float) -> list[Link]:
    found = []
    for a, b in pairs:
        pose = relative_pose(pooled(points, a), pooled(points, b), tolerance)
        assert pose is not None
        R, t = np.stack([np.eye(3), pose.R]), np.stack([np.zeros(3), pose.t])
        world = triangulate(points[:, [a, b]], R, t)
        torso = np.median(np.linalg.norm(world[:, THORAX] - world[:, PELVIS], axis=-1))
        found.append(Link(a, b, pose, float(torso)))
    return found


def relative_rotations(R: Array) -> Array:
    return R @ R[0].T


def test_a_ring_of_pairs_becomes_one_rig() -> None:
    rig, world, points = scene()
    assert ring(4) == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert ring(2) == [(0, 1)]
    joined = join_links(links_of(points, ring(4), 1 / FOCAL), 4)
    assert joined is not None
    R, t = joined
    torso = np.median(np.linalg.norm(world[:, THORAX] - world[:, PELVIS], axis=-1))
    np.testing.assert_allclose(R, relative_rotations(rig.R), atol=1e-4)
    np.testing.assert_allclose(t * torso, rig.t - np.einsum("vab,b->va", R, rig.t[0]), atol=1e-3)
    assert join_links(links_of(points, [(0, 1), (2, 3)], 1 / FOCAL), 4) is None


def rough_start(points: Array) -> Bundle:
    joined = join_links(links_of(points, ring(4), 5 / FOCAL), 4)
    assert joined is not None
    world = triangulate(points, *joined)
    return Bundle(*joined, world.reshape(-1, 3), 1.0)


def flat(points: Array) -> Array:
    return np.moveaxis(points, 1, 0).reshape(4, -1, 2)


def test_bundle_adjustment_improves_a_noisy_rig() -> None:
    before, after = [], []
    for seed in range(4):
        rig, _, points = scene(seed, noise_px=3)
        start = rough_start(points)
        found = adjust_bundle(flat(points), np.ones((4, 850)), np.full(4, 5 / FOCAL), start)
        for R, errors in ((start.R, before), (found.R, after)):
            errors += [angle(a, b) for a, b in zip(R[1:], relative_rotations(rig.R)[1:], strict=True)]
        assert np.array_equal(found.R[0], np.eye(3)) and np.array_equal(found.t[0], np.zeros(3))
    assert np.degrees(max(after)) < 0.25
    assert np.mean(after) < np.mean(before)


def test_bundle_adjustment_finds_a_common_focal_length() -> None:
    rig, _, points = scene(noise_px=1)
    start = rough_start(points)
    found = adjust_bundle(1.2 * flat(points), np.ones((4, 850)), np.full(4, 5 / FOCAL), start, focal_unknown=True)
    assert found.focal == pytest.approx(1.2, rel=0.01)
    assert max(angle(a, b) for a, b in zip(found.R, relative_rotations(rig.R), strict=True)) < np.radians(0.5)


def test_bundle_adjustment_ignores_what_is_missing_and_bears_outliers() -> None:
    rig, _, points = scene(noise_px=1)
    start, image = rough_start(points), flat(points)
    rng = np.random.default_rng(0)
    weight = (rng.random((4, 850)) < 0.9).astype(np.float64)
    weight[:2] = 1
    image[weight == 0] = 7.0
    wrong = rng.random((4, 850)) < 0.03
    image[wrong] += rng.uniform(-0.2, 0.2, (wrong.sum(), 2))
    found = adjust_bundle(image, weight, np.full(4, 3 / FOCAL), start)
    assert max(angle(a, b) for a, b in zip(found.R, relative_rotations(rig.R), strict=True)) < np.radians(0.5)


def test_a_step_is_that_of_the_whole_system() -> None:
    """The reduced system against the dense, damped Gauss-Newton system with a numerical Jacobian."""
    _, _, points = scene(count=1, noise_px=20)
    start = rough_start(scene()[2])
    start = start._replace(world=start.world[:17], focal=1.1)
    image, weight, tolerance = flat(points), np.random.default_rng(0).random((4, 17)), np.full(4, 0.004)
    assert np.isclose(np.linalg.norm(_residual(image, start), axis=-1) > 0.004, True).any()
    damping = 1e-3
    rig, joints = _solve(*_normal_equations(image, weight, tolerance, start, True), damping)

    error = np.linalg.norm(_residual(image, start), axis=-1) / 0.004
    root = np.sqrt(weight / np.maximum(error, 1)) / 0.004

    def residual(x: Array) -> Array:
        return (root[..., None] * _residual(image, _moved(start, x[:25], x[25:].reshape(-1, 3)))).ravel()

    free = np.r_[6 : 25 + 51]
    steps = 1e-6 * np.eye(25 + 51)[free]
    J = np.stack([(residual(step) - residual(-step)) / 2e-6 for step in steps], -1)
    system = J.T @ J
    expected = -np.linalg.solve(system + damping * np.diag(np.diag(system)), J.T @ residual(np.zeros(76)))
    np.testing.assert_allclose(np.concatenate([rig, joints.ravel()])[free], expected, rtol=1e-4, atol=1e-6)


def test_the_cross_product_matrix() -> None:
    v, w = np.random.default_rng(0).normal(size=(2, 3))
    np.testing.assert_allclose(cross_product_matrix(v) @ w, np.cross(v, w))


def test_intrinsics_are_undone_by_camera() -> None:
    K = np.array([[[900.0, 12, 310], [0, 800, 250], [0, 0, 1]], [[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]])
    image = np.random.default_rng(0).normal(size=(3, 2, 5, 2))
    keypoint = np.einsum("vab,nvjb->nvja", K[:, :2, :2], image) + K[:, None, :2, 2]
    np.testing.assert_allclose(normalise_by_intrinsics(keypoint, K), image, atol=1e-12)


def test_depths_are_those_along_the_axis_and_points_beside_a_camera_have_an_image() -> None:
    rig, world, points = scene(count=2)
    image, depth = project(world[:, None].repeat(4, 1)[:, 0], rig.R, rig.t)
    np.testing.assert_allclose(image, points, atol=1e-12)
    np.testing.assert_allclose(depth, rig.see(world)[..., 2])
    beside, depth = project(np.array([[1.0, 2, 0]]), np.eye(3)[None], np.zeros((1, 3)))
    assert np.isfinite(beside).all() and beside[0, 0, 0] == pytest.approx(1e12)
    assert depth[0, 0] == 0


def test_robust_triangulation_is_that_of_a_literal_twin() -> None:
    rig, _, points = scene(count=3, noise_px=4)
    points[0, 1, 5] += 0.1
    confidence = np.random.default_rng(0).uniform(0.2, 1, points.shape[:-1])
    confidence[1, 2] = confidence[2, :, 7] = 0
    tolerance = np.random.default_rng(1).uniform(0.005, 0.02, points.shape[:2])
    found = triangulate_robustly(points, rig.R, rig.t, confidence, tolerance, rounds=2)
    for n, joint in ((0, 5), (0, 6), (1, 3), (2, 1)):
        at = points[n, :, joint : joint + 1]
        world = triangulate(at, rig.R, rig.t, confidence[n, :, joint : joint + 1])
        for _ in range(2):
            seen = rig.R @ world[0] + rig.t
            error = np.linalg.norm(seen[:, :2] / seen[:, 2:] - at[:, 0], axis=-1)
            depth = np.abs(seen[:, 2])
            nearest = depth[confidence[n, :, joint] > 0].min()
            weight = (
                confidence[n, :, joint] / (1 + (error / tolerance[n]) ** 2) * nearest / np.maximum(depth, nearest)
            )
            world = triangulate(at, rig.R, rig.t, weight[:, None])
        np.testing.assert_allclose(found[n, joint], world[0], atol=1e-9)
    assert np.isfinite(found).all()
    default = triangulate_robustly(points, rig.R, rig.t, confidence, tolerance)
    np.testing.assert_array_equal(
        default, triangulate_robustly(points, rig.R, rig.t, confidence, tolerance, rounds=4)
    )


def test_of_many_correspondences_every_so_manieth_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(cv2, "findEssentialMat", lambda first, *_: asked.append(len(first)) or (None, None))
    for count, used in ((4, None), (5, 5), (39_999, 39_999), (40_000, 20_000), (60_001, 20_001)):
        assert relative_pose(np.zeros((count, 2)), np.zeros((count, 2)), 0.01) is None
        assert asked[-1:] == ([used] if used else [])


def test_what_determines_several_poses_determines_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "findEssentialMat", lambda *_: (np.zeros((6, 3)), np.ones((9, 1))))
    assert relative_pose(np.zeros((9, 2)), np.zeros((9, 2)), 0.01) is None


def test_points_lie_before_both_cameras() -> None:
    rig, _, points = scene(count=2)
    R, t = pair(rig)
    for scale in (1.0, -2.0):
        found = cheirality(scale * essential_matrix(R, t), pooled(points, 0), pooled(points, 1))
        np.testing.assert_allclose(found[0], R, atol=1e-9)
        np.testing.assert_allclose(found[1], t, atol=1e-9)


def test_points_without_a_nearest_match_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 4, 2))
    there = np.ones((1, 4, 2))
    lost = there.copy()
    lost[0, 2, 1] = np.nan
    monkeypatch.setattr(cv2, "correctMatches", lambda *_: (there.copy(), lost))
    found = correct_matches(np.eye(3), first, second)
    expected = [np.where(np.arange(4)[:, None] == 2, stay, 1) for stay in (first, second)]
    np.testing.assert_array_equal(found, expected)


def test_links_are_joined_in_order_of_agreement_whichever_end_is_known() -> None:
    rig, _, _ = scene()

    def link(first: int, second: int, agreeing: float, torso: float = 0.5, wrong: bool = False) -> Link:
        R = rig.R[second] @ rig.R[first].T
        t = rig.t[second] - R @ rig.t[first]
        length = np.linalg.norm(t)
        return Link(first, second, RelativePose(-R if wrong else R, t / length, agreeing), torso / length)

    links = [link(1, 0, 0.7), link(2, 0, 0.3, wrong=True), link(2, 1, 0.8), link(2, 3, 0.6), link(3, 0, 0.2, 9.0)]
    joined = join_links(links, 4)
    assert joined is not None
    np.testing.assert_allclose(joined[0], relative_rotations(rig.R), atol=1e-9)
    expected = rig.t - np.einsum("vab,b->va", relative_rotations(rig.R), rig.t[0])
    np.testing.assert_allclose(0.5 * joined[1], expected, atol=1e-9)


def test_the_cost_is_hubers() -> None:
    bundle = Bundle(np.eye(3)[None], np.zeros((1, 3)), np.array([[0.0, 0, 2], [1, 0, 2], [0, 4, 2]]), 0.5)
    points = np.array([[[0.0, 0.1], [0.25, 0.4], [0.0, 0.7]]])  # off by 0.1, 0.4 and 0.3
    weight = np.array([[1.0, 0.5, 2]])
    expected = 0.5**2 / 2 + 0.5 * (2 - 0.5) + 2 * (1.5 - 0.5)
    assert _cost(points, weight, np.array([0.2]), bundle) == pytest.approx(expected)


@pytest.mark.parametrize("focal_unknown", [False, True])
def test_an_adjusted_rig_is_at_a_minimum_and_keeps_its_longest_distance(focal_unknown: bool) -> None:
    _, _, points = scene(1, count=6, noise_px=3)
    start = rough_start(points)
    image, weight, tolerance = 1.1 * flat(points), np.ones((4, 102)), np.full(4, 5 / FOCAL)
    found = adjust_bundle(image, weight, tolerance, start, focal_unknown=focal_unknown)
    assert (found.focal == 1) is not focal_unknown
    longest = [np.linalg.norm(_centres(bundle), axis=-1).max() for bundle in (start, found)]
    assert longest[0] == pytest.approx(longest[1])
    least, rng = _cost(image, weight, tolerance, found), np.random.default_rng(0)
    for size in (1e-3, 1e-2):
        change = size * rng.normal(size=25)
        change[:6], change[24] = 0, change[24] * focal_unknown
        moved = _moved(found, change, size * rng.normal(size=found.world.shape))
        assert _cost(image, weight, tolerance, moved) > least
    again = adjust_bundle(image, weight, tolerance, found, focal_unknown=focal_unknown)
    assert _cost(image, weight, tolerance, again) > (1 - 1e-4) * least
