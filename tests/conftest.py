"""What all tests share: one thread, the fake detector, and a finished fit of small footage.

``known_scene``, ``footage`` and ``quick_fit``, beside this file, are imported by name.
"""

from __future__ import annotations

import one_thread  # noqa: F401 - before NumPy

# isort: split
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from footage import FakeDetector, film_take
from posepipe.pipeline.arrays import HandOver
from posepipe.pipeline.runtime.cache import Stage, read_manifest, store
from posepipe.pipeline.settings import Settings, load_settings
from quick_fit import QUICK, Fitted

torch.set_num_threads(1)

_NUMBERS = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--other-precision``, so that trainings are tried as they would be on another processor."""
    parser.addoption(
        "--other-precision", action="store_true", help="train with bf16 where fp32 is the default here, and back"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let the processor say the contrary of what it can, if this is wanted."""
    if config.getoption("--other-precision"):
        found = torch.cpu.get_capabilities()
        swapped = {**found, "amx_bf16": not found.get("amx_bf16", False)}
        torch.cpu.get_capabilities = lambda: swapped


@pytest.fixture(autouse=True)
def _stored(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a stage returns is stored and read back, as in life, where a test calls the stage directly as well."""

    def call(stage: Stage[..., Any], *inputs: Any, **named: Any) -> HandOver:
        result = stage.function(*inputs, **named)
        entry = tmp_path_factory.getbasetemp() / "stored" / f"{next(_NUMBERS)}"
        store(result, entry, {})
        return stage.returns.load(entry, read_manifest(entry)["notes"])

    monkeypatch.setattr(Stage, "__call__", call)


@pytest.fixture(scope="session")
def quick() -> Settings:
    """Settings of a fit that takes a second."""
    return load_settings(overrides=QUICK)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> FakeDetector:
    """The fake detector, which fit and infer use in this test."""
    from posepipe.pipeline.runs import fit_takes, infer

    fake = FakeDetector()
    for module in (fit_takes, infer):
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
    from posepipe.pipeline.runs import fit_takes
    from posepipe.pipeline.runs.fit import fit

    out = tmp_path_factory.mktemp("fit") / "ski run_posepipe"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_takes, "choose_detector", lambda settings, device: FakeDetector())
        fit(take, out=out, settings=quick)
    yield Fitted(take, out)


@pytest.fixture
def fitted(finished: Fitted, tmp_path: Path, detector: FakeDetector) -> Fitted:
    """A finished fit that the test may change."""
    return finished.copy_to(tmp_path)
