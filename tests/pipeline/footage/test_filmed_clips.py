"""Recordings in several files, folders of pictures and parts of clips are read as any other clip."""

from __future__ import annotations

import subprocess
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from footage import RATE, FakeDetector, decoded, film, picture, picture_size
from posepipe.pipeline.arrays import Frames
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.recording import describe_clip
from posepipe.pipeline.footage.video import Filmed, as_decoded, probe_clip, read_clip, read_clip_keys
from posepipe.pipeline.runs.clip_chain import ClipChain
from posepipe.pipeline.runtime.cache import Cache, SourceFile
from posepipe.pipeline.settings import DetectSettings, Settings
from posepipe.pipeline.stages.detect import detect_in_parts
from posepipe.pipeline.stages.frames import cut_frames, cut_people
from posepipe.pipeline.stages.scan import find_parts


def seen(video: SourceFile, frames: Frames, parts: list[tuple[float, float]] | None = None) -> dict[float, int]:
    """The instant that each picture shows, by its time."""
    with closing(read_clip(video, frames, parts=parts)) as pictures:
        return {round(time, 4): FakeDetector.number(image)[1] for time, image in pictures}


def stamped(instants: range, start: float = 0.0) -> dict[float, int]:
    return {round(start + number / RATE, 4): instant for number, instant in enumerate(instants)}


@pytest.fixture(scope="module")
def chapters(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """A recording of 75 instants in files of 30, 30 and 15."""
    folder = tmp_path_factory.mktemp("chapters")
    files = [
        film(folder / f"GX0{number + 1}0042.MP4", 1, range(30 * number, min(30 * number + 30, 75)))
        for number in range(3)
    ]
    return Filmed(files[0], "key", tuple(files[1:]))


def test_chapters_are_one_clip_of_the_joined_length(chapters: Filmed) -> None:
    frames = probe_clip(chapters)
    np.testing.assert_allclose(frames.time, np.arange(75) / RATE, atol=1e-6)
    assert seen(chapters, frames) == stamped(range(75))
    times = [time for time, _ in read_clip_keys(chapters, frames)]
    assert times == sorted(times)
    assert {0.0, 1.2, 2.4} <= {round(time, 4) for time in times}


def test_parts_of_chapters_reach_over_their_ends(chapters: Filmed) -> None:
    frames = probe_clip(chapters)
    assert seen(chapters, frames, [(1.0, 1.4)]) == stamped(range(25, 36), 1.0)
    assert seen(chapters, frames, [(0.0, 0.08), (2.8, 2.96)]) == stamped(range(3)) | stamped(range(70, 75), 2.8)
    part = cut_frames(frames, 1.0, 2.6)
    assert seen(chapters, part) == stamped(range(25, 65), 1.0)
    assert seen(chapters, part, [(0.0, 1.12)]) == stamped(range(25, 29), 1.0)
    assert [1.0 <= time < 2.6 for time, _ in read_clip_keys(chapters, part)].count(False) == 0


def test_chapters_of_another_size_are_no_chapters(tmp_path: Path) -> None:
    first, second = film(tmp_path / "GX010042.MP4", 0, range(5)), film(tmp_path / "GX020042.MP4", 1, range(5))
    with pytest.raises(PosepipeError, match="another size"):
        probe_clip(Filmed(first, "", (second,)))


def test_the_sound_of_chapters_is_joined_where_they_begin() -> None:
    from posepipe.pipeline.footage.video.source import _joined_sound

    sound = np.arange(1.0, 6.0, dtype=np.float32)
    joined = _joined_sound([0.0, 0.02, 0.05], [sound, None, sound[:2]])
    assert joined is not None
    np.testing.assert_array_equal(joined, [*sound, *np.zeros(20), 1, 2])
    assert _joined_sound([0.0, 1.0], [None, None]) is None


def image_folder(folder: Path, numbers: range, name: str = "pic{:04d}.png") -> Path:
    folder.mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), picture(1, number))
    return folder


