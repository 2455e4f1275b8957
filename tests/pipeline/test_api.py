"""The Python API: its names and arguments stay, and each says what it is."""

from __future__ import annotations

import inspect
import re

import posepipe.pipeline
import pytest

ARGUMENTS = {
    "fit": "folder, *, out, settings, until, exports",
    "infer": "clip, *, model, out, height_m, focal_px, exports, overrides, device",
    "load_model": "path",
    "load_settings": "config, overrides, options",
    "as_dataset": "poses",
    "TrainedModel.lift": "self, keypoints, confidence, *, time_s, height_m, K, device",
    "Recording.open": "folder",
    "Recording.without": "self, names",
}
"""What programs of others rely on: arguments may be added, at the end or by name."""


def of(name: str) -> object:
    found: object = posepipe.pipeline
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_function_keeps_its_arguments_and_says_what_they_are(name: str) -> None:
    function = of(name)
    signature = inspect.signature(function)  # type: ignore[arg-type]
    listed, star = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            listed, star = [*listed, "*"], True
        listed.append(parameter.name)
    assert ", ".join(listed) == ARGUMENTS[name]
    assert signature.return_annotation is not signature.empty
    assert all(p.annotation is not p.empty for p in signature.parameters.values() if p.name != "self")
    described = re.findall(r"^\s+(\w+): ", (inspect.getdoc(function) or "").partition("Args:")[2], re.MULTILINE)
    wanted = [word for word in listed if word not in ("self", "*")]
    assert described[: len(wanted)] == wanted or len(wanted) == 1 or name == "load_settings"


@pytest.mark.parametrize("name", posepipe.pipeline.__all__)
def test_every_name_is_there_and_opens_with_a_sentence(name: str) -> None:
    first = (inspect.getdoc(of(name)) or "").split("\n\n")[0]
    assert first.rstrip().endswith((".", ":"))
    assert not first.startswith(f"{name}(")


def test_nothing_else_is_offered() -> None:
    with pytest.raises(AttributeError, match="fitt"):
        _ = posepipe.pipeline.fitt
    assert sorted(posepipe.pipeline.__all__) == list(posepipe.pipeline.__all__)
