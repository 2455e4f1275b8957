"""Copies for pages keep every picture's time, and are small."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import numpy as np
import pytest
from posepipe.pipeline.footage.video import web_video as module
from posepipe.pipeline.footage.video.web_video import KEY_EVERY, shrunk, size_within, web_video


def noise(times: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[float, np.ndarray]]:
    draw = np.random.default_rng(0)
    for time in times:
        yield float(time), draw.integers(0, 256, (size[1], size[0], 3), np.uint8)


def test_times_are_kept_whatever_they_are() -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.004, 0.2, 40))
    times -= times[0]
    with av.open(io.BytesIO(web_video(noise(times, (64, 48)), (64, 48), float(times[-1])))) as file:
        frames = list(file.decode(video=0))
        assert [float(frame.pts * frame.time_base) for frame in frames] == pytest.approx(times, abs=1e-5)
        assert np.diff([number for number, frame in enumerate(frames) if frame.key_frame]).max() <= KEY_EVERY
        assert file.streams.video[0].codec_context.name == "h264"
        assert frames[0].format.name == "yuv420p"


def test_long_videos_stay_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 200_000)
    times = np.arange(240) / 24
    made = web_video(noise(times, (160, 90)), (160, 90), 10.0)
    assert 50_000 < len(made) < 1.15 * 200_000


def test_nothing_to_show_gives_nothing() -> None:
    assert web_video(iter(()), (64, 48), 1.0) == b""


@pytest.mark.parametrize(
    ("size", "within"), [((1920, 1080), (960, 540)), ((1080, 1920), (540, 960)), ((301, 7), (300, 8))]
)
def test_sizes_keep_their_shape_and_are_even(size: tuple[int, int], within: tuple[int, int]) -> None:
    assert size_within(size, 960) == within


def test_shrinking_averages() -> None:
    picture = np.tile(np.array([[[0], [200]], [[200], [0]]], np.uint8), (50, 50, 3))
    assert np.abs(shrunk(picture, (10, 10)).astype(int) - 100).max() < 30
