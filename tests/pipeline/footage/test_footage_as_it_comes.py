"""Footage as it comes, one take of it: each camera has its own codec, rate, rotation, size and sound, or none."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from footage import FakeDetector, picture, picture_size, seen
from posepipe.pipeline.footage.video import probe, read_frames
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK

FAST = Fraction(60000, 1001)
FRAMES = 72
SOUND = ("-f", "lavfi", "-i", "anoisesrc=d=1.2:seed=1:a=0.4")
KINDS: dict[str, tuple[str, tuple[str, ...], int, range]] = {
    # name: file, what ffmpeg makes of it, camera, instants that it shows
    "rotated": ("cam0.mov", ("-vf", "transpose=2", "-c:v", "libx264", "-pix_fmt", "yuv420p"), 0, range(FRAMES)),
    "hevc of 10 bits at 29.97 Hz": (
        "cam1.mp4",
        ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none:pools=none:frame-threads=1"),
        1,
        range(0, FRAMES, 2),
    ),
    "interlaced": (
        "cam2.ts",
        ("-vf", "tinterlace=interleave_top,setfield=tff", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct"),
        2,
        range(FRAMES),
    ),
    "variable rate, odd size": (
        "cam3.mkv",
        ("-vf", "select='not(between(mod(n,9),5,6))',format=yuv444p,pad=163:137", "-fps_mode", "vfr",
         "-c:v", "libx264", "-pix_fmt", "yuv444p"),
        3,
        range(FRAMES),
    ),
}  # fmt: skip


def ffmpeg(*words: object, given: bytes | None = None) -> None:
    """Run FFmpeg, perhaps with something to read."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, words)]
    subprocess.run(command, check=True, input=given)


def plain_video(path: Path, camera: int, instants: range) -> Path:
    """What a camera sees, as FFmpeg's program compresses it: the filter of fields is at its limit with the flickering
    number in the corner, and loses it if it is sharper."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [picture(camera, instant) for instant in instants]
    height, width = pictures[0].shape[:2]
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", FAST / instants.step, "-i", "-")
    compressed = ("-c:v", "libx264", "-preset", "veryfast", "-crf", 23, "-pix_fmt", "yuv420p")
    ffmpeg(*raw, *compressed, path, given=b"".join(each.tobytes() for each in pictures))
    return path


def make(kind: str, folder: Path) -> Path:
    """The video of a camera; all but the first have sound."""
    name, options, camera, instants = KINDS[kind]
    plain = plain_video(folder.parent / "plain" / f"{camera}.mp4", camera, instants)
    folder.mkdir(exist_ok=True)
    made = folder / name
    if kind == "rotated":  # as a phone writes it: the pictures lie on their side, and the container says so
        ffmpeg("-i", plain, *options, folder.parent / "lying.mov")
        ffmpeg("-display_rotation", -90, "-i", folder.parent / "lying.mov", "-c", "copy", made)
    else:
        ffmpeg("-i", plain, *SOUND, *options, made)
    return made


def shown(kind: str) -> np.ndarray:
    """The instants that a camera's frames show."""
    instants = np.array(KINDS[kind][3])
    return instants[~np.isin(instants % 9, (5, 6))] if kind.startswith("variable") else instants


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo") / "take"
    for kind in KINDS:
        make(kind, folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_its_frames_are_upright_at_their_true_times(kind: str, take: Path) -> None:
    name, _, camera, _ = KINDS[kind]
    facts, detector = probe(take / name), FakeDetector()
    pictures = list(read_frames(take / name, facts))
    assert [detector.number(picture) for _, picture in pictures] == [(camera, i) for i in shown(kind).tolist()]
    np.testing.assert_allclose(facts.time, shown(kind) / float(FAST), atol=2e-3)
    np.testing.assert_allclose([time for time, _ in pictures], facts.time, atol=1e-9)
    assert tuple(facts.image_size) == ((163, 137) if kind.startswith("variable") else picture_size(camera))
    assert (facts.audio_envelope is None) == (kind == "rotated")
    assert facts.rotation == (90 if kind == "rotated" else 0)


def test_fit_and_infer_take_all_of_it(take: Path, detector: FakeDetector, tmp_path: Path) -> None:
    done = fit(take, out=tmp_path / "out", settings=load_settings(overrides=QUICK), exports=["npz", "overlay"])
    for kind, folder in zip(KINDS, done.results, strict=True):
        _, _, camera, _ = KINDS[kind]
        with np.load(folder / "poses.npz") as file:
            np.testing.assert_allclose(file["keypoint"][:, :17], seen(camera, shown(kind)), atol=1e-4)
        overlay = folder / "overlay.mp4"
        assert len(list(read_frames(overlay, probe(overlay)))) > 30
    (offset,) = (np.load(path) for path in (tmp_path / "out" / "cache" / "synchronize").glob("*/offset.npy"))
    np.testing.assert_allclose(offset, 0, atol=0.5 / 30)
    for kind, (name, _, camera, _) in KINDS.items():
        poses = infer(take / name, model=done.model, out=tmp_path / kind, exports=["npz"]).pose
        np.testing.assert_allclose(poses.keypoint[:, :17], seen(camera, shown(kind)), atol=1e-4)
