"""The athletes of every take: who is who across its cameras, and whose poses are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...arrays import Athletes, Detections, Exchanges, Identities, Timeline, Track
from ...errors import PosepipeError
from ...footage.description import PersonDescription
from ...footage.recording import Take
from ...settings import Place, WorldSettings
from ...stages.match.exchanges import UNKNOWN, exchange_tracks, find_exchanges
from ...stages.match.people import match_people
from ...stages.match.views import SAME
from ...stages.track.choose import choose, find_at, shares
from ...stages.track.stage import joined
from ..fit_run import FitRun
from ..results import about

PRESENT = 0.2
"""Share of a camera's frames with the person whom it shows most, from which on it shows somebody after exchanges."""
OFTEN = 0.1
"""Share of a camera's frames that are left out of somebody's track above which there is a warning."""


@dataclass(frozen=True)
class Athlete:
    """One person in a take, with their number in each camera."""

    take: Take
    number: int
    shows: tuple[bool, ...]
    """Whether each camera shows the person."""
    only: bool
    """Whether this is the only requested person of the take."""
    said: PersonDescription | None = None
    """What ``posepipe.toml`` says of their size."""

    @property
    def name(self) -> str:
        """Name for messages: the take, and the person if several are requested."""
        return self.take.name if self.only else f"{self.take.name} {self.person}"

    @property
    def person(self) -> str:
        """The name in result files."""
        return f"person{self.number}"

    @property
    def rig(self) -> str:
        """Label of takes and people seen by the same static cameras."""
        if not self.take.rig:
            return "" if self.only else f"of {self.take.name}"
        return f"{self.take.rig}: {', '.join(camera.name for camera in self.take.cameras)}"

    @property
    def views(self) -> list[str]:
        """Names of the views, one for each camera."""
        who = "" if self.only else f"/{self.person}"
        return [f"{self.take.name}/{camera.name}{who}" for camera in self.take.cameras]

    def world(self, settings: WorldSettings) -> WorldSettings:
        """Settings of the world, with the person's own size if it is said."""
        if self.said is None:
            return settings
        return settings.model_copy(update={"height_m": self.said.height_m, "segments_m": self.said.segments_m})

    def shown(self) -> list[tuple[str, str, int]]:
        """View, name and number of each camera that shows the person."""
        cameras = [f"{self.take.name}/{camera.name}" for camera in self.take.cameras]
        numbered = enumerate(zip(self.views, cameras, self.shows, strict=True))
        return [(view, camera, number) for number, (view, camera, shows) in numbered if shows]


@dataclass(frozen=True)
class Seen:
    """Everybody in all clips, by camera."""

    found: Mapping[str, Detections]
    people: Mapping[str, Identities]
    everybody: Mapping[str, list[Track]]
    """On the skeleton of the results."""


def match_takes(run: FitRun, seen: Seen, timelines: Mapping[str, Timeline]) -> dict[str, Athletes]:
    """Who is who across the cameras of every take."""
    return {
        take.name: run.run(
            match_people,
            run.of(take, seen.everybody),
            run.of(take, seen.people),
            timelines[take.name],
            subject=take.name,
        )
        for take in run.takes
    }


def choose_athletes(
    run: FitRun, seen: Seen, matched: Mapping[str, Athletes], timelines: Mapping[str, Timeline]
) -> tuple[list[Athlete], dict[str, Track]]:
    """The athletes of every take that are wanted, and their tracks by view.

    Raises:
        PosepipeError: a person who does not exist, or whom no two cameras show, or a place where nobody is.
    """
    athletes: list[Athlete] = []
    tracks: dict[str, Track] = {}
    for take in run.takes:
        here = matched[take.name]
        told, exchanges = _tell_apart(run, take, here, seen, timelines[take.name])
        shows = _shows(here, told, exchanges)
        for number in _wanted(run, take, here, shows, seen):
            only, size = not run.settings.people.everybody, _size_of(run, take, number, here, seen)
            athletes.append(Athlete(take, number, tuple(shows[number].tolist()), only, size))
            _check_match(run, athletes[-1], here.agreement[number])
            _say_doubts(run, athletes[-1], told[number], exchanges)
            tracks |= zip(athletes[-1].views, told[number], strict=True)
    return athletes, tracks


def _tell_apart(
    run: FitRun, take: Take, matched: Athletes, seen: Seen, timeline: Timeline
) -> tuple[list[list[Track]], Exchanges]:
    """Tracks of all athletes of a take in all cameras, each the same human at all times, and how they became so."""
    cameras = run.of(take, seen.everybody)
    tracks = [
        [joined(each, numbers[numbers >= 0].tolist()) for each, numbers in zip(cameras, person, strict=True)]
        for person in matched.person
    ]
    exchanges = run.run(find_exchanges, tracks, timeline, subject=take.name)
    told = [list(each) for each in tracks]
    for camera in np.unique(exchanges.camera).tolist():
        here = [each[camera] for each in tracks]
        for athlete, each in enumerate(told):
            each[camera] = exchange_tracks(here, exchanges, camera, athlete)
    return told, exchanges


def _shows(matched: Athletes, told: Sequence[Sequence[Track]], exchanges: Exchanges) -> np.ndarray:
    """Which cameras show which athletes (athlete, camera), after exchanges long enough to say so."""
    shows = np.any(matched.person >= 0, 2)
    for camera in np.unique(exchanges.camera):
        frames = np.array([int(each[camera].confidence.any(1).sum()) for each in told])
        shows[:, camera] = frames > PRESENT * frames.max()
    return shows


