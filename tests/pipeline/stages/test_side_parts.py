"""What tells swapped sides, one part at a time: evidence of other views, changes, blame, and samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from footage import a_track, athlete, scene_cameras
from posepipe.models.body.side_labels import LABELS, SideLabels, permutations
from posepipe.models.geometry.weak_perspective import pose_in_sizes, rank_residual
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Samples, Swaps
from posepipe.pipeline.settings import SideSettings
from posepipe.pipeline.stages.sides import (
    _accept,
    _blame,
    _evidence,
    _stretches,
    describe_swaps,
    find_swaps,
    find_swaps_in_samples,
    mend_samples,
    mend_sides,
    swapped_share,
    take_members,
)

RATE = 25
ORDER = permutations(H36M17)


def seen(views: int, frames: int, seed: int = 0, noise: float = 0.5) -> np.ndarray:
    """The athlete (F, V, 17, 2) px with noise in px."""
    joints = scene_cameras(views).project(athlete(np.arange(frames) / RATE, seed))
    return joints + np.random.default_rng(seed).normal(0, noise, joints.shape)


def labels(joints: np.ndarray, rate: float = RATE) -> SideLabels:
    return SideLabels.of(joints, np.arange(len(joints)) / rate, H36M17, 4.0)


@pytest.mark.parametrize("rate", [RATE, 10.0])
def test_evidence_of_other_views_is_that_of_a_literal_twin(rate: float) -> None:
    joints = seen(3, 12)
    joints[2, 1, 5:8] = np.nan
    joints[5, 0] = np.nan
    views = [labels(joints[:, view], rate) for view in range(3)]
    views[1].label[4:7] = [1, 2, 3]
    instants = np.stack([np.arange(14) - 1, np.arange(14) // 2, np.arange(14)], 1)
    instants[-2:, 2] = instants[10, 1] = -1
    instants[-1, 0] = -1
    evidence = _evidence(views, instants)

    def poses(tried: dict[int, int], row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Poses (1, V, J, 2) of an instant and what is seen, with other labels for some views."""
        pose, there = np.zeros((1, 3, 17, 2)), np.zeros((1, 3, 17), bool)
        for number, frame in enumerate(row):
            order = ORDER[tried.get(number, views[number].label[max(frame, 0)])]
            sized, known = pose_in_sizes(joints[max(frame, 0), number], H36M17)
            pose[0, number], there[0, number] = sized[order], known[order] & (frame >= 0)
        return pose, there

    now = np.concatenate([rank_residual(*poses({}, row)) for row in instants])
    scale = max(float(np.median(now[now > 0])), 0.005)
    expected = [np.zeros((12, LABELS)) for _ in views]
    for row in instants:
        for number, frame in enumerate(row):
            for label in range(LABELS if frame >= 0 else 0):
                residual = rank_residual(*poses({number: label}, row))
                nats = np.log(1 + (residual / scale) ** 2).sum()
                expected[number][frame, label] += 1 / 3 * min(1, 1 / rate / 0.06) * ((row >= 0).sum() - 1) * nats
    for number in range(3):
        np.testing.assert_allclose(evidence[number], expected[number], rtol=1e-6, atol=1e-9)
    assert not _evidence(views[:1], instants[:, :1])[0].any()
    assert not any(each.any() for each in _evidence(views, instants[:0]))
    nobody = [labels(np.full_like(joints[:, 0], np.nan)) for _ in range(2)]
    assert not any(each.any() for each in _evidence(nobody, instants[:, :2]))


def test_changes_are_made_best_first_and_one_at_a_moment() -> None:
    views = [labels(seen(1, 20)[:, 0]) for _ in range(3)]
    instants = np.repeat(np.arange(20)[:, None], 3, 1)
    path = np.full(20, 3)
    changes = [
        (9.0, 0, slice(4, 8), path), (8.0, 1, slice(9, 10), path), (7.0, 1, slice(10, 12), path),
        (6.0, 2, slice(1, 3), path), (5.0, 2, slice(0, 2), path), (0.0, 2, slice(16, 18), path),
        (-1.0, 2, slice(18, 19), path),
    ]  # fmt: skip
    assert _accept(views, instants, changes)
    assert [np.flatnonzero(view.label).tolist() for view in views] == [[4, 5, 6, 7], [10, 11], [0, 1]]
    assert not _accept(views, instants, [(0.0, 0, slice(0, 2), path)])
    assert _accept(views[:1], np.zeros((0, 1), int), [(1.0, 0, slice(15, 16), path)])
    assert views[0].label[15] == 3


