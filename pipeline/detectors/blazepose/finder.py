"""MoveNet MultiPose: where people are in a picture, or in a part of it.

The network is a CenterNet (Zhou et al., "Objects as Points", 2019): a heat map of people's centres, and for each
centre the box around the person and roughly where the joints are; heat maps of joints then say it precisely. What
comes behind these six maps in Google's model is done here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ....models.skeleton import COCO17
from ...runtime.utilisation import network
from ..openvino_runtime import network_of_pictures
from .landmarks import sigmoid

WEIGHTS = Path(__file__).parent / "weights" / "movenet-multipose-heads.onnx"
SCALE = 127.5025
"""The network takes a channel's value / SCALE - 1."""
HEADS = ("center", "box_scale", "box_offset", "kpt_heatmap", "kpt_regress", "kpt_offset")
"""The network's outputs, as ``decoded`` takes them."""
GRID, CELL = 32, 4
"""Sides of the network's pictures are multiples of GRID px; a cell of its maps is CELL px wide."""
LEAST_SCORE = 0.2
"""Probability of a centre from which on it counts as a person."""
LEAST_HEAT = 0.1
"""Probability of a joint in its heat map from which on the map says more than the centre does."""
REACH = 0.15
"""How far the heat maps may move a joint, in sides of the box."""
MOST_PEOPLE = 30
"""Of one picture, the most probable ones."""


@dataclass(frozen=True)
class Found:
    """The people (P) that the finder sees."""

    score: np.ndarray  # (P) float32 in 0..1, falling
    box: np.ndarray  # (P, 4) float32 px: left, top, right, bottom
    keypoint: np.ndarray  # (P, 17, 2) float32 px, of COCO-17

    def __getitem__(self, chosen: np.ndarray) -> Found:
        """Some of the people."""
        return Found(self.score[chosen], self.box[chosen], self.keypoint[chosen])

    @property
    def size(self) -> np.ndarray:
        """(P) float32 px: the larger side of each box."""
        return (self.box[:, 2:] - self.box[:, :2]).max(1, initial=0)

    def moved(self, left: int, top: int) -> Found:
        """The people of a part of a picture, in px of the picture."""
        return Found(
            self.score,
            self.box + np.array([left, top] * 2, np.float32),
            self.keypoint + np.array([left, top], np.float32),
        )


class FinderNetwork:
    """The network, on the processor."""

    def __init__(self) -> None:
        self._network = network_of_pictures(WEIGHTS, mean=SCALE, scale=SCALE, channels_last=False)

    def look(self, image: np.ndarray, longer_side: int, largest: float = np.inf) -> Found:
        """The people in a picture (H, W, 3) uint8 BGR.

        Args:
            longer_side: px to which the picture's longer side is brought; people of some 40 to 300 px are found then.
            largest: size of people in those px from which on they do not count.
        """
        share = longer_side / max(image.shape[:2])
        size = [max(round(side * share), 1) for side in image.shape[:2]]
        shrunk = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR)
        given = np.zeros((1, *(-(-side // GRID) * GRID for side in size), 3), np.uint8)
        given[0, : size[0], : size[1]] = shrunk
        with network():
            found = self._network([given], share_inputs=True)
        people = decoded(*(found[head][0] for head in HEADS))
        people = people[people.size * CELL < largest]
        return Found(people.score, people.box * (CELL / share), people.keypoint * (CELL / share))


def decoded(
    centre: np.ndarray,
    box_scale: np.ndarray,
    box_offset: np.ndarray,
    joint_heat: np.ndarray,
    joint_shift: np.ndarray,
    joint_offset: np.ndarray,
) -> Found:
    """The people in the network's maps, in cells.

    Args:
        centre: (1, H, W) logits of people's centres.
        box_scale: (2, H, W) height and width of the box around the person in whose centre a cell is.
        box_offset: (2, H, W) from the cell to the box's middle: y, x.
        joint_heat: (17, H, W) logits of joints.
        joint_shift: (34, H, W) from the centre to each joint: y, x.
        joint_offset: (34, H, W) from a cell to the joint in it: y, x.
    """
    heat = sigmoid(centre[0])
    peak = (heat >= LEAST_SCORE) & (heat == cv2.dilate(heat, np.ones((3, 3), np.uint8)))
    row, column = np.nonzero(peak)
    order = np.argsort(-heat[row, column], kind="stable")[:MOST_PEOPLE]
    row, column = row[order], column[order]
    cell = np.stack([row, column], -1).astype(np.float32)
    middle, half = cell + box_offset[:, row, column].T, box_scale[:, row, column].T / 2
    joint = cell[:, None] + joint_shift[:, row, column].T.reshape(-1, len(COCO17.joints), 2)
    for person in range(len(cell)):
        reach = REACH * 2 * half[person].max()
        for number in range(len(COCO17.joints)):
            offset = joint_offset[2 * number : 2 * number + 2]
            joint[person, number] = _at_the_peak(joint[person, number], joint_heat[number], offset, reach)
    return Found(
        heat[row, column], np.concatenate([middle - half, middle + half], 1)[:, [1, 0, 3, 2]], joint[..., ::-1]
    )


def _at_the_peak(joint: np.ndarray, logit: np.ndarray, offset: np.ndarray, reach: float) -> np.ndarray:
    """A joint (2) y, x moved to the best cell of its heat map (H, W) within reach; near cells count more."""
    low = np.floor(joint - reach).astype(int).clip(0)
    high = np.ceil(joint + reach + 1).astype(int).clip(0)
    near = np.s_[low[0] : high[0], low[1] : high[1]]
    heat = sigmoid(logit[near])
    if heat.size == 0:
        return joint
    row, column = np.ogrid[low[0] : low[0] + heat.shape[0], low[1] : low[1] + heat.shape[1]]
    distance = np.hypot(row - joint[0], column - joint[1])
    best = np.unravel_index(np.argmax(heat / (distance + reach)), heat.shape)
    if heat[best] < LEAST_HEAT:
        return joint
    return low + best + offset[(slice(None), *(low + best))]
