"""Long videos: a first look says where there is anybody, and nothing else is looked at in full."""

from __future__ import annotations

import itertools
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from footage import RATE, FakeDetector, empty_picture, picture
from hypothesis import given
from hypothesis import strategies as st
from posepipe.pipeline.arrays import Detections
from posepipe.pipeline.footage.recording import describe_clip
from posepipe.pipeline.footage.video import probe, read_frames, read_key_frames, write_video
from posepipe.pipeline.runs.clip_chain import ClipChain
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runtime.cache import Cache, SourceFile
from posepipe.pipeline.settings import DetectSettings, Settings
from posepipe.pipeline.stages.scan import BLIND_S, LOOK_S, MARGIN, parts_from
from quick_fit import Fitted

SECONDS, SHOWN = 60, (31, 34)
"""Length of the long clip, and when the athlete is in the picture."""


def with_key_frames(source: Path, path: Path, every: int, *options: str) -> Path:
    """The same video with a key frame every so many frames."""
    words = ["-y", "-v", "error", "-i", str(source), "-g", str(every), "-keyint_min", str(every), *options, str(path)]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *words], check=True)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute, of which three seconds show the athlete; a key frame every second."""
    folder = tmp_path_factory.mktemp("long")
    shown = range(SHOWN[0] * RATE, SHOWN[1] * RATE)
    pictures = (picture(0, i - shown[0]) if i in shown else empty_picture() for i in range(SECONDS * RATE))
    write_video(folder / "plain.mp4", Fraction(RATE), pictures)
    return with_key_frames(folder / "plain.mp4", folder / "long.mp4", RATE, "-bf", "2")


CODED = {
    "h264": ("a.mp4", "-c:v", "libx264", "-bf", "3"),
    "h264, groups that need the one before": ("a.mp4", "-c:v", "libx264", "-bf", "3", "-x264-params", "open-gop=1"),
    "hevc, groups that need the one before": (
        "a.mp4", "-c:v", "libx265", "-x265-params", "open-gop=1:bframes=3:log-level=none:pools=none:frame-threads=1"),
    "matroska": ("a.mkv", "-c:v", "libx264", "-bf", "3"),
    "transport stream": ("a.ts", "-c:v", "libx264", "-bf", "2"),
    "times that are not said": ("a.avi", "-c:v", "mpeg4", "-bf", "0"),
    "nothing but key frames": ("a.mov", "-c:v", "mjpeg", "-q:v", "2"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CODED)
def test_parts_hold_the_frames_that_reading_all_of_it_gives(kind: str, clip: Path, tmp_path: Path) -> None:
    name, *options = CODED[kind]
    short = ["-ss", "30", "-t", "5", "-pix_fmt", "yuvj420p" if name.endswith("mov") else "yuv420p"]
    video = with_key_frames(clip, tmp_path / name, 12, *short, *options)
    whole = list(read_frames(video, probe(video)))
    assert len(whole) == 5 * RATE
    for parts in ([(0.0, 0.2)], [(1.0, 1.5), (1.7, 1.8), (4.0, 9.0)], [(0.5, 0.52)], [(0.0, 9.0)], [(8.0, 9.0)]):
        wanted = [item for item in whole if any(start <= item[0] <= end for start, end in parts)]
        found = list(read_frames(video, probe(video), parts=parts))
        np.testing.assert_allclose([time for time, _ in found], [time for time, _ in wanted], atol=1e-9)
        for (_, one), (_, other) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_key_frames_are_where_they_were_put(clip: Path) -> None:
    times, pictures = zip(*read_key_frames(clip, probe(clip)), strict=True)
    np.testing.assert_allclose(times, np.arange(SECONDS), atol=1e-6)
    detector = FakeDetector()
    assert [detector.number(one) is not None for one in pictures] == [31 <= s < 34 for s in range(SECONDS)]


def test_only_where_somebody_is_there_is_looked_at_in_full(clip: Path, tmp_path: Path) -> None:
    cache, source = Cache(tmp_path), SourceFile(clip, "the long clip")
    full, brief = FakeDetector(), FakeDetector()

    def people_in(detector: FakeDetector, **said: float) -> Detections:
        chain = ClipChain(cache, Settings(detect=DetectSettings(chunk_frames=40, **said)), None)
        return chain.detect(chain.open(describe_clip(clip), source, "clip"), detector, "clip")[1]

    everything = people_in(full)
    found = people_in(brief, first_look_s=30)
    assert full.looked_at == SECONDS * RATE
    looks = SECONDS / LOOK_S
    assert brief.looked_at <= looks + (2 * MARGIN * LOOK_S + SHOWN[1] - SHOWN[0] + LOOK_S) * RATE
    np.testing.assert_allclose(found.time, everything.time, atol=1e-9)
    for field in ("frame", "box", "keypoint", "confidence"):
        np.testing.assert_array_equal(getattr(found, field), getattr(everything, field))
    assert (found.frame.min(), found.frame.max()) == (SHOWN[0] * RATE, SHOWN[1] * RATE - 1)
    again = FakeDetector()
    people_in(again, first_look_s=30)
    assert again.looked_at == 0


def test_infer_has_a_pose_for_every_frame_of_a_long_clip(
    clip: Path, fitted: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    changed = {"detect": {"first_look_s": 30}}
    model = fitted.out / "model.pt"
    poses = infer(clip, model=model, out=tmp_path / "out", overrides=changed, exports=["npz", "overlay"]).pose
    assert detector.looked_at < 0.3 * SECONDS * RATE
    there = poses.there
    assert len(poses.time) == SECONDS * RATE
    assert np.flatnonzero(there).tolist() == list(range(SHOWN[0] * RATE, SHOWN[1] * RATE))
    overlay = tmp_path / "out" / "overlay.mp4"
    shown = sum(1 for _ in read_frames(overlay, probe(overlay)))
    assert shown < 0.3 * SECONDS * RATE  # nor is the rest drawn


def test_a_look_that_sees_nobody_at_all_leaves_nothing_out() -> None:
    time = np.arange(0, 600, LOOK_S)
    np.testing.assert_array_equal(parts_from(time, np.zeros(len(time), bool), 600.5), [[0, 600.5]])
    np.testing.assert_array_equal(parts_from(np.zeros(0), np.zeros(0, bool), 600.5), [[0, 600.5]])


@given(st.lists(st.tuples(st.floats(0.1, 9), st.booleans()), min_size=1, max_size=40), st.floats(0, 9))
def test_parts_hold_what_was_seen_and_what_nobody_looked_at(looks: list[tuple[float, bool]], rest: float) -> None:
    time, seen = np.cumsum([step for step, _ in looks]), np.array([there for _, there in looks])
    end = float(time[-1] + rest)
    parts = parts_from(time, seen, end)
    assert (np.diff(parts.ravel()) >= 0).all()
    edge = np.concatenate([[0], time, [end]])
    if not seen.any():
        return
    for number, (start, stop) in enumerate(itertools.pairwise(edge)):
        near = seen[max(number - MARGIN, 0) : number + MARGIN].any()
        inside = ((parts[:, 0] <= start) & (stop <= parts[:, 1])).any()
        assert inside == (near or stop - start > BLIND_S) or stop == start