def _wanted(run: FitRun, take: Take, matched: Athletes, shows: np.ndarray, seen: Seen) -> list[int]:
    """Numbers of the requested people of a take, of whom cameras show some (athlete, camera)."""
    settings, cameras = run.settings.people, shows.sum(1)
    if cameras.max() < 2:
        raise PosepipeError(
            f"take {take.name}: no two cameras agree on anybody whom they show; did they film the same person at the "
            "same moments? If so, say when they started with offset_s in posepipe.toml"
        )
    if settings.everybody:
        return np.flatnonzero(cameras > 1).tolist()
    with about(Path(take.name)):
        number = _at_place(run.settings.people.place, take, matched, seen)
        if number is None:
            merit = np.where(cameras > 1, _merit(matched, run.of(take, seen.people), settings.person), 0)
            number = choose(merit, settings.person)
    if cameras[number] < 2:
        raise PosepipeError(
            f"take {take.name}: person {number} is shown by one camera only, so far as can be told, and a fit takes "
            "two; choose somebody else with --person"
        )
    return [number]


def _merit(matched: Athletes, people: Sequence[Identities], person: str) -> np.ndarray:
    """Merit (athlete) of everybody in a take: the sum of those in its cameras."""
    merit = np.zeros(matched.person.shape)
    for camera, each in enumerate(people):
        here = matched.person[:, camera]
        merit[:, camera] = np.where(here >= 0, shares(each, person)[here], 0)
    return merit.sum((1, 2))


def check_place(run: FitRun) -> None:
    """Check that one camera of the recording is that of the place where the athlete is, if a place is said.

    Raises:
        PosepipeError: none is, or several are.
    """
    place = run.settings.people.place
    if place is None:
        return
    cameras = [name for name, _ in run.cameras]
    meant = [name for name in cameras if _is_meant(place.camera, name)]
    if len(meant) != 1:
        there = f"it may be {' or '.join(meant)}" if meant else f"the cameras are {', '.join(cameras)}"
        example = f"{(meant or cameras)[0]}@{place.time_s:g}s:{place.x:g},{place.y:g}"
        raise PosepipeError(
            f"person {run.settings.people.person}: say which camera shows the place, as in {example}; {there}"
        )


def _is_meant(said: str, camera: str) -> bool:
    """Whether a camera, named ``take/camera``, is meant by its own name or the whole one."""
    return said in (camera, camera.rpartition("/")[2])


def _size_of(run: FitRun, take: Take, number: int, matched: Athletes, seen: Seen) -> PersonDescription | None:
    """What is said of an athlete's size, if anything is.

    Raises:
        PosepipeError: it is not said whose size it is, or a camera that there is not.
    """
    for name, said in take.people.items():
        if said.place is None:
            if run.settings.people.everybody or len(take.people) > 1:
                raise PosepipeError(
                    f"take {take.name}: say who [people.{name}] of posepipe.toml is, as in person = "
                    f'"{take.cameras[0].name}@12.5s:640,360"'
                )
            return said
        if not any(_is_meant(said.place.camera, camera) for camera, _ in run.cameras):
            raise PosepipeError(
                f"take {take.name}: [people.{name}] of posepipe.toml names the camera {said.place.camera!r}; the "
                f"cameras are {', '.join(camera for camera, _ in run.cameras)}"
            )
        if _at_place(said.place, take, matched, seen) == number:
            return said
    return None


def _at_place(place: Place | None, take: Take, matched: Athletes, seen: Seen) -> int | None:
    """Number of whoever is at a place; None where no place of this take is."""
    cameras = [f"{take.name}/{camera.name}" for camera in take.cameras]
    numbers = [number for number, name in enumerate(cameras) if place and _is_meant(place.camera, name)]
    if place is None or not numbers:
        return None
    (camera,) = numbers
    owner = {int(one): number for number, each in enumerate(matched.person[:, camera]) for one in each if one >= 0}
    people = seen.people[cameras[camera]]
    names = [f"person {owner[one]}" for one in range(len(people.score))]
    with about(take.cameras[camera].video):
        return owner[find_at(place, seen.found[cameras[camera]], people, names)]


def _check_match(run: FitRun, athlete: Athlete, agreement: np.ndarray) -> None:
    """Warn of cameras that do not show an athlete, or may show another person."""
    take = athlete.take
    for camera, shows, agrees in zip(take.cameras, athlete.shows, agreement, strict=True):
        if not shows:
            run.warn(
                f"{camera.video} does not show person {athlete.number} of take {take.name}, so far as can be told, "
                "and is left out"
            )
        elif agrees < 1 - SAME:
            run.warn(
                f"{camera.video} agrees with the other cameras of take {take.name} on person {athlete.number} by "
                f"{max(agrees, 0):.2f} of 1 only; does it show somebody else?"
            )


def _say_doubts(run: FitRun, athlete: Athlete, told: Sequence[Track], exchanges: Exchanges) -> None:
    """Warn of cameras of whose frames many are left out, as it cannot be told whether they show an athlete."""
    doubted = (exchanges.one == athlete.number) & (exchanges.other == UNKNOWN)
    for number, (camera, track) in enumerate(zip(athlete.take.cameras, told, strict=True)):
        here = doubted & (exchanges.camera == number)
        share = float((exchanges.end - exchanges.start)[here].sum()) / len(track.time)
        if athlete.shows[number] and share > OFTEN:
            run.warn(
                f"{camera.video}: {share:.0%} of the frames may show person {athlete.number} of take "
                f"{athlete.take.name} or somebody near, which the other cameras do not tell, and are left out"
            )
