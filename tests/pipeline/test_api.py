"""The Python API: its names and arguments stay, and each says what it is."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files

import posepipe.pipeline
import pytest

ARGUMENTS = {
    "fit": "folder, *, out, settings, until, exports",
    "infer": "clip, *, model, out, height_m, segments_m, focal_px, exports, overrides, device",
    "load_model": "path",
    "load_settings": "config, overrides, options",
    "as_dataset": "poses",
    "TrainedModel.lift": (
        "self, keypoints, confidence, *, time_s, height_m, segments_m, K, focal_px, image_size_px, device"
    ),
    "Recording.open": "folder",
    "Recording.without": "self, names",
}
"""What programs of others rely on; arguments may be added by name, after the star."""


def of(name: str) -> object:
    found: object = posepipe.pipeline
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_function_keeps_its_arguments_and_says_what_they_are(name: str) -> None:
    function = of(name)
    signature = inspect.signature(function)  # type: ignore[arg-type]
    parameters = signature.parameters.values()
    placed = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    before, _, after = ARGUMENTS[name].partition(", *, ")
    assert ", ".join(placed) == before
    assert set(filter(None, after.split(", "))) <= set(named)
    assert signature.return_annotation is not signature.empty
    assert all(p.annotation is not p.empty for p in signature.parameters.values() if p.name != "self")
    described = re.findall(r"^\s+(\w+): ", (inspect.getdoc(function) or "").partition("Args:")[2], re.MULTILINE)
    assert not named or set(placed + named) - {"self"} <= set(described)


@pytest.mark.parametrize("name", posepipe.pipeline.__all__)
def test_every_name_is_there_and_opens_with_a_sentence(name: str) -> None:
    first = (inspect.getdoc(of(name)) or "").split("\n\n")[0]
    assert first.rstrip().endswith((".", ":"))
    assert not first.startswith(f"{name}(")


def test_nothing_else_is_offered() -> None:
    with pytest.raises(AttributeError, match="fitt"):
        _ = posepipe.pipeline.fitt
    assert sorted(posepipe.pipeline.__all__) == list(posepipe.pipeline.__all__)


@pytest.mark.parametrize("package", ["posepipe.models", "posepipe.pipeline"])
def test_type_checkers_of_others_see_the_types(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()
