"""Every video is decoded once: by the detection, but for the few pictures that are looked at when it is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from footage import FakeDetector, film
from posepipe.pipeline.footage.video import facts, pictures, source, stream
from posepipe.pipeline.footage.video.fields import LOOK
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK, Fitted

FRAMES = 200
OPENED = 4 * LOOK + 8
"""Pictures that are decoded at most to open a video: in four places, and those that the decoder holds back."""


class Counted:
    """Something of PyAV that counts the pictures that it decodes."""

    def __init__(self, made: Any, count: Counter[str], path: str) -> None:
        self.__dict__.update(made=made, count=count, path=path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.made, name, value)

    def demux(self, *streams: Any) -> Iterator[Any]:
        asked = [[each.made if isinstance(each, Counted) else each for each in one] if isinstance(one, list) else one
                 for one in streams]  # fmt: skip
        for packet in self.made.demux(*asked):
            yield Counted(packet, self.count, self.path) if packet.stream.type == "video" else packet

    def decode(self, *streams: Any) -> Any:
        if not streams:  # a packet
            decoded = self.made.decode()
            self.count[self.path] += len(decoded)
            return decoded
        return self._decoded(streams)

    def _decoded(self, streams: Any) -> Iterator[Any]:
        for frame in self.made.decode(*streams):
            self.count[self.path] += 1
            yield frame


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many pictures of each file were decoded, by its name."""
    count: Counter[str] = Counter()

    @contextmanager
    def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
        with stream.open_video(path) as (container, film):
            yield Counted(container, count, path.name), film

    for module in (facts, pictures, source):
        monkeypatch.setattr(module, "open_video", open_video)
    return count


@pytest.fixture(scope="module")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "run"
    folder.mkdir()
    for camera in range(2):
        film(folder / f"cam{camera}.mp4", camera, range(FRAMES))
    return folder


def test_fit_decodes_every_video_once(
    long_take: Path, tmp_path: Path, detector: FakeDetector, decoded: Counter[str]
) -> None:
    settings = load_settings(overrides=QUICK)
    fit(long_take, out=tmp_path / "out", settings=settings, exports=["npz", "csv", "trc"])
    assert detector.looked_at == 2 * FRAMES
    assert set(decoded) == {"cam0.mp4", "cam1.mp4"}
    assert all(FRAMES <= count <= FRAMES + OPENED for count in decoded.values())
    before = decoded.copy()
    fit(long_take, out=tmp_path / "out", settings=settings, exports=["npz", "c3d"])
    assert decoded == before


def test_infer_decodes_a_video_once(
    fitted: Fitted, tmp_path: Path, detector: FakeDetector, decoded: Counter[str]
) -> None:
    clip = film(tmp_path / "clip.mp4", 1, range(300, 300 + FRAMES))
    infer(clip, model=fitted.out / "model.pt", out=tmp_path / "out", exports=["npz", "c3d", "bvh"])
    assert FRAMES <= decoded["clip.mp4"] <= FRAMES + OPENED


def test_of_a_part_only_the_part_is_decoded(fitted: Fitted, tmp_path: Path, decoded: Counter[str]) -> None:
    clip = film(tmp_path / "clip.mp4", 1, range(300, 300 + FRAMES))
    found = infer(clip, model=fitted.out / "model.pt", out=tmp_path / "out", exports=["npz"], from_s=1.0, to_s=2.0)
    assert len(found.pose.time) == 25
    assert decoded["clip.mp4"] <= FRAMES


def test_the_overlay_decodes_it_again(fitted: Fitted, tmp_path: Path, decoded: Counter[str]) -> None:
    clip = film(tmp_path / "clip.mp4", 1, range(300, 300 + FRAMES))
    infer(clip, model=fitted.out / "model.pt", out=tmp_path / "out", exports=["npz", "overlay"])
    assert 2 * FRAMES <= decoded["clip.mp4"] <= 2 * FRAMES + OPENED
