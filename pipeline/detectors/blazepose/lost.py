"""Where people were seen last who are not seen any more, as behind somebody else: there they are looked for again."""

from __future__ import annotations

import numpy as np

EVERY, LONGEST = 3, 60
"""Pictures from one look to the next, and for how long there are looks."""
REACH = 1.2
"""How far from there somebody may come back, in sides of the region."""
SAME = 0.35
"""Distance, in sides of the region, below which two places are one."""


class LostPeople:
    """Regions (N, 4), as of ``region``, in which people were lost."""

    def __init__(self) -> None:
        self._region = np.zeros((0, 4), np.float32)
        self._age = np.zeros(0, int)  # pictures for which each is lost
        self._waiting = np.zeros(0, int)  # and from the last look there

    def add(self, regions: np.ndarray) -> None:
        """People are lost in regions (N, 4)."""
        for region in regions:
            self._keep(~self._near(region, SAME))
            self._region = np.concatenate([self._region, region[None]])
            self._age, self._waiting = np.append(self._age, 0), np.append(self._waiting, EVERY)

    def found(self, regions: np.ndarray) -> None:
        """People in regions (N, 4) are new: each is one who was lost nearby, if somebody was."""
        for region in regions:
            near = np.flatnonzero(self._near(region, REACH))
            if len(near):
                away = np.linalg.norm(self._region[near, :2] - region[:2], axis=1)
                self._keep(np.arange(len(self._age)) != near[away.argmin()])

    def due(self) -> np.ndarray:
        """The regions (N, 4) that are to be looked at in this picture."""
        now = self._waiting >= EVERY
        self._waiting[now] = 0
        return self._region[now]

    def wait(self, pictures: int) -> None:
        """Pictures pass."""
        self._age, self._waiting = self._age + pictures, self._waiting + pictures
        self._keep(self._age <= LONGEST)

    def _near(self, region: np.ndarray, share: float) -> np.ndarray:
        """Which of the places (N) are so near a region (4), in sides of their own."""
        return np.linalg.norm(self._region[:, :2] - region[:2], axis=1) < share * self._region[:, 2]

    def _keep(self, these: np.ndarray) -> None:
        self._region, self._age, self._waiting = self._region[these], self._age[these], self._waiting[these]
