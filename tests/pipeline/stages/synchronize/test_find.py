"""Re-timed cameras are found again, and what is not reliable is refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import SynchronizeSettings
from posepipe.pipeline.stages.synchronize import verdict
from posepipe.pipeline.stages.synchronize.find import Found, find_clocks

from demo.retimed import Retimed, draw_take

KINDS = ("sound", "motion", "geometry", "timecode")


@pytest.fixture(scope="module")
def take() -> Retimed:
    return draw_take(501, 30.0, 0.0)


def find(take: Retimed, given: Mapping[int, float] | None = None, kinds: tuple[str, ...] = KINDS) -> Found:
    settings = SynchronizeSettings(cues=kinds, max_offset_s=60.0, sound_path_m=1.0)
    return find_clocks(take.frames, take.tracks, take.names, given or {}, settings)


def errors(take: Retimed, found: Found) -> np.ndarray:
    """Errors (C) in s at each camera's middle."""
    first = take.clocks[0]
    middles = np.array([track.time[-1] / 2 for track in take.tracks])
    true = np.array([(c.true(m) - first.start_s) / first.rate for c, m in zip(take.clocks, middles, strict=True)])
    return found.clocks.offset + found.clocks.rate * middles - true - found.clocks.offset[0]


def test_clocks_are_found_to_a_fraction_of_a_frame_and_all_cues_agree(take: Retimed) -> None:
    found = find(take)
    assert np.abs(errors(take, found)).max() < 0.008
    assert {finding.cue for finding in found.findings} == {"sound", "motion", "geometry"}
    assert all(finding.agrees for finding in found.findings if finding.clear)


def test_poses_alone_do(take: Retimed) -> None:
    assert np.abs(errors(take, find(take, kinds=("geometry",)))).max() < 0.025


def test_a_stated_offset_stays_and_the_others_follow_it(take: Retimed) -> None:
    offset = take.clocks[2].start_s - take.clocks[0].start_s
    found = find(take, {0: 5.0, 2: 5.0 + offset})
    np.testing.assert_array_equal(found.clocks.offset[[0, 2]], [5.0, 5.0 + offset])
    assert {finding.camera for finding in found.findings} == {1, 3}
    assert np.abs(errors(take, found)).max() < 0.015


def coded(take: Retimed, wrong: float = 0.0) -> Retimed:
    """With timecodes of cameras that one clock has set, but for the third, which is off by some seconds."""
    starts = [36000 + clock.start_s for clock in take.clocks]
    starts[2] += wrong
    return replace(take, frames=[replace(each, timecode_s=s) for each, s in zip(take.frames, starts, strict=True)])


def test_timecodes_are_reported_and_one_that_another_clock_set_does_not_count(take: Retimed) -> None:
    found = find(coded(take, wrong=1.5))
    assert [finding.agrees for finding in found.findings if finding.cue == "timecode"] == [True, False, True]
    assert found.warnings == []
    assert not any(finding.cue == "timecode" for finding in find(coded(take), kinds=KINDS[:3]).findings)


def test_timecodes_vouch_for_offsets_that_other_cues_find_but_weakly(
    take: Retimed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "CLEAR_RATIO", 1e9)  # none is as clear
    with pytest.raises(PosepipeError, match="at no offset clearly better"):
        find(take)
    with pytest.raises(PosepipeError, match="camera cam3 fits the others at no offset clearly better"):
        find(coded(take, wrong=1.5))
    found = find(coded(take))
    assert np.abs(errors(take, found)).max() < 0.008
    assert len(found.warnings) == 3
    assert all("accepted because the timecodes agree" in warning for warning in found.warnings)


def test_timecodes_do_not_vouch_where_no_offset_is_better_than_others() -> None:
    said = [verdict.Finding("timecode", 1, 2.0, None, False, True)]
    assert list(verdict.complaints(["a", "b"], said, {1: 1.2})) == []
    assert len(list(verdict.complaints(["a", "b"], said, {1: 1.05}))) == 1


def test_a_camera_that_filmed_something_else_is_refused(take: Retimed) -> None:
    other = draw_take(502, 30.0)
    trap = replace(take, tracks=[*take.tracks[:3], other.tracks[3]], frames=[*take.frames[:3], other.frames[3]])
    with pytest.raises(PosepipeError, match=r"camera cam4 fits the others at no offset.*offset_s in posepipe\.toml"):
        find(trap)


def test_sound_that_contradicts_the_poses_is_refused_and_may_be_left_out(take: Retimed) -> None:
    sound = take.frames[1].audio_envelope
    assert sound is not None
    frames = [*take.frames[:1], replace(take.frames[1], audio_envelope=np.pad(sound, (1000, 0))), *take.frames[2:]]
    dubbed = replace(take, frames=frames)
    with pytest.raises(PosepipeError, match=r"contradict each other about camera cam2.*posepipe\.toml"):
        find(dubbed)
    assert np.abs(errors(take, find(dubbed, kinds=("motion", "geometry")))).max() < 0.025


def test_nothing_to_go_by_is_refused(take: Retimed) -> None:
    silent = replace(take, frames=[replace(each, audio_envelope=None) for each in take.frames])
    with pytest.raises(PosepipeError, match="none of the chosen cues"):
        find(silent, kinds=("sound",))
    still = [replace(track, keypoint=np.repeat(track.keypoint[:1], len(track.time), 0)) for track in take.tracks]
    with pytest.raises(PosepipeError, match="cannot be synchronised"):
        find(replace(silent, tracks=still))
