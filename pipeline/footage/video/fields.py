"""Interlaced material: found by its combing or its flags, and split into its fields.

Both are done by filters of FFmpeg: ``idet`` compares each picture's fields with those before and after it, ``bwdif``
makes a whole picture of every field from the lines of the fields around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av.error
from av.filter import Graph
from av.video.frame import VideoFrame

LOOK = 16
"""So many pictures one after the other are looked at for combing."""

MOVING = 3
"""Pictures with motion, at least, whose combing is believed against their flags."""


class Combing:
    """Looks at a video's pictures, one after the other, and tells whether they are interlaced."""

    def __init__(self) -> None:
        self._idet: _Filter | None = None
        self.pictures, self._flagged = 0, 0
        self._found: dict[str, str] = {}

    def look(self, frame: VideoFrame) -> None:
        """Take the next picture into account."""
        self._idet = self._idet or _Filter(frame, "idet")
        for seen in self._idet.through(frame, self.pictures):
            self._found = dict(seen.metadata)
        self.pictures += 1
        self._flagged += frame.interlaced_frame

    @property
    def sure(self) -> bool:
        """Whether enough has moved to tell: half of the pictures that are looked at in one place."""
        return sum(self._count(kind) for kind in ("tff", "bff", "progressive")) >= LOOK / 2

    def _count(self, kind: str) -> float:
        """How many pictures are of a kind, as far as the filter can tell."""
        return float(self._found.get(f"lavfi.idet.single.{kind}", 0))

    @property
    def field_order(self) -> str:
        """Which field was taken first: "tff" (the top one), "bff", or "auto" (as flagged); "" if not interlaced.

        Progressive material is often flagged as interlaced, but shows no combing where something moves. What is not
        flagged must show it beyond doubt: in most pictures, and of one field order.
        """
        top, bottom, whole, unsure = map(self._count, ("tff", "bff", "progressive", "undetermined"))
        combed, order = top + bottom, "tff" if top >= bottom else "bff"
        if 2 * self._flagged > self.pictures:
            return "" if whole > max(combed, MOVING) else order if combed >= MOVING else "auto"
        most = combed >= max(MOVING, 0.5 * (combed + whole + unsure))
        return order if most and max(top, bottom) >= 0.95 * combed else ""


def split_fields(frames: Iterable[VideoFrame], field_order: str) -> Iterator[VideoFrame]:
    """Two pictures of full height for each interlaced one, in the order in which its fields were taken."""
    bwdif: _Filter | None = None
    for number, frame in enumerate(frames):
        bwdif = bwdif or _Filter(frame, "bwdif", f"mode=send_field:parity={field_order}:deint=all")
        yield from bwdif.through(frame, number)
    if bwdif is not None:
        yield from bwdif.rest()


class _Filter:
    """A filter of FFmpeg, for pictures like a first one."""

    def __init__(self, first: VideoFrame, name: str, options: str | None = None) -> None:
        self._size, self._format = (first.width, first.height), first.format.name
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=Fraction(1, 1)
        )
        self._graph.link_nodes(source, self._graph.add(name, options), self._graph.add("buffersink")).configure()

    def through(self, frame: VideoFrame, number: int) -> Iterator[VideoFrame]:
        """What comes out when a picture goes in; its time there is its number."""
        # The same picture, unless the video changes its size on the way.
        frame = frame.reformat(*self._size, self._format)
        frame.pts, frame.time_base = number, Fraction(1, 1)
        self._graph.vpush(frame)
        yield from self._ready()

    def rest(self) -> Iterator[VideoFrame]:
        """What comes out at the end."""
        self._graph.vpush(None)
        yield from self._ready()

    def _ready(self) -> Iterator[VideoFrame]:
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
