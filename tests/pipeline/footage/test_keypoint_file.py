"""Keypoint files: both spellings, what must never be read, what is refused, and the way to 3D poses and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.models.geometry.lens import distort
from posepipe.models.skeleton import COCO17, H36M17, recognise
from posepipe.pipeline.arrays import Samples, Swaps
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs import array_chain
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.fit_arrays import STAGES
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runtime.cache import SourceFile, stage
from posepipe.pipeline.settings import SampleSettings, SideSettings, load_settings
from posepipe.pipeline.stages.import_arrays import read_keypoints
from posepipe.pipeline.stages.samples import select_samples

SAMPLES, VIEWS = 60, 3
BENCHMARK_JOINTS = (
    "pelvis", "r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle", "spine", "neck", "nose", "head_top",
    "l_shoulder", "l_elbow", "l_wrist", "r_shoulder", "r_elbow", "r_wrist",
)  # fmt: skip


def arrays(samples: int = SAMPLES) -> dict[str, Any]:
    """A keypoint file's arrays in our spelling, of the known scene seen by three cameras in two takes."""
    rig = cameras(VIEWS)
    pose = people(samples)
    return {
        "keypoint": rig.project(pose).astype(np.float32),
        "confidence": np.full((samples, VIEWS, 17), 0.9, np.float32),
        "joint_names": np.array(H36M17.joints),
        "take": np.arange(samples) // (samples // 2),
        "K": rig.K,
        "R": rig.R,
        "t": rig.t,
        "joint_3d_cam": rig.see(pose) - rig.see(pose)[:, :, :1],
    }


def benchmark(samples: int = SAMPLES) -> dict[str, Any]:
    """The same in the spelling of the benchmark, cameras per sample."""
    ours = arrays(samples)
    spread = {name: np.broadcast_to(ours[name], (samples, *ours[name].shape)) for name in "KRt"}
    return {
        "poses_2d": ours["keypoint"],
        "confidences": ours["confidence"],
        "joint_names": np.array(BENCHMARK_JOINTS),
        "sequence_id": ours["take"] + 4,
        "frame_index": np.arange(samples) * 2,
        "subject_id": ours["take"] + 1,
        "clip_name": np.array(["", "", "", "", "walk_1", "run_3"]),
        "poses_2d_gt": ours["keypoint"],
        "poses_3d_cam": ours["joint_3d_cam"],
        **{f"camera_{name}": value for name, value in spread.items()},
    }


def save(path: Path, content: dict[str, Any]) -> Path:
    np.savez(path, **content)
    return path


def read(path: Path, skeleton: str = "h36m17", static: bool | None = None, cameras: str = "") -> Samples:
    return read_keypoints(SourceFile(path, "key"), skeleton, static, cameras)


def test_a_joint_that_nobody_estimated_is_sure(tmp_path: Path) -> None:
    content = arrays()
    content["confidence"][1, 0, 2:4] = np.nan
    content["keypoint"][1, 0, 3] = np.nan
    found = read(save(tmp_path / "a.npz", content))
    assert found.confidence[1, 0, 2:4].tolist() == [1, 0]


def test_our_spelling(tmp_path: Path) -> None:
    content = arrays()
    found = read(save(tmp_path / "a.npz", content))
    np.testing.assert_array_equal(found.keypoint, content["keypoint"])
    np.testing.assert_array_equal(found.confidence, content["confidence"])
    np.testing.assert_array_equal(found.take, content["take"])
    np.testing.assert_array_equal(found.instant, np.tile(np.arange(30), 2))
    assert (found.rig == -1).all()
    assert found.skeleton == "h36m17"
    assert found.takes == ["take 0", "take 1"]
    assert found.K is None and found.R is None and found.t is None


