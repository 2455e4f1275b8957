"""What ``posepipe.toml`` says of a clip counts for infer and batch as it does for fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from footage import FakeDetector
from posepipe.pipeline.footage.recording import describe_clip
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runs.up_to_date import digest_of, infer_request, is_finished
from posepipe.pipeline.runtime.digests import Digests
from quick_fit import Fitted


@pytest.fixture
def clip(fitted: Fitted, tmp_path: Path) -> Path:
    """A clip in a take of an archive."""
    made = tmp_path / "archive" / "run" / "cam1.mp4"
    made.parent.mkdir(parents=True)
    shutil.copy(fitted.footage / "cam1.mp4", made)
    return made


def test_infer_heeds_slow_motion_beside_the_clip_and_above_it(
    clip: Path, fitted: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    def times() -> np.ndarray:
        model = fitted.out / "model.pt"
        return np.array(infer(clip, model=model, out=tmp_path / "results", exports=["npz"]).pose.time)

    plain = times()
    (clip.parent.parent / "posepipe.toml").write_text("slow_motion = 4.0\n")
    np.testing.assert_allclose(times(), plain / 4)
    (clip.parent / "posepipe.toml").write_text("[cameras.cam1]\nslow_motion = 2.0\n")
    np.testing.assert_allclose(times(), plain / 2)


@pytest.mark.parametrize("said", ["focal_px = 300.0\n", "slow_motion = 2.0\n", "[cameras.cam1]\nfocal_px = 300.0\n"])
def test_a_finished_clip_is_lifted_again_after_what_is_said_of_it_changes(
    said: str, clip: Path, fitted: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    model, out = fitted.out / "model.pt", tmp_path / "results"

    def finished() -> bool:
        request = digest_of(infer_request(clip, model), Digests(tmp_path / "digests.json"))
        return is_finished(out, request, ["npz"])

    infer(clip, model=model, out=out, exports=["npz"])
    assert finished()
    (clip.parent / "posepipe.toml").write_text(said)
    assert not finished()
    infer(clip, model=model, out=out, exports=["npz"])
    assert finished()


def test_a_calibration_beside_a_clip_is_used(clip: Path) -> None:
    (clip.parent / "posepipe.toml").write_text('calibration = "calib.toml"\n')
    (clip.parent / "calib.toml").write_text("[cam1]\nmatrix = [[500, 0, 80], [0, 500, 64], [0, 0, 1]]\n")
    known = describe_clip(clip).calibration
    assert known is not None
    assert np.asarray(known.K)[0][0] == 500
