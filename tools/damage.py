"""Damage to files, as copying, cards and people do it."""

from __future__ import annotations

import random


def flipped(data: bytearray, rng: random.Random) -> None:
    """Some bytes are others."""
    for _ in range(rng.choice((1, 3, 30, 300))):
        data[rng.randrange(len(data))] = rng.randrange(256)


def cut(data: bytearray, rng: random.Random) -> None:
    """The end is missing."""
    del data[rng.randrange(len(data)) :]


def headless(data: bytearray, rng: random.Random) -> None:
    """The beginning is missing."""
    del data[: rng.randrange(len(data))]


def holed(data: bytearray, rng: random.Random) -> None:
    """A piece is zeros, as of a card with bad blocks."""
    start, length = rng.randrange(len(data)), rng.choice((16, 512, 4096))
    data[start : start + length] = bytes(len(data[start : start + length]))


def repeated(data: bytearray, rng: random.Random) -> None:
    """A piece is there twice."""
    start = rng.randrange(len(data))
    data[start:start] = data[start : start + rng.choice((188, 4096))]


def swapped(data: bytearray, rng: random.Random) -> None:
    """Two pieces have changed places: boxes of MP4 at any depth where there are two, else any."""
    places = boxes(data)
    if len(places) > 1:
        (a, length), (b, other) = sorted(rng.sample(places, 2))
    else:
        length = other = max(1, len(data) // 10)
        a, b = sorted(rng.sample(range(len(data)), 2))
    if a + length <= b:
        data[:] = data[:a] + data[b : b + other] + data[a + length : b] + data[a : a + length] + data[b + other :]


def boxes(data: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Starts and lengths of the boxes of an MP4, and of those in them."""
    found, end = [], len(data) if end is None else end
    while start + 8 <= end:
        length, name = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        if length < 8 or start + length > end or not name.isalnum():
            break
        found.append((start, length))
        if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"):
            found += boxes(data, start + 8, start + length)
        start += length
    return found


DAMAGE = (flipped, cut, headless, holed, repeated, swapped)


def damaged(data: bytes, rng: random.Random, more: bytes) -> bytes:
    """A file with one or two kinds of damage, or glued to ``more``."""
    made = bytearray(data)
    if rng.random() < 0.15:
        made += more
    for damage in rng.choices(DAMAGE, k=rng.choice((1, 1, 2))):
        if made:
            damage(made, rng)
    return bytes(made)