def test_the_benchmarks_spelling(tmp_path: Path) -> None:
    content = benchmark()
    path = save(tmp_path / "a.npz", content)
    found = read(path, static=True)
    np.testing.assert_array_equal(found.keypoint, content["poses_2d"])
    np.testing.assert_array_equal(found.take, np.repeat([0, 1], 30))
    np.testing.assert_array_equal(found.instant, content["frame_index"])
    np.testing.assert_array_equal(found.rig, np.repeat([0, 1], 30))
    assert found.takes == ["walk_1", "run_3"]
    assert found.skeleton == "h36m17"
    assert (read(path, static=False).rig == -1).all()
    assert (read(path).rig == -1).all(), "cameras of which nothing is known count as moving"


def test_who_says_whether_cameras_move(tmp_path: Path) -> None:
    content = arrays()
    rig = np.repeat([7, -1], 30)
    path = save(tmp_path / "a.npz", content | {"rig": rig})
    np.testing.assert_array_equal(read(path).rig, rig)
    np.testing.assert_array_equal(read(path, static=True).rig, rig)
    assert (read(path, static=False).rig == -1).all()
    np.testing.assert_array_equal(read(save(tmp_path / "b.npz", content), static=True).rig, content["take"])


def test_the_truth_is_never_opened(tmp_path: Path) -> None:
    """Arrays that would raise on being opened stand where the truth stands."""
    poison = np.array([{"not": "opened"}], dtype=object)
    forbidden = ("poses_2d_gt", "poses_3d_cam", "camera_K", "camera_R", "camera_t")
    sizes = {"image_size": np.full((VIEWS, 2), 1000)}
    np.savez(tmp_path / "a.npz", **benchmark() | sizes | dict.fromkeys(forbidden, poison))
    assert read(tmp_path / "a.npz", static=True).K is None
    settings = load_settings(overrides=["train.epochs=1", "train.min_steps=2", "train.width=16"])
    for done in (fit(tmp_path / "a.npz", settings=settings, until="samples") for _ in range(2)):
        assert (done.model, done.results) == (None, ())
    assert done.nothing_to_do
    with pytest.raises(PosepipeError, match="'camera_K' is damaged, or a pickled object, which is never opened"):
        read(tmp_path / "a.npz", cameras="K")


@pytest.mark.parametrize("content", [arrays(), benchmark()], ids=["fixed cameras", "a camera per sample"])
def test_calibration_if_it_is_asked_for(tmp_path: Path, content: dict[str, Any]) -> None:
    path = save(tmp_path / "a.npz", content)
    known = arrays()
    found = read(path, cameras="KRt")
    assert found.K is not None and found.R is not None and found.t is not None
    assert found.K.shape == (SAMPLES, VIEWS, 3, 3)
    np.testing.assert_allclose(found.K[5], known["K"], rtol=1e-6)
    np.testing.assert_allclose(found.R[5], known["R"], atol=1e-6)
    np.testing.assert_allclose(found.t[5], known["t"], atol=1e-6)
    only_K = read(path, cameras="K")
    assert only_K.K is not None and only_K.R is None


def test_missing_joints_and_views(tmp_path: Path) -> None:
    content = arrays()
    content["keypoint"][3, 1] = np.nan  # a view
    content["keypoint"][4, 0, 2] = np.nan  # a joint
    content["confidence"][5, 0, 3] = 0
    content["confidence"][6, :2] = 0  # two views of three
    found = read(save(tmp_path / "a.npz", content))
    assert np.isfinite(found.keypoint).all()
    for where in ((3, 1), (4, 0, 2), (5, 0, 3)):
        assert (found.confidence[where] == 0).all() and (found.keypoint[where] == 0).all()
    chosen = select_samples(found, SampleSettings())
    assert len(chosen.instant) == SAMPLES - 1
    np.testing.assert_array_equal(np.delete(found.confidence, 6, axis=0), chosen.confidence)


