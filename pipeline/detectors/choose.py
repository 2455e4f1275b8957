"""The choice of a detector, which is always logged, and the check of its options."""

from __future__ import annotations

import logging

from ..errors import PosepipeError
from ..settings import (
    DetectSettings,
    check_extension,
    check_name,
    find_extension,
    load_place,
    names_of,
    parse,
    unknown_setting,
)
from . import DETECTORS, Detector, DetectorSettings, model_zoo

log = logging.getLogger("posepipe")

AUTO = "auto"
CANDIDATES = ("mmpose", "blazepose")
"""Detectors from which ``auto`` chooses; it accepts options of all of them."""


def detector_names() -> list[str]:
    """All values of ``detect.detector``, including detectors of other packages."""
    return [AUTO, *names_of("detector", DETECTORS)]


def settings_class(name: str) -> type[DetectorSettings]:
    """The class of a detector's options.

    Raises:
        PosepipeError: unknown detector, or one of another package that cannot be used.
    """
    check_name("detector", name, detector_names())
    place = find_extension("detector", name, DETECTORS)
    kind = load_place(place)
    fits = isinstance(kind, type) and issubclass(kind, DetectorSettings)
    check_extension(place, fits, "a subclass of posepipe.pipeline.detectors.DetectorSettings")
    if taken := set(DetectSettings.model_fields) & set(kind.model_fields):
        raise PosepipeError(f"option {min(taken)!r} of detector {name!r} has the name of a setting of all detectors")
    return kind


def checked_options(settings: DetectSettings, where: str = "settings") -> DetectSettings:
    """Settings of detection with options checked by the detector's class, and defaults filled in.

    Args:
        where: source of the settings, such as a file, for messages.

    Raises:
        PosepipeError: unknown detector or option (with the nearest valid name), or a value that does not fit.
    """
    filled = {name: getattr(settings, name) for name in DetectSettings.model_fields}
    for options in reversed(_parsed(settings, where).values()):
        filled |= options.model_dump(mode="json")
    return DetectSettings(**filled)


def choose_detector(settings: DetectSettings, device: str) -> Detector:
    """The detector of the settings; ``auto`` is mmpose if there are weights for it.

    Raises:
        PosepipeError: unknown detector or options, or the detector cannot run here or lacks something that it needs.
    """
    parsed = _parsed(settings, "settings")
    if settings.detector == "mediapipe":
        log.warning('the detector mediapipe is called blazepose now; say detector = "blazepose"')
    name, because = (settings.detector, "as asked") if settings.detector != AUTO else _automatic(settings)
    detector = parsed[name].build(device)
    log.info("detector: %s (%s)", detector.description, because)
    return detector


def _parsed(settings: DetectSettings, where: str) -> dict[str, DetectorSettings]:
    """Options of the detectors that the settings may mean, by the detectors' names."""
    names = CANDIDATES if settings.detector == AUTO else (settings.detector,)
    kinds = {name: settings_class(name) for name in names}
    fields = [*DetectSettings.model_fields, *(field for kind in kinds.values() for field in kind.model_fields)]
    parsed = {}
    for option in settings.options:
        if option not in fields:
            raise unknown_setting(where, f"detect.{option}", [f"detect.{name}" for name in dict.fromkeys(fields)])
    for name, kind in kinds.items():
        own = {option: value for option, value in settings.options.items() if option in kind.model_fields}
        parsed[name] = parse(kind, own, where, section="detect")
    return parsed


def _automatic(settings: DetectSettings) -> tuple[str, str]:
    if settings.options.get("mmpose_checkpoint"):
        return "mmpose", "its checkpoint is configured"
    if settings.options.get("mmpose_config"):
        return "mmpose", "its config is configured"
    if model_zoo.find_checkpoint():
        return "mmpose", f"its checkpoint is in {model_zoo.models_folder()}"
    return "blazepose", f"no MMPose checkpoint of a known name in {model_zoo.models_folder()}"
