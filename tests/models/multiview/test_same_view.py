"""Views of one camera are told from those of two, however a copy was scaled, cut and encoded."""

from __future__ import annotations

import numpy as np
import pytest
from footage import athlete
from posepipe.models.multiview.same_view import SAME_VIEW, unlikeness

TIME = np.arange(100) / 25


def views(angle_deg: float = 90.0) -> np.ndarray:
    """What two cameras so far apart (view, T, 17, 2) show of somebody who walks by, in px."""
    world = athlete(TIME) + np.stack([0.3 * TIME, 0.1 * TIME, 0 * TIME], -1)[:, None]
    seen = []
    for angle in (0.0, np.radians(angle_deg)):
        across = np.array([np.cos(angle), np.sin(angle), 0])
        depth = 6 + world @ np.array([-np.sin(angle), np.cos(angle), 0])
        seen.append(np.stack([world @ across, -world[..., 2]], -1) / depth[..., None] * 1000 + 500)
    return np.stack(seen)


def noisy(view: np.ndarray, deviation_px: float = 1.0, seed: int = 0) -> np.ndarray:
    return view + np.random.default_rng(seed).normal(0, deviation_px, view.shape)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, 0.0), (2.0, -300.0), (np.array([0.75, 1.0]), 40.0)])
def test_a_copy_is_the_same_view(scale: float | np.ndarray, shift: float) -> None:
    view = views()[0]
    assert unlikeness(noisy(view), scale * noisy(view, seed=1) + shift) < SAME_VIEW


def test_a_copy_with_wrong_and_missing_joints_is_the_same_view() -> None:
    rng = np.random.default_rng(2)
    view = views()[0]
    copy = 0.5 * noisy(view, 0.5)
    copy[rng.random(copy.shape[:2]) < 0.05] += 80
    copy[rng.random(copy.shape[:2]) < 0.2] = np.nan
    assert unlikeness(view, copy) < SAME_VIEW


@pytest.mark.parametrize("angle_deg", [10.0, 30.0, 90.0, 180.0])
def test_two_cameras_are_two_views(angle_deg: float) -> None:
    assert unlikeness(*views(angle_deg)) > SAME_VIEW


def test_somebody_who_stands_still_is_seen_from_two_sides() -> None:
    one, other = views(60.0)[:, :1].repeat(50, 1)
    assert unlikeness(noisy(one), noisy(other, seed=1)) > SAME_VIEW
    assert unlikeness(noisy(one), 0.7 * noisy(one, seed=1)) < SAME_VIEW


def test_little_in_common_says_nothing() -> None:
    view = views()[0]
    assert unlikeness(view[:3], view[:3]) == np.inf
    assert unlikeness(np.full_like(view, np.nan), view) == np.inf
