"""What the decoder gives is the truth: one list of pictures with rising times, however a file was cut or stored.

The files are made by the ffmpeg binary and damaged here; the brightness of a picture tells its number.
"""

from __future__ import annotations

import itertools
import random
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from footage import decoded
from hypothesis import given, settings
from hypothesis import strategies as st
from known_clip import film
from posepipe.pipeline.arrays import Frames
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.video import AUDIO_RATE, probe, read_frames, read_key_frames
from posepipe.pipeline.footage.video.clock import rate_of, rising_times

from tools.damage import damaged

FRAMES, RATE = 20, 25
GREYS = 30 + 10 * np.arange(FRAMES)
YUV = ("-pix_fmt", "yuv420p")


def ffmpeg(*words: object, stdin: bytes | None = None) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-threads", "1", *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def encode(path: Path, *options: object, pictures: np.ndarray | None = None) -> Path:
    """A video of pictures (F, H, W, 3) uint8, by default grey ones whose brightness tells the frame."""
    if pictures is None:
        pictures = np.broadcast_to(GREYS.astype(np.uint8)[:, None, None, None], (FRAMES, 48, 64, 3))
    size = f"{pictures.shape[2]}x{pictures.shape[1]}"
    form = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", size, "-r", RATE, "-i", "pipe:")
    ffmpeg(*form, *options, path, stdin=np.ascontiguousarray(pictures).tobytes())
    return path


def agreeing(path: Path) -> tuple[Frames, list[int]]:
    """What a video holds, and which of ``GREYS`` each of its pictures is; the list and the pictures must agree.

    They are decoded once, for the list, and then again, as for an overlay.
    """
    frames, first = decoded(path)
    shown = list(read_frames(path, frames))
    assert [time for time, _ in shown] == frames.time.tolist()
    assert len(first) == len(shown)
    if not frames.lost:  # what is made up for a damaged picture may differ
        assert all(np.array_equal(one, other) for (_, one), other in zip(shown, first, strict=True))
    assert (np.diff(frames.time) > 0).all()
    assert frames.time[0] == 0
    width, height = frames.image_size
    assert {picture.shape for _, picture in shown} == {(height, width, 3)}
    return frames, [int(np.abs(GREYS - picture.mean()).argmin()) for _, picture in shown]