def test_views_that_show_too_little_are_left_out(tmp_path: Path) -> None:
    content = arrays()
    content["confidence"][2, 0, 8:] = 0
    content["confidence"][3, 0, 0] = 0  # no pelvis
    chosen = select_samples(read(save(tmp_path / "a.npz", content)), SampleSettings(min_joints=0.6))
    assert (chosen.confidence[2:4, 0] == 0).all() and (chosen.keypoint[2:4, 0] == 0).all()
    content["confidence"][1:, 1:] = 0
    with pytest.raises(PosepipeError, match="only 1 of 60 samples show the athlete in 2 or more views"):
        select_samples(read(save(tmp_path / "a.npz", content)), SampleSettings())


def test_joints_in_any_order_by_name(tmp_path: Path) -> None:
    content, order = arrays(), np.random.default_rng(0).permutation(17)
    for name in ("keypoint", "confidence"):
        content[name] = content[name][:, :, order]
    content["joint_names"] = np.array(BENCHMARK_JOINTS)[order]
    found = read(save(tmp_path / "a.npz", content))
    np.testing.assert_array_equal(found.keypoint, arrays()["keypoint"])


def test_names_of_joints() -> None:
    skeleton, order = recognise(COCO17.joints[::-1])
    assert skeleton is COCO17 and list(order) == list(range(16, -1, -1))
    assert recognise(["RHip", "LHip", *H36M17.joints])[0] is H36M17
    with pytest.raises(ValueError, match=r"no known skeleton .* these are missing: head, left_ankle"):
        recognise([name for name in BENCHMARK_JOINTS if name not in ("head_top", "l_ankle")])


