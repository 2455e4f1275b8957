"""The choice of a detector, always said aloud."""

from __future__ import annotations

import logging
from pathlib import Path

from ..errors import PosepipeError
from ..settings import DetectSettings
from . import Detector, model_zoo

log = logging.getLogger("posepipe")


def choose_detector(settings: DetectSettings, device: str) -> Detector:
    """The detector that the settings ask for; ``auto`` takes mmpose if there are weights for it.

    Raises:
        PosepipeError: mmpose is asked for and cannot run here, or has no checkpoint.
    """
    found = None if settings.detector == "mediapipe" else model_zoo.find_checkpoint()
    configured = bool(settings.mmpose_checkpoint)
    if settings.detector == "mediapipe" or (settings.detector == "auto" and not configured and found is None):
        from .mediapipe import MediapipeDetector

        detector: Detector = MediapipeDetector()
        because = (
            "as asked"
            if settings.detector == "mediapipe"
            else f"no MMPose checkpoint of a known name in {model_zoo.models_folder()}"
        )
    else:
        detector, because = _mmpose(settings, device, found)
    log.info("detector: %s (%s)", detector.description, because)
    return detector


def _mmpose(settings: DetectSettings, device: str, found: model_zoo.FoundModel | None) -> tuple[Detector, str]:
    from ..device import choose_device
    from .mmpose import MMPoseDetector

    if reason := model_zoo.why_not():
        raise PosepipeError(f"mmpose cannot run here: {reason}; use --detector mediapipe")
    if settings.mmpose_checkpoint:
        checkpoint = Path(settings.mmpose_checkpoint).expanduser()
        if not checkpoint.is_file():
            raise PosepipeError(f"detect.mmpose_checkpoint: there is no file {checkpoint}")
        config, because = (
            settings.mmpose_config or model_zoo.find_config_of(checkpoint),
            "its checkpoint is configured",
        )
    elif found is not None:
        config, checkpoint, because = (
            found.config,
            found.checkpoint,
            f"its checkpoint is in {model_zoo.models_folder()}",
        )
    else:
        raise PosepipeError(
            f"mmpose needs a checkpoint: put one into {model_zoo.models_folder()}, "
            "or name it with --set detect.mmpose_checkpoint=FILE (and its config with detect.mmpose_config)"
        )
    detector = MMPoseDetector(
        config, checkpoint, device=choose_device(device), batch_size=settings.batch_size, box_every=settings.box_every
    )
    return detector, because
