"""The bench of people who cross knows whom a pose shows."""

from __future__ import annotations

import numpy as np

from tools.crossing_bench import _fits


def test_a_pose_is_that_of_the_person_who_stands_there() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, (5, 2, 17, 2)) + np.array([[[0, 0]], [[500, 0]]])
    seen = np.where(np.arange(5)[:, None, None] == 4, np.nan, truth[:, 1])
    assert _fits(seen, truth).tolist() == [[False, True]] * 4 + [[False, False]]