def test_a_detectors_skeleton_is_morphed(tmp_path: Path) -> None:
    content = arrays() | {"joint_names": np.array(COCO17.joints)}
    path = save(tmp_path / "a.npz", content)
    native, morphed = read(path, "native"), read(path)
    assert (native.skeleton, morphed.skeleton) == ("coco17", "h36m17")
    hips = native.keypoint[:, :, [11, 12]].mean(2)
    np.testing.assert_allclose(morphed.keypoint[:, :, 0], hips, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"keypoint": None},
            r"has no array keypoint \(samples, views, joints, 2\); it holds confidence, ",
        ),
        ({"keypoint": np.zeros((4, 17, 2))}, r"expected keypoint .* found float64 \(4, 17, 2\)"),
        ({"keypoint": np.full((60, 3, 17, 2), "a")}, r"expected keypoint .* of numbers"),
        ({"confidence": np.ones((60, 3, 16))}, r"expected confidence \(60, 3, 17\)"),
        ({"confidence": np.full((60, 3, 17), 87.0)}, r"confidence runs from 87 to 87; expected 0\.\.1"),
        ({"joint_names": None}, "expected joint_names, one for each of 17 joints, found none"),
        ({"joint_names": np.array(["a"] * 17)}, "no known skeleton"),
        ({"take": np.zeros(3)}, r"expected take \(60\)"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    content = {name: value for name, value in (arrays() | change).items() if value is not None}
    with pytest.raises(PosepipeError, match=sentence):
        read(save(tmp_path / "a.npz", content))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match="there is no file"):
        read(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(PosepipeError, match=r"not an \.npz file"):
        read(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(PosepipeError, match="a single array"):
        read(tmp_path / "one.npz")


SMALL = ("train.epochs=2", "train.min_steps=10", "train.width=32", "train.learning_rate=0.01")
QUICK = ("train.method=sure", *SMALL)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file and its finished fit beside it."""
    folder = tmp_path_factory.mktemp("arrays")
    path = save(folder / "data.npz", arrays(200))
    fit(path, settings=load_settings(overrides=[*QUICK, "samples.static_cameras=true"]))
    return path


def test_fit_writes_model_and_poses(fitted: Path) -> None:
    out = fitted.with_name("data_posepipe")
    assert {"model.pt", "losses.jsonl", "settings.toml", "poses.npz"} <= {path.name for path in out.iterdir()}
    with np.load(out / "poses.npz", allow_pickle=False) as poses:
        assert poses["joint"].shape == (200, VIEWS, 17, 3)
        assert list(poses["joint_names"]) == list(H36M17.joints)
        turned = poses["canonical"] @ poses["camera_from_canonical"].swapaxes(-1, -2)
        np.testing.assert_allclose(turned, poses["joint"], atol=1e-5)
        assert json.loads(str(poses["provenance"]))["method"] == "sure"
    settings = load_settings(overrides=[*QUICK, "samples.static_cameras=true"])
    assert fit(fitted, settings=settings).nothing_to_do


def test_infer_equals_fit_view_by_view(fitted: Path, tmp_path: Path) -> None:
    made = infer(fitted, out=tmp_path / "out")
    with np.load(fitted.with_name("data_posepipe") / "poses.npz") as poses:
        np.testing.assert_array_equal(made.pose.joint, poses["joint"])
    content = arrays(200)
    for name in ("keypoint", "confidence"):
        content[name] = content[name][:, [2]]
    for name in "KRt":
        content[name] = content[name][[2]]
    alone = infer(save(tmp_path / "alone.npz", content), model=fitted.with_name("data_posepipe") / "model.pt")
    np.testing.assert_allclose(alone.pose.joint[:, 0], made.pose.joint[:, 2], atol=1e-6)


def test_infer_says_which_views_show_too_little(fitted: Path, tmp_path: Path) -> None:
    content = arrays(200)
    content["keypoint"][7, 1] = np.nan
    model = fitted.with_name("data_posepipe") / "model.pt"
    made = infer(save(tmp_path / "a.npz", content), model=model, height_m=1.8)
    missing = np.isnan(made.pose.joint).all((2, 3))
    assert missing[7, 1] and missing.sum() == 1
    assert made.pose.unit == "m"


def roots(folder: Path) -> tuple[np.ndarray | None, str, str]:
    """Of a result: the root trajectory, what it knows of the cameras, and what poses are relative to in words."""
    with np.load(folder / "poses.npz") as poses:
        return poses.get("root_trajectory"), str(poses["root_camera"]), str(poses["root"])


def test_where_people_stand_is_estimated_where_the_file_tells_the_cameras(fitted: Path, tmp_path: Path) -> None:
    model, content = fitted.with_name("data_posepipe") / "model.pt", arrays(40)
    bare = {name: array for name, array in content.items() if name not in ("K", "R", "t")}
    sized = bare | {"image_size": np.full((VIEWS, 2), [1000, 800])}

    def inferred(name: str, content: dict[str, Any], **options: Any) -> tuple[np.ndarray | None, str, str]:
        infer(save(tmp_path / f"{name}.npz", content), model=model, out=tmp_path / name, **options)
        return roots(tmp_path / name)

    given, source, relative = inferred("given", content)
    assert given is not None and given.shape == (40, VIEWS, 3) and (given[..., 2] > 0).all()
    assert source.endswith("px, given") and source in relative
    bent, _, _ = inferred("bent", distorted(content))  # lifted as it looks, placed as the lens is known
    assert bent is not None and np.abs(bent - given).max() > 0
    assert roots(fitted.with_name("data_posepipe"))[1].endswith("px, given")
    assert inferred("bare", bare) == (None, "", "root-relative: the origin of every pose is its pelvis; "
                                      "where the person stands is not estimated")  # fmt: skip
    assumed, source, _ = inferred("sized", sized)
    assert assumed is not None and source.startswith("focal length of 866 px, assumed: a field of view of 60°")
    nearer, source, _ = inferred("stated", sized, focal_px=433.0)
    assert nearer is not None and source == "focal length of 433 px, given; principal point in the middle"
    np.testing.assert_allclose(nearer[..., 2] * 2, assumed[..., 2], rtol=0.25)  # half the focal length, half as far
    with pytest.raises(PosepipeError, match="image_size"):
        inferred("none", bare, focal_px=433.0)


LENS = np.array([[-0.2, 0.05, 0.001, -0.001, 0.0], [0.0] * 5, [0.1, 0, 0, 0, 0]])


def distorted(content: dict[str, Any]) -> dict[str, Any]:
    """The same seen through lenses."""
    normalised = (content["keypoint"] - content["K"][:, None, :2, 2]) / content["K"][:, None, [0, 1], [0, 1]]
    pixels = distort(normalised, LENS) * content["K"][:, None, [0, 1], [0, 1]] + content["K"][:, None, :2, 2]
    return content | {"keypoint": pixels.astype(np.float32), "distortion": LENS}


def test_lens_distortion_is_undone_where_cameras_are_known(tmp_path: Path) -> None:
    content = arrays()
    content["confidence"][3, 0, 4] = 0
    path = save(tmp_path / "a.npz", distorted(content))
    found = read(path, cameras="K")
    seen = found.confidence > 0
    np.testing.assert_array_equal(seen, content["confidence"] > 0)
    np.testing.assert_allclose(found.keypoint[seen], content["keypoint"][seen], atol=1e-2)
    raw = read(path)
    assert np.abs(raw.keypoint - content["keypoint"])[seen].max() > 0.5


SHORT = ("train.method=li", "train.epochs=1", "train.min_steps=3", "train.width=16")


def test_a_focal_length_can_be_assumed_for_keypoints(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = {name: array for name, array in arrays(120).items() if name not in "KRt"}
    assumed = load_settings(overrides=[*SHORT, "samples.static_cameras=true", "calibrate.focal_px=1100"])
    path = save(tmp_path / "a.npz", content)
    with pytest.raises(PosepipeError, match=r"needs intrinsics: add the array K.* image_size \(views, 2\)"):
        fit(path, settings=assumed)
    path = save(tmp_path / "b.npz", content | {"image_size": np.full((VIEWS, 2), 1000)})
    with caplog.at_level("WARNING", logger="posepipe"):
        made = fit(path, settings=assumed)
    assert "with assumed intrinsics (focal lengths of " in caplog.text
    assert any("assumed intrinsics" in warning for warning in made.warnings)
    model = tmp_path / "b_posepipe" / "model.pt"
    with pytest.raises(PosepipeError, match="needs the camera's intrinsics: give the focal length"):
        infer(path, model=model, out=tmp_path / "c")
    poses = infer(path, model=model, out=tmp_path / "c", focal_px=1200).pose
    assert np.isfinite(poses.joint).all()


def test_two_views_alone_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = arrays(20)
    for views in (3, 2):
        caplog.clear()
        shown = {"keypoint": content["keypoint"][:, :views], "joint_names": content["joint_names"]}
        fit(save(tmp_path / f"{views}.npz", shown), until="calibrate", settings=load_settings(overrides=QUICK))
        assert ("no more than two cameras see the athlete" in caplog.text) == (views == 2)


def test_stages_of_a_keypoint_file(fitted: Path) -> None:
    with pytest.raises(PosepipeError, match=f"unknown stage of a keypoint file 'detect'.*{', '.join(STAGES)}"):
        fit(fitted, until="detect")


def test_a_method_that_learns_from_a_reconstruction(tmp_path: Path, decided: None) -> None:
    """Nothing is read of the cameras but the pictures' sizes; if they are not said, they follow from the 2D poses."""
    own = ("train.method=posepipe", "train.canonpose_epochs=2", "train.epochs=2", "train.min_steps=10",
           "train.width=32", "train.window=9", "train.filmed=16", "train.learning_rate=0.01",
           "samples.static_cameras=true", "train.prior=none")  # fmt: skip
    settings = load_settings(overrides=own)
    content = {name: array for name, array in arrays(60).items() if name not in ("K", "R", "t", "joint_3d_cam")}
    sizeless = fit(save(tmp_path / "sizeless.npz", content), settings=settings, until="label")
    assert re.search(r"no array image_size \(views, 2\): pictures count as \d+ x \d+, .* px", sizeless.warnings[-1])
    path = save(tmp_path / "a.npz", content | {"image_size": np.full((VIEWS, 2), 1000)})
    made = fit(path, settings=settings)
    assert (made.folder / "canonpose.pt").is_file()
    with np.load(made.results[0]) as poses:
        assert json.loads(str(poses["provenance"]))["method"] == "posepipe"
        assert np.isfinite(poses["joint"]).all()
        assert (poses["expected_error"] > 0).all() and poses["expected_error"].shape == (60, VIEWS, 17)
    assert fit(path, settings=settings).nothing_to_do


def test_a_file_with_times_goes_through_smoothing_and_has_files_of_every_view(fitted: Path, tmp_path: Path) -> None:
    settings = load_settings(overrides=[*QUICK, "samples.static_cameras=true"])
    timed = save(tmp_path / "timed.npz", arrays(200) | {"time": np.tile(np.arange(100) / 50, 2)})
    done = fit(timed, settings=settings, exports=["csv", "trc", "overlay"])
    takes = timed.with_name("timed_posepipe") / "takes"
    views = [takes / f"take {take}" / f"view{view}" for take in (0, 1) for view in (1, 2, 3)]
    for view in views:
        assert {"poses.csv", "poses.trc"} <= {path.name for path in view.iterdir()}
        assert not (view / "overlay.mp4").exists()
    again = fit(timed, settings=settings, exports=["csv", "trc", "overlay"])
    assert again.nothing_to_do and again.results == done.results
    (views[3] / "poses.trc").unlink()
    assert not fit(timed, settings=settings, exports=["csv", "trc", "overlay"]).nothing_to_do
    assert (views[3] / "poses.trc").exists()
    assert not any("does not say when" in warning for warning in done.warnings)
    with np.load(done.results[0]) as poses, np.load(fitted.with_name("data_posepipe") / "poses.npz") as plain:
        np.testing.assert_array_equal(poses["joint_lifted"], plain["joint"])  # which times do not change
        for name in ("joint_raw", "joint_lifted"):
            np.testing.assert_array_equal(plain[name], plain["joint"])
        shown = np.isfinite(poses["joint"]).all((-1, -2))
        for name in ("joint_raw", "joint_lifted"):
            assert np.abs(poses["joint"] - poses[name])[shown].max() > 0
        assert poses["filled"].shape == poses["joint"].shape[:3]
    rated = load_settings(overrides=[*QUICK, "samples.static_cameras=true", "keypoints.rate_hz=50"])
    again = fit(fitted, settings=rated, out=tmp_path / "rated", exports=["csv"])
    with np.load(again.results[0]) as poses, np.load(done.results[0]) as stated:
        np.testing.assert_array_equal(poses["joint"], stated["joint"])


def test_all_views_of_a_take_together_have_files_of_their_own(tmp_path: Path) -> None:
    """As takes of videos have them, at the times of the take, whatever the order of the samples."""
    kept = [name for name in QUICK if not name.startswith("fuse")]
    settings = load_settings(overrides=[*kept, "samples.static_cameras=true", "motion.filter=none"])
    order = np.random.default_rng(0).permutation(60)
    content = {name: array for name, array in arrays(60).items() if name not in ("K", "R", "t", "joint_3d_cam")}
    content |= {"time": np.tile(np.arange(30) / 50, 2), "instant": np.tile(2 * np.arange(30), 2)}
    shuffled = {name: array[order] if len(array) == 60 else array for name, array in content.items()}
    path = save(tmp_path / "a.npz", shuffled | {"image_size": np.full((VIEWS, 2), 1000)})
    done = fit(path, settings=settings, exports=["trc", "overlay"])
    with np.load(done.folder / "poses_multiview.npz") as together:
        every = {name: together[name] for name in ("rig_joint", "covariance", "focal", "residual", "camera_from_rig")}
    for take in (0, 1):
        folder = done.folder / "takes" / f"take {take}"
        assert {file.name for file in folder.glob("*.*")} == {
            "poses_multiview.npz", "poses_multiview.trc", "events.csv", "measures.csv", "result.json"
        }  # fmt: skip
        rows = np.argsort(order)[30 * take : 30 * take + 30]
        with np.load(folder / "poses_multiview.npz") as file:
            np.testing.assert_allclose(file["time"], np.arange(30) / 50)
            assert file["camera_names"].tolist() == ["view1", "view2", "view3"]
            np.testing.assert_array_equal(file["image_size"], [1000, 1000])
            np.testing.assert_array_equal(file["keypoint"], content["keypoint"][30 * take : 30 * take + 30, 0])
            for name, expected in every.items():
                written = file["joint" if name == "rig_joint" else name]
                np.testing.assert_array_equal(written, expected[rows], err_msg=name)
    assert fit(path, settings=settings, exports=["trc", "overlay"]).nothing_to_do
    (done.folder / "takes" / "take 1" / "poses_multiview.trc").unlink()
    assert not fit(path, settings=settings, exports=["trc", "overlay"]).nothing_to_do
    assert (done.folder / "takes" / "take 1" / "poses_multiview.trc").exists()


def test_a_focal_length_in_the_description_counts(fitted: Path, tmp_path: Path) -> None:
    """For fit and infer alike, as it does for videos."""
    content = {name: array for name, array in arrays(60).items() if name not in ("K", "R", "t")}
    path = save(tmp_path / "a.npz", content | {"image_size": np.full((VIEWS, 2), 1000)})
    (tmp_path / "posepipe.toml").write_text("focal_px = 1234.0\n")
    settings = load_settings(overrides=[*QUICK, "samples.static_cameras=true"])
    made = fit(path, settings=settings, exports=[]).results[0]
    lifted = infer(path, model=fitted.with_name("data_posepipe") / "model.pt", out=tmp_path / "out", exports=[])
    for poses in (made, lifted.files[0]):
        with np.load(poses) as file:
            assert str(file["root_camera"]).startswith("focal length of 1234 px, given")


def test_a_file_without_times_says_what_is_missing(fitted: Path, tmp_path: Path) -> None:
    settings = load_settings(overrides=[*QUICK, "samples.static_cameras=true"])
    done = fit(fitted, settings=settings, out=tmp_path / "out", exports=["csv"])
    (sentence,) = [warning for warning in done.warnings if "does not say when its samples were filmed" in warning]
    assert "keypoints.rate_hz" in sentence
    assert not (tmp_path / "out" / "takes").exists()


SWAPPED = slice(40, 52)
"""Samples of the first take in which the second view has left and right exchanged."""


@stage(version=1)
def known_swaps(samples: Samples, alone: bool, settings: SideSettings) -> Swaps:
    """The stretch of ``SWAPPED``, in place of what would be found."""
    row = {"camera": 1, "start": SWAPPED.start, "end": SWAPPED.stop, "part": 3}
    return Swaps(**{name: np.array([value], np.int32) for name, value in row.items()}, doubtful=np.array([False]))


def test_roots_are_placed_by_the_sides_that_were_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Method "sure" is not told the cameras, so that the samples are read again with K to place roots."""
    settings = load_settings(overrides=[*QUICK, "samples.static_cameras=true", "motion.filter=none"])
    right = arrays(200) | {"time": np.tile(np.arange(100) / 50, 2)}
    swapped = right | {"keypoint": right["keypoint"].copy()}
    swapped["keypoint"][SWAPPED, 1] = right["keypoint"][SWAPPED, 1][:, H36M17.mirror]
    untouched = load_settings(overrides=[*QUICK, "samples.static_cameras=true", "motion.filter=none",
                                         "sides.repair=false"])  # fmt: skip
    monkeypatch.setattr(array_chain, "find_swaps_in_samples", known_swaps)
    plain = fit(save(tmp_path / "right.npz", right), settings=untouched, exports=[])
    mended = fit(save(tmp_path / "swapped.npz", swapped), settings=settings, exports=[])
    with np.load(plain.results[0]) as expected, np.load(mended.results[0]) as poses:
        np.testing.assert_array_equal(poses["joint"], expected["joint"])
        np.testing.assert_array_equal(poses["root_trajectory"], expected["root_trajectory"])
