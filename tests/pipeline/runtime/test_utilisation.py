"""How busy a detector's network is, and how long it waits for pictures, is measured, stored and said."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from footage import FakeDetector, film
from posepipe.pipeline.detectors import People
from posepipe.pipeline.footage.video import Reading, probe
from posepipe.pipeline.runs.clip_chain import ClipChain
from posepipe.pipeline.runtime import utilisation as busy
from posepipe.pipeline.runtime.cache import Cache, SourceFile
from posepipe.pipeline.runtime.utilisation import Busy, awaited, measured, network
from posepipe.pipeline.settings import DetectSettings, Settings
from posepipe.pipeline.stages import detect
from posepipe.pipeline.stages.detect import detect_poses

PICTURES = 12


class SlowNetwork(FakeDetector):
    """Computes 20 ms for each picture, and spends 5 ms otherwise."""

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        for people in super().detect(images):
            with network():
                time.sleep(0.020)
            time.sleep(0.005)
            yield people


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("clip") / "cam1.mp4", 1, range(PICTURES))


def look(clip: Path, folder: Path, detector: FakeDetector) -> Busy:
    """What is stored of how busy the network was."""
    cache, source, frames = Cache(folder), SourceFile(clip, "clip"), probe(clip)
    found = cache.run(detect_poses, source, frames, detector, settings=DetectSettings(chunk_frames=5))
    stored = ClipChain(cache, Settings(), None).busy_detecting(found)
    assert stored is not None
    return stored


def test_a_slow_network_is_busy_and_waits_little(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "posepipe"):
        found = look(clip, tmp_path, SlowNetwork())
    assert PICTURES * 0.020 <= found.network <= found.total
    assert found.waited < found.network  # all pictures but each chunk's first are decoded while it computes
    assert found.network + found.waited <= found.total
    said = [record.getMessage() for record in caplog.records if "computed" in record.getMessage()]
    assert said == [f"cam1.mp4: {found}"]  # once for the stage, of all chunks together


def test_a_slow_decoder_is_waited_for(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class SlowReading(Reading):
        def pictures(
            self, parts: Sequence[tuple[float, float]] | None = None
        ) -> Generator[tuple[float, np.ndarray], None, None]:
            for item in super().pictures(parts):
                time.sleep(0.030)
                yield item

    monkeypatch.setattr(detect, "Reading", SlowReading)
    found = look(clip, tmp_path, SlowNetwork())
    assert found.waited >= 0.8 * PICTURES * 0.030
    assert found.share < 0.6


def test_what_was_measured_before_an_interruption_counts(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    class Breaks(SlowNetwork):
        def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
            if self.looked_at:  # in the second chunk
                raise Killed
            yield from super().detect(images)

    with pytest.raises(Killed):
        look(clip, tmp_path, Breaks())
    assert look(clip, tmp_path, SlowNetwork()).network >= PICTURES * 0.020


def test_the_sentence_says_both_shares() -> None:
    sentence = "the network computed 83% of the time, and 10% went by waiting for pictures"
    assert str(Busy(total=10.0, network=8.3, waited=1.0)) == sentence
    assert Busy().share == 0


def test_nothing_is_measured_where_nobody_asks() -> None:
    with network():
        assert list(awaited([1, 2])) == [1, 2]
    assert busy._current.get() is None


def test_on_a_gpu_it_is_the_device_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor goes on at once; events in the device's queue say that it worked 70 ms."""
    import torch

    class Event:
        made = 0

        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self, stream: object) -> None:
            Event.made += 1

        def synchronize(self) -> None: ...

        def elapsed_time(self, end: Event) -> float:
            return 70.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    with measured() as found, network(torch.device("cuda", 0)):
        pass
    assert found.network == pytest.approx(0.070)
    assert Event.made == 2
