"""What people bring goes through fit, infer and batch: parts, chapters, folders of pictures, copies, odd places."""

from __future__ import annotations

import json
import logging
import os
import shutil
import string
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from footage import RATE, FakeDetector, detected, detected_take, film, film_take, picture
from posepipe.pipeline.cli import app
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.batch import Task, check_options, lift_one
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runtime.workplace import open_workplace
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK, Fitted
from typer.testing import CliRunner


def arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "poses.npz") as file:
        return dict(file)


def cameras_of(out: Path) -> set[str]:
    reached = json.loads((out / "run.json").read_text())["reached"]
    return {subject for subject, stage, _ in reached if stage in ("extract_frames", "read_people")}


def image_folder(folder: Path, camera: int, instants: range) -> Path:
    folder.mkdir(parents=True)
    for instant in instants:
        cv2.imwrite(str(folder / f"pic{instant:04d}.png"), picture(camera, instant))
    return folder


def test_infer_uses_a_part_in_the_times_of_the_clip(
    finished: Fitted, detector: FakeDetector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "posepipe")
    clip, model = film(tmp_path / "clip.mp4", 1, range(50)), finished.out / "model.pt"
    infer(clip, model=model, out=tmp_path / "whole", exports=["npz"])
    detector.looked_at = 0
    infer(clip, model=model, out=tmp_path / "part", exports=["npz", "overlay", "view"], from_s=0.4, to_s=1.2)
    assert detector.looked_at == 20
    part, whole = arrays(tmp_path / "part"), arrays(tmp_path / "whole")
    np.testing.assert_allclose(part["video_time"], np.arange(10, 30) / RATE, atol=1e-6)
    np.testing.assert_allclose(part["time"], part["video_time"], atol=1e-6)
    np.testing.assert_allclose(part["keypoint"], whole["keypoint"][10:30], atol=0.5)
    with av.open(str(tmp_path / "part" / "overlay.mp4")) as overlay:
        assert overlay.streams.video[0].frames == 20
    assert [text for text in caplog.messages if "used from" in text] == [f"{clip}: used from 0.4 s to 1.2 s of 2.0 s"]
    assert "0.4 s to 1.2 s of 2.0 s" in (tmp_path / "part" / "view.html").read_text(encoding="utf-8")


