"""Utilisation of a network while pictures are read: the share of time in which its device computes.

``detect`` measures it; detectors mark when their network runs. On a GPU it is the time between two events in the
device's queue, not the time for which the processor waits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass
class Busy:
    """Seconds of one piece of work."""

    total: float = 0.0
    network: float = 0.0
    """Time in which the network's device computed."""
    waited: float = 0.0
    """Time spent waiting for pictures."""

    def __add__(self, other: Busy) -> Busy:
        return Busy(self.total + other.total, self.network + other.network, self.waited + other.waited)

    @property
    def share(self) -> float:
        """Share of the time in which the network computed."""
        return self.network / max(self.total, 1e-9)

    def __str__(self) -> str:
        waited = self.waited / max(self.total, 1e-9)
        return f"the network computed {self.share:.0%} of the time, and {waited:.0%} went by waiting for pictures"


_current: ContextVar[Busy | None] = ContextVar("busy", default=None)


@contextmanager
def measured() -> Iterator[Busy]:
    """Measure the work inside."""
    busy = Busy()
    before, began = _current.set(busy), time.perf_counter()
    try:
        yield busy
    finally:
        _current.reset(before)
        busy.total = time.perf_counter() - began


@contextmanager
def network(device: torch.device | None = None) -> Iterator[None]:
    """Count the time inside as work of a network on a device, by default the processor."""
    busy = _current.get()
    if busy is None:
        yield
    elif device is not None and device.type == "cuda":
        import torch

        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record(torch.cuda.current_stream(device))
        yield
        ended.record(torch.cuda.current_stream(device))
        ended.synchronize()
        busy.network += began.elapsed_time(ended) / 1e3
    else:
        began_s = time.perf_counter()
        yield
        busy.network += time.perf_counter() - began_s


def awaited(items: Iterable[T]) -> Iterator[T]:
    """The same items; the time spent waiting for each is measured."""
    iterator, busy = iter(items), _current.get()
    while True:
        began = time.perf_counter()
        try:
            item = next(iterator)
        except StopIteration:
            return
        finally:
            if busy is not None:
                busy.waited += time.perf_counter() - began
        yield item