class Settled(SideLabels):
    """A view whose labels cost a fixed amount each frame."""

    cost: float

    def alone(self, label: np.ndarray) -> float:
        return float(self.cost * (label > 0).sum())


@pytest.mark.parametrize(
    ("costs", "first", "second", "doubtful"),
    [
        ((1.0, 0.0), 0, 2, False),  # time says that it is the other one
        ((0.0, 1.0), 2, 0, False),
        ((0.0, 0.5), 2, 0, False),  # by two nats
        ((0.4, 0.0), 0, 0, True),  # by less than two nats: neither, and both in doubt
        ((0.0, 0.4), 0, 0, True),
        ((0.5, 0.0), 0, 2, False),
    ],
)
def test_of_two_views_time_says_which_one_is_swapped(
    costs: tuple[float, float], first: int, second: int, doubtful: bool
) -> None:
    views: list[Any] = [labels(seen(1, 20)[:, 0]) for _ in range(2)]
    for view, cost in zip(views, costs, strict=True):
        view.__class__, view.cost = Settled, cost
    views[0].label[6:10] = 2
    instants = np.stack([np.arange(16), np.arange(16) + 3], 1)
    doubts = _blame(views, instants)
    assert views[0].label.tolist() == [0] * 6 + [first] * 4 + [0] * 10
    assert views[1].label.tolist() == [0] * 9 + [second] * 4 + [0] * 7
    assert doubts[0].tolist() == [0] * 6 + [2 * doubtful] * 4 + [0] * 10
    assert doubts[1].tolist() == [0] * 9 + [2 * doubtful] * 4 + [0] * 7


def test_blame_goes_to_the_moments_that_both_views_show() -> None:
    views: list[Any] = [labels(seen(1, 20)[:, 0]) for _ in range(2)]
    for view, cost in zip(views, (0.0, 3.0), strict=True):
        view.__class__, view.cost = Settled, cost
    views[1].label[4:7] = 3
    instants = np.repeat(np.arange(20)[:, None], 2, 1)
    instants[5, 0] = -1  # the first view does not show it
    doubts = _blame(views, instants)
    assert not any(doubt.any() for doubt in doubts)
    assert views[0].label.tolist() == [0] * 4 + [3, 0, 3] + [0] * 13
    assert not views[1].label.any()


def test_stretches_are_listed_by_camera_part_and_doubt() -> None:
    views = [labels(seen(1, 8)[:, 0]) for _ in range(2)]
    views[0].label[:] = [1, 1, 0, 3, 3, 2, 0, 0]
    views[1].label[:] = [0, 0, 0, 0, 0, 0, 0, 2]
    swaps = _stretches(views, [np.zeros(8, int), np.array([3, 0, 0, 0, 0, 0, 0, 0])], [])
    rows = list(zip(swaps.camera.tolist(), swaps.start.tolist(), swaps.end.tolist(), swaps.part.tolist(),
                    swaps.doubtful.tolist(), strict=True))  # fmt: skip
    assert rows == [
        (0, 0, 2, 1, False), (0, 5, 6, 2, False), (0, 3, 5, 3, False), (1, 7, 8, 2, False), (1, 0, 1, 3, True),
    ]  # fmt: skip
    assert swapped_share(swaps, 0, 10) == 0.5
    assert swapped_share(swaps, 1, 4) == 0.25
    assert swapped_share(swaps, 0, 0) == 5
    said = [describe_swaps(swaps, camera, SideSettings(repair=repair)) for camera, repair in ((0, True), (1, False))]
    assert said == [
        "left and right of 2D poses exchanged in 5 frames, in doubt in 0",
        "left and right of 2D poses swapped, and left so, in 1 frames, in doubt in 1",
    ]


def test_doubtful_sides_lose_half_of_their_confidence_and_stay() -> None:
    track = a_track(seen(1, 6)[:, 0], np.arange(6) / RATE)
    swaps = Swaps(*(np.array([value], np.int32) for value in (2, 1, 4, 1)), doubtful=np.array([True]))
    for repair in (True, False):
        mended = mend_sides(track, swaps, 2, SideSettings(repair=repair))
        np.testing.assert_array_equal(mended.keypoint, track.keypoint)
        halved = np.argwhere(mended.confidence != track.confidence)
        legs = [joint for joint, name in enumerate(H36M17.joints) if name.split("_")[-1] in ("hip", "knee", "ankle")]
        assert halved.tolist() == [[frame, joint] for frame in (1, 2, 3) for joint in legs]
        assert (mended.confidence[1:4, legs] == np.float32(0.45)).all()
    np.testing.assert_array_equal(mend_sides(track, swaps, 1, SideSettings()).confidence, track.confidence)