@pytest.mark.parametrize("name", ["pic{:04d}.png", "{}.bmp", "Bild-{:03d}_links.tif"])
def test_a_folder_of_pictures_is_a_clip(name: str, tmp_path: Path) -> None:
    clip = Filmed(image_folder(tmp_path / "übung 1", range(8, 12), name), "", rate_hz=RATE)
    frames = probe_clip(clip)
    assert (tuple(frames.image_size), frames.rate, frames.filmed) == (picture_size(1), str(RATE), True)
    assert seen(clip, frames) == stamped(range(8, 12))
    assert seen(clip, frames, [(0.04, 0.08)]) == stamped(range(9, 11), 0.04)
    assert seen(clip, cut_frames(frames, 0.08, np.inf)) == stamped(range(10, 12), 0.08)


def test_lost_and_damaged_pictures_leave_their_time_free(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "clip", range(6))
    (folder / "pic0002.png").unlink()
    (folder / "pic0004.png").write_bytes(b"damaged")
    (folder / "pic0005.png").write_bytes(b"")
    clip = Filmed(folder, "", rate_hz=RATE)
    frames, _ = decoded(clip)
    np.testing.assert_allclose(frames.time, [0, 0.04, 0.12])
    assert frames.lost == ["is damaged: 2 of its pictures are damaged or missing; the rest is used"]
    assert list(seen(clip, frames)) == [0, 0.04, 0.12]