def test_the_description_says_a_part_and_the_command_line_another(
    finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    clip, model = film(tmp_path / "clip.mp4", 1, range(50)), finished.out / "model.pt"
    (tmp_path / "posepipe.toml").write_text("[cameras.clip]\nfrom_s = 0.4\nto_s = 1.2\n")
    infer(clip, model=model, out=tmp_path / "said", exports=["npz"])
    infer(clip, model=model, out=tmp_path / "other", exports=["npz"], from_s=0.8)
    assert arrays(tmp_path / "said")["video_time"][[0, -1]] == pytest.approx([0.4, 1.16])
    assert arrays(tmp_path / "other")["video_time"][[0, -1]] == pytest.approx([0.8, 1.16])


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ((30.0, None), r"lasts from 0\.0 s to 1\.0 s"),
        ((None, 0.0), r"lasts from 0\.0 s to 1\.0 s"),
        ((0.5, 0.5), "the end must be later"),
        ((0.8, 0.2), "holds nothing"),
        ((float("nan"), None), "holds nothing"),
    ],
)
def test_a_part_that_holds_nothing_is_refused(
    part: tuple[float | None, float | None], sentence: str, finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    clip = film(tmp_path / "clip.mp4", 1, range(RATE))
    with pytest.raises(PosepipeError, match=sentence) as refused:
        infer(clip, model=finished.out / "model.pt", out=tmp_path / "out", from_s=part[0], to_s=part[1])
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def described(folder: Path, offsets: list[float]) -> None:
    said = "".join(f"[cameras.cam{camera}]\noffset_s = {offset}\n" for camera, offset in enumerate(offsets))
    (folder / "posepipe.toml").write_text((folder / "posepipe.toml").read_text() + said)


def test_a_part_of_a_take_is_cut_from_each_camera_in_its_own_time(tmp_path: Path) -> None:
    folder = detected_take(tmp_path / "run", instants=range(60))
    detected(folder / "cam1.json", 1, range(25, 60))
    described(folder, [0.0, 1.0, 0.0])
    settings = load_settings(overrides=[*QUICK, "from_s=1.2", "to_s=2.0"])
    fit(folder, out=tmp_path / "out", settings=settings, exports=["npz"])
    for camera, first in (("cam0", 1.2), ("cam1", 0.2), ("cam2", 1.2)):
        made = arrays(tmp_path / "out" / "takes" / "run" / camera)
        np.testing.assert_allclose(made["video_time"], first + np.arange(20) / RATE, atol=1e-6)


def test_where_offsets_have_to_be_found_they_are_and_then_it_is_cut(
    detector: FakeDetector, decided: None, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for camera, start in enumerate((0, 20, 8)):
        film(folder / f"cam{camera}.mp4", camera, range(start, 220))
    settings = load_settings(overrides=[*QUICK, "from_s=3.0", "to_s=5.0", "fuse.enabled=true"])
    fit(folder, out=tmp_path / "out", settings=settings, exports=["npz", "overlay"])
    for camera, late in enumerate((0.0, 0.8, 0.32)):
        made = arrays(tmp_path / "out" / "takes" / "run" / f"cam{camera}")
        assert len(made["time"]) == pytest.approx(50, abs=1)
        assert made["video_time"][0] == pytest.approx(3.0 - late, abs=0.05)
    with np.load(tmp_path / "out" / "takes" / "run" / "poses_multiview.npz") as file:
        assert file["time"][[0, -1]] == pytest.approx([3.0, 4.96], abs=0.05)


def test_parts_of_equal_length_do_not_count_as_started_together(
    detector: FakeDetector, decided: None, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for camera, start in enumerate((0, 12, 5)):
        film(folder / f"cam{camera}.mp4", camera, range(start, 230))
    overrides = [*QUICK, "from_s=3.0", "to_s=5.0", "synchronize.max_offset_s=1"]
    fit(folder, out=tmp_path / "out", settings=load_settings(overrides=overrides), until="synchronize")
    (timeline,) = (tmp_path / "out" / "cache" / "synchronize").glob("*/offset.npy")
    np.testing.assert_allclose(np.load(timeline), [0, 0.48, 0.2], atol=0.03)
    assert detector.looked_at == 3 * 4 * RATE, "one second more at both ends"


def test_a_part_beyond_a_take_is_refused(tmp_path: Path) -> None:
    folder = detected_take(tmp_path / "run")
    for overrides, sentence in ((["from_s=30"], r"lasts from 0\.0 s to 1\.6 s"), (["from_s=1", "to_s=1"], "later")):
        settings = load_settings(overrides=[*QUICK, "synchronize.offsets=stated", *overrides])
        with pytest.raises(PosepipeError, match=sentence):
            fit(folder, out=tmp_path / "out", settings=settings)


def test_of_a_keypoint_file_no_part_is_used(finished: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "all.npz"
    np.savez(path, keypoint=np.zeros((2, 2, 17, 2)))
    with pytest.raises(PosepipeError, match="no part can be used"):
        fit(path, settings=load_settings(overrides=["from_s=1"]))
    with pytest.raises(PosepipeError, match="no part can be used"):
        infer(path, model=finished.out / "model.pt", to_s=1.0)


def test_chapters_are_one_camera_of_a_fit(detector: FakeDetector, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name, camera, instants in (
        ("GX010042", 0, range(40)),
        ("GX020042", 0, range(40, 70)),
        ("GX010107", 1, range(70)),
    ):
        film(folder / f"{name}.MP4", camera, instants)
    fit(folder, out=tmp_path / "out", settings=load_settings(overrides=QUICK), until="synchronize")
    assert cameras_of(tmp_path / "out") == {"run/GX010042", "run/GX010107"}
    (times,) = {len(np.load(path)) for path in (tmp_path / "out").glob("cache/track_athlete/*/time.npy")}
    assert times == 70


def test_chapters_and_folders_of_pictures_are_clips_of_infer(
    finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    film(tmp_path / "GX010042.MP4", 1, range(20))
    film(tmp_path / "GX020042.MP4", 1, range(20, 40))
    image_folder(tmp_path / "pictures", 1, range(40))
    model, rate = finished.out / "model.pt", {"pictures": {"rate_hz": RATE}}
    infer(tmp_path / "GX010042.MP4", model=model, out=tmp_path / "a", exports=["npz", "overlay", "view"])
    infer(tmp_path / "pictures", model=model, out=tmp_path / "b", exports=["npz", "overlay", "view"], overrides=rate)
    joined, filmed = arrays(tmp_path / "a"), arrays(tmp_path / "b")
    np.testing.assert_allclose(joined["time"], np.arange(40) / RATE, atol=1e-6)
    np.testing.assert_allclose(filmed["time"], joined["time"], atol=1e-6)
    np.testing.assert_allclose(filmed["joint"], joined["joint"], atol=1e-4)
    with pytest.raises(PosepipeError, match=r"--set pictures\.rate_hz="):
        infer(tmp_path / "pictures", model=model, out=tmp_path / "c")
    (tmp_path / "posepipe.toml").write_text(f"[pictures]\nrate_hz = {RATE}\n")
    assert len(infer(tmp_path / "pictures", model=model, out=tmp_path / "d", exports=["npz"]).pose.time) == 40


def test_folders_of_pictures_are_cameras_of_a_fit(detector: FakeDetector, tmp_path: Path) -> None:
    for camera in range(3):
        image_folder(tmp_path / "run" / f"cam{camera}", camera, range(30))
    settings = load_settings(overrides=[*QUICK, f"pictures.rate_hz={RATE}", "synchronize.offsets=stated"])
    fit(tmp_path / "run", out=tmp_path / "out", settings=settings, exports=["npz", "overlay"])
    assert len(arrays(tmp_path / "out" / "takes" / "run" / "cam2")["time"]) == 30


def test_batch_lifts_chapters_and_folders_of_pictures(
    finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    from posepipe.pipeline.footage.archive import find_clips

    film(tmp_path / "card" / "GX010042.MP4", 1, range(20))
    film(tmp_path / "card" / "GX020042.MP4", 1, range(20, 40))
    shutil.copy(tmp_path / "card" / "GX010042.MP4", tmp_path / "card" / "GL010042.LRV")
    image_folder(tmp_path / "pictures", 1, range(40))
    clips = find_clips([tmp_path / "card", tmp_path / "pictures"], tmp_path / "out")
    assert list(clips.values()) == ["card/GX010042", "pictures"]
    options = {"model": finished.out / "model.pt", "exports": ("npz",), "overrides": {"pictures": {"rate_hz": RATE}}}
    check_options(options)
    rows = [lift_one(Task(clip, tmp_path / "out" / name, options, 1)) for clip, name in clips.items()]
    assert [(row.status, row.frames) for row in rows] == [("done", 40), ("done", 40)]


def test_clips_of_one_name_have_results_of_their_own(
    finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    clips = [
        film(tmp_path / place, 1, range(start, start + 10))
        for start, place in enumerate(("a/cam1.mp4", "b/cam1.mp4", "b/cam1.MOV"))
    ]
    words = [*map(str, clips), "--model", str(finished.out / "model.pt"), "--export", "npz"]
    done = CliRunner().invoke(app, ["infer", *words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    named = [tmp_path / "out" / name / "poses.npz" for name in ("a/cam1", "b/cam1_mp4", "b/cam1_MOV")]
    assert all(path.exists() and str(path) in done.output for path in named)
    beside = CliRunner().invoke(app, ["infer", *words])
    assert beside.exit_code == 0, beside.output
    assert {path.parent.name for path in tmp_path.glob("b/*/poses.npz")} == {"cam1_mp4_posepipe", "cam1_MOV_posepipe"}


@pytest.mark.parametrize("name", ["unknown.csv", "unknown.json", "unknown.txt", "unknown.h5"])
def test_data_in_no_known_format_is_not_called_a_video(name: str, finished: Fitted, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a,b,c\n1,2,3\n")
    with pytest.raises(PosepipeError, match=r"in a format that is known: openpose, .*csv"):
        infer(tmp_path / name, model=finished.out / "model.pt")


def test_the_same_content_twice_is_refused(detector: FakeDetector, tmp_path: Path) -> None:
    folder = film_take(tmp_path / "run")
    shutil.copy(folder / "cam1.mp4", folder / "cam1 - Copy.mp4")
    with pytest.raises(PosepipeError, match=r"cam1( - Copy)?\.mp4 and .*cam1( - Copy)?\.mp4 have the same content"):
        fit(folder, out=tmp_path / "out", settings=load_settings(overrides=QUICK))
    assert detector.looked_at == 0


@pytest.mark.parametrize("first", [0, 12])
def test_the_same_view_in_another_file_is_refused(first: int, detector: FakeDetector, tmp_path: Path) -> None:
    folder = film_take(tmp_path / "run", count=2, instants=range(80))
    film(folder / "cam1 small.mp4", 1, range(first, 79))
    settings = load_settings(overrides=QUICK)
    with pytest.raises(PosepipeError, match=r"cam1.* and .*cam1.* show the same view"):
        fit(folder, out=tmp_path / "out", settings=settings, until="synchronize")
    left = load_settings(overrides=[*QUICK, 'leave_out=["cam1 small"]'])
    fit(folder, out=tmp_path / "out", settings=left, until="synchronize")


ODD = "".join(letter for letter in string.printable if letter.isprintable() and letter != "/") + "ß 走"


@pytest.mark.skipif(os.name == "nt", reason="Windows has fewer letters for names")
def test_a_path_may_have_any_letter_in_it(
    finished: Fitted, detector: FakeDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above all colons, which begin protocols, and percent signs, which number pictures."""
    folder = film_take(tmp_path / ODD / "12:30", count=2)
    image_folder(tmp_path / ODD / "pictures%03d", 1, range(10))
    film(folder / "data:1.mp4", 1, range(5, 20))
    for name in ("cam0.mp4", "data:1.mp4"):
        infer(folder / name, model=finished.out / "model.pt", exports=["npz", "overlay", "view", "trc"])
    overrides = {"pictures": {"rate_hz": RATE}}
    infer(folder.parent / "pictures%03d", model=finished.out / "model.pt", exports=["npz"], overrides=overrides)
    monkeypatch.chdir(folder.parent)
    (folder / "data:1.mp4").unlink()
    fit(Path("12:30"), settings=load_settings(overrides=[*QUICK, "synchronize.offsets=stated"]), until="samples")
    made = CliRunner().invoke(
        app, ["infer", "12:30/cam1.mp4", "--model", str(finished.out / "model.pt"), "--export", "npz"]
    )
    assert made.exit_code == 0, made.output


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="a read-only folder stops neither Windows nor root")
def test_a_folder_that_may_only_be_read_is_enough(finished: Fitted, detector: FakeDetector, tmp_path: Path) -> None:
    folder = film_take(tmp_path / "card", count=2)
    folder.chmod(0o555)
    try:
        fit(folder, out=tmp_path / "out", settings=load_settings(overrides=QUICK), until="samples")
        with pytest.raises(PosepipeError, match=r"cannot write to .*--out"):
            infer(folder / "cam0.mp4", model=finished.out / "model.pt")
    finally:
        folder.chmod(0o755)


def test_nothing_is_written_beside_the_footage(detector: FakeDetector, tmp_path: Path) -> None:
    folder = film_take(tmp_path / "card", count=2)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    fit(folder, out=tmp_path / "out", settings=load_settings(overrides=QUICK), until="samples")
    shutil.rmtree(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_results_that_were_moved_are_used_again(fitted: Fitted, detector: FakeDetector, tmp_path: Path) -> None:
    moved = fitted.out.rename(tmp_path / "elsewhere")
    (tmp_path / "disk").mkdir()
    footage = fitted.footage.rename(tmp_path / "disk" / fitted.footage.name)
    detector.looked_at = 0
    done = fit(footage, out=moved, settings=load_settings(overrides=QUICK))
    assert done.nothing_to_do
    clip = infer(footage / "cam0.mp4", model=moved / "model.pt", out=tmp_path / "one", exports=["npz"])
    assert detector.looked_at == 0
    assert clip.folder == tmp_path / "one"


def test_a_second_process_in_a_results_folder_is_told_so(fitted: Fitted, detector: FakeDetector) -> None:
    with open_workplace(fitted.out), pytest.raises(PosepipeError, match="another posepipe is at work in"):
        fit(fitted.footage, out=fitted.out, settings=load_settings(overrides=[*QUICK, "train.seed=3"]))
