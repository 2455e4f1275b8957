"""A disk that fails in the middle of a fit costs one sentence: nothing false lies there, and a rerun completes.

``tools/inject_faults.py`` does the same to every system call, with kills and too little memory.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from footage import detected_take
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runtime.cache import MANIFEST
from posepipe.pipeline.settings import Settings

CALLS = ("fsync", "rename", "replace", "mkdir")
KINDS = {".npy", ".pt", ".npz", ".csv", ".jsonl", ".toml"}


class Disk:
    """Counts calls of the system that write; from one of them on all fail, if that is wanted."""

    def __init__(self, patch: pytest.MonkeyPatch, first: int | None = None, number: int = 0) -> None:
        self.calls, self.first, self._number = 0, first, number
        for name in CALLS:
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            self.calls += 1
            if self.first is not None and self.calls >= self.first:
                raise OSError(self._number, os.strerror(self._number))
            return real(*args, **named)

        return call


def contents(out: Path) -> dict[str, bytes]:
    """Arrays, models and result files of a fit."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.suffix in KINDS}


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return detected_take(tmp_path_factory.mktemp("footage") / "run", 2, range(30))


@pytest.fixture(scope="module")
def peace(take: Path, quick: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """What a fit makes that nothing disturbs, and how often it writes."""
    out = tmp_path_factory.mktemp("peace") / "out"
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        fit(take, out=out, settings=quick, exports=("npz", "csv"))
    return contents(out), disk.calls


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=["full", "broken", "forbidden"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_disk_that_fails_costs_a_sentence_and_nothing_else(
    number: int, share: float, take: Path, quick: Settings, peace: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    out, (expected, calls) = tmp_path / "out", peace
    with pytest.MonkeyPatch.context() as patch:
        Disk(patch, first=1 + round(share * (calls - 1)), number=number)
        with pytest.raises(PosepipeError) as said:
            fit(take, out=out, settings=quick, exports=("npz", "csv"))
    assert os.strerror(number).lower() in str(said.value)
    assert "\n" not in str(said.value)
    for manifest in out.rglob(MANIFEST):
        files = [file for file in manifest.parent.iterdir() if file != manifest]
        assert json.loads(manifest.read_text())["bytes"] == sum(file.stat().st_size for file in files)
    fit(take, out=out, settings=quick, exports=("npz", "csv"))
    assert contents(out) == expected
