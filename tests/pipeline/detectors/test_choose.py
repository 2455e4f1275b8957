"""Which detector is chosen, and what becomes of its options."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from footage import FakeDetector
from posepipe.pipeline import fit
from posepipe.pipeline.arrays import Detections
from posepipe.pipeline.detectors import DETECTORS, DetectorSettings
from posepipe.pipeline.detectors.choose import checked_options, choose_detector, settings_class
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runtime.cache import result_key
from posepipe.pipeline.settings import DetectSettings, Settings, changed_detection, load_settings, to_toml
from posepipe.pipeline.stages.detect import detect_poses


class FakeOptions(DetectorSettings):
    """A detector with one option, and one that cannot be had."""

    sharpness: int = 3

    def build(self, device: str) -> FakeDetector:
        if self.sharpness > 9:
            raise PosepipeError("as sharp as that it cannot be")
        made = FakeDetector()
        made.description = f"fake of sharpness {self.sharpness} on {device}"
        return made


class Greedy(DetectorSettings):
    """Takes a name that all detectors have."""

    chunk_frames: int = 3


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "fake", f"{__name__}:FakeOptions")


def said(*overrides: str) -> DetectSettings:
    return load_settings(overrides=[f"detect.{override}" for override in overrides]).detect


def test_a_detector_is_built_of_its_own_options(fake: None) -> None:
    assert choose_detector(said("detector=fake", "sharpness=5"), "cpu").description == "fake of sharpness 5 on cpu"
    assert choose_detector(said("detector=fake"), "cpu").description == "fake of sharpness 3 on cpu"
    with pytest.raises(PosepipeError, match="as sharp as that it cannot be"):
        choose_detector(said("detector=fake", "sharpness=10"), "cpu")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["detector=mmpos"], "^unknown detector 'mmpos'; did you mean 'mmpose'[?] valid: auto, blazepose, mediapipe"),
        (["mmpose_confg=a.py"], "^settings: unknown setting .*; did you mean 'detect.mmpose_config'[?]$"),
        (["detector=fake", "sharpnes=3"], "unknown setting 'detect.sharpnes'; did you mean 'detect.sharpness'[?]$"),
        (["detector=fake", "chunk_frame=3"], "did you mean 'detect.chunk_frames'[?]$"),
        (["detector=fake", "mmpose_config=a.py"], "unknown setting 'detect.mmpose_config'"),
        (["detector=mediapipe", "precision=bf16"], "unknown setting 'detect.precision'"),
        (["sharpness=3"], "unknown setting 'detect.sharpness'"),
        (["detector=fake", "sharpness=very"], "detect.sharpness = 'very': input should be a valid integer"),
        (["box_every=0"], "^settings: detect.box_every = 0: input should be greater than or equal to 1$"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(overrides: list[str], sentence: str, fake: None) -> None:
    for check in (checked_options, lambda settings: choose_detector(settings, "cpu")):
        with pytest.raises(PosepipeError, match=sentence) as caught:
            check(said(*overrides))
        assert "\n" not in str(caught.value)


def test_a_fit_says_so_before_any_video_is_looked_at(take: Path, tmp_path: Path) -> None:
    for overrides in (["detect.detector=nobody"], ["detect.box_ever=3"]):
        with pytest.raises(PosepipeError, match="unknown"):
            fit(take, out=tmp_path / "out", settings=load_settings(overrides=overrides))
    assert not (tmp_path / "out").exists()


def test_the_old_name_of_the_embedded_detector_is_taken_and_said_to_be_old(caplog: pytest.LogCaptureFixture) -> None:
    assert "BlazePose" in choose_detector(said("detector=mediapipe"), "cpu").description
    assert any('say detector = "blazepose"' in message for message in caplog.messages)


def test_options_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "greedy", f"{__name__}:Greedy")
    with pytest.raises(PosepipeError, match="option 'chunk_frames' of detector 'greedy' has the name of a setting"):
        settings_class("greedy")


def test_auto_takes_options_of_all_that_it_chooses_from() -> None:
    filled = checked_options(said("mmpose_config=rtmpose-t", "batch_size=3"))
    assert filled.detector == "auto"
    assert filled.options["mmpose_config"] == "rtmpose-t" and filled.options["batch_size"] == 3
    assert filled.options["box_every"] == 5  # its default
    assert checked_options(filled) == filled


def test_options_are_written_with_their_defaults_and_come_back(fake: None, tmp_path: Path) -> None:
    chosen = Settings(detect=checked_options(said("detector=fake", "chunk_frames=7")))
    (tmp_path / "settings.toml").write_text(to_toml(chosen, {}), encoding="utf-8")
    assert "sharpness = 3" in (tmp_path / "settings.toml").read_text()
    assert load_settings(tmp_path / "settings.toml").detect == chosen.detect
    assert DetectSettings(**json.loads(json.dumps(chosen.detect.model_dump(mode="json")))) == chosen.detect


def test_options_of_another_detector_are_left_out() -> None:
    before = {"detector": "mmpose", "chunk_frames": 7, "mmpose_config": "a.py", "batch_size": 3}
    assert changed_detection(before, {"batch_size": 4}) == before | {"batch_size": 4}
    assert changed_detection(before, {"detector": "mmpose"}) == before
    other = {"detector": "mediapipe", "first_look_s": 9}
    assert changed_detection(before, other) == {"chunk_frames": 7, **other}
    assert changed_detection({"batch_size": 3}, {"detector": "mediapipe"}) == {"detector": "mediapipe"}


def test_the_keys_of_detections_depend_on_the_chunks_and_the_detector_alone() -> None:
    """Options count by the detector's own key."""
    inputs = [FakeDetector() for _ in range(3)]
    keys = {
        result_key(detect_poses, tuple(inputs), settings)
        for settings in (said(), checked_options(said()), checked_options(said("detector=mmpose", "box_every=9")),
                         said("anything=3", "first_look_s=1"))
    }  # fmt: skip
    text = json.dumps(
        ["detect_poses", detect_poses.version, {"chunk_frames": 120}, [inputs[0].key] * 3], sort_keys=True
    )
    assert keys == {hashlib.sha256(text.encode()).hexdigest()[:32]}
    assert result_key(detect_poses, tuple(inputs), said("chunk_frames=9")) not in keys
    assert detect_poses.returns is Detections


def test_options_are_checked_without_the_package_of_the_detector() -> None:
    code = (
        "import sys; from posepipe.pipeline.detectors.choose import checked_options; "
        "from posepipe.pipeline.settings import DetectSettings; "
        "[checked_options(DetectSettings(detector=name)) for name in ('auto', 'mmpose', 'blazepose')]; "
        "print([name for name in ('torch', 'mmpose', 'mmengine', 'openvino') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name, place in DETECTORS.items() if place.startswith("posepipe.")])
def test_every_detector_describes_its_options(name: str) -> None:
    kind = settings_class(name)
    assert issubclass(kind, DetectorSettings) and kind.build is not DetectorSettings.build and kind.__doc__
    for option, field in kind.model_fields.items():
        assert field.description, f"{option} has no description"
    filled = checked_options(DetectSettings(detector=name))
    assert filled.options == kind().model_dump(mode="json")
    assert checked_options(filled) == filled
