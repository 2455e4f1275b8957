"""Shared by all parts of a fit: the request, the results folder, and the warnings for the report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..footage.recording import CameraClip, Take
from ..runtime.workplace import Workplace
from .clip_chain import Opened
from .up_to_date import ArraysRequest, FitRequest

log = logging.getLogger("posepipe")

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - no error: the stage that was asked for has been reached
    """The stage of ``until`` is done."""


class Run:
    """One run of a fit: the request, the results folder, and warnings."""

    def __init__(self, asked: FitRequest | ArraysRequest, place: Workplace, about: Path | None = None) -> None:
        self.until, self.settings = asked.until, asked.settings
        self._about = about
        self.place, self.run = place, place.cache.run
        self.warnings: list[str] = []

    def warn(self, sentence: str) -> None:
        """Log a warning, with the file that it is about, and keep it for the report."""
        log.warning(sentence if self._about is None else f"{self._about}: {sentence}")
        self.warnings.append(sentence)

    def reached(self, stage: str) -> None:
        """A stage is done for all inputs of the fit.

        Raises:
            Stopped: it is the last requested stage.
        """
        if stage == self.until:
            raise Stopped

    def lead(self) -> None:
        """Continue after the stage that several processes run together, in the first process only.

        Raises:
            Stopped: this process only helps in training.
        """
        if self.place.rank > 0:
            raise Stopped


class FitRun(Run):
    """A run on videos; results are kept by the names of views, ``take/camera`` or ``take/camera/person``."""

    def __init__(self, asked: FitRequest, place: Workplace) -> None:
        super().__init__(asked, place)
        self.asked = asked
        self.takes: tuple[Take, ...] = asked.takes
        self.cameras: list[tuple[str, CameraClip]] = asked.cameras

    def opened(self, clips: Mapping[str, Opened]) -> None:
        """Go on with the cameras as they were opened: their calibrations are those of their pictures."""
        self.cameras = [(name, clips[name].camera) for name, _ in self.cameras]
        named = dict(self.cameras)
        self.takes = tuple(
            replace(take, cameras=tuple(named[f"{take.name}/{camera.name}"] for camera in take.cameras))
            for take in self.takes
        )

    def of(self, take: Take, results: Mapping[str, T]) -> list[T]:
        """The results of a take's cameras, in order."""
        return [results[f"{take.name}/{camera.name}"] for camera in take.cameras]
