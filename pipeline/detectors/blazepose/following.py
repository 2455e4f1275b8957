"""People followed from picture to picture: where somebody was tells where to look, and the finder who else is there.

Finding people costs more than following them, and the more the smaller they may be. So the finder sees the whole
picture coarsely now and then, and finely less often unless those who are there are small. Where people cross, it sees
the part of the picture around them, and where somebody is lost, as behind somebody else, so for a while.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ....models.skeleton import BLAZEPOSE33, COCO17
from .finder import FinderNetwork, Found
from .landmarks import LandmarkNetwork, Poses
from .lost import LostPeople
from .region import regions_of, steadied

COARSE_PX = (256, 512)
"""Longer sides of the whole picture in a coarse look, for people who fill it and for others."""
FINE_SHARE, FINE_PX = 2 / 3, 1920
"""The same in a fine look, as a share of the picture's, and at most."""
LARGEST = 200
"""Size of people in a fine or close look, px, from which on the finder would take parts of somebody for people."""
COARSE_EVERY, FINE_EVERY, SMALL_EVERY = 20, 150, 30
"""Pictures from one look to the next while people are followed; fine looks are more frequent if somebody is small."""
SEVERAL_EVERY = 5
"""The same of the larger coarse look while several people are followed, as others may come from behind them."""
SEARCH_EVERY, SEARCH_FINE_EVERY = 5, 15
"""The same while nobody is followed."""
SMALL = 0.12
"""Size of a person, as a share of the picture's longer side, below which the person is small."""
CROSS_EVERY = 3
"""Pictures from one look at people who cross to the next."""
CLOSE_PX = 96
"""Size of the smallest person in a look at a part of the picture."""
AROUND = 1.2
"""Distance of such a part's edges from the middle of a person, in sides of the person's region."""
KNOWN = 5
"""Pictures in which somebody was seen whom it is worth looking for when lost."""
BODY = 0.6
"""Size of a person who stands, in sides of the region."""
PRESENT = 0.5
"""Probability from which on there is a person in a region."""
SAME = 0.25
"""Mean distance of joints, in sizes of the person, below which finder and landmarks mean the same person."""
DOUBLE = 0.08
"""The same below which two regions show one person."""
CROSSING = 0.35
"""Distance of two regions' centres, in sides of the smaller one, below which people cross."""
MOVED = 0.08
"""Distance, in sides of a region, by which it may move before its person is looked at once more in the new one."""
MOST_PEOPLE = 12
"""Who are followed at once, the largest."""

_COMMON = [BLAZEPOSE33.index(joint) for joint in COCO17.joints]


