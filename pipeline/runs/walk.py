"""What all parts of a fit share: the recording, the settings, the cache, and the warnings for the report."""

from __future__ import annotations

import logging
from typing import Any

from ..footage.recording import Recording, Take
from ..runtime.workplace import Workplace
from ..settings import Settings

log = logging.getLogger("posepipe")


class Walk:
    """One walk through the stages of a fit; results are kept by take and camera."""

    def __init__(self, recording: Recording, place: Workplace, settings: Settings) -> None:
        self.recording, self.place, self.settings = recording, place, settings
        self.run = place.cache.run
        self.cameras = [(f"{take.name}/{camera.name}", camera) for take in recording.takes for camera in take.cameras]
        self.warnings: list[str] = []

    def warn(self, sentence: str) -> None:
        """Say something that the user should look at, now and in the report."""
        log.warning(sentence)
        self.warnings.append(sentence)

    def of(self, take: Take, results: dict[str, Any]) -> list[Any]:
        """A take's cameras' results, in order."""
        return [results[f"{take.name}/{camera.name}"] for camera in take.cameras]
