"""Events of contacts: feet that strike the ground and leave it, people who take off and land."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .contacts import POSSIBLE, Contacts
from .soles import SIDES, Array, runs


class Event(NamedTuple):
    """Something that happens at an instant, which may lie between two frames."""

    kind: str
    """foot_strike, foot_off, take_off or landing."""
    side: str
    """left or right; empty for the whole person."""
    time: float
    frame: int
    """The first frame after it."""


class Aloft(NamedTuple):
    """A stretch in which no foot touches the ground, between two in which one does."""

    take_off: float
    landing: float
    start: int
    end: int
    """Frames; exclusive."""


def find_events(contacts: Contacts, time: Array) -> list[Event]:
    """All events in the order of their times, but for those that the ends of a clip cut off.

    Where probabilities of two frames lie on both sides of the limit, the time is interpolated between the frames.

    Args:
        time: (T) s.
    """
    found = []
    for foot, side in enumerate(SIDES):
        for start, end in runs(contacts.standing[:, foot]):
            if start > 0:
                found.append(Event("foot_strike", side, _crossing(contacts, foot, time, start), start))
            if end < len(time):
                found.append(Event("foot_off", side, _crossing(contacts, foot, time, end), end))
    for aloft in find_aloft(contacts, time):
        found.append(Event("take_off", "", aloft.take_off, aloft.start))
        found.append(Event("landing", "", aloft.landing, aloft.end))
    return sorted(found, key=lambda event: (event.time, event.kind, event.side))


def find_aloft(contacts: Contacts, time: Array) -> list[Aloft]:
    """Stretches of frames, at times (T) s, without contact, where both feet are known."""
    away = ~np.any(contacts.standing, 1) & np.all(np.isfinite(contacts.probability), 1)
    found = []
    for start, end in runs(away):
        if start > 0 and end < len(time) and contacts.standing[start - 1].any() and contacts.standing[end].any():
            last, first = (int(contacts.standing[frame].argmax()) for frame in (start - 1, end))
            off, on = _crossing(contacts, last, time, start), _crossing(contacts, first, time, end)
            found.append(Aloft(off, on, start, end))
    return found


def _crossing(contacts: Contacts, foot: int, time: Array, frame: int) -> float:
    """When contact begins or ends between the frame before and this one."""
    before, after = contacts.probability[frame - 1 : frame + 1, foot]
    share = (POSSIBLE - before) / (after - before) if after != before else np.nan
    share = float(share) if 0 <= share <= 1 else 0.5
    return float(time[frame - 1] + share * (time[frame] - time[frame - 1]))
