"""The numbers of the verdict are found on cases, and cases are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import ViewPoses
from posepipe.pipeline.stages.judge import RULE, Evidence, levels, likely_mm

from tools.calibrate_verdict import (
    BAD_MM,
    GOOD_MM,
    GREEN_MARGIN,
    GREEN_WRONG,
    RED_MARGIN,
    RED_RIGHT,
    choose,
    held_out,
    table,
    thresholds,
)
from tools.verdict_cases import RECIPES, Cases, cases_of, chosen_rows, written


def made_up(count: int, seed: int) -> Cases:
    """Cases whose error is 60 mm times a power of what the 3D is off its 2D, with noise; the rest is noise alone."""
    rng = np.random.default_rng(seed)
    values = {name: np.exp(rng.normal(1, 0.5, count)) for name in Evidence._fields}
    values["expected"] = np.full(count, np.nan)
    error = 60 * (values["lifted"] / 2.7) ** 1.5 * np.exp(rng.normal(0, 0.1, count))
    return Cases(np.full(count, "a"), np.full(count, "b"), error, Evidence(**values))


def test_a_rule_is_found_that_keeps_its_promises_elsewhere() -> None:
    rule = choose(made_up(2000, 0))
    assert rule.power["lifted"] == pytest.approx(1.5, abs=0.1)
    assert all(power < 0.05 for name, power in rule.power.items() if name != "lifted")
    assert rule.limit["expected"] == RULE.limit["expected"], "nothing is known of it"
    other = made_up(2000, 1)
    likely, bad, good = likely_mm(other.evidence, rule), other.error > BAD_MM, other.error < GOOD_MM
    assert bad[likely > rule.red_mm].mean() >= 0.8 and bad[likely < rule.green_mm].mean() <= 0.05
    assert (likely[bad] > rule.red_mm).mean() > 0.5 and (likely[good] < rule.green_mm).mean() > 0.5
    assert table(other, levels(other.evidence, rule)).splitlines()[2].startswith("| all | 2000 |")
    two = Cases.together([made_up(500, seed)._replace(model=np.full(500, str(seed))) for seed in (2, 3)])
    np.testing.assert_array_equal(held_out(two)[500:], levels(made_up(500, 3).evidence, choose(made_up(500, 2))))


def test_thresholds_are_as_wide_as_may_be() -> None:
    likely = np.random.default_rng(0).permutation(200).astype(float)
    bad = (likely >= 160) | ((likely >= 80) & (likely % 2 == 0))
    red, green = thresholds(likely, bad)
    right = [limit for limit in sorted(likely) if bad[likely >= limit].mean() >= RED_RIGHT + RED_MARGIN]
    wrong = [limit for limit in sorted(likely) if bad[likely <= limit].mean() <= GREEN_WRONG - GREEN_MARGIN]
    assert (red, green) == (right[0], wrong[-1])
    assert 80 < green < 90 < 140 < red < 160
    assert thresholds(likely, likely >= 100) == (101, 101), "nothing is left between them"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The benchmark's arrays of two sequences of two sessions."""
    rig, pose, count = cameras(4, seed=0), people(40, 0), 40
    seen = rig.see(pose)
    np.savez(
        tmp_path / "static4_train.npz",
        poses_2d=rig.project(pose).astype(np.float32),
        confidences=np.full((count, 4, 17), 0.9, np.float32),
        poses_3d_cam=(seen - seen[:, :, :1]).astype(np.float32),
        camera_K=np.tile(rig.K, (count, 1, 1, 1)),
        joint_names=np.array(H36M17.joints),
        image_size=np.full((4, 2), 1000),
        sequence_id=np.repeat([0, 1, 2, 3], 10),
        subject_id=np.repeat([0, 0, 1, 1], 10),
        frame_index=np.tile(np.arange(10) * 4, 4),
        clip_name=np.array(["jumping_1", "walking_1", "jumping_2", "walking_2"]),
    )
    return tmp_path


def test_rows_are_those_of_a_session_and_its_actions(data: Path) -> None:
    assert np.flatnonzero(chosen_rows(data, "static4", 1, 5)).tolist() == list(range(20, 40))
    assert np.flatnonzero(chosen_rows(data, "static4", 0, 5, ("walking",))).tolist() == list(range(10, 20))
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)


def test_turned_pictures_are_those_of_turned_people(data: Path) -> None:
    rows = chosen_rows(data, "static4", 1, 5)
    path = written(data, "static4", data / "cut" / "footage.npz", (0, 2), rows, known=True, roll_deg=90.0)
    with np.load(path) as file, np.load(data / "static4_train.npz") as whole:
        assert file["poses_2d"].shape == (20, 2, 17, 2) and file["sequence_id"].tolist() == [0] * 10 + [1] * 10
        assert file["clip_name"].tolist() == ["jumping_2_2", "walking_2_3"]
        before, after = whole["poses_2d"][rows][:, [0, 2]] - 500, file["poses_2d"] - 500
        np.testing.assert_allclose(after, np.stack([-before[..., 1], before[..., 0]], -1), atol=1e-3)
        true, turned = whole["poses_3d_cam"][rows][:, [0, 2]], file["poses_3d_cam"]
        np.testing.assert_allclose(turned, np.stack([-true[..., 1], true[..., 0], true[..., 2]], -1), atol=1e-5)


def test_every_second_of_every_view_is_a_case() -> None:
    count = 60
    true = 1000 * people(count, 0)[:, None].repeat(2, 1)
    true -= true[:, :, :1]
    joint = (true / 1000).astype(np.float32)
    joint[30:, 1] = joint[30:, 1, :, [1, 0, 2]].transpose(1, 2, 0)
    poses = ViewPoses(
        joint=joint, canonical=joint, camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (count, 2, 1, 1)),
        confidence=np.ones((count, 2, 17), np.float32), take=np.zeros(count, np.int64), instant=np.arange(count),
        skeleton="h36m17", unit="m", takes=["run"], time=np.arange(count) / 30, joint_raw=joint, joint_lifted=joint,
        bone_departure=np.full((count, 2), 0.07, np.float32),
    )  # fmt: skip
    cases = cases_of(poses, true, "model", "footage")
    np.testing.assert_allclose(cases.error[:3], 0, atol=1e-2)
    assert cases.error[3] > 100
    np.testing.assert_allclose(cases.evidence.bones, 7, rtol=1e-5)
    assert np.isnan(cases.evidence.lifted).all() and len(cases.where(cases.error > 100).error) == 1
