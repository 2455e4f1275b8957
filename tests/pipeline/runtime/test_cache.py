"""The cache finds results by content, and never shows one that is not whole."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posepipe.pipeline.arrays import Dims, HandOver
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runtime import cache as cache_module
from posepipe.pipeline.runtime.cache import (
    Cache,
    SourceFile,
    Work,
    key_of,
    read_manifest,
    result_key,
    stage,
)
from posepipe.pipeline.runtime.digests import Digests
from posepipe.pipeline.runtime.writing import write_atomically
from posepipe.pipeline.settings import UNKEYED, StageSettings
from pydantic import Field


@dataclass(frozen=True)
class Numbers(HandOver):
    """A hand-over of one array and one note."""

    value: Annotated[np.ndarray, Dims("number", "float64", "1")]
    note: str = ""


class DoubleSettings(StageSettings):
    factor: float = 2.0
    device: str = Field("auto", json_schema_extra=UNKEYED)


CALLS: list[str] = []


@stage(version=1)
def double(numbers: Numbers, settings: DoubleSettings) -> Numbers:
    CALLS.append("double")
    return Numbers(numbers.value * settings.factor, numbers.note)


@stage(version=1)
def count_up(file: SourceFile, settings: DoubleSettings, *, work: Work) -> Numbers:
    """Three parts of one number each; breaks off where ``CALLS`` says so."""
    for number in range(len(work.parts(Numbers)), 3):
        if f"break at {number}" in CALLS:
            raise RuntimeError("killed")
        CALLS.append(f"part {number}")
        work.keep(Numbers(np.array([number * settings.factor])))
    return Numbers(np.concatenate([part.value for part in work.parts(Numbers)]))


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


ONE = Numbers(np.array([1.0]))


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_was_computed_once_is_never_computed_twice(cache: Cache) -> None:
    first = cache.run(double, ONE, settings=DoubleSettings(), subject="take/cam")
    again = cache.run(double, Numbers(np.array([1.0])), settings=DoubleSettings())
    assert CALLS == ["double"]
    assert first.value == again.value == 2
    assert first.key == again.key
    facts = read_manifest(cache.folder / "double" / first.key)
    assert facts["subject"] == "take/cam"
    assert facts["settings"] == {"factor": 2.0, "device": "auto"}
    assert facts["inputs"] == [ONE.key]
    assert facts["bytes"] > 0


def test_a_result_stands_in_keys_for_the_run_that_made_it(cache: Cache) -> None:
    made = cache.run(double, ONE, settings=DoubleSettings(factor=3))
    assert cache.run(double, made, settings=DoubleSettings()).value == 6
    assert made.key == result_key(double, (ONE,), DoubleSettings(factor=3))


def test_settings_inputs_and_version_change_the_key_but_a_device_does_not() -> None:
    def key(numbers: Numbers = ONE, version: int = 1, **said: Any) -> str:
        return result_key(stage(version)(double.function), (numbers,), DoubleSettings(**said))

    assert key() == key(device="cuda") == key(factor=2.0)
    different = [
        key(),
        key(factor=2.5),
        key(version=2),
        key(Numbers(np.array([2.0]))),
        key(Numbers(ONE.value, "note")),
    ]
    assert len(set(different)) == len(different)


def test_the_version_of_a_network_counts_beside_that_of_the_stage(cache: Cache) -> None:
    versions = [1]
    trained = stage(1, networks=lambda inputs, settings: versions)(double.function)
    first = cache.run(trained, ONE, settings=DoubleSettings())
    assert first.key != result_key(double, (ONE,), DoubleSettings())
    assert read_manifest(cache.folder / "double" / first.key)["versions"] == [1, 1]
    versions[0] = 2
    assert cache.run(trained, ONE, settings=DoubleSettings()).key != first.key
    assert CALLS == ["double", "double"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(first=values, second=values)
def test_equal_inputs_have_equal_keys_and_others_have_not(first: Any, second: Any) -> None:
    same = repr(key_of(first)) == repr(key_of(second))
    assert (result_key(double, (first,), None) == result_key(double, (second,), None)) == same


def test_the_nesting_of_inputs_counts() -> None:
    other = Numbers(np.array([2.0]))
    nestings = [([[ONE, other]],), ([[ONE], [other]],), ([[other], [ONE]],), ([[ONE, other], []],)]
    assert len({result_key(double, nesting, None) for nesting in nestings}) == len(nestings)


def test_files_count_by_content_whatever_their_name_and_age(tmp_path: Path) -> None:
    first, renamed, changed = (tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4"))
    first.write_bytes(b"picture")
    renamed.write_bytes(b"picture")
    changed.write_bytes(b"Picture")
    digests = Digests(tmp_path / "cache" / "digests.json")
    assert digests.of(first) == digests.of(renamed) != digests.of(changed)
    os.utime(first, (0, 0))
    assert digests.of(first) == digests.of(renamed)


def test_digests_are_remembered_until_size_or_time_change(tmp_path: Path) -> None:
    clip, memory = tmp_path / "a.mp4", tmp_path / "cache" / "digests.json"
    clip.write_bytes(b"before")
    before = Digests(memory).of(clip)
    clip.write_bytes(b"behind")  # same size
    os.utime(clip, ns=(1, 1))
    assert Digests(memory).of(clip) != before
    clip.chmod(0o600)
    remembered = Digests(memory)
    clip.write_bytes(b"BEHIND")
    os.utime(clip, ns=(1, 1))  # a lie that no camera tells; it shows that the file is not read again
    assert remembered.of(clip) == Digests(memory).of(clip)


class Interrupted(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("moment", ["save", "sync_folder"])
def test_a_crash_while_storing_leaves_nothing(cache: Cache, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(*((Numbers, "save") if moment == "save" else (cache_module, "sync_folder")), crash)
        with pytest.raises(Interrupted):
            cache.run(double, ONE, settings=DoubleSettings())
    assert everything_in(cache.folder) == []
    assert cache.run(double, ONE, settings=DoubleSettings()).value == 2


def test_a_folder_without_manifest_is_no_result(cache: Cache) -> None:
    made = cache.run(double, ONE, settings=DoubleSettings())
    entry = cache.folder / "double" / made.key
    entry.rename(entry.with_name(f"{entry.name}.making"))  # where a kill leaves it
    assert cache.run(double, ONE, settings=DoubleSettings()).value == 2
    assert CALLS == ["double", "double"]
    assert [path.name for path in entry.parent.iterdir()] == [entry.name]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "no space left on device; free some space"),
        (errno.EACCES, "permission denied; choose a folder that you may write to"),
    ],
)
def test_a_full_or_forbidden_disk_is_one_sentence_and_leaves_nothing(
    cache: Cache, number: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(PosepipeError, match=sentence):
            cache.run(double, ONE, settings=DoubleSettings())
        with pytest.raises(PosepipeError, match=sentence):
            write_atomically(cache.folder / "file", b"content")
    assert everything_in(cache.folder) == []
    assert cache.run(double, ONE, settings=DoubleSettings()).value == 2


def test_a_file_holds_the_old_or_the_new_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *paths: (_ for _ in ()).throw(Interrupted))
        with pytest.raises(Interrupted):
            write_atomically(file, b"new")
    assert everything_in(tmp_path) == ["run.json"]
    assert file.read_bytes() == b"old"
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_long_stage_goes_on_behind_its_last_part(cache: Cache, tmp_path: Path) -> None:
    CALLS.append("break at 2")
    with pytest.raises(RuntimeError):
        cache.run(count_up, SourceFile(tmp_path, "clip"), settings=DoubleSettings())
    CALLS.clear()
    resumed = cache.run(count_up, SourceFile(tmp_path, "clip"), settings=DoubleSettings())
    assert CALLS == ["part 2"]
    np.testing.assert_array_equal(resumed.value, [0, 2, 4])
    assert [path.name for path in (cache.folder / "count_up").iterdir()] == [resumed.key]


def test_parts_of_other_settings_are_not_taken_over(cache: Cache, tmp_path: Path) -> None:
    CALLS.append("break at 2")
    with pytest.raises(RuntimeError):
        cache.run(count_up, SourceFile(tmp_path, "clip"), settings=DoubleSettings())
    CALLS.clear()
    other = cache.run(count_up, SourceFile(tmp_path, "clip"), settings=DoubleSettings(factor=5))
    np.testing.assert_array_equal(other.value, [0, 5, 10])
    assert len(CALLS) == 3


def test_a_part_that_was_being_written_does_not_count(tmp_path: Path) -> None:
    Work(tmp_path).keep(ONE)
    (tmp_path / "000001.making").mkdir()
    (tmp_path / "000001.making" / "manifest.json").write_text("{}")  # killed before the last step, its new name
    work = Work(tmp_path)
    assert len(work.parts(Numbers)) == 1
    work.keep(Numbers(np.array([5.0])))
    assert [float(part.value[0]) for part in Work(tmp_path).parts(Numbers)] == [1, 5]


def test_a_checkpoint_replaces_the_ones_before(tmp_path: Path) -> None:
    for number in range(3):
        Work(tmp_path).keep(Numbers(np.array([float(number)])), instead=True)
    assert [float(part.value[0]) for part in Work(tmp_path).parts(Numbers)] == [2]
    assert len(list(tmp_path.iterdir())) == 1
    Work(tmp_path, writable=False).keep(ONE)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_kill_while_removing_leaves_no_part_that_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Work(tmp_path).keep(ONE, instead=True)

    def kill_in_the_middle(folder: Path, **options: object) -> None:
        if folder.exists():
            (folder / "value.npy").unlink()
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(cache_module.shutil, "rmtree", kill_in_the_middle)
        with pytest.raises(Interrupted):
            Work(tmp_path).keep(Numbers(np.array([2.0])), instead=True)
    assert [float(part.value[0]) for part in Work(tmp_path).parts(Numbers)] == [2]


def test_borrowed_results_are_used_and_never_touched(tmp_path: Path) -> None:
    lender = Cache(tmp_path / "lender")
    lent = lender.run(double, ONE, settings=DoubleSettings())
    before = everything_in(tmp_path)
    used: list[tuple[str, str, str]] = []
    borrower = Cache(
        tmp_path / "own", borrowed=(tmp_path / "nowhere", lender.folder), on_use=lambda *use: used.append(use)
    )
    assert borrower.run(double, ONE, settings=DoubleSettings(), subject="clip").key == lent.key
    assert CALLS == ["double"]
    assert everything_in(tmp_path) == before
    borrower.run(double, ONE, settings=DoubleSettings(factor=7))
    assert everything_in(lender.folder) == [path.removeprefix("lender/") for path in before]


def test_under_a_launcher_only_distributed_stages_run(tmp_path: Path) -> None:
    together = stage(version=1, distributed=True)(double.function)
    several = Cache(tmp_path / "cache", processes=2, rank=1)
    with pytest.raises(PosepipeError, match="--until label"):
        several.run(double, ONE, settings=DoubleSettings(), subject="take/cam")
    assert several.run(together, ONE, settings=DoubleSettings()).value == 2
    assert everything_in(tmp_path) == []  # the first process writes
    Cache(tmp_path / "cache").run(double, ONE, settings=DoubleSettings())
    assert several.run(double, ONE, settings=DoubleSettings()).value == 2


def test_behind_a_distributed_stage_the_first_process_goes_on_alone(tmp_path: Path) -> None:
    together = stage(version=1, distributed=True)(double.function)
    first = Cache(tmp_path / "cache", processes=2, rank=0)
    with pytest.raises(PosepipeError, match="--until label"):
        first.run(double, ONE, settings=DoubleSettings(factor=3))
    trained = first.run(together, ONE, settings=DoubleSettings())
    assert first.run(double, trained, settings=DoubleSettings(factor=3)).value == 6


@pytest.mark.parametrize("name", ["value.npy", "manifest.json"])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\x76\x00{'descr': \x9e", b"[]", b"\xff\xfe"])
def test_a_damaged_result_is_made_anew(
    name: str, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = Numbers(np.arange(3.0))
    made = Cache(tmp_path).run(double, numbers, settings=DoubleSettings())
    (tmp_path / "double" / made.key / name).write_bytes(content)
    with caplog.at_level("WARNING", "posepipe"):
        again = Cache(tmp_path).run(double, numbers, settings=DoubleSettings())
    np.testing.assert_array_equal(again.value, [0, 2, 4])
    assert "is damaged; it is made anew" in caplog.text
    stored = tmp_path / "double" / made.key / "value.npy"
    stored.write_bytes(stored.read_bytes()[:-8] + np.float64(7).tobytes())
    np.testing.assert_array_equal(Cache(tmp_path).run(double, numbers, settings=DoubleSettings()).value, [0, 2, 4])
    np.testing.assert_array_equal(Cache(tmp_path).run(double, numbers, settings=DoubleSettings()).value, [0, 2, 4])


def test_what_a_kill_left_of_a_discarded_result_is_in_nobodys_way(tmp_path: Path) -> None:
    entry, left = tmp_path / "key", tmp_path / "key.making"
    for folder in (entry, left):
        folder.mkdir()
        (folder / "value.npy").touch()
    cache_module.discard(entry)
    assert list(tmp_path.iterdir()) == []
