"""events.csv and measures.csv: contacts with the ground, and what follows from them (``models.world``)."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...models.skeleton import SKELETONS
from ...models.world.contacts import Contacts
from ...models.world.events import find_events
from ...models.world.measures import Walked, find_measures
from ...models.world.soles import soles_of, supports
from ..arrays import WorldPoses
from .clip import Clip

log = logging.getLogger("posepipe")

EVENTS = ("person", "event", "side", "time", "frame")
MEASURES = ("person", "measure", "side", "value", "low", "high", "unit", "count", "lengths_from")


def write_events(clip: Clip, path: Path) -> None:
    """Write a row per event: foot strikes and offs of each side, take-offs and landings of the person.

    ``time`` is in s of the clip and may lie between two frames; ``frame`` is the first one after it. Where the world
    is not known, there are no rows.
    """
    _say_if_unknown(clip, "events")
    rows: list[tuple[object, ...]] = []
    for person in clip.people:
        if person.world is not None:
            events = find_events(contacts_of(person.world), np.asarray(clip.time))
            rows += [(person.name, one.kind, one.side, round(one.time, 4), one.frame) for one in events]
    _write(path, EVENTS, rows)


def write_measures(clip: Clip, path: Path) -> None:
    """Write a row per measure of gait, jumps and travel, with the interval of 95 % in which it lies.

    ``count`` says of how many steps, strides or jumps it is the mean, ``side`` is empty for both together;
    ``lengths_from`` says what tells metres. Where the world is not known, or somebody neither walks nor jumps, there
    are no rows.
    """
    _say_if_unknown(clip, "measures")
    rows: list[tuple[object, ...]] = []
    for person in clip.people:
        if person.world is not None:
            source = person.world.scale_source or "stature"
            for one in find_measures(walked(person.world, np.asarray(clip.time))):
                numbers = (round(value, 4) for value in (one.value, one.low, one.high))
                rows.append((person.name, one.name, one.side, *numbers, one.unit, one.of, source))
    _write(path, MEASURES, rows)


def contacts_of(world: WorldPoses) -> Contacts:
    """Contacts as they were found."""
    standing = np.asarray(world.standing)
    return Contacts(np.asarray(world.contact, np.float64), standing, standing)


def walked(world: WorldPoses, time: np.ndarray) -> Walked:
    """A person as the measures take them, with the times (frame) s of the frames."""
    skeleton = SKELETONS[world.skeleton].shown_by(np.isfinite(world.joint_world).all(-1))
    soles = soles_of(skeleton)
    return Walked(
        mass=np.asarray(world.mass_world, np.float64),
        feet=supports(np.asarray(world.joint_world, np.float64)[:, soles.joint], soles),
        time=time,
        contacts=contacts_of(world),
        stature=world.stature,
        unit=world.unit,
        scale_deviation=world.scale_deviation,
    )


def _say_if_unknown(clip: Clip, name: str) -> None:
    if any(person.world is None for person in clip.people):
        log.warning(
            "%s: %s takes the world, which is known where several static cameras film a person: the file stays empty",
            clip.video.name, name,
        )  # fmt: skip


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
