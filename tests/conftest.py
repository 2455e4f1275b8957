"""What all tests share: one thread, the fake detector, and a finished fit of small footage.

``known_scene``, ``footage`` and ``quick_fit``, beside this file, are imported by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from footage import FakeDetector, film_take
from posepipe.pipeline.settings import Settings, load_settings
from quick_fit import QUICK, Fitted

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def quick() -> Settings:
    """Settings of a fit that takes a second."""
    return load_settings(overrides=QUICK)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> FakeDetector:
    """The fake detector, which fit and infer use in this test."""
    from posepipe.pipeline.runs import fit as fitting
    from posepipe.pipeline.runs import infer as inference

    fake = FakeDetector()
    for module in (fitting, inference):
        monkeypatch.setattr(module, "choose_detector", lambda settings, device: fake)
    return fake


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """So short a training decides nothing about left and right; in this test it need not."""
    monkeypatch.setattr("posepipe.models.body.handedness._UNDECIDED", 0.0)


@pytest.fixture(scope="session")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take of three cameras; not to be changed."""
    return film_take(tmp_path_factory.mktemp("footage") / "ski run")


@pytest.fixture(scope="session")
def finished(take: Path, quick: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fitted]:
    """A finished fit of ``take``; not to be changed."""
    from posepipe.pipeline.runs import fit as fitting

    out = tmp_path_factory.mktemp("fit") / "ski run_posepipe"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "choose_detector", lambda settings, device: FakeDetector())
        fitting.fit(take, out=out, settings=quick)
    yield Fitted(take, out)


@pytest.fixture
def fitted(finished: Fitted, tmp_path: Path, detector: FakeDetector) -> Fitted:
    """A finished fit that the test may change."""
    return finished.copy_to(tmp_path)
