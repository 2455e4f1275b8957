"""What all parts of a fit share: what was asked for, the results folder, and the warnings for the report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

from ..footage.recording import CameraClip, Take
from ..runtime.workplace import Workplace
from ..settings import Settings
from .up_to_date import FitRequest

log = logging.getLogger("posepipe")

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - no error: the stage that was asked for has been reached
    """The stage of ``until`` is done."""


class FitRun:
    """One run of a fit; results are kept by the names of views, ``take/camera`` or ``take/camera/person``."""

    def __init__(self, asked: FitRequest, place: Workplace) -> None:
        self.asked, self.place = asked, place
        self.takes: tuple[Take, ...] = asked.takes
        self.settings: Settings = asked.settings
        self.run = place.cache.run
        self.warnings: list[str] = []

        self.cameras: list[tuple[str, CameraClip]] = asked.cameras

    def warn(self, sentence: str) -> None:
        """Say something that the user should look at, now and in the report."""
        log.warning(sentence)
        self.warnings.append(sentence)

    def of(self, take: Take, results: Mapping[str, T]) -> list[T]:
        """The results of a take's cameras, in order."""
        return [results[f"{take.name}/{camera.name}"] for camera in take.cameras]

    def reached(self, stage: str) -> None:
        """A stage is done for everything that the fit was given.

        Raises:
            Stopped: the fit was to go no further.
        """
        if stage == self.asked.until:
            raise Stopped

    def lead(self) -> None:
        """Go on behind the stage that several processes do together: only the first of them does.

        Raises:
            Stopped: this process only helps to train.
        """
        if self.place.rank > 0:
            raise Stopped
