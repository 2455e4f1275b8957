"""Predicted and true poses are put side by side: by time or number, joint by joint, in the right axes and units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from posepipe.models.skeleton import COCO17, H36M17, H36M17_FEET
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.compare import compare

ORDER = np.random.default_rng(1).permutation(17)


def poses(*shape: int, seed: int = 0) -> np.ndarray:
    """Bodies of no shape, but of a size that people have in metres."""
    return np.random.default_rng(seed).normal(scale=0.2, size=(*shape, 17, 3)).astype(np.float32)


def write(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def clip(folder: Path, frames: int = 6, **more: Any) -> Path:
    """Poses of a clip as ``fit`` writes them."""
    return write(folder / "cam1" / "poses.npz", **{"joint": poses(frames), "time": np.arange(frames) / 8} | more)


def test_frames_of_a_clip_are_matched_by_number_without_times(tmp_path: Path) -> None:
    path, reference = clip(tmp_path), write(tmp_path / "true.npz", joints_3d_m=poses(6, seed=1))
    found = compare(path, reference)
    np.testing.assert_allclose(found.predicted, 1000 * poses(6), rtol=1e-6)
    np.testing.assert_allclose(found.true, 1000 * poses(6, seed=1), rtol=1e-6)
    assert (found.name, found.camera.tolist(), found.action.tolist()) == ("cam1", ["cam1"] * 6, [""] * 6)
    assert not found.in_camera_axes and not found.metric
    assert found.expected_error is None and found.supervision == found.prior == ""
    short = write(tmp_path / "short.npz", joints_3d_m=poses(5, seed=1))
    with pytest.raises(PosepipeError, match=r"has 6 frames, but .*short.npz has 5 and no times to match them by"):
        compare(path, short)


def test_frames_of_a_clip_are_matched_by_time_to_half_a_frame_of_the_reference(tmp_path: Path) -> None:
    path = clip(tmp_path, expected_error=np.arange(6 * 17, dtype=np.float32).reshape(6, 17))
    wanted = np.array([0.125, 0.25, 0.5, 0.75, 1.0])  # half of its usual frame is 0.125 s
    reference = write(tmp_path / "true.npz", joints_3d_m=poses(5, seed=1), time=wanted)
    found = compare(path, reference)
    expected = poses(6)[[1, 2, 4, 5, 5]].astype(float)
    expected[4] = np.nan  # the clip ends at 0.625 s
    np.testing.assert_allclose(found.predicted, 1000 * expected, rtol=1e-6)
    assert found.expected_error is not None
    np.testing.assert_allclose(found.expected_error[:4], 1000.0 * np.arange(102).reshape(6, 17)[[1, 2, 4, 5]])
    for second, there in ((0.5 + 0.0099, True), (0.5 + 0.0101, False)):
        single = write(tmp_path / "single.npz", joints_3d_m=poses(1), time=np.array([second]))
        assert np.isfinite(compare(path, single).predicted).all() == there


def test_the_filtered_motion_is_compared_only_if_wished(tmp_path: Path) -> None:
    reference = write(tmp_path / "true.npz", joints_3d_cam=poses(6), action=np.array("skiing"))
    path = clip(
        tmp_path,
        joint_raw=poses(6, seed=7),
        unit=np.array("m"),
        provenance=np.array('{"supervision": "x", "prior": "y"}'),
    )
    raw, filtered = compare(path, reference), compare(path, reference, filtered=True)
    np.testing.assert_allclose(raw.predicted, 1000 * poses(6, seed=7), rtol=1e-6)
    np.testing.assert_allclose(filtered.predicted, 1000 * poses(6), rtol=1e-6)
    assert raw.in_camera_axes and raw.metric
    assert (raw.action.tolist(), raw.supervision, raw.prior) == (["skiing"] * 6, "x", "y")
    only = clip(tmp_path / "other")
    np.testing.assert_allclose(compare(only, reference).predicted, 1000 * poses(6), rtol=1e-6)


def test_camera_axes_come_before_those_of_the_world(tmp_path: Path) -> None:
    both = write(tmp_path / "true.npz", joints_3d_cam=poses(6, seed=1), joints_3d_m=poses(6, seed=2))
    found = compare(clip(tmp_path), both)
    assert found.in_camera_axes
    np.testing.assert_allclose(found.true, 1000 * poses(6, seed=1), rtol=1e-6)


def test_joints_are_put_in_order_by_their_names(tmp_path: Path) -> None:
    names = np.array(H36M17.joints)[ORDER]
    path = clip(tmp_path, joint=poses(6)[:, ORDER], joint_names=names)
    reference = write(tmp_path / "true.npz", joints_3d_m=poses(6, seed=1))
    np.testing.assert_allclose(compare(path, reference).predicted, 1000 * poses(6), rtol=1e-6)
    other = clip(tmp_path, joint_names=np.array(COCO17.joints))
    with pytest.raises(PosepipeError, match="the joints of coco17, but poses are compared on h36m17"):
        compare(other, reference)


def test_feet_are_left_aside(tmp_path: Path) -> None:
    names, feet = np.array(H36M17_FEET.joints), np.full((6, 4, 3), np.nan, np.float32)
    expected = np.arange(6 * 21, dtype=np.float32).reshape(6, 21)
    path = clip(tmp_path, joint=np.concatenate([poses(6), feet], 1), joint_names=names, expected_error=expected)
    plain = write(tmp_path / "true.npz", joints_3d_m=poses(6, seed=1))
    named = write(
        tmp_path / "feet.npz",
        joints_3d_m=np.concatenate([poses(6, seed=1), feet], 1)[:, ::-1],
        joint_names=names[::-1],
    )
    for reference in (plain, named):
        found = compare(path, reference)
        np.testing.assert_allclose(found.predicted, 1000 * poses(6), rtol=1e-6)
        np.testing.assert_allclose(found.true, 1000 * poses(6, seed=1), rtol=1e-6)
        np.testing.assert_allclose(found.expected_error, 1000 * expected[:, :17], rtol=1e-6)


@pytest.mark.parametrize("said", ["no JSON", "[1, 2]"])
def test_what_a_file_says_of_itself_must_be_an_object(said: str, tmp_path: Path) -> None:
    reference = write(tmp_path / "true.npz", joints_3d_m=poses(6))
    with pytest.raises(PosepipeError, match="'provenance' is not a JSON object"):
        compare(clip(tmp_path, provenance=np.array(said)), reference)


def test_a_reference_is_found_in_a_folder_by_the_name_of_the_clip_or_of_the_results(tmp_path: Path) -> None:
    references = tmp_path / "references"
    write(references / "cam1.npz", joints_3d_m=poses(6, seed=3))
    write(references / "skiing.npz", joint_3d_cam=poses(6, 2, seed=4))
    found = compare(clip(tmp_path / "skiing_posepipe"), references)
    np.testing.assert_allclose(found.true, 1000 * poses(6, seed=3), rtol=1e-6)
    for path in (tmp_path / "skiing_posepipe" / "poses.npz", tmp_path / "skiing.npz"):
        arrays = compare(write(path, joint=poses(6, 2)), references)
        np.testing.assert_allclose(arrays.true, 1000 * poses(6, 2, seed=4).reshape(12, 17, 3), rtol=1e-6)
    with pytest.raises(PosepipeError, match=r"there is no reference .*cam2.npz"):
        compare(write(tmp_path / "cam2" / "poses.npz", joint=poses(6)), references)


def test_all_views_of_a_keypoint_file_are_compared_sample_by_sample(tmp_path: Path) -> None:
    path = write(tmp_path / "poses.npz", joint=poses(4, 3), joint_raw=poses(4, 3, seed=5), unit=np.array("m"),
                 expected_error=np.arange(4 * 3 * 17, dtype=np.float32).reshape(4, 3, 17),
                 provenance=np.array(json.dumps({"supervision": "views"})))  # fmt: skip
    true = {"joint_3d_cam": poses(4, 3, seed=6)}
    takes = {"take_names": np.array(["jump 1", "jump_22", "run2"]), "take": np.array([0, 1, 2, 0])}
    found = compare(path, write(tmp_path / "shot.npz", **true, **takes))
    np.testing.assert_allclose(found.predicted, 1000 * poses(4, 3, seed=5).reshape(12, 17, 3), rtol=1e-6)
    np.testing.assert_allclose(found.true, 1000 * true["joint_3d_cam"].reshape(12, 17, 3), rtol=1e-6)
    assert (found.name, found.supervision) == ("shot", "views")
    assert found.in_camera_axes and found.metric
    assert found.camera.tolist() == ["view 0", "view 1", "view 2"] * 4
    assert found.action.tolist() == ["jump"] * 6 + ["run2"] * 3 + ["jump"] * 3
    assert found.expected_error is not None
    np.testing.assert_array_equal(found.expected_error, 1000.0 * np.arange(12 * 17).reshape(12, 17))
    filtered = compare(path, tmp_path / "shot.npz", filtered=True)
    np.testing.assert_allclose(filtered.predicted, 1000 * poses(4, 3).reshape(12, 17, 3), rtol=1e-6)
    said = write(tmp_path / "said.npz", **true, **takes, action=np.array(list("abcd")))
    assert compare(path, said).action.tolist() == list("aaabbbcccddd")
    assert compare(path, write(tmp_path / "bare.npz", **true)).action.tolist() == [""] * 12
    assert compare(path, write(tmp_path / "half.npz", **true, take=takes["take"])).action.tolist() == [""] * 12
    other = write(tmp_path / "other.npz", joint_3d_cam=poses(4, 2))
    with pytest.raises(PosepipeError, match=r"4 samples of 3 views, but .* has 4 of 2; they must come from the same"):
        compare(path, other)