class Follower:
    """The people in consecutive pictures of one video.

    Args:
        every: pictures of the video from one that it is given to the next.
    """

    def __init__(self, finder: FinderNetwork, landmarks: LandmarkNetwork, every: int = 1) -> None:
        self._every = every
        self._finder, self._landmarks = finder, landmarks
        self._region = np.zeros((0, 4), np.float32)
        self._age = np.zeros(0, int)  # pictures for which each of them is followed
        self._lost = LostPeople()
        self._since_coarse = self._since_fine = self._since_crossing = FINE_EVERY  # so that every look is due
        self._since_several = 0

    def next(self, image: np.ndarray) -> Poses:
        """The people in the next picture (H, W, 3) uint8 BGR, the largest first."""
        seen = self._landmarks.settled(image, self._region, MOVED)
        alive = _singles(seen)
        seen = replace(seen, region=steadied(self._region, seen.region))
        people, age = seen[alive], self._age[alive] + self._every
        self._lost.wait(self._every)
        self._lost.found(people.region[(age >= KNOWN) & (age - self._every < KNOWN)])
        self._lost.add(self._region[np.setdiff1d(np.flatnonzero(self._age >= KNOWN), alive)])
        for found in self._looks(image, people):
            is_one, is_new = _matched(found, people)
            self._lost.add(people.region[~is_one & (age >= KNOWN)])
            people, age = people[is_one], age[is_one]
            new, hidden = self._newcomers(image, found[is_new], people)
            self._lost.add(hidden)
            people, age = Poses.joined(people, new), np.concatenate([age, np.zeros(len(new.region), int)])
            single = _singles(people)
            people, age = people[single], age[single]
        order = np.argsort(-people.region[:, 2], kind="stable")[:MOST_PEOPLE]
        people, self._age = people[order], age[order]
        self._region = people.region
        return people

    def _looks(self, image: np.ndarray, people: Poses) -> list[Found]:
        """What the finder sees in this picture, if it is to look."""
        count, longer_side = len(people.region), max(image.shape[:2])
        small = bool((BODY * people.region[:, 2] < SMALL * longer_side).any())
        fine_every = SEARCH_FINE_EVERY if not count else SMALL_EVERY if small else FINE_EVERY
        fine_px = min(round(FINE_SHARE * longer_side), FINE_PX)
        self._since_coarse += self._every
        self._since_several += self._every
        self._since_fine += self._every
        self._since_crossing += self._every
        looks = []
        if self._since_coarse >= COARSE_EVERY or (not count and self._since_coarse >= SEARCH_EVERY):
            self._since_coarse = self._since_several = 0
            looks += [self._finder.look(image, side) for side in COARSE_PX]
        elif self._since_several >= SEVERAL_EVERY and count > 1:
            self._since_several = 0
            looks.append(self._finder.look(image, max(COARSE_PX)))
        if self._since_fine >= fine_every and fine_px > max(COARSE_PX):
            self._since_fine = 0
            looks.append(self._finder.look(image, fine_px, LARGEST))
        if self._since_crossing >= CROSS_EVERY and (crossing := _crossing(people.region).any(1)).any():
            self._since_crossing = 0
            looks.append(self._look_close(image, people.region[crossing]))
        return looks + [self._look_close(image, region[None]) for region in self._lost.due()]

    def _look_close(self, image: np.ndarray, regions: np.ndarray) -> Found:
        """What the finder sees in the part of a picture in which regions (N, 4) are."""
        reach = AROUND * regions[:, 2:3]
        limit = np.array(image.shape[1::-1])
        left, top = np.clip((regions[:, :2] - reach).min(0), 0, limit - 1).astype(int)
        right, bottom = np.clip((regions[:, :2] + reach).max(0), [left + 1, top + 1], limit).astype(int)
        part = image[top:bottom, left:right]
        side = max(part.shape[:2]) * CLOSE_PX / (BODY * regions[:, 2].min())
        side = int(np.clip(side, min(COARSE_PX), FINE_SHARE * FINE_PX))
        return self._finder.look(part, side, LARGEST).moved(left, top)

    def _newcomers(self, image: np.ndarray, found: Found, people: Poses) -> tuple[Poses, np.ndarray]:
        """The poses of people whom the finder sees, where the landmarks say the same; and where the hidden ones are.

        These are regions (N, 4) of people of whom the landmarks show nothing, but somebody known in front of them.
        """
        seen = regions_of(found.keypoint)
        poses = self._landmarks.poses(image, seen)
        here = poses.presence >= PRESENT
        poses, found, seen = self._landmarks.poses(image, poses.region[here]), found[here], seen[here]
        apart = np.linalg.norm(found.keypoint - poses.keypoint[:, _COMMON], axis=-1).mean(-1)
        same = (poses.presence >= PRESENT) & (apart < SAME * found.size)
        hidden = (_distance(poses.keypoint, people.keypoint) < DOUBLE * BODY * people.region[:, 2]).any(1)
        return poses[same & ~hidden], seen[hidden]


def _matched(found: Found, people: Poses) -> tuple[np.ndarray, np.ndarray]:
    """Which of the people are to be followed on, and which of those whom the finder sees are new.

    Whom the finder does not see may be somebody all the same, but not where it sees somebody else.
    """
    distance = _distance(found.keypoint, people.keypoint[:, _COMMON]) / np.maximum(found.size, 1)[:, None]
    row, column = linear_sum_assignment(distance)
    same = distance[row, column] < SAME
    is_new, seen = np.ones(len(found.score), bool), np.zeros(len(people.region), bool)
    is_new[row[same]], seen[column[same]] = False, True
    return seen | ~_crossing(people.region)[:, seen].any(1), is_new


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean distances (A, B) of the joints of poses (A, J, 2) and (B, J, 2)."""
    return np.linalg.norm(one[:, None] - other[None], axis=-1).mean(-1)


def _singles(poses: Poses) -> np.ndarray:
    """Indices of the poses that show a person whom no earlier one shows."""
    size = BODY * poses.region[:, 2]
    near = _distance(poses.keypoint, poses.keypoint) < DOUBLE * np.minimum(size[:, None], size[None])
    chosen: list[int] = []
    for number in np.flatnonzero(poses.presence >= PRESENT).tolist():
        if not near[number, chosen].any():
            chosen.append(number)
    return np.array(chosen, int)


def _crossing(regions: np.ndarray) -> np.ndarray:
    """Which people in regions (N, 4) are about to cross each other (N, N)."""
    distance = np.linalg.norm(regions[:, None, :2] - regions[None, :, :2], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return distance < CROSSING * np.minimum(regions[:, None, 2], regions[None, :, 2])
