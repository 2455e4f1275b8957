"""Recordings of other programs are taken for what they are: one set of videos, the rest left out and said."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from footage import detected
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.archive import find_clips, name_clips
from posepipe.pipeline.footage.recording import Recording


def videos(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(str(folder / name).encode())
    return folder


def takes_of(folder: Path) -> dict[str, list[str]]:
    return {
        take.name: [str(camera.video.relative_to(folder)) for camera in take.cameras]
        for take in Recording.open(folder).takes
    }


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    logging.getLogger("posepipe").propagate = True
    caplog.set_level(logging.INFO, "posepipe")
    return caplog


PAIR = ("cam1.mp4", "cam2.mp4")


@pytest.mark.parametrize(
    ("used", "left_out"),
    [
        ("synchronized_videos", ["annotated_videos", "raw_videos"]),  # FreeMoCap
        ("SyncedVideos", ["RawVideos", "CalVideos"]),  # FreeMoCap before 1.0
        ("videos-raw", ["videos-labeled", "videos-labeled-filtered", "calibration"]),  # anipose
        ("videos", ["calibration", "videos-labeled"]),  # Pose2Sim
    ],
)
def test_one_set_of_videos_is_taken(
    used: str, left_out: list[str], tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    trial = tmp_path / "trial"
    for name in (used, *left_out):
        videos(trial / name, *PAIR)
    assert takes_of(trial) == {"trial": [f"{used}/cam1.mp4", f"{used}/cam2.mp4"]}
    for name in left_out:
        assert f"{trial / name} is left out" in said.text
    assert sorted(path.name for path in find_clips([trial], tmp_path / "out")) == list(PAIR)
    assert set(takes_of(tmp_path)) == {"trial"}


def test_a_trial_of_pose2sim_is_one_take(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    for trial in ("trial_1", "trial_2"):
        videos(tmp_path / trial / "videos", *PAIR)
        for camera in (1, 2):
            detected(tmp_path / trial / "pose" / f"cam{camera}.json", camera)
    videos(tmp_path / "calibration", *PAIR)
    assert takes_of(tmp_path) == {
        "trial_1": ["trial_1/videos/cam1.mp4", "trial_1/videos/cam2.mp4"],
        "trial_2": ["trial_2/videos/cam1.mp4", "trial_2/videos/cam2.mp4"],
    }
    assert "videos is used instead of it" in said.text
    assert f"{tmp_path / 'calibration'} is left out" in said.text


def test_without_videos_its_poses_are_taken(tmp_path: Path) -> None:
    for camera in (1, 2):
        detected(tmp_path / "trial" / "pose" / f"cam{camera}.json", camera)
    assert takes_of(tmp_path / "trial") == {"trial": ["pose/cam1.json", "pose/cam2.json"]}


def test_the_description_and_the_calibration_of_a_trial_lie_above_its_videos(tmp_path: Path) -> None:
    videos(tmp_path / "videos", *PAIR)
    (tmp_path / "posepipe.toml").write_text('moving = false\n[cameras.left]\nvideo = "cam1.mp4"\n[cameras.cam2]\n')
    (take,) = Recording.open(tmp_path).takes
    assert [(camera.name, camera.video.name, camera.moving) for camera in take.cameras] == [
        ("left", "cam1.mp4", False),
        ("cam2", "cam2.mp4", False),
    ]


def test_trials_of_anipose_in_one_folder_are_takes(tmp_path: Path) -> None:
    names = [f"{trial}-cam{camera}.mp4" for trial in ("walk", "jump high") for camera in "AB"]
    videos(tmp_path / "videos-raw", *names)
    assert takes_of(tmp_path) == {
        trial: [f"videos-raw/{trial}-cam{camera}.mp4" for camera in "AB"] for trial in ("jump high", "walk")
    }
    assert [camera.name for camera in Recording.open(tmp_path).takes[0].cameras] == ["camA", "camB"]


def test_a_session_of_opencap_has_a_take_per_trial(tmp_path: Path) -> None:
    for camera in ("Cam0", "Cam1"):
        for trial in ("walk", "jump", "calibration"):
            videos(tmp_path / "Videos" / camera / "InputMedia" / trial, f"{trial}.mov", f"{trial}_rotated.avi")
    assert takes_of(tmp_path) == {
        trial: [f"Videos/{camera}/InputMedia/{trial}/{trial}.mov" for camera in ("Cam0", "Cam1")]
        for trial in ("jump", "walk")
    }
    (jump, _) = Recording.open(tmp_path).takes
    assert [camera.name for camera in jump.cameras] == ["Cam0", "Cam1"]


def test_folders_of_takes_stay_what_they_are(tmp_path: Path) -> None:
    for name in ("videos", "run"):
        videos(tmp_path / name, *PAIR)
    assert set(takes_of(tmp_path)) == {"run", "videos"}


def test_a_chapter_that_is_missing_is_said(tmp_path: Path) -> None:
    videos(tmp_path, "GX010042.MP4", "GX030042.MP4", "GX010107.MP4")
    with pytest.raises(PosepipeError, match=r"GX030042.MP4 belongs to the same recording as GX010042.MP4"):
        Recording.open(tmp_path)


def test_chapters_are_one_camera(tmp_path: Path) -> None:
    videos(tmp_path, "GX010042.MP4", "GX020042.MP4", "GX010107.MP4")
    first, second = Recording.open(tmp_path).takes[0].cameras
    assert [(path.name) for path in first.chapters] == ["GX020042.MP4"]
    assert (second.name, second.chapters) == ("GX010107", ())


def test_files_that_are_named_as_cameras_are_no_chapters(tmp_path: Path) -> None:
    videos(tmp_path, "GX010042.MP4", "GX020042.MP4")
    said = '[cameras.left]\nvideo = "GX010042.MP4"\n[cameras.right]\nvideo = "GX020042.MP4"\n'
    (tmp_path / "posepipe.toml").write_text(said)
    assert [camera.chapters for camera in Recording.open(tmp_path).takes[0].cameras] == [(), ()]


def test_cameras_that_differ_in_their_suffix_have_names_of_their_own(tmp_path: Path) -> None:
    videos(tmp_path, "IMG_1.mp4", "IMG_1.MOV", "b.mp4")
    assert [camera.name for camera in Recording.open(tmp_path).takes[0].cameras] == ["b", "IMG_1_MOV", "IMG_1_mp4"]


def test_no_two_clips_have_one_name(tmp_path: Path) -> None:
    places = [
        "run1/cam1.mp4", "run2/cam1.mp4", "run2/cam1.MOV", "run2/cam1_MOV.avi", "run2/CAM1_mp4.avi", "GX010042.MP4",
        "GX020042.MP4",
    ]  # fmt: skip
    for place in places:
        videos((tmp_path / place).parent, Path(place).name)
    clips = [tmp_path / place for place in places]
    names = name_clips([*clips, clips[0], tmp_path / "run1" / ".." / "run1" / "cam1.mp4"])
    assert tmp_path / "GX020042.MP4" not in names, "it goes on in it"
    assert names[clips[0]] == "run1/cam1"
    assert len({name.casefold() for name in names.values()}) == len(names)