def test_numbers_that_count_something_else_are_no_times(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "clip", range(0, 40, 10))
    np.testing.assert_allclose(probe_clip(Filmed(folder, "", rate_hz=10.0)).time, [0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("kind", ["nothing", "sizes", "rate"])
def test_a_folder_of_pictures_that_is_no_clip_is_refused(kind: str, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "clip", range(2))
    if kind == "nothing":
        for path in folder.iterdir():
            path.write_bytes(b"damaged")
    if kind == "sizes":
        cv2.imwrite(str(folder / "pic0002.png"), picture(0, 2))
    sentence = {
        "nothing": "no picture that can be read",
        "sizes": "different sizes",
        "rate": "--set pictures.rate_hz=",
    }
    with pytest.raises(PosepipeError, match=sentence[kind]):
        decoded(Filmed(folder, "", rate_hz=None if kind == "rate" else RATE))


def test_a_part_has_the_frames_between_its_ends_in_the_times_of_the_clip(tmp_path: Path) -> None:
    clip = SourceFile(film(tmp_path / "clip.mp4", 1, range(50)), "")
    whole = probe_clip(clip)
    part = cut_frames(whole, 0.4, 1.2)
    np.testing.assert_allclose(part.time, np.arange(10, 30) / RATE, atol=1e-9)
    assert (part.is_part, part.missing_s) == (True, 0.0)
    np.testing.assert_array_equal(part.whole_time, whole.time)
    assert seen(clip, part) == stamped(range(10, 30), 0.4)
    inner = cut_frames(part, 0.8, np.inf)
    assert (len(inner.time), len(inner.whole_time)) == (10, 50)
    with pytest.raises(PosepipeError, match=r"lasts from 0\.0 s to 2\.0 s"):
        cut_frames(whole, 30, 40)


def test_the_first_look_at_a_part_sees_nothing_else(tmp_path: Path) -> None:
    clip = SourceFile(film(tmp_path / "clip.mp4", 1, range(100)), "")
    part = cut_frames(probe_clip(clip), 1.0, 3.0)
    detector = FakeDetector()
    parts = find_parts(clip, part, detector)
    assert parts.part.min() >= 1.0

    found = Cache(tmp_path).run(detect_in_parts, clip, part, parts, detector, settings=DetectSettings())
    np.testing.assert_allclose(found.time, part.time, atol=1e-6)


def test_people_are_cut_as_frames_are(tmp_path: Path) -> None:
    from footage import found_people

    time = np.arange(6) / RATE
    joints = np.arange(6 * 2 * 17 * 2, dtype=np.float32).reshape(6, 2, 17, 2)
    found = found_people([joints[frame] for frame in range(6)], time)
    cut = cut_people(found, 0.08, 0.16)
    np.testing.assert_allclose(cut.time, time[2:4])
    np.testing.assert_array_equal(cut.frame, [0, 0, 1, 1])
    np.testing.assert_array_equal(cut.keypoint, joints[2:4].reshape(-1, 17, 2))


def test_rates_are_exact_fractions(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "clip", range(2))
    assert Fraction(probe_clip(Filmed(folder, "", rate_hz=60000 / 1001)).rate) == Fraction(60000, 1001)


def test_what_was_lost_is_said_of_the_part_that_is_used(tmp_path: Path) -> None:
    whole = replace(probe_clip(SourceFile(film(tmp_path / "clip.mp4", 1, range(50)), "")), missing_s=1.0)
    assert as_decoded(whole, whole.time[:40], 0).lost == ["breaks off after 1.6 s of 3.0 s; the rest is used"]
    assert as_decoded(whole, whole.time, 1).lost == [
        "is damaged: 1 of its pictures is damaged or missing; the rest is used",
        "breaks off after 2.0 s of 3.0 s; the rest is used",
    ]
    part = cut_frames(whole, 0.4, 1.2)
    assert as_decoded(part, part.time[:10], 0).lost == []
    rest = cut_frames(whole, 1.2, np.inf)
    assert as_decoded(rest, rest.time, 0).lost == ["breaks off after 2.0 s of 3.0 s; the rest is used"]


def test_a_chapter_that_breaks_off_is_named(tmp_path: Path) -> None:
    files = [film(tmp_path / f"GX0{number + 1}0042.MP4", 1, range(25)) for number in range(3)]
    whole = Filmed(files[0], "", tuple(files[1:]))
    starts = probe_clip(whole).chapter_starts
    with av.open(str(files[1])) as container:
        ends = [packet.pos for packet in container.demux(video=0) if packet.size]
    files[1].write_bytes(files[1].read_bytes()[: ends[15]])
    frames, pictures = decoded(whole)
    assert len(pictures) == len(frames.time) < 75
    assert frames.chapter_starts == starts
    assert frames.lost[0].startswith("goes on in GX020042.MP4, which breaks off after")
    assert {round(float(time), 4) for time in frames.time} >= {round(2 + number / RATE, 4) for number in range(25)}


@pytest.mark.parametrize("kind", ["frames in their order", "a clock set anew", "fields"])
def test_a_part_of_a_clip_is_the_same_pictures_however_their_times_are_known(kind: str, tmp_path: Path) -> None:
    """Of the first two all pictures are decoded, as it is only then known which belong to the part."""
    whole = film(tmp_path / "whole.mp4", 1, range(50))
    path = tmp_path / ("clip.avi" if kind == "frames in their order" else "clip.ts")
    words = {"fields": ("-c:v", "libx264", "-flags", "+ilme+ildct", "-x264-params", "tff=1")}
    codec = words.get(kind, ("-c:v", "libx264", "-crf", "10", "-bf", "3"))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", whole, "-pix_fmt", "yuv420p", *codec, path]
    subprocess.run(command, check=True)
    if kind == "a clock set anew":
        path.write_bytes(2 * path.read_bytes())
    chain = ClipChain(Cache(tmp_path / "cache"), Settings(), None)
    found = {}
    for name, part in (("all", (-np.inf, np.inf)), ("part", (0.6, 1.4))):
        opened = chain.open(describe_clip(path), SourceFile(path, "clip"), "clip", part)
        found[name] = chain.detect(opened, FakeDetector(), "clip")
    (clip, people), (part, few) = found["all"], found["part"]
    inside = (clip.frames.time >= 0.6 - 1e-6) & (clip.frames.time < 1.4 - 1e-6)
    np.testing.assert_allclose(part.frames.time, clip.frames.time[inside], atol=1e-9)
    np.testing.assert_array_equal(few.time, part.frames.time)
    kept = inside[people.frame]
    np.testing.assert_array_equal(few.keypoint, people.keypoint[kept])
    with closing(read_clip(part.source, part.frames)) as pictures:
        assert [time for time, _ in pictures] == part.frames.time.tolist()


def test_a_part_in_which_no_picture_can_be_decoded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    words = ("-i", film(tmp_path / "a.mp4", 1, range(50)), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *words, path], check=True)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for place, size in places[25:]:
        data[place + 16 : place + size] = bytes(size - 16)
    path.write_bytes(data)
    chain = ClipChain(Cache(tmp_path / "cache"), Settings(), None)
    opened = chain.open(describe_clip(path), SourceFile(path, "clip"), "clip", (1.2, 2.0))
    with pytest.raises(PosepipeError, match="can be decoded; is it damaged"):
        chain.detect(opened, FakeDetector(), "clip")
