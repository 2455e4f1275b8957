"""An athlete: one person in a take, and the names of what a fit keeps of them."""

from __future__ import annotations

from dataclasses import dataclass

from ..footage.recording import Take


@dataclass(frozen=True)
class Athlete:
    """One person in a take, and who that is in each of its cameras."""

    take: Take
    number: int
    people: tuple[int, ...]
    """The person's number in each camera; -1 where a camera does not show them."""
    only: bool
    """Whether nobody else of the take is wanted."""

    @property
    def name(self) -> str:
        """For people: the take, and who of it if several are wanted."""
        return self.take.name if self.only else f"{self.take.name} {self.person}"

    @property
    def person(self) -> str:
        """The name in result files."""
        return f"person{self.number}"

    @property
    def rig(self) -> str:
        """A label of takes and people that the same unmoved cameras filmed."""
        if not self.take.rig:
            return "" if self.only else f"of {self.take.name}"
        return f"{self.take.rig}: {', '.join(camera.name for camera in self.take.cameras)}"

    @property
    def subjects(self) -> list[str]:
        """Names of the views."""
        who = "" if self.only else f"/{self.person}"
        return [f"{self.take.name}/{camera.name}{who}" for camera in self.take.cameras]