def packets(path: Path) -> list[tuple[int, int]]:
    """Position and length of each packet of pictures."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


# ------------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize("codec", [("-c:v", "libx264", "-bf", "3"), ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2")])
def test_frames_that_were_reordered_are_in_order_in_avi_as_well(codec: tuple[str, ...], tmp_path: Path) -> None:
    frames, numbers = agreeing(encode(tmp_path / "a.avi", *codec, *YUV))
    assert numbers == list(range(FRAMES))
    np.testing.assert_allclose(frames.time, np.arange(FRAMES) / RATE, atol=1e-9)
    if frames.own_times:
        keys = list(read_key_frames(tmp_path / "a.avi", frames))
        assert {time for time, _ in keys} <= set(frames.time.tolist())


def test_a_clock_that_was_set_anew_goes_on(tmp_path: Path) -> None:
    """Recorders that were stopped and started write one transport stream in which time begins again."""
    one = encode(tmp_path / "one.ts", "-c:v", "libx264", "-bf", "0", *YUV, "-muxdelay", "0").read_bytes()
    (tmp_path / "a.ts").write_bytes(one + one + one)
    frames, numbers = agreeing(tmp_path / "a.ts")
    assert numbers == [*range(FRAMES)] * 3
    np.testing.assert_allclose(frames.time, np.arange(3 * FRAMES) / RATE, atol=1e-4)
    assert not frames.own_times
    parts = [(0.7, 0.9), (1.7, 1.9)]
    wanted = [time for time in frames.time.tolist() if any(a <= time <= b for a, b in parts)]
    assert [time for time, _ in read_frames(tmp_path / "a.ts", frames, parts=parts)] == wanted


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=60), st.integers(1, 90_000))
def test_times_rise_whatever_the_stamps_are(stamps: list[int | None], unit: int) -> None:
    times = rising_times(stamps, Fraction(1, unit), Fraction(30))
    assert len(times.time) == len(stamps)
    assert times.time[0] == 0
    assert (np.diff(times.time) > 0).all()


def test_stamps_that_rise_are_the_times() -> None:
    times = rising_times([900, 3903, 6906, 12912], Fraction(1, 90_000), Fraction(30))
    assert times.own
    assert times.origin_s == pytest.approx(0.01)
    np.testing.assert_array_equal(times.time, np.array([0, 3003, 6006, 12012]) / 90_000)
    gaps = rising_times([0, None, None, 3], Fraction(1, 10), Fraction(10))
    np.testing.assert_allclose(gaps.time, [0, 0.1, 0.2, 0.3])
    assert not gaps.own
    np.testing.assert_allclose(rising_times([None] * 3, Fraction(1, 10), Fraction(5)).time, [0, 0.2, 0.4])
    np.testing.assert_allclose(rising_times([0, 1, 1, 2], Fraction(1), Fraction(1)).time, [0, 1, 1.5, 2])


def test_the_rate_is_that_of_the_times(tmp_path: Path) -> None:
    ms = np.round(np.arange(100) / 30, 3)
    assert rate_of(ms, (Fraction(1000),), 1e-3) == pytest.approx(30, rel=1e-3)
    assert rate_of(ms, (Fraction(30),), 1e-3) == 30
    assert rate_of(ms, (None, Fraction(30000, 1001)), 1e-3) == pytest.approx(30, rel=1e-3)
    hole = np.delete(np.arange(100) / 30, range(40, 44))
    assert rate_of(hole, (Fraction(30),), 1e-4) == 30  # a few pictures that were lost change no rate
    slower = np.concatenate([np.arange(60) / 60, 1 + np.arange(40) / 20])
    assert rate_of(slower, (Fraction(60), Fraction(20)), 1e-4) == pytest.approx(99 / slower[-1], rel=1e-5)
    assert rate_of(np.zeros(1), (Fraction(24),), 1e-3) == 24
    uneven = np.cumsum([0, *np.random.default_rng(0).uniform(0.027, 0.053, 19)])
    frames = probe(film(tmp_path / "a.mkv", uneven))
    assert float(Fraction(frames.rate)) == pytest.approx(19 / uneven[-1], rel=1e-3)


# ------------------------------------------------------------------------------- what cannot be decoded, or is lost


def test_a_stream_that_begins_between_key_frames_begins_with_its_first_picture(tmp_path: Path) -> None:
    """And its sound with it: what is heard before has no time."""
    click = "aevalsrc='0.9*sin(2*PI*1000*t)*between(t,0.6,0.62)':s=48000:d=0.8"
    sound = ("-f", "lavfi", "-i", click, "-c:a", "mp2", "-b:a", "192k")
    whole = encode(tmp_path / "whole.ts", *sound, "-c:v", "libx264", "-g", "10", "-bf", "0", *YUV, "-muxdelay", "0")
    start = packets(whole)[3][0]
    (tmp_path / "a.ts").write_bytes(whole.read_bytes()[: 188 * 3] + whole.read_bytes()[start // 188 * 188 :])
    frames, numbers = agreeing(tmp_path / "a.ts")
    assert numbers == list(range(10, FRAMES))
    assert frames.lost == ["begins between two key frames: its first 0.3 s cannot be decoded; the rest is used"]
    assert frames.audio_envelope is not None
    assert np.argmax(frames.audio_envelope > 0.3) / AUDIO_RATE == pytest.approx(0.6 - 10 / RATE, abs=0.02)


@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv"])
def test_hevc_that_was_cut_without_encoding_it(suffix: str, tmp_path: Path) -> None:
    words = (
        "-c:v",
        "libx265",
        "-x265-params",
        "log-level=none:pools=none:frame-threads=1:keyint=8:min-keyint=8:open-gop=1:bframes=3",
    )
    whole = encode(tmp_path / "whole.mp4", *words, *YUV, pictures=_moving(40))
    ffmpeg("-ss", "0.64", "-i", whole, "-c", "copy", tmp_path / f"cut.{suffix}")
    frames, _ = agreeing(tmp_path / f"cut.{suffix}")
    assert 20 <= len(frames.time) <= 28


def _moving(count: int) -> np.ndarray:
    """A bar (F, 96, 128, 3) uint8 that moves by four pixels a frame."""
    pictures = np.full((count, 96, 128, 3), 60, np.uint8)
    for number, picture in enumerate(pictures):
        picture[:, 2 + 3 * number : 10 + 3 * number] = 200
    return pictures


def test_pictures_that_are_lost_in_the_middle_are_said(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "-c:v", "libx264", "-bf", "2", "-g", "6", *YUV)
    data = bytearray(path.read_bytes())
    for position, size in packets(path)[7:10]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    frames, _ = agreeing(path)
    assert FRAMES - 6 <= len(frames.time) < FRAMES
    (sentence,) = frames.lost
    assert sentence.endswith("of its pictures are damaged or missing; the rest is used")
    assert frames.rate == str(RATE)


@pytest.mark.parametrize(("suffix", "options"), [
    ("mp4", ("-c:v", "libx264", "-movflags", "+faststart")),
    ("mkv", ("-c:v", "mjpeg", "-q:v", "2")),
    ("avi", ("-c:v", "mjpeg", "-q:v", "2")),
])  # fmt: skip
def test_a_file_that_breaks_off_says_so(suffix: str, options: tuple[str, ...], tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    pixels = "yuvj420p" if "mjpeg" in options else "yuv420p"
    path = encode(tmp_path / f"a.{suffix}", *options, "-pix_fmt", pixels, pictures=pictures)
    assert decoded(path)[0].lost == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames, _ = agreeing(path)
    assert 25 <= len(frames.time) <= 32
    assert frames.lost[-1] == f"breaks off after {len(frames.time) / RATE:.1f} s of 2.0 s; the rest is used"


MADE: dict[str, Path] = {}


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 10**6), kind=st.sampled_from(("mp4", "mkv", "ts", "avi", "webm")))
def test_damaged_files_do_not_contradict_themselves(tmp_path_factory, number: int, kind: str) -> None:
    """Flipped, cut, glued, swapped: a sentence, or one list. ``tools/fuzz_files.py`` tries more."""
    if not MADE:
        folder = tmp_path_factory.mktemp("whole")
        sound = ("-f", "lavfi", "-i", "sine=d=0.8")
        for name, codec in {
            "mp4": "libx264",
            "mkv": "libx264",
            "ts": "mpeg2video",
            "avi": "mpeg4",
            "webm": "libvpx",
        }.items():
            MADE[name] = encode(folder / f"a.{name}", *sound, "-c:v", codec, "-g", "5", *YUV)
    rng = random.Random(number)
    path = tmp_path_factory.mktemp("damaged") / f"a.{kind}"
    path.write_bytes(damaged(MADE[kind].read_bytes(), rng, rng.choice([*MADE.values()]).read_bytes()))
    try:
        agreeing(path)
    except PosepipeError as error:
        assert "\n" not in str(error)


# ------------------------------------------------------------------------------------------------------- tracks


def test_the_largest_picture_track_is_the_film(tmp_path: Path) -> None:
    small, large = encode(tmp_path / "s.mp4", "-vf", "scale=32:24,fps=5", *YUV), encode(tmp_path / "l.mp4", *YUV)
    two = tmp_path / "two.mp4"
    ffmpeg("-i", small, "-i", large, "-map", "0:v", "-map", "1:v", "-c", "copy", two)
    frames, numbers = agreeing(two)
    assert numbers == list(range(FRAMES))
    assert frames.changed == ["holds several picture tracks, of which the one of 64x48 px is used"]
    still = encode(tmp_path / "still.mp4", "-vf", "scale=320:240", "-frames:v", "1", *YUV)
    ffmpeg("-i", still, "-i", large, "-map", "0:v", "-map", "1:v", "-c", "copy", two)
    assert len(probe(two).time) == FRAMES


def unknown(data: bytes) -> bytes:
    """The entry of a sound track as of a codec that nobody knows."""
    return data.replace(b"mp4a", b"apac").replace(b"esds", b"dapa").replace(b"wave", b"wavx")


def test_sound_without_a_decoder_is_passed_over(tmp_path: Path) -> None:
    noise = ("-f", "lavfi", "-i", "anoisesrc=d=0.8:a=0.3")
    one = encode(tmp_path / "one.mov", *noise, "-c:a", "aac", *YUV)
    one.write_bytes(unknown(one.read_bytes()))
    frames, _ = agreeing(one)
    assert frames.audio_envelope is None
    assert frames.changed == ["has sound that cannot be decoded; the sound is not used"]
    two = encode(
        tmp_path / "two.mov", *noise, *noise, "-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:a", "aac", *YUV
    )
    data = two.read_bytes()
    second = data.index(b"trak", data.index(b"mp4a"))
    two.write_bytes(unknown(data[:second]) + data[second:])
    frames, _ = agreeing(two)
    assert frames.audio_envelope is not None
    assert frames.changed == []


@pytest.mark.parametrize("layout", ["mono", "5.1", "7.1"])
def test_sound_of_many_channels(layout: str, tmp_path: Path) -> None:
    sound = ("-f", "lavfi", "-i", "sine=d=0.8:r=48000", "-af", f"aformat=channel_layouts={layout}", "-c:a", "aac")
    frames = probe(encode(tmp_path / "a.mp4", *sound, *YUV))
    assert frames.audio_envelope is not None
    assert frames.audio_envelope.max() > 0.01


# ------------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize(
    ("name", "codec", "aspect", "width"),
    [
        ("a.mp4", "libx264", "4/3", 128),
        ("a.mp4", "libx264", "8/9", 85),
        ("a.mpg", "mpeg2video", "4/3", 128),
        ("a.mkv", "mpeg4", "12/11", 105),
    ],
)
def test_pixels_are_made_square(name: str, codec: str, aspect: str, width: int, tmp_path: Path) -> None:
    pictures = np.zeros((5, 72, 96, 3), np.uint8)
    pictures[:, :, 48:] = 255
    path = encode(tmp_path / name, "-vf", f"setsar={aspect}", "-c:v", codec, *YUV, pictures=pictures)
    frames, _ = agreeing(path)
    assert frames.image_size.tolist() == [width, 72]
    (sentence,) = frames.changed
    assert f"stretched to {width}x72 px" in sentence
    _, picture = next(iter(read_frames(path, frames)))
    edge = np.argmax(picture[32, :, 0] > 128)
    assert edge == pytest.approx(width / 2, abs=1)


def test_pixels_that_are_not_square_lie_on_their_side(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "-vf", "setsar=2/1", *YUV, pictures=np.zeros((3, 64, 96, 3), np.uint8))
    ffmpeg("-display_rotation", 90, "-i", path, "-c", "copy", tmp_path / "turned.mp4")
    frames, _ = agreeing(tmp_path / "turned.mp4")
    assert frames.image_size.tolist() == [64, 192]


MATRICES = [
    [*turn, *flip]
    for turn in ((), ("-display_rotation", 90), ("-display_rotation", 180), ("-display_rotation", -90))
    for flip in ((), ("-display_hflip",), ("-display_vflip",), ("-display_hflip", "-display_vflip"))
]


def corners(path: Path) -> Path:
    """A video of a picture whose corners all differ."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[24:, :32] = 255, (0, 0, 255)
    return encode(path, "-crf", "1", *YUV, pictures=np.stack([picture] * 3))


