"""The choice of a detector, always said aloud."""

from __future__ import annotations

import logging
from importlib import import_module

from ..settings import DetectSettings
from . import DETECTORS, Detector, model_zoo

log = logging.getLogger("posepipe")


def choose_detector(settings: DetectSettings, device: str) -> Detector:
    """The detector that the settings ask for; ``auto`` takes mmpose if there are weights for it.

    Raises:
        PosepipeError: the detector cannot run here, or lacks something that it needs.
    """
    name, because = (settings.detector, "as asked") if settings.detector != "auto" else _automatic(settings)
    module, _, attribute = DETECTORS[name].partition(":")
    detector: Detector = getattr(import_module(module), attribute).from_settings(settings, device)
    log.info("detector: %s (%s)", detector.description, because)
    return detector


def _automatic(settings: DetectSettings) -> tuple[str, str]:
    if settings.mmpose_checkpoint:
        return "mmpose", "its checkpoint is configured"
    if settings.mmpose_config:
        return "mmpose", "its config is configured"
    if model_zoo.find_checkpoint():
        return "mmpose", f"its checkpoint is in {model_zoo.models_folder()}"
    return "mediapipe", f"no MMPose checkpoint of a known name in {model_zoo.models_folder()}"
