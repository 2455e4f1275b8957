"""Each view of a folder counts once: copies are left out, recordings in several files are one clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pytest
from footage import RATE, detected, film, picture
from posepipe.pipeline.footage.chapters import chapters_after, without_later_chapters
from posepipe.pipeline.footage.sources import chapters_of, clips_in, results_folder
from posepipe.pipeline.footage.video import is_image_folder


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def names_in(folder: Path) -> list[str]:
    return [path.name for path in clips_in(folder).clips]


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ("GX010042.MP4", "GL010042.LRV"),
        ("GH010042.MP4", "GL010042.LRV"),
        ("GOPR0042.MP4", "GOPR0042.LRV"),
        ("DJI_0042.MP4", "DJI_0042.LRF"),
        ("VID_20240501_120000_00_001.insv", "LRV_20240501_120000_01_001.lrv"),
        ("VID_20240501_120000_001.mp4", "LRV_20240501_120000_001.lrv"),
        ("C0001.MP4", "C0001S03.MP4"),
        ("A001C001.mov", "A001C001_Proxy.mov"),
        ("cam1.mp4", "cam1_annotated.mp4"),
        ("cam1.mp4", "cam1DLC_resnet50_skiNov1shuffle1_50000_labeled.mp4"),
        ("cam1.avi", "cam1_pose.mp4"),
        ("walk.mov", "walk_rotated.avi"),
    ],
)
def test_a_copy_is_left_out_where_the_original_is_there(original: str, copy: str, tmp_path: Path) -> None:
    both = make(tmp_path / "both", original, copy, "other.mp4", "GX010042.THM")
    found = clips_in(both)
    assert {path.name for path in found.clips} == {original, "other.mp4"}
    assert [path.name for path in found.left_out] == [copy]
    assert names_in(make(tmp_path / "alone", copy)) == [copy]


def test_names_that_only_look_alike_are_other_clips(tmp_path: Path) -> None:
    names = ["left.mp4", "left_small.mp4", "left (1).mp4", "proxy.mp4", "cam.mp4", "pose.mp4", "GL010099.LRV"]
    assert set(names_in(make(tmp_path, *names))) == set(names)


@pytest.mark.parametrize(
    "files",
    [
        ["GX010042.MP4", "GX020042.MP4", "GX030042.MP4"],
        ["gh010042.mp4", "GH020042.MP4"],
        ["GOPR0042.MP4", "GP010042.MP4", "GP020042.MP4"],
        ["DJI_0042_001.MP4", "DJI_0042_002.MP4"],
        ["VID_20240501_120000_00_001.insv", "VID_20240501_120000_00_002.insv"],
    ],
)
def test_names_tell_chapters(files: list[str], tmp_path: Path) -> None:
    folder = make(tmp_path, *files, "GX010107.MP4", "DJI_0043_001.MP4")
    paths = [folder / name for name in files]
    assert chapters_of(paths[0]) == tuple(paths[1:])
    assert chapters_of(paths[-1]) == ()
    assert set(names_in(folder)) == {files[0], "GX010107.MP4", "DJI_0043_001.MP4"}


def test_two_lenses_and_two_recordings_are_no_chapters(tmp_path: Path) -> None:
    names = [
        "VID_20240501_120000_00_001.insv", "VID_20240501_120000_10_001.insv", "VID_20240501_120500_00_002.insv",
        "GX010042.MP4", "GX010043.MP4", "GOPR0044.MP4", "GP010045.MP4",
    ]  # fmt: skip
    assert set(names_in(make(tmp_path, *names))) == set(names)


def film_at(path: Path, began: str, frames: int = RATE) -> Path:
    """A video of so many pictures that says when it began."""
    plain = film(path.with_name(f"plain{path.name}"), 0, range(frames))
    with av.open(str(plain)) as source, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        if began:
            made.metadata["creation_time"] = began
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    plain.unlink()
    return path


@pytest.mark.parametrize(
    ("names", "times", "joined"),
    [
        (("C0001.MP4", "C0002.MP4"), ("2024-05-01T12:00:00", "2024-05-01T12:00:01"), True),
        (("C0001.MP4", "C0002.MP4"), ("2024-05-01T12:00:00", "2024-05-01T12:00:20"), False),
        (("C0001.MP4", "C0002.MP4"), ("2024-05-01T12:00:05", "2024-05-01T12:00:00"), False),
        (("C0001.MP4", "C0002.MP4"), ("", ""), False),
        (("C0001.MP4", "C0003.MP4"), ("2024-05-01T12:00:00", "2024-05-01T12:00:01"), False),
        (("DJI_20240501120000_0001_D.MP4", "DJI_20240501120001_0002_D.MP4"),
         ("2024-05-01T12:00:00", "2024-05-01T12:00:01"), True),
        (("DJI_0007.MP4", "DJI_0008.MP4"), ("2024-05-01T12:00:00", "2024-05-01T12:00:01"), True),
    ],
)  # fmt: skip
def test_names_that_count_files_need_times_that_meet(
    names: tuple[str, str], times: tuple[str, str], joined: bool, tmp_path: Path
) -> None:
    first, second = (film_at(tmp_path / name, began) for name, began in zip(names, times, strict=True))
    assert chapters_after(first, [first, second]) == ((second,) if joined else ())
    assert without_later_chapters([first, second]) == ([first] if joined else [first, second])


def test_of_the_same_poses_in_two_formats_one_is_read(tmp_path: Path) -> None:
    for camera in (0, 1):
        stem = tmp_path / f"cam{camera}DLC_resnet50"
        rows = ["scorer,net,net,net", "bodyparts,nose,nose,nose", "coords,x,y,likelihood", f"0,1,{camera},1"]
        stem.with_suffix(".csv").write_text("\n".join(rows))
        with h5py.File(stem.with_suffix(".h5"), "w") as file:
            file["tracks"], file["node_names"] = np.ones((1, 2, 1, 1)), [b"nose"]
        stem.with_suffix(".pickle").write_bytes(b"\x80\x04N.")
    found = clips_in(tmp_path)
    assert [path.suffix for path in found.clips] == [".csv", ".csv"]
    assert {path.suffix for path in found.left_out} == {".h5"}


def test_folders_of_numbered_pictures_are_clips_where_there_is_nothing_else(tmp_path: Path) -> None:
    for name in ("left", "right"):
        for number in range(3):
            make(tmp_path / name)
            cv2.imwrite(str(tmp_path / name / f"pic{number}.png"), picture(0, number))
    make(tmp_path / "notes", "sketch.png", "plan.jpg")
    assert names_in(tmp_path) == ["left", "right"]
    assert not is_image_folder(tmp_path / "notes")
    film(tmp_path / "run" / "cam.mp4", 0, range(3), Fraction(RATE))
    assert names_in(tmp_path) == [], "a folder of takes"
    film(tmp_path / "cam.mp4", 0, range(3), Fraction(RATE))
    assert names_in(tmp_path) == ["cam.mp4"]


def test_results_of_clips_that_differ_in_their_suffix_lie_apart(tmp_path: Path) -> None:
    make(tmp_path, "IMG_1.mp4", "IMG_1.MOV", "img_2.mp4", "IMG_2.AVI", "a.b.mp4", "notes.txt", "walk.mp4", "plain")
    detected(tmp_path / "walk.json", 0)

    def named(name: str) -> str:
        return results_folder(tmp_path / name).name

    assert (named("IMG_1.mp4"), named("IMG_1.MOV")) == ("IMG_1_mp4_posepipe", "IMG_1_MOV_posepipe")
    assert (named("img_2.mp4"), named("IMG_2.AVI")) == ("img_2_mp4_posepipe", "IMG_2_AVI_posepipe")
    assert (named("walk.mp4"), named("walk.json")) == ("walk_posepipe", "walk_json_posepipe")
    assert (named("a.b.mp4"), named("plain")) == ("a.b_posepipe", "plain_posepipe")
