"""Windows: which frames stand where, at the ends of clips, in gaps, and when frame rates differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_samples import samples_of_two_takes
from posepipe.pipeline.training.windows import Windows, halves


def windows(time: list[float], size: int, step: float | None = None, missing: tuple[int, ...] = ()) -> np.ndarray:
    """Windows around all frames of one clip."""
    count = len(time)
    shown = ~np.isin(np.arange(count), missing)
    return Windows(np.array(time), np.zeros(count, int), shown, size, step).around(np.arange(count))


def test_neighbours_and_copies_of_the_ends() -> None:
    expected = [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [1, 2, 3, 3, 3]]
    np.testing.assert_array_equal(windows([0.0, 0.04, 0.08, 0.12], 5), expected)


def test_missing_frames_are_missing_and_have_no_window() -> None:
    found = windows([0, 1, 2, 3, 4, 5], 3, missing=(0, 3))
    np.testing.assert_array_equal(found, [[-1] * 3, [1, 1, 2], [1, 2, -1], [-1] * 3, [-1, 4, 5], [4, 5, 5]])
    np.testing.assert_array_equal(windows([0, 1, 5, 6], 3), [[0, 0, 1], [0, 1, -1], [-1, 2, 3], [2, 3, 3]])


def test_a_faster_clip_is_thinned_and_a_slower_one_repeated() -> None:
    faster = windows([0.02 * frame for frame in range(7)], 3, step=0.04)
    np.testing.assert_array_equal(faster, [[max(f - 2, 0), f, min(f + 2, 6)] for f in range(7)])
    slower = windows([0.08 * frame for frame in range(4)], 5, step=0.04)
    np.testing.assert_array_equal(slower[1], [0, 0, 1, 1, 2])  # of two equally near ones the earlier
    gap = windows([0.0, 0.08, 0.16, 0.48, 0.56], 5, step=0.04)
    np.testing.assert_array_equal(gap[2], [1, 1, 2, 2, -1])


def test_windows_of_another_pace_have_the_same_middle() -> None:
    clips = Windows(np.arange(9) / 50, np.zeros(9, int), np.ones(9, bool), 3)
    np.testing.assert_array_equal(clips.at(2).around(np.array([0, 4, 8])), [[0, 0, 2], [2, 4, 6], [6, 8, 8]])
    np.testing.assert_array_equal(clips.at(0.6).around(np.array([4])), [[3, 4, 5]])
    assert (clips.step, clips.at(2).step) == (pytest.approx(0.02), pytest.approx(0.04))


def test_halves_alternate_over_the_quarters_of_every_take() -> None:
    samples = samples_of_two_takes(np.ones((24, 2, 17, 2)), np.ones((24, 2, 17), np.float32))
    np.testing.assert_array_equal(halves(samples), np.tile(np.repeat([0, 1, 0, 1], 3), 2))
    short = replace(samples, instant=np.zeros(24, np.int64))
    np.testing.assert_array_equal(halves(short), np.arange(24) % 2)


def test_the_step_is_the_median_time_between_frames() -> None:
    clips = Windows(np.array([0, 4, 8, 12, 0, 9]), np.array([0, 0, 0, 0, 1, 1]), np.ones(6, bool), 3)
    assert clips.step == 4
    np.testing.assert_array_equal(clips.around(np.array([1, 4])), [[0, 1, 2], [4, 4, 4]])


def test_a_clip_of_one_frame_and_clips_without_any() -> None:
    np.testing.assert_array_equal(windows([3.0], 5), [[0] * 5])
    np.testing.assert_array_equal(windows([3.0, 4.0], 3, missing=(0, 1)), [[-1] * 3] * 2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 0.5, 1.0, 2.5]), st.sampled_from([1, 3, 7]))
def test_windows_are_what_a_search_of_each_place_finds(seed: int, step: float | None, size: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30))
    clip, shown = rng.choice([7, -2, 3], count), rng.random(count) < 0.8
    time = rng.permutation(count) + rng.uniform(-0.2, 0.2, count)  # unordered, and with gaps as clips interleave
    found = Windows(time, clip, shown, size, step)
    around = found.around(np.arange(count))
    for frame in range(count):
        members = np.flatnonzero(shown & (clip == clip[frame]))
        if not shown[frame]:
            assert (around[frame] == -1).all()
            continue
        assert around[frame, size // 2] == frame
        moments = np.sort(time[members])
        period = np.median(np.diff(moments)) if len(members) > 1 else 0
        for place, index in enumerate(around[frame]):
            wanted = np.clip(time[frame] + found.step * (place - size // 2), moments[0], moments[-1])
            distance = np.abs(time[members] - wanted)
            near = distance.min() <= max(found.step, period) / 2 * (1 + 1e-9)
            assert (index >= 0) == near
            if near:
                assert index in members and abs(time[index] - wanted) == pytest.approx(distance.min())
