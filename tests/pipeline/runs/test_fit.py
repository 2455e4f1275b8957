"""A fit from videos to results: nothing is done twice, nothing that changed is kept, and no kill is noticed."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import tomli_w
from filelock import FileLock
from footage import FakeDetector, empty_picture, film, film_nobody, film_take, scene_cameras, seen
from posepipe.models.geometry.lens import distort
from posepipe.pipeline.arrays import Detections
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs import fit as fit_module
from posepipe.pipeline.runs import fit_takes
from posepipe.pipeline.runs import infer as inference
from posepipe.pipeline.runs.fit import Fit, fit
from posepipe.pipeline.runs.infer import find_model, infer
from posepipe.pipeline.runtime.cache import read_manifest
from posepipe.pipeline.runtime.workplace import remove_unreached, size_of, status, unreached
from posepipe.pipeline.settings import Settings, load_settings
from posepipe.pipeline.training.generic_lifter import generic_file
from posepipe.pipeline.training.model_file import Model
from quick_fit import QUICK, Fitted

PER_CAMERA = ("extract_frames", "detect_poses", "correct_frames", "track_people", "track_athlete", "morph_skeleton")
LIFTED = ("lift_poses", "place_root", "adjust_clip", "make_motion", "judge_clip")
FRAMES = 40


def settings(*overrides: str) -> Settings:
    return load_settings(overrides=(*QUICK, *overrides))


def keys(out: Path) -> dict[tuple[str, str], str]:
    """What the last run reached: key by subject and stage."""
    return {(row.subject, row.stage): row.key for row in status(out)}


def changed(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> set[tuple[str, str]]:
    assert before.keys() == after.keys()
    return {what for what in before if before[what] != after[what]}


def entries(out: Path) -> set[str]:
    return {f"{entry.parent.name}/{entry.name}" for entry in (out / "cache").glob("*/*")}


def again(fitted: Fitted, *overrides: str, **said: Any) -> Fit:
    return fit(fitted.footage, out=fitted.out, settings=settings(*overrides), **said)


def test_a_fit_makes_a_model_and_results_of_every_clip(finished: Fitted) -> None:
    out = finished.out
    for name in ("model.pt", "losses.jsonl", "settings.toml", "report.html", "run.json"):
        assert (out / name).stat().st_size > 0
    for camera in range(3):
        folder = out / "takes" / "ski run" / f"cam{camera}"
        assert {path.name for path in folder.iterdir()} == {
            "poses.npz", "poses.csv", "poses.trc", "angles.csv", "view.html", "overlay.mp4", "result.json",
        }  # fmt: skip
        with np.load(folder / "poses.npz") as poses:
            assert poses["joint"].shape == (FRAMES, 21, 3)
            assert np.isfinite(poses["joint"][:, :17]).all()
            assert np.isnan(poses["joint"][:, 17:]).all(), "the detector finds no feet"
            assert [step.split(":")[0].split(" exch")[0] for step in poses["steps"]] == [
                "left and right of 2D poses", "all frames fitted together",
                "outliers beyond 6 deviations replaced", "gaps up to 0.2 s filled",
                "smoothed",
            ]  # fmt: skip
            np.testing.assert_allclose(poses["keypoint"][:, :17], seen(camera, range(FRAMES)), atol=1e-4)
    assert not [path for path in out.rglob("*") if "making" in path.name or path.name.endswith(".parts")]
    rows = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1]
    said = settings().train.model_copy(update={"prior": "none"})  # of a paper's method
    assert load_settings(out / "settings.toml").train == said


def test_a_second_identical_fit_does_nothing(fitted: Fitted, detector: FakeDetector) -> None:
    again(fitted)  # the copy's digests are remembered from now on
    before = {path: path.stat().st_mtime_ns for path in fitted.out.rglob("*") if path.name != ".lock"}
    done = again(fitted)
    assert done.nothing_to_do
    assert detector.looked_at == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert done.model == fitted.out / "model.pt"
    assert len(done.results) == 3
    assert all(folder.is_dir() for folder in done.results)


def test_the_settings_that_are_written_give_the_same_fit(fitted: Fitted) -> None:
    written = load_settings(fitted.out / "settings.toml")
    before = keys(fitted.out)
    fit(fitted.footage, out=fitted.out, settings=written)
    assert changed(before, keys(fitted.out)) == set()


def test_a_touched_or_renamed_result_is_made_again_from_the_cache(fitted: Fitted, detector: FakeDetector) -> None:
    lost = fitted.out / "takes" / "ski run" / "cam1" / "poses.csv"
    content = lost.read_bytes()
    lost.unlink()
    before = entries(fitted.out)
    assert not again(fitted).nothing_to_do
    assert lost.read_bytes() == content
    assert detector.looked_at == 0
    assert entries(fitted.out) == before
    assert again(fitted).nothing_to_do


def test_other_epochs_train_again_and_detect_nothing(fitted: Fitted, detector: FakeDetector) -> None:
    before, model = keys(fitted.out), (fitted.out / "model.pt").read_bytes()
    again(fitted, "train.epochs=3")
    lifted = {(f"ski run/cam{camera}", stage) for camera in range(3) for stage in LIFTED}
    assert changed(before, keys(fitted.out)) == {("all takes", "train_model"), *lifted}
    assert detector.looked_at == 0
    assert (fitted.out / "model.pt").read_bytes() != model
    assert len(Model.read(fitted.out / "model.pt").losses) == 3
    again(fitted)  # and back: the earlier training is still there
    assert keys(fitted.out) == before
    assert (fitted.out / "model.pt").read_bytes() == model


def test_a_changed_video_runs_its_camera_and_what_depends_on_it(fitted: Fitted, detector: FakeDetector) -> None:
    before = keys(fitted.out)
    film(fitted.footage / "cam1.mp4", 1, [*range(FRAMES - 1), FRAMES])
    again(fitted)
    own = {("ski run/cam1", stage) for stage in PER_CAMERA}
    shared = {("ski run", stage) for stage in ("synchronize", "match_people", "find_exchanges", "find_swaps")}
    shared |= {("all takes", "build_samples"), ("all takes", "train_model")}
    lifted = {(f"ski run/cam{camera}", stage) for camera in range(3) for stage in ("mend_sides", *LIFTED)}
    assert changed(before, keys(fitted.out)) == own | shared | lifted
    assert detector.looked_at == FRAMES


def test_a_video_that_only_looks_changed_runs_nothing(fitted: Fitted, detector: FakeDetector) -> None:
    clip = fitted.footage / "cam1.mp4"
    os.utime(clip, (1, 1))
    assert again(fitted).nothing_to_do
    clip.rename(fitted.footage / "cam9.mp4")  # another name, so other results, but the same pictures
    done = again(fitted)
    assert not done.nothing_to_do
    assert detector.looked_at == 0
    assert [folder.name for folder in done.results] == ["cam0", "cam2", "cam9"]


def test_a_description_changes_what_depends_on_it(fitted: Fitted, detector: FakeDetector) -> None:
    before = keys(fitted.out)
    (fitted.footage / "posepipe.toml").write_text("moving = true\n")
    again(fitted)
    lifted = {(f"ski run/cam{camera}", stage) for camera in range(3) for stage in LIFTED}
    assert changed(before, keys(fitted.out)) == {
        ("all takes", "build_samples"),
        ("all takes", "train_model"),
        *lifted,
    }
    assert detector.looked_at == 0


@pytest.mark.parametrize(
    ("until", "stages"),
    [
        ("frames", 1),
        ("detect", 3),
        ("morph", 6),
        ("samples", 12),
    ],
)
def test_until_stops_behind_a_stage(
    until: str, stages: int, take: Path, detector: FakeDetector, tmp_path: Path
) -> None:
    done = fit(take, out=tmp_path / "out", settings=settings(), until=until)
    order = [
        *PER_CAMERA,
        "synchronize",
        "match_people",
        "find_exchanges",
        "find_swaps",
        "mend_sides",
        "build_samples",
        "train_model",
    ]
    assert {path.name for path in (tmp_path / "out" / "cache").iterdir() if path.is_dir()} == set(order[:stages])
    assert (done.model, done.report, done.results) == (None, None, ())
    assert not (tmp_path / "out" / "model.pt").exists()
    again = fit(take, out=tmp_path / "out", settings=settings(), until=until)
    assert again.nothing_to_do
    assert (again.model, again.report, again.results) == (None, None, ())
    with pytest.raises(PosepipeError, match="unknown stage 'sampels'; did you mean 'samples'"):
        fit(take, out=tmp_path / "out", settings=settings(), until="sampels")


def test_a_fit_in_steps_is_the_same_fit(take: Path, finished: Fitted, detector: FakeDetector, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for until in ("detect", "samples", "train", None):
        fit(take, out=out, settings=settings(), until=until)
        done = fit(take, out=out, settings=settings(), until=until)
        assert done.nothing_to_do
        assert done.model == (out / "model.pt" if until in ("train", None) else None)
        assert bool(done.results) == bool(done.report) == (until is None)
    assert detector.looked_at == 3 * FRAMES
    assert keys(out) == keys(finished.out)
    assert (out / "model.pt").read_bytes() == (finished.out / "model.pt").read_bytes()


def test_a_lost_model_of_a_fit_that_was_to_stop_behind_training_is_written_again(fitted: Fitted) -> None:
    assert again(fitted, until="lift").model == fitted.out / "model.pt"
    (fitted.out / "model.pt").unlink()
    assert not again(fitted, until="lift").nothing_to_do
    assert (fitted.out / "model.pt").exists()


def test_what_stands_in_the_cache_is_what_the_scene_shows(finished: Fitted) -> None:
    for (subject, stage), key in keys(finished.out).items():
        entry = finished.out / "cache" / stage / key
        facts = read_manifest(entry)
        assert (facts["stage"], facts["key"]) == (stage, key)
        if stage == "detect_poses":
            found = Detections.load(entry, facts["notes"])
            np.testing.assert_array_equal(found.keypoint, seen(int(subject[-1]), range(FRAMES)))


def test_status_says_what_is_done_and_from_what(fitted: Fitted) -> None:
    rows = {(row.subject, row.stage): row for row in status(fitted.out)}
    assert len(rows) == 3 * 12 + 6
    assert all(row.state == "done" and row.bytes > 0 and row.seconds >= 0 for row in rows.values())
    assert "cam1.mp4" in " ".join(rows[("ski run/cam1", "detect_poses")].inputs)
    began = time.perf_counter()
    status(fitted.out)
    assert time.perf_counter() - began < 1
    with pytest.raises(PosepipeError, match="holds no posepipe results"):
        status(fitted.footage)


def test_clean_removes_what_no_present_settings_reach(fitted: Fitted) -> None:
    assert unreached(fitted.out) == []
    before = entries(fitted.out)
    again(fitted, "train.epochs=3")
    leftover = fitted.out / "cache" / "detect_poses" / "0123.making"
    leftover.mkdir()
    (leftover / "keypoint.npy").write_bytes(b"half")
    old = unreached(fitted.out)
    assert {path.parent.name for path in old} == {"train_model", "detect_poses", *LIFTED}
    assert len(old) == 1 + 3 * len(LIFTED) + 1
    assert all(size_of(path) > 0 for path in old)
    present = entries(fitted.out)
    remove_unreached(fitted.out)
    assert entries(fitted.out) == present - {f"{path.parent.name}/{path.name}" for path in old}
    assert unreached(fitted.out) == []
    assert again(fitted, "train.epochs=3").nothing_to_do
    again(fitted)
    assert entries(fitted.out) >= before
    with pytest.raises(PosepipeError, match="holds no posepipe results"):
        unreached(fitted.footage)


def test_clean_keeps_what_an_interrupted_run_began_from(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "sample_takes", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            again(fitted, "train.epochs=3")
    assert unreached(fitted.out) == []
    assert {row.state for row in status(fitted.out)} == {"done"}


# Infer


def test_a_clip_that_fit_saw_costs_nothing(fitted: Fitted, detector: FakeDetector) -> None:
    clip = fitted.footage / "cam1.mp4"
    made = infer(clip, model=fitted.out / "model.pt", exports=["npz"])
    assert detector.looked_at == 0
    assert made.folder == fitted.footage / "cam1_posepipe"
    one_view = {"find_swaps", "mend_sides", *LIFTED}  # looks for swapped sides without the other cameras
    assert {Path(entry).parts[0] for entry in entries(made.folder)} == one_view  # the rest is borrowed
    with np.load(made.files[0]) as inferred, np.load(fitted.out / "takes/ski run/cam1/poses.npz") as made_by_fit:
        np.testing.assert_array_equal(inferred["joint"], made_by_fit["joint"])


def test_a_new_clip_is_lifted_with_the_same_settings(fitted: Fitted, detector: FakeDetector, tmp_path: Path) -> None:
    clip = film(tmp_path / "new.mp4", 3, range(100, 130))
    made = infer(clip, exports=["npz", "csv"], height_m=1.8)  # the model is found beside the clip
    assert detector.looked_at == 30
    assert made.pose.joint.shape == (30, 21, 3)
    assert made.pose.unit == "m"
    assert made.folder == tmp_path / "new_posepipe"
    assert [path.name for path in made.files] == ["poses.npz", "poses.csv"]
    infer(clip, exports=["npz"])  # in body heights this time: only lifted again
    assert detector.looked_at == 30
    with np.load(made.files[0]) as poses:
        assert str(poses["device"]) == "cpu"
        assert json.loads(str(poses["provenance"]))["detector"] == detector.description
    detected = next((made.folder / "cache" / "detect_poses").iterdir())
    assert read_manifest(detected)["settings"]["chunk_frames"] == 15


def test_where_nobody_was_seen_there_is_no_pose(fitted: Fitted, tmp_path: Path) -> None:
    from fractions import Fraction

    from footage import picture
    from posepipe.pipeline.footage.video import write_video

    pictures = [empty_picture() if 10 <= frame < 14 else picture(2, frame) for frame in range(30)]
    write_video(tmp_path / "gap.mp4", Fraction(25), iter(pictures))
    pose = infer(tmp_path / "gap.mp4", exports=["npz"]).pose
    gone = np.isnan(pose.joint).all((1, 2))
    assert np.flatnonzero(gone).tolist() == [10, 11, 12, 13]
    assert np.isfinite(pose.body.joint[~gone]).all()


def test_another_detector_is_warned_about(fitted: Fitted, detector: FakeDetector, caplog, tmp_path: Path) -> None:
    detector.description = "a better detector"
    clip = film(tmp_path / "new.mp4", 3, range(100, 110))
    with caplog.at_level("WARNING", logger="posepipe"):
        infer(clip, exports=["npz"])
    assert "trained with another detector: fake detector" in caplog.text


def test_overrides_are_those_of_the_stages_before_training(fitted: Fitted, tmp_path: Path) -> None:
    clip = film(tmp_path / "new.mp4", 3, range(100, 110))
    infer(clip, exports=["npz"], overrides={"track": {"gap_s": 0.3}})
    with pytest.raises(PosepipeError, match="infer has no settings 'train'"):
        infer(clip, overrides={"train": {"epochs": 3}})
    with pytest.raises(PosepipeError, match=r"did you mean 'track.gap_s'"):
        infer(clip, overrides={"track": {"gap": 0.3}})


def test_the_model_is_looked_for_beside_the_clip_and_here(
    finished: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (finished.out / "model.pt").read_bytes()
    clips, here = tmp_path / "clips", tmp_path / "here"
    for folder in (clips, here):
        folder.mkdir()
    monkeypatch.chdir(here)
    clip = clips / "clip.mp4"

    def put(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    assert find_model(clip) == generic_file()
    places = [  # from the last that is looked at to the first
        here / "b_posepipe" / "model.pt",
        here / "model.pt",
        tmp_path / "clips_posepipe" / "model.pt",
        clips / "a_posepipe" / "model.pt",
        clips / "model.pt",
    ]
    for place in places:
        put(place)
        assert find_model(clip) == place
    put(clips / "other_posepipe" / "model.pt")
    (clips / "model.pt").unlink()
    with pytest.raises(PosepipeError, match=r"several models .* choose one with --model"):
        find_model(clip)


# Together with others


def test_takes_are_fitted_together(detector: FakeDetector, tmp_path: Path) -> None:
    film_take(tmp_path / "day" / "run1", 2, range(30))
    film_take(tmp_path / "day" / "run2", 3, range(200, 230))
    done = fit(tmp_path / "day", settings=settings(), exports=["npz"])
    assert [f"{path.parent.name}/{path.name}" for path in done.results] == [
        "run1/cam0", "run1/cam1", "run2/cam0", "run2/cam1", "run2/cam2",
    ]  # fmt: skip
    assert done.folder == tmp_path / "day_posepipe"
    assert Model.read(tmp_path / "day_posepipe" / "model.pt").instants == 60


def test_equal_clips_of_two_takes_are_detected_once(detector: FakeDetector, tmp_path: Path) -> None:
    for name in ("run1", "run2"):
        film_take(tmp_path / "day" / name, 2, range(30))
    fit(tmp_path / "day", settings=settings(), until="samples")
    assert detector.looked_at == 2 * 30


def test_a_temporal_method_learns_from_calibrated_takes_without_their_lens_distortion(
    detector: FakeDetector, tmp_path: Path
) -> None:
    footage, rig, lens = film_take(tmp_path / "run", 3), scene_cameras(), [-0.2, 0.05, 0.001, 0.0, 0.0]
    cameras = [
        {"matrix": rig.K[c].tolist(), "distortions": lens, "translation": rig.t[c].tolist(),
         "rotation": cv2.Rodrigues(rig.R[c])[0].ravel().tolist()}
        for c in range(3)
    ]  # fmt: skip
    (footage / "calib.toml").write_text(tomli_w.dumps({f"cam{c}": camera for c, camera in enumerate(cameras)}))
    (footage / "posepipe.toml").write_text('calibration = "calib.toml"\nmoving = false\n')
    temporal = ("train.method=li", "train.backbone=temporal", "train.temporal_frames=[3, 3]")
    done = fit(footage, out=tmp_path / "out", settings=settings(*temporal), exports=["npz"])
    key = keys(tmp_path / "out")[("all takes", "undistort_samples")]
    free = np.load(tmp_path / "out" / "cache" / "undistort_samples" / key / "keypoint.npy").astype(float)
    K = rig.K[:3, None]
    middle, focal = K[..., :2, 2], K[..., [0, 1], [0, 1]]
    shown = distort((free - middle) / focal, np.array(lens)) * focal + middle
    np.testing.assert_allclose(shown, np.stack([seen(c, range(FRAMES)) for c in range(3)], 1), atol=1e-3)
    assert Model.read(tmp_path / "out" / "model.pt").window_step_s == pytest.approx(0.04)
    for folder in done.results:
        with np.load(folder / "poses.npz") as poses:
            assert np.isfinite(poses["joint"][:, :17]).all()


def test_nobody_in_one_clip_is_said_with_its_name(detector: FakeDetector, tmp_path: Path) -> None:
    footage = film_take(tmp_path / "run", 2)
    film_nobody(footage / "empty.mp4")
    with pytest.raises(PosepipeError, match=r"empty\.mp4.* no person was found"):
        fit(footage, settings=settings())


def test_a_locked_folder_is_refused(fitted: Fitted) -> None:
    with FileLock(fitted.out / ".lock"), pytest.raises(PosepipeError, match="another posepipe is at work in"):
        again(fitted)
    assert again(fitted).nothing_to_do


def test_of_several_processes_only_the_first_writes_and_none_detects(
    take: Path, fitted: Fitted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    before = {path: path.stat().st_mtime_ns for path in fitted.out.rglob("*") if path.name != ".lock"}
    assert again(fitted, until="train").model is None  # all of it is in the cache
    assert {path: path.stat().st_mtime_ns for path in fitted.out.rglob("*") if path.name != ".lock"} == before
    with pytest.raises(PosepipeError, match="run `posepipe fit FOLDER --until label` once"):
        fit(take, out=tmp_path / "new", settings=settings())
    assert not (tmp_path / "new").exists()


def test_an_error_leaves_nothing_behind_that_was_not_there(
    take: Path, detector: FakeDetector, tmp_path: Path
) -> None:
    wrong = settings("samples.min_views=4")
    with pytest.raises(PosepipeError, match="4 or more cameras"):
        fit(take, out=tmp_path / "new" / "out", settings=wrong)
    assert (tmp_path / "new" / "out" / "cache" / "detect_poses").exists()  # what took long is kept
    with pytest.raises(PosepipeError, match="unknown setting"):
        fit(take, out=tmp_path / "other" / "out", settings=replace_method(settings(), {"epoch": 3}))
    assert not (tmp_path / "other").exists()


def replace_method(chosen: Settings, method: dict[str, Any]) -> Settings:
    return chosen.model_copy(update={"method": method})


# Killed at any moment


FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
needs_fork = pytest.mark.skipif(FORK is None, reason="needs fork")


def fit_in_child(footage: Path, out: Path, at_sync: Callable[[int], None], kill_after_s: float | None = None) -> int:
    """Run a fit in a process of its own, which tells each of its writes; the process's exit code."""

    def work() -> None:
        sync, count = os.fsync, 0

        def counted(handle: int) -> None:
            nonlocal count
            at_sync(count)
            count += 1
            sync(handle)

        os.fsync = counted
        for module in (fit_takes, inference):
            module.choose_detector = lambda settings, device: FakeDetector()
        fit(footage, out=out, settings=settings(), exports=["npz"])

    assert FORK is not None
    child = FORK.Process(target=work)
    child.start()
    child.join(kill_after_s)
    if child.is_alive():
        child.kill()
    child.join(120)
    assert child.exitcode is not None
    return child.exitcode


