"""Pictures of a fit show what they say, and are safe to put into a page."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from known_clip import a_pose, without
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.pages.fit_charts import draw_canonical_space, draw_losses, draw_parities, hip_spread_deg
from scipy.spatial.transform import Rotation


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{text}</div>")


def places(path: ElementTree.Element) -> np.ndarray:
    """Points (N, 2) of a path of dots or lines."""
    return np.array(
        [pair.split() for pair in path.get("d", "")[1:].replace("h0", "").replace("L", "M").split("M")], float
    )


def test_losses_fall_on_the_page_as_they_do_in_training() -> None:
    rows = [
        {"phase": "warm <up>" if epoch < 3 else "all", "epoch": epoch, "view": 10.0**-epoch, "total": 2.0, "off": 0.0}
        for epoch in range(5)
    ]
    page = drawn(draw_losses(rows))
    total, view = [places(path) for path in page.iter("path")]
    assert np.ptp(total[:, 1]) == 0
    assert np.diff(view[:, 1]) == pytest.approx(np.diff(view[:, 1]).mean(), abs=0.2)  # a straight line down
    assert view[-1, 1] > view[0, 1]
    texts = [text.text for text in page.iter("text")]
    assert {"warm <up>", "all", "epoch 5"} <= set(texts)
    assert [span.find("i").tail for span in page.iter("span")] == ["total", "view"]  # type: ignore[union-attr]


def test_one_epoch_is_drawn_as_well() -> None:
    assert next(drawn(draw_losses([{"phase": "all", "total": 1.0}])).iter("path")).get("d", "").startswith("M")


def test_the_canonical_space_is_seen_from_the_front_and_from_above_whichever_axes_it_has() -> None:
    pose = a_pose(np.arange(20) / 30)
    pose.canonical[:, [H36M17.index("left_hip"), H36M17.index("left_shoulder")], 0] += 0.2
    turned = pose.canonical @ Rotation.from_rotvec([0.4, -1, 2]).as_matrix().T.astype(np.float32)
    for canonical in (pose.canonical, turned):
        paths = list(drawn(draw_canonical_space([without(replace(pose, canonical=canonical), 3)])).iter("path"))
        assert [path.get("class") for path in paths[:4]] == [
            "dots left hip", "dots right hip", "dots left shoulder", "dots right shoulder",
        ]  # fmt: skip
        left, right, shoulder, _, left_above, right_above, *_ = [places(path).mean(0) for path in paths]
        assert left[0] > right[0] + 20  # from the front, as in a mirror
        assert shoulder[1] < left[1] - 20
        assert left_above[0] < right_above[0] - 20


def test_the_spread_of_hips_is_their_angle() -> None:
    pose = a_pose(np.arange(40) / 30)
    turns = np.where(np.arange(40) % 2, 20.0, -20.0)
    R = Rotation.from_euler("y", turns[:, None], degrees=True).as_matrix()
    hips = [H36M17.index("left_hip"), H36M17.index("right_hip")]
    pose.canonical[:, hips] = np.einsum("fij,hj->fhi", R, [[0.1, 0, 0], [-0.1, 0, 0]])
    assert hip_spread_deg([pose]) == pytest.approx(20, abs=0.1)


def test_parities_stand_on_their_side() -> None:
    page = drawn(draw_parities(np.array([3.0] * 30 + [-2.0] * 10)))
    tall = {side: max(float(bar.get("height", 0)) for bar in page.iter("rect") if bar.get("class") == side)
            for side in ("good", "bad")}  # fmt: skip
    assert tall["good"] == pytest.approx(3 * tall["bad"], abs=0.2)
    svg = page.find("svg")
    assert svg is not None
    assert svg.get("aria-label") == "Parities of 40 poses; 75% are clearly right-handed"