def samples_of(takes: list[np.ndarray], seed: int = 0) -> Samples:
    """Samples of several takes (F, V, 17, 2) px, mixed up."""
    take = np.repeat([3, 5], [len(joints) for joints in takes])
    time = np.concatenate([np.arange(len(joints)) / RATE for joints in takes])
    order = np.random.default_rng(seed).permutation(len(take))
    joints = np.concatenate(takes)[order].astype(np.float32)
    known = np.isfinite(joints).all(-1)
    return Samples(
        keypoint=np.nan_to_num(joints), confidence=np.where(known, 0.9, 0).astype(np.float32),
        instant=np.arange(len(take))[order].astype(np.int64), take=take[order].astype(np.int64),
        rig=np.zeros(len(take), np.int64), K=None, R=None, t=None, skeleton="h36m17", time=time[order],
        takes=list("abcdef"),
    )  # fmt: skip


def swapped_takes() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two takes of three views, of which some are swapped, and how they are in truth."""
    true = [seen(3, frames, seed, 0.2) for frames, seed in ((60, 0), (50, 1))]
    true[0][5, 1, 4] = np.nan
    shown = [joints.copy() for joints in true]
    shown[0][20:40, 1] = shown[0][20:40, 1][:, ORDER[3]]
    shown[1][10:25, 2] = shown[1][10:25, 2][:, ORDER[1]]
    return shown, true


def test_samples_are_judged_take_by_take_in_the_order_of_their_times() -> None:
    shown, true = swapped_takes()
    samples = samples_of(shown)
    for number, members in take_members(samples):
        assert (samples.take[members] == number).all()
        assert (np.diff(samples.time[members]) > 0).all()
    swaps = find_swaps_in_samples(samples, False, SideSettings())
    rows = list(
        zip(swaps.camera.tolist(), swaps.start.tolist(), swaps.end.tolist(), swaps.part.tolist(), strict=True)
    )
    assert rows == [(3 * 3 + 1, 20, 40, 3), (5 * 3 + 2, 10, 25, 1)]
    assert (swaps.start.dtype, swaps.doubtful.dtype) == (np.int32, bool)
    mended = mend_samples(samples, swaps, SideSettings())
    expected = samples_of(true)
    np.testing.assert_array_equal(mended.keypoint, expected.keypoint)
    np.testing.assert_array_equal(mended.confidence, expected.confidence)


def test_views_are_judged_alone_if_so_wished() -> None:
    samples = samples_of(swapped_takes()[0])
    alone = find_swaps_in_samples(samples, True, SideSettings())
    expected: list[Any] = []
    for number, members in take_members(samples):
        for view in range(3):
            keypoint = np.where(
                samples.confidence[members, view, :, None] > 0, samples.keypoint[members, view], np.nan
            )
            swaps = find_swaps([a_track(keypoint, samples.time[members])], None, SideSettings())
            expected += zip([number * 3 + view] * len(swaps.start), swaps.start.tolist(), swaps.end.tolist(),
                            swaps.part.tolist(), swaps.doubtful.tolist(), strict=True)  # fmt: skip
    assert len(expected) > 0
    assert expected == list(zip(alone.camera.tolist(), alone.start.tolist(), alone.end.tolist(), alone.part.tolist(),
                                alone.doubtful.tolist(), strict=True))  # fmt: skip


def test_a_swap_that_lasts_costs_more_where_there_is_no_other_view_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    costs: list[float] = []
    made = SideLabels.of

    def noted(*given: Any) -> SideLabels:
        costs.append(given[-1])
        return made(*given)

    monkeypatch.setattr(SideLabels, "of", staticmethod(noted))
    times = np.arange(10) / RATE
    tracks = [a_track(view, times) for view in seen(2, 10).transpose(1, 0, 2, 3)]
    find_swaps(tracks, None, SideSettings())
    find_swaps(tracks[:1], None, SideSettings())
    assert costs == [4.0, 4.0, 10.0]
