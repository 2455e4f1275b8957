"""What all parts of a fit share: what was asked for, the results folder, and the warnings for the report."""

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
    """One run of a fit: what was asked for, where results go, and what the user should look at."""

    def __init__(self, asked: FitRequest | ArraysRequest, place: Workplace, about: Path | None = None) -> None:
        self.until, self.settings = asked.until, asked.settings
        self._about = about
        self.place, self.run = place, place.cache.run
        self.warnings: list[str] = []

    def warn(self, sentence: str) -> None:
        """Say something that the user should look at, now (with the file that it is about) and in the report."""
        log.warning(sentence if self._about is None else f"{self._about}: {sentence}")
        self.warnings.append(sentence)

    def reached(self, stage: str) -> None:
        """A stage is done for everything that the fit was given.

        Raises:
            Stopped: the fit was to go no further.
        """
        if stage == self.until:
            raise Stopped

    def lead(self) -> None:
        """Go on behind the stage that several processes do together: only the first of them does.

        Raises:
            Stopped: this process only helps to train.
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
