"""Videos are read as they were filmed: every picture once, upright, at its true time, in little memory.

The files are made by the ffmpeg binary, an implementation of all this that is not ours.
"""

from __future__ import annotations

import subprocess
import threading
import tracemalloc
from fractions import Fraction
from itertools import islice
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from footage import decoded
from known_clip import film
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.video import AUDIO_RATE, probe, read_frames, timecode_seconds, write_video
from posepipe.pipeline.runtime.cache import SourceFile
from posepipe.pipeline.stages.frames import extract_frames

FRAMES = 20
GREYS = 30 + 10 * np.arange(FRAMES)
"""Brightness of each picture, which tells its number."""


def ffmpeg(*words: object, stdin: bytes | None = None) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-threads", "1", *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def encode(path: Path, *options: object, size: tuple[int, int] = (64, 48), rate: str = "25") -> Path:
    """A grey video whose brightness tells the frame."""
    raw = np.broadcast_to(GREYS.astype(np.uint8)[:, None, None, None], (FRAMES, size[1], size[0], 3)).tobytes()
    form = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}", "-r", rate, "-i", "pipe:")
    ffmpeg(*form, *options, path, stdin=raw)
    return path


def arrow(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    """A picture whose corners all differ, so that no rotation goes unnoticed."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[: size[1] // 2, : size[0] // 2] = (255, 255, 255)
    picture[size[1] // 2 :, : size[0] // 2] = (0, 0, 255)
    write_video(path, Fraction(25), iter([picture] * 5))
    return path


def numbers_of(path: Path) -> list[int]:
    """Which of ``GREYS`` each decoded picture is."""
    return [int(np.abs(GREYS - picture.mean()).argmin()) for _, picture in read_frames(path, probe(path))]


CODECS = {
    "h264 with B frames": ("a.mp4", (64, 48), ("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p")),
    "hevc": ("a.mp4", (64, 64), ("-c:v", "libx265", "-x265-params", "log-level=none:pools=none:frame-threads=1")),
    "vp9": ("a.webm", (66, 50), ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")),
    "mpeg4": ("a.avi", (64, 48), ("-c:v", "mpeg4", "-q:v", "2")),
    "mjpeg of odd size": ("a.mov", (67, 51), ("-c:v", "mjpeg", "-pix_fmt", "yuvj444p", "-q:v", "2")),
    "ffv1 of odd size": ("a.mkv", (61, 47), ("-c:v", "ffv1")),
    "h264 of odd size": ("a.mkv", (65, 49), ("-c:v", "libx264", "-pix_fmt", "yuv444p")),
    "transport stream": ("a.ts", (64, 48), ("-c:v", "libx264", "-pix_fmt", "yuv420p")),
    "prores": ("a.mov", (64, 48), ("-c:v", "prores_ks")),
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_picture_once_in_order_whatever_the_codec(codec: str, tmp_path: Path) -> None:
    name, size, options = CODECS[codec]
    path = encode(tmp_path / name, *options, size=size)
    facts = probe(path)
    assert numbers_of(path) == list(range(FRAMES))
    assert tuple(facts.image_size) == size
    assert facts.missing_s == 0
    assert facts.rotation == 0
    np.testing.assert_allclose(facts.time, np.arange(FRAMES) / 25, atol=1e-3)
    np.testing.assert_allclose([time for time, _ in read_frames(path, probe(path))], facts.time, atol=1e-9)


def test_a_stage_hands_the_facts_over(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "-pix_fmt", "yuv420p", size=(64, 50))
    frames = extract_frames(SourceFile(path, "key"), False)
    assert frames.image_size.tolist() == [64, 50]
    assert (frames.rate, frames.codec, frames.rotation, frames.missing_s) == ("25", "h264", 0, 0.0)
    assert frames.audio_envelope is None
    with pytest.raises(PosepipeError, match="there is no file"):
        extract_frames(SourceFile(tmp_path / "nowhere.mp4", "key"), False)


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "120", "240000/1001", "12.5"])
def test_rates_are_never_rounded(rate: str, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "-pix_fmt", "yuv420p", rate=rate)
    facts = probe(path)
    assert Fraction(facts.rate) == Fraction(rate)
    np.testing.assert_allclose(facts.time, np.arange(FRAMES) / float(Fraction(rate)), rtol=1e-12)


def test_what_is_written_has_the_exact_rate(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", Fraction(30000, 1001), (np.full((48, 64, 3), g, np.uint8) for g in GREYS))
    assert Fraction(probe(tmp_path / "a.mp4").rate) == Fraction(30000, 1001)
    assert numbers_of(tmp_path / "a.mp4") == list(range(FRAMES))
    with pytest.raises(PosepipeError, match="cannot write"):
        write_video(tmp_path / "nowhere" / "a.mp4", Fraction(25), iter([np.zeros((48, 64, 3), np.uint8)] * 500))


def test_variable_rates_keep_their_true_times(tmp_path: Path) -> None:
    steps = np.array([1, 1, 3, 0.5, 0.5, 10, 1, 2, 1]) / 30
    time = 7.25 + np.concatenate([[0], np.cumsum(steps)])  # the container's clock starts anywhere
    path = film(tmp_path / "a.mp4", time)
    np.testing.assert_allclose(probe(path).time, time - time[0], atol=2e-5)
    np.testing.assert_allclose(
        [seconds for seconds, _ in read_frames(path, probe(path))], probe(path).time, atol=1e-9
    )
    assert [round((picture.mean() - 40) / 10) for _, picture in read_frames(path, probe(path))] == list(
        range(len(time))
    )


def test_what_an_edit_list_cuts_off_is_neither_counted_nor_shown(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", "-pix_fmt", "yuv420p", "-g", "50")
    ffmpeg("-ss", "0.3", "-i", whole, "-c", "copy", tmp_path / "cut.mp4")
    shown = numbers_of(tmp_path / "cut.mp4")
    assert shown == list(range(FRAMES))[-len(shown) :]
    assert 10 <= len(shown) <= 13
    times = [time for time, _ in read_frames(tmp_path / "cut.mp4", probe(tmp_path / "cut.mp4"))]
    np.testing.assert_allclose(probe(tmp_path / "cut.mp4").time, times, atol=1e-9)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotation_is_applied_once(turn: int, tmp_path: Path) -> None:
    plain = arrow(tmp_path / "plain.mp4")
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", turn, "-i", plain, "-c", "copy", turned)
    facts = probe(turned)
    width, height = facts.image_size.tolist()
    assert tuple(facts.image_size) == ((64, 48) if turn % 180 == 0 else (48, 64))
    shown = np.frombuffer(ffmpeg("-i", turned, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"), np.uint8)
    ours = np.stack([picture for _, picture in read_frames(turned, probe(turned))])
    assert ours.shape == (5, height, width, 3)
    assert np.abs(ours.astype(int) - shown.reshape(ours.shape)).mean() < 2
    assert facts.rotation == (-turn) % 360  # ffmpeg counts counter-clockwise


CLICKS = (0.5, 1.2, 1.67)


def with_clicks(path: Path, *options: object, delay: float = 0.0) -> Path:
    """A video of 2 s with clicks of 10 ms, its sound delayed against its pictures."""
    clicks = "+".join(f"between(t,{at},{at + 0.01})" for at in CLICKS)
    sound = f"aevalsrc='0.9*sin(2*PI*1000*t)*({clicks})':s=48000:d=2"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x48:r=25:d=2", "-itsoffset", delay, "-f", "lavfi", "-i", sound,
           "-pix_fmt", "yuv420p", *options, path)  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ("-c:a", "aac")),
        ("a.mov", ("-c:a", "pcm_s16le")),
        ("a.avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_u8")),
        ("a.mkv", ("-c:a", "pcm_s24le", "-af", "pan=stereo|c0=c0|c1=c0")),
    ],
)
@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_the_sound_lies_where_the_pictures_are(
    name: str, options: tuple[str, ...], delay: float, tmp_path: Path
) -> None:
    if name == "a.avi" and delay:
        pytest.skip("AVI has no place for a delay")
    envelope = probe(with_clicks(tmp_path / name, *options, delay=delay)).audio_envelope
    assert envelope is not None
    heard = np.flatnonzero(envelope > 0.25) / AUDIO_RATE
    for click in CLICKS:
        assert np.abs(heard - click - delay).min() <= 0.015
    assert np.abs(heard[:, None] - np.array(CLICKS) - delay).min(1).max() <= 0.03
    assert envelope.max() == pytest.approx(0.9 / np.sqrt(2), rel=0.2)
    assert np.median(envelope) < 0.01
    assert len(envelope) == pytest.approx((2 + delay) * AUDIO_RATE, abs=8)


def test_of_a_truncated_file_the_readable_part_is_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)  # noise, so that all frames have about the same size
    whole = tmp_path / "whole.mp4"
    write_video(whole, Fraction(25), (rng.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(100)))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    facts, _ = decoded(cut)
    assert 55 <= len(facts.time) <= 65
    assert facts.missing_s == pytest.approx(4 - len(facts.time) / 25, abs=0.05)
    assert len(list(read_frames(cut, facts))) == len(facts.time)
    (sentence,) = facts.lost
    assert sentence == f"breaks off after {len(facts.time) / 25:.1f} s of 4.0 s; the rest is used"
    assert decoded(whole)[0].missing_s == 0


@pytest.mark.parametrize("kept", [0.02, 0.6])
def test_a_truncated_file_without_its_index_is_refused(kept: float, tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", "-pix_fmt", "yuv420p").read_bytes()  # the index is at the end
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(PosepipeError, match=r"copy it from the camera again|no picture"):
        probe(cut)


def test_a_damaged_place_is_left_out(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ts", "-c:v", "libx264", "-g", "5", "-bf", "0", "-pix_fmt", "yuv420p")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    shown = numbers_of(path)
    assert len(shown) >= FRAMES // 2
    assert shown == sorted(shown)
    assert 0 in shown
    assert FRAMES - 1 in shown


def write_text(path: Path) -> Path:
    path.write_text("not a video at all\n" * 50)
    return path


def write_nothing(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def write_sound(path: Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", path)
    return path


def write_header(path: Path) -> Path:
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom")
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (write_text, "not a video that FFmpeg can read"),
        (write_nothing, "is empty"),
        (write_sound, "holds sound but no picture"),
        (write_header, "FFmpeg can read|no readable picture|no picture"),
        (lambda path: path, "there is no file"),
        (lambda path: path.mkdir() or path, "a.mp4"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(make, sentence: str, tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4")
    with pytest.raises(PosepipeError, match=sentence) as caught:
        probe(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_cover_art_is_no_picture(tmp_path: Path) -> None:
    sound, cover = write_sound(tmp_path / "s.m4a"), tmp_path / "c.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48", "-frames:v", "1", cover)
    song = tmp_path / "song.mp4"
    ffmpeg("-i", sound, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", song)
    with pytest.raises(PosepipeError, match="holds sound but no picture"):
        probe(song)


def test_memory_does_not_grow_with_the_length_of_the_clip(tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        path = tmp_path / f"{frames}.mp4"
        write_video(path, Fraction(25), (np.full((120, 160, 3), index % 250, np.uint8) for index in range(frames)))
        tracemalloc.start()
        count = sum(1 for _ in read_frames(path, probe(path)))
        probe(path)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == frames
        return size

    peak(30)
    picture = 120 * 160 * 3
    assert peak(300) - peak(60) < 2 * picture  # 240 more pictures


def test_a_reader_that_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "-pix_fmt", "yuv420p")
    before = threading.active_count()
    pictures = read_frames(path, probe(path), ahead=2)
    assert len(list(islice(pictures, 3))) == 3
    pictures.close()
    assert threading.active_count() == before


def test_the_clip_is_readable_by_browsers(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", Fraction(25), iter([np.zeros((48, 64, 3), np.uint8)] * 3))
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays before it is loaded
    assert probe(tmp_path / "a.mp4").codec == "h264"


@pytest.mark.parametrize(
    ("code", "rate", "seconds"),
    [
        ("01:00:00:12", Fraction(25), 3600.48),
        ("00:01:00;02", Fraction(30000, 1001), 1800 * 1001 / 30000),  # numbers 0 and 1 of the minute are dropped
        ("00:10:00;00", Fraction(30000, 1001), 17982 * 1001 / 30000),
        ("00:01:00;04", Fraction(60000, 1001), 3600 * 1001 / 60000),
        ("noon", Fraction(25), None),
    ],
)
def test_a_timecode_is_a_time_of_day(code: str, rate: Fraction, seconds: float | None) -> None:
    assert timecode_seconds(code, rate) == (None if seconds is None else pytest.approx(seconds))


def test_a_timecode_in_the_container_is_read(tmp_path: Path) -> None:
    video = tmp_path / "a.mov"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x48:r=25:d=0.2", "-timecode", "10:00:01:05", video)
    assert probe(video).timecode_s == pytest.approx(36001.2)
