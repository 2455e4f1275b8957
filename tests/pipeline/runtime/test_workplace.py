"""What a results folder remembers of itself: damaged memories are said, or made again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.results import RECORD, about_results
from posepipe.pipeline.runtime.digests import Digests
from posepipe.pipeline.runtime.workplace import JOURNAL, Journal


@pytest.mark.parametrize("content", [b"", b"[]", b'{"request": 3}', b"\xff{"])
def test_a_damaged_memory_is_one_sentence_or_made_again(content: bytes, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(content)
    with pytest.raises(PosepipeError, match=r"run\.json is damaged; remove it"):
        Journal.read(tmp_path / JOURNAL)
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(PosepipeError, match=r"result\.json is damaged; remove it"):
        about_results(tmp_path)
    (tmp_path / "digests.json").write_bytes(content)
    (tmp_path / "file").write_bytes(b"1")
    assert Digests(tmp_path / "digests.json").of(tmp_path / "file") == hashlib.sha256(b"1").hexdigest()