@pytest.mark.parametrize("matrix", MATRICES, ids=lambda matrix: " ".join(map(str, matrix)) or "none")
def test_display_matrices_are_obeyed(matrix: list[object], tmp_path: Path) -> None:
    plain, stored = corners(tmp_path / "plain.mp4"), tmp_path / "stored.mp4"
    ffmpeg(*matrix, "-i", plain, "-c", "copy", stored)
    shown = np.frombuffer(ffmpeg("-i", stored, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"), np.uint8)
    frames, _ = agreeing(stored)
    ours = np.stack([picture for _, picture in read_frames(stored, frames)])
    assert np.abs(ours.astype(int) - shown.reshape(ours.shape)).mean() < 2


@pytest.mark.parametrize("matrix", MATRICES[:2])
def test_a_mirrored_camera_is_turned_back(matrix: list[object], tmp_path: Path) -> None:
    plain, stored = corners(tmp_path / "plain.mp4"), tmp_path / "stored.mp4"
    ffmpeg(*matrix, "-i", plain, "-c", "copy", stored)
    _, shown = next(iter(read_frames(stored, probe(stored))))
    frames = probe(stored, mirrored=True)
    _, turned = next(iter(read_frames(stored, frames)))
    np.testing.assert_array_equal(turned, shown[:, ::-1])
    assert any("mirrored" in sentence for sentence in frames.changed)


def fields(order: str, flagged: bool) -> tuple[str, ...]:
    """How ffmpeg makes interlaced pictures of fields that follow each other."""
    woven = f"tinterlace=interleave_{'top' if order == 'tff' else 'bottom'},setfield={order if flagged else 'prog'}"
    flags = ("-flags", "+ilme+ildct", "-x264-params", f"{order}=1") if flagged else ()
    return "-vf", woven, "-c:v", "libx264", "-crf", "5", *flags


@pytest.mark.parametrize(("order", "flagged"), list(itertools.product(("tff", "bff"), (True, False))))
def test_interlaced_pictures_are_split_into_their_fields(order: str, flagged: bool, tmp_path: Path) -> None:
    frames, _ = agreeing(encode(tmp_path / "a.mp4", *fields(order, flagged), *YUV, pictures=_moving(36)))
    assert frames.field_order == order
    assert float(Fraction(frames.rate)) == RATE
    assert len(frames.time) == 36
    np.testing.assert_allclose(np.diff(frames.time), 1 / RATE, atol=1e-6)
    assert frames.changed == ["is interlaced: each picture is split into its two fields, 25 a second"]
    bar = [
        np.flatnonzero(picture[20:76, :, 0].mean(0) > 130).mean()
        for _, picture in read_frames(tmp_path / "a.mp4", frames)
    ]
    np.testing.assert_allclose(bar, 5.5 + 3 * np.arange(36), atol=1)


@pytest.mark.parametrize("flagged", [True, False])
def test_interlaced_pictures_are_found_although_nothing_moves_at_first(flagged: bool, tmp_path: Path) -> None:
    pictures = np.concatenate([np.repeat(_moving(1), 60, 0), _moving(36), _moving(36)[::-1]])
    frames, _ = agreeing(encode(tmp_path / "a.mp4", *fields("tff", flagged), "-g", "8", *YUV, pictures=pictures))
    assert frames.field_order == "tff"
    assert len(frames.time) == len(pictures)


def test_pictures_flagged_as_interlaced_stay_whole_although_nothing_moves_at_first(tmp_path: Path) -> None:
    flags = ("-c:v", "libx264", "-crf", "5", "-g", "8", "-flags", "+ilme+ildct", "-x264-params", "tff=1")
    pictures = np.concatenate([np.repeat(_diagonal(1), 30, 0), _diagonal(60)])
    frames, _ = agreeing(encode(tmp_path / "a.mp4", *flags, *YUV, pictures=pictures))
    assert frames.field_order == ""


def test_each_field_in_a_packet_of_its_own_makes_half_a_picture() -> None:
    """As many camcorders store H.264; no encoder at hand does."""
    from posepipe.pipeline.footage.video.facts import _Packets

    for stamps in ([*range(0, 40, 2)], [stamp for start in range(0, 40, 4) for stamp in (start, None)]):
        packets = _Packets()
        packets.stamps, packets._shown = list(stamps), [*range(0, 20, 4)]
        times = packets.times(Fraction(1, 100), Fraction(50))
        np.testing.assert_allclose(times.time, np.arange(0, 40, 4) / 100)
        assert times.own is (None not in stamps)


def test_progressive_pictures_that_are_flagged_as_interlaced_stay_whole(tmp_path: Path) -> None:
    """As cameras store 25 frames a second in a format of 50 fields."""
    flags = ("-c:v", "libx264", "-crf", "5", "-flags", "+ilme+ildct", "-x264-params", "tff=1")
    path = encode(tmp_path / "a.mp4", *flags, *YUV, pictures=_diagonal(36))
    frames, _ = agreeing(path)
    assert frames.field_order == ""
    assert len(frames.time) == 36


def _diagonal(count: int) -> np.ndarray:
    """A slanted pattern (F, 96, 128, 3) uint8 that moves to the right."""
    rows, columns = np.mgrid[:96, :128]
    waves = [128 + 80 * np.sin((columns - 3 * number) / 7 + rows / 9) for number in range(count)]
    return np.repeat(np.stack(waves).astype(np.uint8)[..., None], 3, -1)