def contents(out: Path) -> dict[str, bytes]:
    """All that a fit leaves, but for what tells times."""
    arrays = {str(path.relative_to(out)): path.read_bytes() for path in (out / "cache").rglob("*.npy")}
    files = {name: (out / name).read_bytes() for name in ("model.pt", "losses.jsonl", "settings.toml")}
    for path in sorted(out.rglob("poses.npz")):
        with np.load(path) as poses:
            files |= {f"{path}/{name}": array.tobytes() for name, array in poses.items() if array.dtype.kind == "f"}
    return {name.removeprefix(str(out)): content for name, content in (arrays | files).items()}


@pytest.fixture(scope="module")
def whole(take: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, float]:
    """An uninterrupted fit: its results, how often it made something durable, and how long it took (s)."""
    folder = tmp_path_factory.mktemp("whole")
    ticks, began = folder / "ticks", time.perf_counter()
    assert fit_in_child(take, folder / "out", lambda count: ticks.open("a").write("x") and None) == 0
    return folder / "out", ticks.stat().st_size, time.perf_counter() - began


def kill_at(moment: int) -> Callable[[int], None]:
    return lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == moment else None


@needs_fork
def test_no_kill_is_noticed(take: Path, whole: tuple[Path, int, float], tmp_path: Path) -> None:
    expected, (_, writes, seconds), chance, killed = contents(whole[0]), whole, random.Random(0), 0
    assert len(expected) > 50
    for part in range(6):  # each a random moment of what is left: the writes before it are not done again
        moment = chance.randrange(2, max(3, writes // (part + 2)))
        killed += fit_in_child(take, tmp_path, kill_at(moment)) == -signal.SIGKILL
    for _ in range(2):  # and in between writes
        moment_s = chance.uniform(0.1, seconds / 3)
        killed += fit_in_child(take, tmp_path, lambda count: None, moment_s) == -signal.SIGKILL
    assert killed >= 4
    assert fit_in_child(take, tmp_path, lambda count: None) == 0
    assert contents(tmp_path) == expected
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".making", ".parts"))]
    assert fit_in_child(take, tmp_path, lambda count: os._exit(3)) == 0  # nothing is left to do, nor written


