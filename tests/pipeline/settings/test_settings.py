"""Settings are the same words everywhere, and a wrong word is answered with the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import (
    DetectSettings,
    Settings,
    TrackSettings,
    TrainSettings,
    check_name,
    load_settings,
    method_settings,
    nested,
    parse,
    read_toml,
    setting_names,
    to_toml,
)


def options_of(chosen: Settings) -> dict:
    return method_settings(chosen).model_dump(mode="json")


def test_toml_and_set_and_python_say_the_same(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(
        'device = "cpu"\n[track]\ngap_s = 0.7\n[samples]\nstatic_cameras = false\n[train]\nseed = 3\nepochs = 7\n'
    )
    overrides = ["device=cpu", "track.gap_s=0.7", "samples.static_cameras=false", "train.seed=3", "train.epochs=7"]
    by_hand = Settings(
        device="cpu",
        track=TrackSettings(gap_s=0.7),
        samples={"static_cameras": False},
        train=TrainSettings(seed=3),
        method={"epochs": 7},
    )
    assert load_settings(config) == load_settings(overrides=overrides) == by_hand
    assert method_settings(by_hand).epochs == 7


def test_set_wins_over_the_file_and_an_option_over_both(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text("[train]\nseed = 1\nepochs = 2\n")
    chosen = load_settings(config, ["train.seed=4", "train.epochs=5"], {"train.seed": 6, "train.method": None})
    assert chosen.train == TrainSettings(seed=6)
    assert options_of(chosen)["epochs"] == 5


def test_all_settings_come_back_from_toml(tmp_path: Path) -> None:
    chosen = load_settings(overrides=["train.epochs=7", "detect.chunk_frames=9", 'detect.mmpose_config="a b.py"'])
    written = tmp_path / "settings.toml"
    written.write_text(to_toml(chosen, options_of(chosen)), encoding="utf-8")
    again = load_settings(written)
    assert again.model_copy(update={"method": {}}) == chosen.model_copy(update={"method": {}})
    assert options_of(again) == options_of(chosen)


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30), gap=st.floats(1e-6, 1e6))
def test_any_value_comes_back_from_toml(text: str, gap: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    chosen = Settings(detect=DetectSettings(mmpose_config=text), track=TrackSettings(gap_s=gap))
    written = tmp_path_factory.mktemp("toml") / "settings.toml"
    written.write_bytes(to_toml(chosen, {}).encode())
    assert load_settings(written) == chosen


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("track.gap=1", r"unknown setting 'track.gap'; did you mean 'track.gap_s'\?"),
        ("trak.gap_s=1", r"unknown setting 'trak'; did you mean 'track.gap_s'\?"),
        ("train.method=canonpse", r"unknown method 'canonpse'; did you mean 'canonpose'\? valid: canonpose"),
        ("track.gap_s=-1", r"track.gap_s = -1: input should be greater than 0"),
        ("track.gap_s=soon", r"track.gap_s = 'soon': input should be a valid number"),
        ("train.seed=1.5", r"train.seed = 1.5"),
        ("train.seed", r"--set 'train.seed' has no '='"),
        ("track=3", r"track = 3"),
        ("train=3", r"train = 3"),
        ("detect=3", r"detect = 3"),
        ("device.name=3", r"device"),
        ("morph.skeleton.name=3", r"morph.skeleton"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(PosepipeError, match=sentence) as caught:
        load_settings(overrides=[override])
    assert "\n" not in str(caught.value)


def test_a_section_and_a_value_cannot_have_one_name() -> None:
    with pytest.raises(PosepipeError, match="device"):
        load_settings(overrides=["device=cpu", "device.name=3"])


def test_a_methods_own_settings_are_checked_by_its_class() -> None:
    assert options_of(load_settings(overrides=["train.epochs=7"]))["epochs"] == 7
    with pytest.raises(PosepipeError, match=r"unknown setting 'train.epoch'; did you mean 'train.epochs'\?"):
        method_settings(load_settings(overrides=["train.epoch=7"]))
    with pytest.raises(PosepipeError, match=r"train.epochs = 0"):
        method_settings(load_settings(overrides=["train.epochs=0"]))


def test_the_file_is_named_that_is_wrong(tmp_path: Path) -> None:
    missing, broken, wrong = tmp_path / "no.toml", tmp_path / "broken.toml", tmp_path / "wrong.toml"
    broken.write_text("[track\n")
    wrong.write_text("[track]\ngap = 1\n")
    for path, sentence in ((missing, "there is no file"), (broken, "not valid TOML"), (wrong, "track.gap_s")):
        with pytest.raises(PosepipeError, match=sentence) as caught:
            load_settings(path)
        assert str(path) in str(caught.value)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(PosepipeError, match="not UTF-8"):
        load_settings(broken)
    with pytest.raises(PosepipeError, match="cannot read"):
        load_settings(tmp_path)


def test_every_setting_says_what_it_is() -> None:
    names = setting_names(Settings)
    assert {"device", "track.gap_s", "train.seed", "samples.static_cameras"} <= set(names)
    for section in Settings.model_fields.values():
        for name, field in getattr(section.annotation, "model_fields", {}).items():
            assert field.description, f"{name} has no description"


def test_settings_do_not_change() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().device = "cpu"


def test_plain_helpers() -> None:
    assert nested(["a.b=[1, 2]", "a.c = x y", 'd="1"']) == {"a": {"b": [1, 2], "c": "x y"}, "d": "1"}
    check_name("export", "npz", ["npz", "csv"])
    with pytest.raises(PosepipeError, match=r"^unknown export 'qqq'; valid: npz, csv$"):
        check_name("export", "qqq", ["npz", "csv"])
    assert parse(TrackSettings, {"gap_s": 2}, "here").gap_s == 2


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 3\r\n")
    assert options_of(load_settings(config))["epochs"] == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (rb'calibration = "C:\Users\me\Calib.toml"', "single quotes"),
        (rb'calibration = "C:\temp\new.toml"', "single quotes"),  # valid TOML, with a tab and a new line
        (rb'names = ["\\server\a", "\server\calib.toml"]', "single quotes"),
        ("moving = false".encode("utf-16"), "not UTF-8"),
        (b"moving = ", "not valid TOML"),
    ],
)
def test_a_file_that_is_not_toml_is_told_what_to_change(content: bytes, sentence: str, tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_bytes(content)
    with pytest.raises(PosepipeError, match=sentence) as refused:
        load_settings(config)
    assert str(config) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_windows_paths_that_are_written_as_toml_wants_are_read(tmp_path: Path) -> None:
    written = tmp_path / "posepipe.toml"
    written.write_text('a = "C:\\\\temp"\nb = \'C:\\temp\'  # not "C:\\temp"\nc = "C:/temp"\n')
    assert read_toml(written) == {"a": "C:\\temp", "b": "C:\\temp", "c": "C:/temp"}