@needs_fork
@pytest.mark.parametrize("share", [0.75, 0.78, 0.8, 0.82, 0.9])
def test_no_kill_from_training_on_is_noticed(
    share: float, take: Path, whole: tuple[Path, int, float], tmp_path: Path
) -> None:
    assert fit_in_child(take, tmp_path, kill_at(int(share * whole[1]))) == -signal.SIGKILL
    assert fit_in_child(take, tmp_path, lambda count: None) == 0
    assert contents(tmp_path) == contents(whole[0])


def test_videos_that_start_at_different_times_are_aligned_with_sound_and_without(
    tmp_path: Path, detector: FakeDetector
) -> None:
    starts, length = (12, 0, 31), 100
    sound = np.random.default_rng(0).gamma(0.3, 0.1, 600)  # loudness in steps of 10 ms
    for camera, start in enumerate(starts):
        clip = film(tmp_path / "silent" / f"cam{camera}.mp4", camera, range(start, start + length))
        with_sound(clip, tmp_path / "loud" / clip.name, sound[4 * start : 4 * (start + length)])
    for folder, cues in (("silent", {"motion", "geometry"}), ("loud", {"sound", "motion", "geometry"})):
        fit(tmp_path / folder, settings=settings(), until="synchronize")
        entry = next((tmp_path / f"{folder}_posepipe" / "cache" / "synchronize").iterdir())
        notes = read_manifest(entry)["notes"]
        found = np.load(entry / "offset.npy")
        assert found == pytest.approx((np.array(starts) - starts[0]) / 25, abs=0.01)
        assert {cue["cue"] for cue in notes["cues"]} == cues
        assert notes["verdict"] == "ok"


def with_sound(clip: Path, path: Path, loudness: np.ndarray) -> None:
    """The same pictures with noise of this loudness, in steps of 10 ms, as AAC."""
    noise = np.random.default_rng(1).normal(size=(len(loudness), 480)) * np.minimum(loudness, 0.2)[:, None]
    path.parent.mkdir(exist_ok=True)
    run = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", clip, "-f", "f32le", "-ar", "48000", "-ac", "1"]
    run += ["-i", "-", "-c:v", "copy", "-c:a", "aac", path]
    subprocess.run(run, input=noise.astype("<f4").tobytes(), check=True)
